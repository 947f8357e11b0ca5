"""Connections beyond this machine, in this process and in every Python process that it starts.

An audit hook sees every connection that Python code asks for, whichever library asks, and refuses those to other
machines. What is started with the environment of `watch` has the hook too, from `support/watched/sitecustomize.py`.
"""

import atexit
import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

FILE = "WATCHED_CONNECTIONS"
_NAMES = {None, "", "localhost", "localhost.localdomain", "ip6-localhost", "0.0.0.0", "::", "<broadcast>"}


def watch():
    """Watch this process and those that it starts; what they ask for is written to a file, a line each."""
    place = tempfile.mkdtemp(prefix="watched-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    os.environ[FILE] = f"{place}/connections"
    folder = str(Path(__file__).parent / "watched")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    start()


def start():
    """Watch this process, once, by the file that the environment names at the time of a connection.

    A worker of the tests is started with the environment of another watch, and begins one of its own.
    """
    if getattr(sys, "connections_watched", False) or FILE not in os.environ:
        return
    sys.connections_watched = True
    own = {*_NAMES, socket.gethostname(), socket.getfqdn()}

    def hook(event, arguments):
        host = _host(event, arguments)
        if host in own or _is_of_this_machine(host):
            return
        with open(os.environ[FILE], "a") as file:
            file.write(f"{event} {host} by {' '.join(sys.argv)[:200]}\n")
        raise ConnectionRefusedError(f"Tests ask for no connection beyond this machine. Received: {event} {host}")

    sys.addaudithook(hook)


def seen():
    """The connections that were asked for since the last call."""
    path = Path(os.environ[FILE])
    if not path.exists() or not path.stat().st_size:
        return []
    lines = path.read_text().splitlines()
    path.unlink()
    return lines


def _host(event, arguments):
    """The machine that an event asks for; an empty name for events that ask for none."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        kind, address = arguments[0].type, arguments[1]
        # A datagram socket sends nothing when it connects, and paths are sockets of this machine.
        host = (
            ""
            if not isinstance(address, tuple) or (event == "socket.connect" and kind == socket.SOCK_DGRAM)
            else address[0]
        )
    else:
        return ""
    return host.decode() if isinstance(host, bytes) else host


def _is_of_this_machine(host):
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # a name, which only another machine can resolve
        return False
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as own:
        try:
            own.bind((host, 0))
        except OSError:
            return False
    return True
