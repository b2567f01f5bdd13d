"""Addresses and ports that cannot be opened: exit 2, one sentence, nothing left behind."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
from pathlib import Path

import pytest

from protocols.modbus.tcp import encode
from tests.support.programs import BIN, TIMEOUT_S, meter_sim, running


def sentence(said: str) -> str:
    """Return the last line of stderr; the lines before it are those of every start."""
    lines = [line for line in said.splitlines() if not line.startswith(("no --keys", "meter 0"))]
    assert len(lines) == 1, said
    assert lines[0].startswith("meter-sim: ")
    assert "internal fault" not in lines[0]
    return lines[0]


def test_a_typo_in_an_address_is_one_sentence(tmp_path: Path) -> None:
    address = "127.0.0..1:5020"
    done = meter_sim("run", "--modbus-rtu", "m.tty", "--modbus-tcp", address, cwd=tmp_path, check=2)
    assert address in sentence(done.stderr)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("option", ["--modbus-rtu", "--control"])
def test_a_name_that_is_no_text_is_one_sentence(tmp_path: Path, option: str) -> None:
    done = meter_sim("run", option, os.fsdecode(b"./b\xff:1"), cwd=tmp_path, check=2)
    sentence(done.stderr)
    assert os.listdir(tmp_path) == []


def test_an_ipv6_address_is_served_and_shown_in_brackets(tmp_path: Path) -> None:
    with running("--modbus-tcp", "[::1]:0", cwd=tmp_path) as found:
        address = found["modbus_tcp"][0]
        assert address.startswith("[::1]:")
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("::1", port), TIMEOUT_S) as wire:
            wire.sendall(encode(1, 1, b"\x03\x00\x00\x00\x02"))
            assert wire.recv(100)[7:9] == b"\x03\x04"


@pytest.mark.parametrize("limit", [10, 23])
def test_too_many_open_files_are_one_sentence(tmp_path: Path, limit: int) -> None:
    ports = [word for number in range(4) for word in ("--modbus-rtu", f"k{number}.tty")]
    done = subprocess.run(
        [BIN / "meter-sim", "run", *ports, "--modbus-tcp", "127.0.0.1:0", "--control", "c.sock"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )
    assert done.returncode == 2, done.stderr
    assert "Too many open files" in sentence(done.stderr)
    assert os.listdir(tmp_path) == []
