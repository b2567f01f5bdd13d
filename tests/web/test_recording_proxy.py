"""The proxy behind which the browser of the tests runs: loopback alone, and every host noted."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.recording_proxy import RecordingProxy, is_loopback, recording_proxy


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['Connection']} ".encode() + body)

    def log_message(self, *words: object) -> None:
        """Write nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that answers with what it was asked."""
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def _asked(proxy: RecordingProxy, method: str, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(proxy.address, timeout=10)
    connection.request(method, target, b"body" * 50_000)
    answer = connection.getresponse()
    told = answer.status, answer.read()
    connection.close()
    return told


def test_a_request_to_loopback_passes_with_its_body_and_one_elsewhere_does_not(echo: str) -> None:
    with recording_proxy() as proxy:
        status, told = _asked(proxy, "POST", f"http://{echo}/a%20b?c=d")
        assert (status, told) == (200, b"/a%20b?c=d close " + b"body" * 50_000)
        assert proxy.elsewhere() == []
        connection = http.client.HTTPConnection(proxy.address, timeout=10)
        for method, target in (
            ("GET", "http://192.0.2.1/x"),
            ("GET", "http://localhost.example/x"),
            ("CONNECT", "192.0.2.1:443"),
        ):
            connection.request(method, target)
            assert connection.getresponse().status == 403
            connection.close()
        assert [host for host, _ in proxy.elsewhere()] == [
            "192.0.2.1", "localhost.example", "192.0.2.1",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("10.0.0.1", False), ("", False)],
)
def test_loopback_is_known_by_its_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
