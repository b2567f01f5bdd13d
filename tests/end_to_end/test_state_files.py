"""A state file that is removed, moved, replaced or truncated under a running meter."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_sim.hal.nvram import NvramError
from firmware_sim.hosting.state_file import FileNvram
from tests.support.programs import BIN, TIMEOUT_S, meterctl, meterctl_json

WIRES = ("--modbus-tcp", "127.0.0.1:0", "--control", "c.sock", "--speed", "0")
STATE = ("--state", "a.nv", "--credit", "0.00", *WIRES)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[FileNvram]:
    nvram = FileNvram(tmp_path / "a.nv", create=True)
    nvram.write(0, b"one")
    yield nvram
    nvram.close()


def removed(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("b.nv"))


def replaced(path: Path) -> None:
    path.with_name("new").write_bytes(b"other")
    path.with_name("new").rename(path)


@pytest.mark.parametrize("goes", [removed, moved, replaced])
def test_a_state_file_that_its_path_does_not_lead_to_refuses_writes_until_it_is_put_back(
    tmp_path: Path, device: FileNvram, goes: Callable[[Path], None]
) -> None:
    path, kept = tmp_path / "a.nv", tmp_path / "kept"
    os.link(path, kept)
    goes(path)
    for _ in range(2):
        with pytest.raises(NvramError, match="put it back"):
            device.write(0, b"two")
    assert device.refusal is not None
    assert str(path) in device.refusal
    assert kept.read_bytes() == b"one"
    kept.rename(tmp_path / "again")
    (tmp_path / "again").replace(path)
    device.write(0, b"two")
    assert path.read_bytes() == b"two"
    assert device.refusal is None


def test_a_state_file_that_was_cut_short_refuses_writes_until_its_content_is_back(
    tmp_path: Path, device: FileNvram
) -> None:
    path = tmp_path / "a.nv"
    path.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(NvramError, match=r"cut from 3 to 0 bytes; put its content back"):
            device.write(0, b"two")
    path.write_bytes(b"one")
    device.write(0, b"two")
    assert path.read_bytes() == b"two"


@contextmanager
def metered(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a meter with a state file; yield its process and its port. The test ends it."""
    words = [BIN / "meter-sim", "run", *STATE]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            yield process, f"tcp://{ready.partition('Modbus TCP ')[2].partition(',')[0]}"
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str]) -> tuple[int, str]:
    """End a meter by SIGTERM; return its exit code and its error output."""
    process.terminate()
    _, said = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, said


def test_a_top_up_is_refused_while_the_state_file_is_gone(tmp_path: Path) -> None:
    read = ("read", "available_credit", "credit_sequence")
    with metered(tmp_path) as (process, port):
        meterctl("--port", port, "topup", "50.00", "--yes", cwd=tmp_path)
        os.link(tmp_path / "a.nv", tmp_path / "kept.nv")
        (tmp_path / "a.nv").unlink()
        said = meterctl("--port", port, "topup", "20.00", "--yes", cwd=tmp_path, check=7).stderr
        assert "storage_fault" in said
        (shown,) = meterctl_json("--port", port, *read, cwd=tmp_path)
        assert shown == {"available_credit": 50.00, "credit_sequence": 1}
        os.link(tmp_path / "kept.nv", tmp_path / "a.nv")
        meterctl("--port", port, "journal", "resolve", cwd=tmp_path)
        meterctl("--port", port, "topup", "5.00", "--yes", cwd=tmp_path)
        (before,) = meterctl_json("--port", port, *read, cwd=tmp_path)
        code, said = stopped(process)
        assert (code, "not stored" in said) == (0, False), said
    with metered(tmp_path) as (process, port):
        (after,) = meterctl_json("--port", port, *read, cwd=tmp_path)
        assert after == before
        assert stopped(process)[0] == 0


def test_a_meter_that_ends_without_its_state_file_says_which_credit_is_lost(tmp_path: Path) -> None:
    with metered(tmp_path) as (process, port):
        meterctl("--port", port, "topup", "50.00", "--yes", cwd=tmp_path)
        (tmp_path / "a.nv").rename(tmp_path / "b.nv")
        code, said = stopped(process)
    assert code == 1
    assert "credit of 50.00 CNY is not stored" in said
    assert "state file a.nv: it was removed or moved" in said
    assert "Traceback" not in said
