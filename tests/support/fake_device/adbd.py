"""A phone's end of the ADB protocol, on loopback: what `adbd` does, as much as the adb client needs.

Packets have a header of six little-endian numbers (command, two arguments, length, sum of the bytes, inverted command).
A service is a stream: OPEN, OKAY, then WRTE and OKAY in turns, and CLSE.
"""

import contextlib
import socket
import struct
import threading

VERSION, MOST = 0x01000000, 64 * 1024


def _command(name):
    return int.from_bytes(name, "little")


CNXN, AUTH, OPEN, OKAY, WRTE, CLSE = map(_command, (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"WRTE", b"CLSE"))


class Unplugged(ConnectionError):
    """The cable is gone."""


class Stream:
    """One service of a connection."""

    def __init__(self, connection, local, remote):
        self.connection, self.local, self.remote = connection, local, remote
        self._arrived, self._acknowledged = bytearray(), 0
        self._changed = threading.Condition()
        self.closed = False

    def write(self, data):
        """Send bytes; each packet waits for the one before to be acknowledged."""
        for start in range(0, len(data), MOST):
            with self._changed:
                self._changed.wait_for(lambda: self._acknowledged > 0 or self.closed)
                if self.closed:
                    raise Unplugged
                self._acknowledged -= 1
            self.connection.send(WRTE, self.local, self.remote, data[start : start + MOST])

    def read(self, size):
        """Exactly so many bytes, fewer where the other end has closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._arrived) >= size or self.closed)
            data = bytes(self._arrived[:size])
            del self._arrived[:size]
        return data

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.send(CLSE, self.local, self.remote)
        self.end()

    def arrive(self, data):
        with self._changed:
            self._arrived += data
            self._changed.notify_all()

    def acknowledge(self):
        with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()

    def end(self):
        with self._changed:
            self.closed = True
            self._changed.notify_all()


class Connection(threading.Thread):
    """One adb server that is connected."""

    def __init__(self, device, link):
        super().__init__(daemon=True)
        self.device, self.link = device, link
        self.streams, self._next = {}, 1
        self._sending = threading.Lock()

    def send(self, command, first, second, data=b""):
        header = struct.pack("<6I", command, first, second, len(data), sum(data), command ^ 0xFFFFFFFF)
        with self._sending:
            self.link.sendall(header + data)

    def run(self):
        with contextlib.suppress(OSError, struct.error):
            while True:
                command, first, second, length, _, _ = struct.unpack("<6I", self._exactly(24))
                self._handle(command, first, second, self._exactly(length))
        self.unplug()

    def unplug(self):
        for stream in list(self.streams.values()):
            stream.end()
        with contextlib.suppress(OSError):
            self.link.shutdown(socket.SHUT_RDWR)
        self.link.close()

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.link.recv(size - len(data))
            if not part:
                raise Unplugged
            data += part
        return data

    def _handle(self, command, first, second, data):
        if command in (CNXN, AUTH):
            self._greet()
        elif command == OPEN:
            stream = self.streams[self._next] = Stream(self, self._next, first)
            self._next += 1
            stream.acknowledge()
            self.send(OKAY, stream.local, stream.remote)
            service = data.rstrip(b"\0").decode()
            threading.Thread(target=self._serve, args=(service, stream), daemon=True).start()
        elif command == WRTE and second in self.streams:
            self.streams[second].arrive(data)
            self.send(OKAY, second, first)
        elif command == OKAY and second in self.streams:
            self.streams[second].acknowledge()
        elif command == CLSE and second in self.streams:
            self.streams.pop(second).end()

    def _greet(self):
        if self.device.state == "unauthorized":
            self.send(AUTH, 1, 0, b"0123456789abcdefghij")
        elif self.device.state == "device":
            features = ",".join(self.device.features)
            self.send(CNXN, VERSION, MOST, f"device::ro.product.model=Fake;features={features}".encode())

    def _serve(self, service, stream):
        try:
            self.device.serve(service, stream)
        except (Unplugged, OSError):
            pass
        finally:
            stream.close()
            self.streams.pop(stream.local, None)


class Listener(threading.Thread):
    """The port that `adb connect` is told."""

    def __init__(self, device):
        super().__init__(daemon=True)
        self.device, self.connections = device, []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._socket.accept()
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(self.device, link)
                self.connections.append(connection)
                connection.start()

    def unplug(self):
        """Cut every connection; new ones are still taken."""
        for connection in self.connections:
            connection.unplug()
        self.connections.clear()

    def stop(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.unplug()
