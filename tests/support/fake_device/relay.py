"""An adb server in front of the real one, that calls a phone by another name: a serial number with a space in it."""

import contextlib
import socket
import threading


class Relay(threading.Thread):
    """Listens on a port of its own; `name` stands for `address` in what the client asks and in the list it gets."""

    def __init__(self, port, address, name):
        super().__init__(daemon=True)
        self._target, self._address, self._name = port, address.encode(), name.encode()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def stop(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self, client):
        """The first request is a word with its length; what follows passes as it is."""
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, contextlib.suppress(OSError):
            request = client.recv(int(client.recv(4, socket.MSG_WAITALL), 16), socket.MSG_WAITALL)
            renamed = request.replace(self._name, self._address)
            server.sendall(f"{len(renamed):04x}".encode() + renamed)
            if request == b"host:devices":
                server.recv(4, socket.MSG_WAITALL)
                length = int(server.recv(4, socket.MSG_WAITALL), 16)
                devices = server.recv(length, socket.MSG_WAITALL).replace(self._address, self._name)
                client.sendall(b"OKAY" + f"{len(devices):04x}".encode() + devices)
                return
            threading.Thread(target=_pass, args=(client, server), daemon=True).start()
            _pass(server, client)


def _pass(one, other):
    with contextlib.suppress(OSError):
        while part := one.recv(65536):
            other.sendall(part)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
