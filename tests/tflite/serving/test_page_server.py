"""The server of a page: what it gives out, to whom, and what it takes."""

import gzip
import hashlib
import http.client
import socket
import ssl
import threading
from contextlib import suppress

import pytest

from tflite.errors import ModelError
from tflite.serving import Content, PageServer, server
from tflite.serving.certificate import certified

PAGE = b'<script type="importmap">{"imports": {}}</script><p>page'
LARGE = bytes(range(256)) * 100
JSON = {"Content-Type": "application/json"}


class Running:
    """A server in a thread, and requests to it."""

    def __init__(self, received, **options):
        def receive(body):
            if body == b"wrong":
                raise ModelError("Expected JSON. Received: wrong")
            received.append(body)
            return "Kept"

        files = {"": PAGE, "page.js": b"1", "model-0.bin": LARGE, "a.wasm": b"\0asm"}
        self.content = Content(files, 100, receive)
        self.server = PageServer(self.content, **options)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def ask(self, method, path, body=None, headers=None, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, f"/{token or self.server.token}/{path}", body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def send(self, raw):
        """The answer to bytes as they are, until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)


@pytest.fixture(scope="module")
def received():
    return []


@pytest.fixture(scope="module")
def running(received):
    found = Running(received)
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_files_have_their_types_and_the_page_no_name(running):
    types = {"": "text/html; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "a.wasm": "application/wasm"}
    for name, kind in {**types, "model-0.bin": "application/octet-stream"}.items():
        status, body, headers = running.ask("GET", name)
        assert (status, body, headers["Content-Type"]) == (200, running.content.files[name], kind)


def test_large_files_are_compressed_for_those_who_ask(running):
    _, body, headers = running.ask("GET", "model-0.bin", headers={"Accept-Encoding": "gzip, br"})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == LARGE
    assert running.ask("GET", "page.js", headers={"Accept-Encoding": "gzip"})[1] == b"1"


def test_head_has_no_body(running):
    status, body, headers = running.ask("HEAD", "model-0.bin")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(LARGE)))


@pytest.mark.parametrize("token", ["wrong", "A" * 22, "%2e%2e"])
@pytest.mark.parametrize("name", ["", "page.js", "results"])
def test_a_wrong_token_finds_nothing(running, received, token, name):
    for method in ("GET", "POST"):
        status, body, _ = running.ask(method, name, b"{}" if method == "POST" else None, JSON, token=token)
        assert (status, body) == (404, b"Not Found\n")
    assert received == []


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/page.js",
        "./page.js",
        "/page.js",
        "\\..\\setup.cfg",
        "page.py",
        "server.py",
        "description.json/",
        "model-0.bin%00.js",
        "//etc/passwd",
        "file:///etc/passwd",
    ],
)
def test_nothing_but_the_list_is_served(running, path):
    assert running.ask("GET", path)[:2] == (404, b"Not Found\n")


def test_a_token_that_is_no_text(running):
    assert running.send("GET /é/page.js HTTP/1.1\r\nConnection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("target", ["/", "/favicon.ico", "*", "http://127.0.0.1/page.js", "page.js"])
def test_addresses_without_a_token(running, target):
    answer = running.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused(running, method):
    status, body, headers = running.ask(method, "page.js")
    assert (status, body, headers["Allow"]) == (405, b"Method Not Allowed\n", "GET, HEAD, POST")


def test_results_are_handed_on_and_answered(running, received):
    assert running.ask("POST", "results", b'{"a": 1}', JSON)[:2] == (200, b"Kept")
    assert received.pop() == b'{"a": 1}'
    assert running.content.taken == 1
    assert running.ask("POST", "results", b"wrong", JSON)[:2] == (400, b"Expected JSON. Received: wrong")
    assert running.content.taken == 1


def test_bodies_have_a_limit_and_a_type(running, received):
    assert running.ask("POST", "results", b"x" * 100, JSON)[0] == 200
    assert received.pop() == b"x" * 100
    assert running.ask("POST", "results", b"x" * 101, JSON)[0] == 413
    assert running.ask("POST", "results", b"{}", {"Content-Type": "text/plain"})[0] == 415
    assert running.ask("POST", "page.js", b"{}", JSON)[0] == 404
    chunked = {**JSON, "Transfer-Encoding": "chunked"}
    assert running.ask("POST", "results", iter([b"{}"]), chunked)[0] == 411
    assert running.ask("GET", "results")[0] == 404
    assert received == []


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "", "9" * 30])
def test_lengths_that_are_none(running, received, length):
    head = f"POST /{running.server.token}/results HTTP/1.1\r\nContent-Type: application/json\r\n"
    answer = running.send(f"{head}Content-Length: {length}\r\n\r\n{{}}".encode())
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert received == []


def test_a_cut_connection_leaves_nothing(running, received):
    head = (
        f"POST /{running.server.token}/results HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
    )
    assert running.send(head.encode() + b'{"a"') == b""
    assert received == []
    assert running.ask("GET", "page.js")[0] == 200


def test_a_second_request_cannot_hide_in_a_body(running, received):
    """What follows a refused body is never answered."""
    hidden = f"GET /{running.server.token}/page.js HTTP/1.1\r\nHost: a\r\n\r\n"
    head = f"POST /{running.server.token}/results HTTP/1.1\r\nContent-Type: text/plain\r\n"
    answer = running.send(f"{head}Content-Length: {len(hidden)}\r\n\r\n{hidden}".encode())
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"HTTP/1.1 415 " in answer


def test_every_answer_has_the_headers_that_keep_the_page_to_itself(running):
    for method, name in (("GET", ""), ("GET", "nothing"), ("PUT", ""), ("POST", "results")):
        headers = running.ask(method, name)[2]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-")
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        expected = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        assert {name: headers[name] for name in expected} == expected
        assert "Python" not in headers["Server"]


def test_the_policy_has_the_hash_of_the_script_in_the_page(running):
    # `printf '{"imports": {}}' | openssl dgst -sha256 -binary | base64`
    assert "'sha256-CJt/FpW3RQlGvqBeO/YK74xrTm1ctS6rLMJu1bV4fMc='" in running.content.policy()


def test_results_end_where_there_are_enough(received, monkeypatch):
    monkeypatch.setattr(server, "MOST_RESULTS", 1)
    found = Running(received)
    assert [found.ask("POST", "results", b"{}", JSON)[0] for _ in range(2)] == [200, 429]
    assert received.pop() == b"{}"
    found.server.shutdown()
    found.server.server_close()


def test_silent_connections_do_not_keep_others_out(received, monkeypatch):
    """Beyond the limit it hangs up, and goes on when one of them has ended."""
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 2)
    found = Running(received)
    address = ("127.0.0.1", found.server.port)
    silent = [socket.create_connection(address, timeout=10) for _ in range(2)]
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        found.ask("GET", "")
    for each in silent:
        each.close()
    for _ in range(100):
        try:
            assert found.ask("GET", "page.js")[0] == 200
            break
        except (ConnectionError, http.client.HTTPException):
            continue
    else:
        pytest.fail("no connection was given back")
    found.server.shutdown()
    found.server.server_close()


def test_the_token_is_new_each_time_and_long():
    content = Content({"": PAGE}, 1, lambda _: "")
    servers = [PageServer(content) for _ in range(2)]
    tokens = {each.token for each in servers}
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 22  # 128 bits
    assert servers[0].address("a.local") == f"http://a.local:{servers[0].port}/{servers[0].token}/"
    assert servers[0].address("::1").startswith("http://[::1]:")
    for each in servers:
        each.server_close()


def test_a_taken_port_is_an_error(running):
    with pytest.raises(OSError, match="in use"):
        PageServer(running.content, port=running.server.port)


def test_https_with_a_certificate_of_this_machine(received):
    context, fingerprint = certified(["localhost", "127.0.0.1"])
    found = Running(received, context=context)
    pem = ssl.get_server_certificate(("127.0.0.1", found.server.port), timeout=10)
    der = ssl.PEM_cert_to_DER_cert(pem)

    assert fingerprint.replace(":", "") == hashlib.sha256(der).hexdigest().upper()
    trusting = ssl.create_default_context(cadata=pem)
    for host in ("localhost", "127.0.0.1"):  # the name is checked, too
        connection = http.client.HTTPSConnection(host, found.server.port, context=trusting, timeout=10)
        connection.request("GET", f"/{found.server.token}/page.js")
        assert connection.getresponse().read() == b"1"
        connection.close()
    assert found.server.address("localhost").startswith("https://")
    # Plain HTTP at the same port is no request, and ends nothing.
    with suppress(OSError):  # it hangs up at any time
        assert found.send(f"GET /{found.server.token}/ HTTP/1.1\r\n\r\n".encode()) == b""
    assert ssl.get_server_certificate(("127.0.0.1", found.server.port), timeout=10) == pem
    found.server.shutdown()
    found.server.server_close()
