"""What passes between meterctl and a meter is decoded, from a trace and by a listener."""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_sim import PrepaidMeter
from meterctl.drivers.table import MODBUS
from meterctl.operations.frame_decoding import decode_input
from protocols.decoded_frames import DecoderOptions
from tests.support.field_wires import KINDS, Kind, field_port, lie, on_a_screen, too_wide
from tests.support.programs import BIN, TIMEOUT_S, meterctl, meterctl_json


def decoded(data: bytes) -> list[dict[str, Any]]:
    """Return the objects of `frames decode` for a trace or a capture."""
    found = decode_input(data, MODBUS.decoder, DecoderOptions(), MODBUS.captures())
    return [
        {name: json.loads(value) for name, value in frame.fragments().items()}
        for frame in found.frames
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_is_decoded_over_every_wire(
    meter: PrepaidMeter, tmp_path: Path, kind: Kind
) -> None:
    port = field_port(meter, kind)
    words = ("--port", port, "read", "available_credit", "supply_state", "--trace")
    frames = decoded(meterctl(*words, cwd=tmp_path).stderr.encode())
    values = {
        each["name"]: each["value"]
        for frame in frames
        for each in frame["decoded"].get("values", [])
    }
    assert values["available_credit"] == 100.0
    assert values["supply_state"] == "connected"
    framing = "tcp" if kind == "tcp" else "rtu"
    assert {frame["decoded"]["framing"] for frame in frames} == {framing}
    replies = [frame for frame in frames if frame["direction"] == "reply"]
    assert replies
    assert all(frame["decoded"]["answers"] for frame in replies)


def test_a_trace_of_a_line_that_lies_is_decoded_as_far_as_it_goes(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    lie(meter, 0.4)
    words = ("--port", field_port(meter, "rtu"), "--timeout", "200ms", "--trace", "status")
    trace = meterctl(*words, cwd=tmp_path, check=None).stderr
    frames = decoded(trace.encode())
    sent = [line[3:] for line in trace.splitlines() if line[:3] in ("-> ", "<- ", "<? ")]
    raw = b"".join(bytes.fromhex(str(frame["raw"])) for frame in frames)
    assert raw == b"".join(map(bytes.fromhex, sent)), "no byte is lost"


@contextmanager
def tapped(port: str) -> Iterator[tuple[str, str]]:
    """Yield the names of a host's port on a line, and of the port of a listener on it.

    What either side sends, the listener gets too, as on RS-485.
    """
    wire = os.open(port, os.O_RDWR | os.O_NOCTTY)
    host, listener = os.openpty(), os.openpty()
    for _, end in (host, listener):
        tty.setraw(end)
    ends, stop = {wire: host[0], host[0]: wire}, threading.Event()

    def forward() -> None:
        while not stop.is_set():
            for source in select.select([*ends], [], [], 0.02)[0]:
                data = os.read(source, 4096)
                os.write(listener[0], data)
                os.write(ends[source], data)

    thread = threading.Thread(target=forward)
    thread.start()
    try:
        yield os.ttyname(host[1]), os.ttyname(listener[1])
    finally:
        stop.set()
        thread.join()
        for file in (wire, *host, *listener):
            os.close(file)


def test_a_listener_sees_what_another_reads_and_the_meter_is_not_disturbed(
    meter: PrepaidMeter, tmp_path: Path
) -> None:
    with tapped(str(meter.port)) as (host, listener):
        words = ("--port", listener, "monitor", "--json", "--pcap", "a.pcap")
        with subprocess.Popen(
            [BIN / "meterctl", *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as monitor:
            assert monitor.stdout is not None
            until_it_listens(listener)
            (read,) = meterctl_json("--port", host, "read", "serial_number", cwd=tmp_path)
            frames = [json.loads(monitor.stdout.readline()) for _ in range(4)]
            monitor.terminate()
            monitor.communicate(timeout=TIMEOUT_S)
    assert read == {"serial_number": meter.serial_number}
    assert monitor.returncode == 0
    assert [frame["direction"] for frame in frames] == ["request", "reply"] * 2
    kept = decoded((tmp_path / "a.pcap").read_bytes())
    assert [frame["raw"] for frame in kept][:4] == [frame["raw"] for frame in frames]


def until_it_listens(port: str) -> None:
    """Wait until a program has a port open for itself."""
    for _ in range(10 * TIMEOUT_S):
        try:
            os.close(os.open(port, os.O_RDWR | os.O_NOCTTY))
        except OSError:
            return  # TIOCEXCL; not for root
        if any(port in _targets(each) for each in Path("/proc").glob("[0-9]*/fd")):
            return
        threading.Event().wait(0.1)


def _targets(files: Path) -> set[str]:
    if files.parent.name == str(os.getpid()):
        return set()
    try:
        return {os.readlink(each) for each in files.iterdir()}
    except OSError:
        return set()


def test_a_screen_of_40_columns_is_kept(tmp_path: Path) -> None:
    done = on_a_screen("frames", "decode", "01 03 00 40 00 02 c5 df 00 ff", cwd=tmp_path)
    assert done.returncode == 5
    assert not too_wide(done.stdout)


def test_a_relay_shows_what_a_host_asks_of_a_meter(meter: PrepaidMeter, tmp_path: Path) -> None:
    words = ("--port", field_port(meter, "tcp"), "monitor", "--listen", "127.0.0.1:0", "--json")
    with subprocess.Popen(
        [BIN / "meterctl", *words, "--pcap", "a.pcap"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as monitor:
        assert monitor.stdout is not None
        assert monitor.stderr is not None
        address = monitor.stderr.readline().partition(": ")[0]
        (read,) = meterctl_json("--port", f"tcp://{address}", "read", "supply_state", cwd=tmp_path)
        frames = [json.loads(monitor.stdout.readline()) for _ in range(4)]
        monitor.terminate()
        monitor.communicate(timeout=TIMEOUT_S)
    assert read == {"supply_state": "connected"}
    assert monitor.returncode == 0
    assert [frame["direction"] for frame in frames] == ["request", "reply"] * 2
    kept = decoded((tmp_path / "a.pcap").read_bytes())
    assert [frame["raw"] for frame in kept][:4] == [frame["raw"] for frame in frames]
