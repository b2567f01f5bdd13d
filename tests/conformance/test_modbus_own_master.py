"""The last row of facts/modbus.md 1.3: `meterctl` does not repeat a write blindly.

pymodbus with its default retries sends one write four times, and a late answer to the first then
reports success.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import pytest

from tests.conformance.running import PROGRAMS, Running, running
from tests.conformance.wire import TcpWire, read
from tests.support.maps import PLACES, WINDOWS

CREDIT = next(place.address for place in PLACES if place.item.name == "available_credit")
Lost = Literal["request", "reply"]


class LossyLine:
    """A TCP line to a meter that loses the first commit of a sealed message, or its answer."""

    def __init__(self, meter: tuple[str, int], lost: Lost) -> None:
        self.requests: list[bytes] = []
        self._meter, self._lost = meter, lost
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def commits(self) -> list[int]:
        """Return the indices of the commits in `requests`."""
        return [n for n, pdu in enumerate(self.requests) if is_commit(pdu)]

    def _serve(self) -> None:
        """Serve one connection after another until the listener is closed."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with near, socket.create_connection(self._meter, 10) as far:
                near.settimeout(10)
                far.settimeout(10)
                self._carry(near, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        while request := _frame(near):
            self.requests.append(request[7:])
            lost = len(self.commits) == 1 and is_commit(request[7:])
            if lost and self._lost == "request":
                continue
            far.sendall(request)
            reply = _frame(far)
            if not lost:
                near.sendall(reply)


def is_commit(pdu: bytes) -> bool:
    """Return whether a request commits a sealed message: the fourth word of the window is 1."""
    head = {0x10: 1, 0x17: 5}.get(pdu[0])
    if head is None or pdu[head : head + 2] != WINDOWS.message.to_bytes(2, "big"):
        return False
    data = pdu[head + 5 :]
    return data[6:8] == b"\x00\x01"


def _frame(end: socket.socket) -> bytes:
    data = b""
    size = 6
    while len(data) < size:
        try:
            part = end.recv(size - len(data))
        except ConnectionResetError:
            return b""
        if not part:
            return b""
        data += part
        if len(data) == 6:
            size = 6 + int.from_bytes(data[4:6], "big")
    return data


def top_up(folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    """Top up 10.00 with `meterctl`; its files stay in the folder."""
    wire: list[str | Path] = [
        "--port",
        f"tcp://127.0.0.1:{port}",
        "--timeout",
        "300ms",
        "--journal",
        folder / "journal",
    ]
    command: list[str | Path] = [PROGRAMS / "meterctl", *wire, "--yes", "--json", "topup", "10.00"]
    environment = {**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30, env=environment
    )


def available_credit(meters: Running) -> int:
    """Return the credit of unit 1 in cents."""
    with TcpWire(meters.tcp) as wire:
        return int.from_bytes(wire.ask(1, read(3, CREDIT, 2))[2:], "big", signed=True)


@pytest.mark.parametrize("lost", ["request", "reply"])
def test_a_write_without_an_answer_is_asked_about_before_it_is_sent_again(
    tmp_path: Path, lost: Lost
) -> None:
    with running(tmp_path) as meters:
        with LossyLine(meters.tcp, lost) as line:
            done = top_up(tmp_path, line.port)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout.splitlines()[-1])
        assert available_credit(meters) == 3000
        commits = line.commits
        assert commits, "the commit was not recognised"
        assert len(commits) <= 3
        for earlier, later in pairwise(commits):
            assert later > earlier + 1, [pdu.hex(" ") for pdu in line.requests]
