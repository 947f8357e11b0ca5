"""Nothing leaves this machine: who may open a connection, and the watch that all tests run under."""

import ast
import os
import socket
import subprocess
import sys

import pytest
from support import connections
from test_structure import MODULES

OTHER = "192.0.2.1"  # documentation's own: no machine has it
NETWORK = {
    "aiohttp",
    "ftplib",
    "http",
    "httpx",
    "imaplib",
    "requests",
    "smtplib",
    "socketserver",
    "ssl",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "webbrowser",
    "websockets",
    "xmlrpc",
}
# Modules that speak to other programs or machines, as the command `serve` and the option --ray say.
SPEAKS = ("distiller.cli.serve", "tflite.serving.", "distiller.utils.ray_cluster")
DOWNLOADS = {"distiller.data.sources", "distiller.data.tfds_images"}


def names_of(tree):
    """Dotted names that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def test_modules_that_speak_to_the_network_are_known():
    """All others import nothing that opens a connection."""
    for name, path in MODULES.items():
        if name.startswith(SPEAKS):
            continue
        tree = ast.parse(path.read_text())
        assert not [each for each in names_of(tree) if each in NETWORK or each.split(".")[0] in NETWORK], name
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        asked = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert {each for each in asked if each.split(".")[0] == "socket" and each.count(".") == 1} <= {
            "socket.gethostname"
        }, name
        assert not [call for call in calls if call.endswith("get_file")], name
        assert name in DOWNLOADS or not any("download_and_prepare" in call for call in calls), name


def test_adb_is_called_in_one_place_alone():
    found = [name for name, path in MODULES.items() if '"adb"' in path.read_text()]
    assert set(found) == {"tflite.android.adb", "tflite.android.requirements"}


@pytest.mark.parametrize("ask", ["connect", "resolve"])
def test_a_connection_is_refused_and_seen(ask):
    """The watch itself: here, and in a process that is started."""
    host = OTHER if ask == "connect" else "example.invalid"
    with pytest.raises(ConnectionRefusedError, match="no connection beyond this machine"):
        socket.create_connection((host, 80), timeout=1)
    [line] = connections.seen()
    assert host in line
    code = f"import socket; socket.create_connection(({host!r}, 80), timeout=1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "no connection beyond this machine" in done.stderr
    [line] = connections.seen()
    assert host in line


def test_this_machine_is_no_other():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    socket.getaddrinfo(socket.gethostname(), None)
    left, right = socket.socketpair()
    left.close()
    right.close()
    assert connections.seen() == []
    assert os.environ[connections.FILE]
