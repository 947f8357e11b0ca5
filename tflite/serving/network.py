"""The address by which a phone on the same network reaches this machine."""

import ipaddress
import socket

# Of a block that is kept for documentation: nothing is sent there, the system only says which way it would go.
_SOMEWHERE = (("192.0.2.1", 9, socket.AF_INET), ("2001:db8::1", 9, socket.AF_INET6))


def is_loopback(host: str) -> bool:
    """Return whether an address is this machine's own, which no other reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reached_as(host: str) -> str:
    """The address that others use for a server that listens at `host`: itself, unless it means all addresses."""
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for address, port, kind in _SOMEWHERE:
        if kind == family:
            try:
                with socket.socket(kind, socket.SOCK_DGRAM) as probe:
                    probe.connect((address, port))
                    return str(probe.getsockname()[0])
            except OSError:  # no network
                break
    return socket.gethostname()
