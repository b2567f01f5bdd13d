"""A serial port of the host: settings, and a port that goes away."""

from __future__ import annotations

import os
import time
import tty
from pathlib import Path

import pytest

from meterctl.errors import NoAnswerError
from meterctl.transports.serial_port import SerialTransport


def nothing(_: str) -> None:
    """Take a notice."""


def linked(path: Path) -> tuple[int, int]:
    """Link a path to a new pseudo-terminal; return its ends."""
    master, slave = os.openpty()
    tty.setraw(slave)
    path.unlink(missing_ok=True)
    path.symlink_to(os.ttyname(slave))
    return master, slave


def test_a_port_that_comes_back_is_opened_again(tmp_path: Path) -> None:
    path, said = tmp_path / "port", []
    ends = linked(path)
    transport = SerialTransport(str(path), said.append)
    for end in ends:
        os.close(end)
    with pytest.raises(NoAnswerError, match="the port went away"):
        transport.receive(3000)
    master, slave = linked(path)
    transport.prepare(3000)
    transport.send(b"?", 1000)
    assert os.read(master, 8) == b"?"
    assert [" ".join(line.split()[2:5]) for line in said] == ["it went away", "it is back"]
    transport.close()
    os.close(slave)
    os.close(master)


def test_all_waits_for_a_port_that_is_gone_have_one_limit(tmp_path: Path) -> None:
    path = tmp_path / "port"
    ends = linked(path)
    transport = SerialTransport(str(path), nothing, 0.3)
    path.unlink()
    for end in ends:
        os.close(end)
    with pytest.raises(NoAnswerError):
        transport.receive(3000)
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(NoAnswerError, match="is not back"):
            transport.prepare(1000)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("settings", "character_us", "silence_ms"),
    [
        ("", 1041, 4),
        ("?baud=1200&parity=E", 9166, 33),
        ("?baud=19200", 520, 2),
        ("?baud=115200", 86, 2),
        ("?baud=9600&silence_ms=40", 1041, 40),
    ],
)
def test_the_speed_decides_the_silence_between_frames(
    tmp_path: Path, settings: str, character_us: int, silence_ms: int
) -> None:
    master, slave = linked(tmp_path / "port")
    transport = SerialTransport(f"{tmp_path / 'port'}{settings}", nothing)
    assert (transport.character_us, transport.silence_ms) == (character_us, silence_ms)
    transport.close()
    os.close(slave)
    os.close(master)
