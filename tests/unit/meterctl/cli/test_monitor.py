"""`monitor` on a command line: a listener on a real pseudo-terminal, files beside the output."""

from __future__ import annotations

import json
import os
import sys
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from meterctl.cli.program import main
from meterctl.errors import NoAnswerError
from meterctl.transports.listening import ListeningTransport, _quiet_serial
from meterctl.transports.wires import open_listening
from protocols.modbus.capture import Link, file_header
from protocols.modbus.capture_reading import read_capture
from protocols.modbus.rtu import encode
from tests.support.field_wires import too_wide

READ = encode(1, bytes.fromhex("03 0040 0002"))
REPLY = encode(1, bytes.fromhex("03 04 000007d0"))


class Line(NamedTuple):
    """A line: the end that others write to, and the name of the listener's port."""

    end: int
    port: str


@pytest.fixture
def line() -> Iterator[Line]:
    """A line on a pseudo-terminal, raw as a serial port is."""
    end, listener = os.openpty()
    tty.setraw(listener)
    yield Line(end, os.ttyname(listener))
    os.close(end)
    os.close(listener)


Main = Callable[..., tuple[int, str, str]]


@pytest.fixture
def meterctl(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Main:
    """Run the program in this process; the bytes pass on the line once it is listened to."""
    monkeypatch.setattr("meterctl.cli.program.signal.signal", lambda *_: None)

    def run(passing: bytes, *words: str) -> tuple[int, str, str]:
        def opened(port: str, notice: Callable[[str], None]) -> ListeningTransport:
            transport = ListeningTransport(port, notice)
            os.write(line.end, passing)
            return transport

        monkeypatch.setattr("meterctl.transports.wires.open_listening", opened)
        monkeypatch.setattr(sys, "argv", ["meterctl", "--port", line.port, "monitor", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def is_silent(end: int) -> bool:
    os.set_blocking(end, False)
    try:
        return not os.read(end, 100)
    except BlockingIOError:
        return True


def test_frames_are_printed_as_they_pass_and_nothing_is_sent(meterctl: Main, line: Line) -> None:
    code, out, err = meterctl(READ + REPLY, "--count", "2")
    assert code == 0
    first, second = out.splitlines()
    assert "request  RTU unit 1, read holding registers, 64-65 (available_credit)" in first
    assert "available_credit 20.00 account_unit, answers 1" in second
    assert "+0.0 ms" in second
    assert "2 frames, 0 of them faulty; 0 bytes that are no frame; 0 requests" in err
    assert is_silent(line.end)


def test_objects_have_the_agreed_keys(meterctl: Main) -> None:
    _, out, _ = meterctl(READ + REPLY, "--count", "2", "--json")
    objects = [json.loads(text) for text in out.splitlines()]
    assert {tuple(each) for each in objects} == {("at", "protocol", "direction", "raw", "decoded")}
    assert bytes.fromhex(objects[0]["raw"]) == READ
    assert objects[0]["at"].endswith("Z")
    assert objects[0]["decoded"]["unanswered"] == []


def test_files_hold_the_bytes_and_the_frames(meterctl: Main, tmp_path: Path) -> None:
    raw, pcap = tmp_path / "raw", tmp_path / "a.pcap"
    words = ("--count", "2", "--raw", str(raw), "--pcap", str(pcap))
    assert meterctl(b"\xfe" + READ + REPLY, *words)[0] == 0
    assert raw.read_bytes() == b"\xfe" + READ + REPLY
    assert [each.data for each in read_capture(pcap.read_bytes())] == [b"\xfe", READ, REPLY]


def test_an_existing_file_is_not_overwritten(meterctl: Main, tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"kept")
    code, out, err = meterctl(READ, "--raw", str(tmp_path / "raw"))
    assert (code, out) == (2, "")
    assert "never overwritten" in err
    assert (tmp_path / "raw").read_bytes() == b"kept"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_hides_no_frame_and_ends_with_2(meterctl: Main) -> None:
    code, out, err = meterctl(READ + REPLY, "--count", "2", "--raw", "/dev/full")
    assert code == 2
    assert len(out.splitlines()) == 2
    assert err.count("/dev/full: no space left on device") == 1
    assert meterctl(READ, "--count", "1", "--pcap", "/dev/full")[0] == 2


def test_an_interrupt_ends_it_with_0_and_keeps_the_files(
    meterctl: Main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = ListeningTransport.receive
    calls = []

    def receive(self: ListeningTransport, timeout_ms: int) -> bytes:
        calls.append(timeout_ms)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return received(self, timeout_ms)

    monkeypatch.setattr(ListeningTransport, "receive", receive)
    pcap = tmp_path / "a.pcap"
    code, out, err = meterctl(READ + REPLY[:4], "--pcap", str(pcap))
    assert code == 0
    assert len(out.splitlines()) == 2, "what waited is shown too"
    assert [each.data for each in read_capture(pcap.read_bytes())] == [READ, REPLY[:4]]
    assert "1 frames" in err


def test_garbage_is_named_with_a_hint(meterctl: Main) -> None:
    _, _, err = meterctl(b"\xfe\x00\xf8" * 60, "--for", "200ms")
    assert err.count("another speed or parity? Try --baud and --parity") == 1


def test_40_columns_are_kept(meterctl: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for words in ((), ("--long",)):
        assert not too_wide(meterctl(READ + REPLY, "--count", "2", *words)[1])


def test_what_cannot_be_listened_to_is_refused(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("meterctl.cli.program.signal.signal", lambda *_: None)
    for words, text in (
        (("--port", "tcp://127.0.0.1:502", "monitor"), "meterctl frames decode FILE.pcap"),
        (("--port", f"{line.port}.gone", "monitor"), "nothing was sent"),
        (("monitor",), "no port"),
        (("--port", line.port, "monitor", "--count", "0"), "--count 0"),
        (("--port", line.port, "monitor", "--for", "0s"), "--for 0s"),
    ):
        monkeypatch.delenv("METERCTL_PORT", raising=False)
        monkeypatch.setattr(sys, "argv", ["meterctl", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert text in capsys.readouterr().err


def test_a_listener_cannot_send_and_leaves_the_control_lines_alone(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    import serial

    def moved(_: object) -> None:
        raise AssertionError("a control line was moved")

    monkeypatch.setattr(serial.Serial, "_update_dtr_state", moved)
    monkeypatch.setattr(serial.Serial, "_update_rts_state", moved)
    transport = open_listening(line.port)
    with pytest.raises(Exception, match="it is listened to; nothing was sent"):
        transport.send(b"\x00", 10)
    transport.close()
    port = _quiet_serial()(line.port)
    with pytest.raises(OSError, match="listened to"):
        port.write(b"\x00")
    port.close()
    assert is_silent(line.end)


def test_an_adapter_that_was_unplugged_is_listened_to_again(tmp_path: Path) -> None:
    name, said = tmp_path / "adapter", []
    ends = [os.openpty(), os.openpty()]
    for _, listener in ends:
        tty.setraw(listener)
    name.symlink_to(os.ttyname(ends[0][1]))
    transport = open_listening(str(name), said.append)
    os.write(ends[0][0], READ)
    assert transport.receive(1000) == READ
    for file in ends[0]:
        os.close(file)
    name.unlink()
    with pytest.raises(NoAnswerError):
        transport.receive(1000)
    with pytest.raises(NoAnswerError, match="not back"):
        transport.prepare(10)
    name.symlink_to(os.ttyname(ends[1][1]))
    transport.prepare(1000)
    os.write(ends[1][0], REPLY)
    assert transport.receive(1000) == REPLY
    assert [text.partition(": ")[2][:12] for text in said] == ["it went away", "it is back"]
    transport.close()
    for file in ends[1]:
        os.close(file)


def test_a_capture_begins_before_the_first_frame(meterctl: Main, tmp_path: Path) -> None:
    pcap = tmp_path / "a.pcap"
    assert meterctl(b"", "--for", "10ms", "--pcap", str(pcap))[0] == 0
    assert pcap.read_bytes() == file_header(Link.EXPORTED_PDU)
