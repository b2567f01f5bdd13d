"""An HTTP proxy on loopback that records which hosts a program asks for, and reaches loopback only.

One request a connection: the end of an answer is the end of its connection, so a stream of events
passes as it comes.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

LONGEST_HEAD = 65_536
_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_HOP = re.compile(rb"(?im)^(?:proxy-connection|connection|keep-alive):[^\r]*\r\n")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine's loopback."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class RecordingProxy(ThreadingTCPServer):
    """The proxy; `asked` has every host with the target of its request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def elsewhere(self) -> list[tuple[str, str]]:
        """Return the requests to other hosts than loopback."""
        return [each for each in self.asked if not is_loopback(each[0])]


class _Exchange(StreamRequestHandler):
    """A request of the program, and the answer to it."""

    server: RecordingProxy
    rbufsize = 0  # what follows the head is copied from the connection itself

    def handle(self) -> None:
        """Record a request, and pass it on if it goes to loopback."""
        head = self._head()
        method, target, *_ = [*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""]
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host = parts.hostname or ""
        self.server.asked.append((host, target))
        if method == "CONNECT" or not is_loopback(host):
            self.wfile.write(_REFUSED)
            return
        with socket.create_connection((host, parts.port or 80)) as there:
            there.sendall(_passed_on(head, parts.path or "/", parts.query))
            back = threading.Thread(target=_copy, args=(self.connection, there), daemon=True)
            back.start()
            _copy(there, self.connection)

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n") and len(head) < LONGEST_HEAD:
            line = self.rfile.readline(LONGEST_HEAD)
            if not line:
                break
            head += line
        return head


def _passed_on(head: bytes, path: str, query: str) -> bytes:
    """Return the head of a request as the server gets it."""
    first, _, rest = head.partition(b"\r\n")
    method, _, _ = first.partition(b" ")
    target = f"{path}?{query}" if query else path
    line = b"%s %s HTTP/1.1\r\nConnection: close\r\n" % (method, target.encode("latin-1"))
    return line + _HOP.sub(b"", rest)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until one side has ended."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """Run a proxy for the block."""
    with RecordingProxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
