"""The address that a phone has for this machine."""

import ipaddress
import socket

import pytest

from tflite.serving.network import is_loopback, reached_as


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        ("192.0.2.1", False),
        ("a.b", False),
    ],
)
def test_loopback(host, own):
    assert is_loopback(host) is own


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::5", "computer.local", "127.0.0.1"])
def test_an_address_is_its_own(host):
    assert reached_as(host) == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_all_addresses_are_reached_by_one(host, monkeypatch):
    found = reached_as(host)
    try:
        assert not ipaddress.ip_address(found).is_unspecified
    except ValueError:  # no network of that kind here
        assert found == socket.gethostname()

    def no_network(*_):
        raise OSError("unreachable")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert reached_as(host) == socket.gethostname()
