"""The adb server of a test process, and a phone that is connected to it."""

import os
import shutil
import socket
import subprocess
import time

import pytest
from support.fake_device.phone import Phone


class Server:
    """An adb server of our own: another port and another home than the user's."""

    def __init__(self, home):
        if shutil.which("adb") is None:
            pytest.fail("Expected the program `adb`. Received: none. Install the Debian package `adb`", pytrace=False)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.environment = {"HOME": str(home), "ANDROID_ADB_SERVER_PORT": str(self.port)}
        self.adb("start-server")

    def adb(self, *arguments, check=True):
        return subprocess.run(
            ["adb", *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
        ).stdout

    def connect(self, phone):
        if phone.state == "offline":  # the client waits ten seconds for an answer; the server knows the phone at once
            arguments = ["adb", "connect", phone.address]
            client = subprocess.Popen(arguments, env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL)
            self.wait_for(phone, "offline")
            client.kill()
            client.wait()
        else:
            self.adb("connect", phone.address)
            self.wait_for(phone, phone.state)

    def wait_for(self, phone, state):
        deadline = time.monotonic() + 20
        while f"{phone.address}\t{state}" not in self.adb("devices"):
            assert time.monotonic() < deadline, self.adb("devices")
            time.sleep(0.05)


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"))
    yield server
    server.adb("kill-server", check=False)


@pytest.fixture
def phones(adb_server, tmp_path, monkeypatch):
    """Makes phones that are connected; none may have a file or a program left when the test is over."""
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    made = []

    def make(**attributes):
        phone = Phone(tmp_path / f"phone-{len(made)}")
        for name, value in attributes.items():
            setattr(phone, name, value)
        made.append(phone)
        adb_server.connect(phone)
        return phone

    yield make
    try:
        for phone in made:
            assert phone.left_after(seconds=20) == ([], [], [])
    finally:
        for phone in made:
            adb_server.adb("disconnect", phone.address, check=False)
            phone.stop()


@pytest.fixture
def phone(phones):
    return phones()
