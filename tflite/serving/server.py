"""A web server of a fixed list of files under a secret address, which takes results and nothing else."""

import gzip
import hashlib
import hmac
import re
import secrets
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tflite.errors import ModelError

RESULTS = "results"
# Connections at a time: a browser opens six.
_MOST_CONNECTIONS = 64
# Results that are taken in all: whoever has the address cannot fill the disk.
MOST_RESULTS = 500
# Seconds for which a connection may be silent.
_PATIENCE = 30.0
# Files below this size are not worth compressing.
_SMALL = 4096
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # The address holds the secret.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # Threads of WebAssembly need a page that shares its process with no other site.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "wasm": "application/wasm",
    "bin": "application/octet-stream",
}


@dataclass
class Content:
    """The files that a server gives out, by name; "" is the page.

    Attributes:
        files: name → bytes. Nothing else is served, and no path is ever looked up on the disk.
        limit: bytes of the largest body.
        receive: takes a body; returns a sentence for the page, and raises ModelError for what it does not take.
    """

    files: dict[str, bytes]
    limit: int
    receive: Callable[[bytes], str]
    taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _packed: dict[str, bytes] = field(default_factory=dict)

    def policy(self) -> str:
        """Content-Security-Policy: scripts of this server, and those inside the page by their hash."""
        inside = re.findall(rb"<script[^>]*>(.+?)</script>", self.files[""], re.DOTALL)
        return _POLICY.format(hashes="".join(f" 'sha256-{_base64_sha256(text)}'" for text in inside))

    def packed(self, name: str) -> bytes:
        """A file, compressed once."""
        with self._lock:
            if name not in self._packed:
                self._packed[name] = gzip.compress(self.files[name], 6, mtime=0)
            return self._packed[name]

    def take(self, body: bytes) -> str:
        """Hand a body on, one at a time.

        Raises:
            ModelError: it is not taken.
        """
        with self._lock:
            said = self.receive(body)
            self.taken += 1
            return said


def _base64_sha256(text: bytes) -> str:
    import base64

    return base64.b64encode(hashlib.sha256(text).digest()).decode()


class PageServer(ThreadingHTTPServer):
    """A server of `content` at `address`.

    Args:
        content: what to serve.
        host: address to listen at.
        port: 0 for any that is free.
        context: certificate for HTTPS; plain HTTP without one.
        token: secret part of the address; a new one by default.

    Raises:
        OSError: the address is not this machine's, or the port is taken.
    """

    daemon_threads = True
    # A port that another program listens at is an error, also where the system would share it.
    allow_reuse_port = False

    def __init__(
        self,
        content: Content,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        context: ssl.SSLContext | None = None,
        token: str | None = None,
    ):
        self.content, self.context = content, context
        self.token = secrets.token_urlsafe(16) if token is None else token
        self.policy = content.policy()
        self._connections = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        if ":" in host:
            import socket

            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """The port it listens at."""
        return int(self.server_address[1])

    def address(self, host: str) -> str:
        """The address of the page for those who reach this machine as `host`."""
        shown = f"[{host}]" if ":" in host else host
        return f"http{'s' if self.context else ''}://{shown}:{self.port}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or hang up where too many are at work."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection."""
        try:
            request.settimeout(_PATIENCE)
            if self.context is not None:  # in the thread: a client that is slow to greet holds up nobody else
                request = self.context.wrap_socket(request, server_side=True)
            super().process_request_thread(request, client_address)
        except OSError:  # no greeting of TLS, as from a browser that does not know the certificate yet
            self.shutdown_request(request)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Forget a connection that was cut: its other end is gone."""


class _Handler(BaseHTTPRequestHandler):
    """One request: of a file in the list, or of results."""

    server: PageServer
    server_version, sys_version = "distiller", ""
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Send a file."""
        name = self._asked()
        if name is None or name not in self.server.content.files:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        files = self.server.content.files
        body, headers = files[name], {"Content-Type": _TYPES.get(name.rpartition(".")[2] or "html", _TYPES["bin"])}
        if len(body) > _SMALL and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = self.server.content.packed(name)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        self._send(HTTPStatus.OK, body, headers)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Take results."""
        # What is left of a body that is not read would be taken for the next request.
        self.close_connection = True
        if self._asked() != RESULTS:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,12}", length):
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        elif int(length) > self.server.content.limit:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self.headers.get("Content-Type") != "application/json":
            # Pages of other sites may send plain text without asking, and not this.
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif self.server.content.taken >= MOST_RESULTS:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
        else:
            self._take(int(length))

    def _take(self, length: int) -> None:
        body = self.rfile.read(length)
        if len(body) != length:  # the connection was cut
            return
        try:
            said = self.server.content.take(body)
        except ModelError as error:
            self._send(HTTPStatus.BAD_REQUEST, str(error).encode(errors="backslashreplace"), _TEXT)
            return
        self._send(HTTPStatus.OK, said.encode(errors="backslashreplace"), _TEXT)

    def _asked(self) -> str | None:
        """The name of what is asked for; None for an address without the secret."""
        path = self.path.partition("?")[0]
        found = re.fullmatch(r"/([^/]*)/([^/]*)", path)
        token = found[1] if found else ""
        # In a time that tells nothing of how much of it was right.
        right = hmac.compare_digest(token.encode(errors="replace"), self.server.token.encode())
        return found[2] if found and right else None

    def _refuse(self, status: HTTPStatus) -> None:
        self._send(status, f"{status.phrase}\n".encode(), _TEXT)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request of ours, a method for instance, without a word of what was asked for."""
        status = HTTPStatus(code)
        self.close_connection = True
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED if status == HTTPStatus.NOT_IMPLEMENTED else status)

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Security-Policy": self.server.policy, **headers}.items():
            self.send_header(name, value)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD, POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: what is asked for is no news, and holds the secret."""


_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
