"""tshark reads capture files that `protocols/modbus/capture.py` makes of traffic with a meter."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from protocols.faults import Way
from protocols.modbus.capture import (
    Endpoint,
    Link,
    TcpConversation,
    file_header,
    record,
    serial_packet,
)
from tests.conformance.wire import RtuWire, TcpWire, read, rtu, tcp, words, write_registers
from tests.support.maps import ADDRESS, EVENT_WINDOW, SCRATCH
from tests.third_party.clients import RTU, TCP
from tests.third_party.maps import MAPS
from tests.third_party.meters import Meters

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

NOW_US = 1_767_225_600_000_000
VOLTAGE = ADDRESS["voltage_l1_v"]
REQUESTS = (
    read(1, 0, 16),
    read(2, 0, 9),
    read(3, VOLTAGE, 2),
    read(4, 0, 125),
    b"\x05" + words(3, 0xFF00),
    b"\x06" + words(SCRATCH.address, 0x1234),
    b"\x08" + words(0, 0xCAFE),
    b"\x0f" + words(0, 10, 0x02CD)[:-2] + b"\x02\xcd\x01",
    write_registers(SCRATCH.address, 1, 2, 3),
    b"\x11",
    b"\x16" + words(SCRATCH.address, 0xF2, 0x25),
    b"\x17"
    + words(EVENT_WINDOW.read_address, EVENT_WINDOW.read_registers, EVENT_WINDOW.address, 2)
    + b"\x04"
    + words(0, 0),
    b"\x2b\x0e\x01\x00",
    read(3, 0xF000, 1),
    b"\x06" + words(0, 1),
    b"\x63\x00",
)
"""A request of each function, refused addresses and a function that the meter does not have."""
CODES = [str(pdu[0]) for pdu in REQUESTS for _ in Way]
FIELDS = (
    "modbus.func_code",
    "modbus.exception_code",
    "modbus.regnum16",
    "modbus.regval_uint16",
    "_ws.malformed",
    "_ws.expert.severity",
    "tcp.analysis.flags",
    "tcp.checksum.status",
    "mbrtu.crc16.status",
    "_ws.col.Info",
)
WARNING, GOOD = 0x600000, "1"


def exchanges(meters: Meters, wire: str, unit: int) -> list[tuple[Way, bytes]]:
    """Send each request to a meter; return the frames of both sides in order."""
    frames: list[tuple[Way, bytes]] = []
    with TcpWire(meters.tcp) if wire == TCP else RtuWire(meters.pty) as line:
        for number, pdu in enumerate(REQUESTS, 1):
            reply = line.ask(unit, pdu)
            for way, sent in ((Way.REQUEST, pdu), (Way.REPLY, reply)):
                frames.append((way, tcp(number, unit, sent) if wire == TCP else rtu(unit, sent)))
    return frames


def write(path: Path, link: Link, packets: Sequence[bytes]) -> Path:
    """Write a capture file, a packet every millisecond."""
    records = [record(NOW_US + 1000 * number, packet) for number, packet in enumerate(packets)]
    path.write_bytes(file_header(link) + b"".join(records))
    return path


def tshark(path: Path, *preferences: str) -> list[dict[str, str]]:
    """Return what tshark finds in each packet of a file, by field."""
    checks = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "mbrtu.crc_verification:TRUE"]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t"]
    command += [word for preference in (*checks, *preferences) for word in ("-o", preference)]
    command += [word for field in FIELDS for word in ("-e", field)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]


def problems(packets: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return malformed packets, and those with a warning or a doubt about the conversation."""
    return [
        packet
        for packet in packets
        if packet["_ws.malformed"]
        or packet["tcp.analysis.flags"]
        or "Unable to classify" in packet["_ws.col.Info"]
        or any(int(each) >= WARNING for each in packet["_ws.expert.severity"].split(",") if each)
    ]


def check(packets: Sequence[dict[str, str]], codes: Sequence[str]) -> None:
    """Assert that tshark finds the frames of these functions, in order, and no problem."""
    assert not problems(packets)
    frames = [packet for packet in packets if packet["modbus.func_code"]]
    assert [frame["modbus.func_code"] for frame in frames] == list(codes)
    assert len([frame for frame in frames if frame["modbus.exception_code"]]) == 3
    registers = {frame["modbus.regnum16"]: frame["modbus.regval_uint16"] for frame in frames}
    assert registers[f"{VOLTAGE},{VOLTAGE + 1}"] == "3,33392"  # 230,000 mV


@pytest.mark.parametrize(
    ("host", "meter"),
    [
        (Endpoint("192.0.2.1", 50_123), Endpoint("192.0.2.2", 502)),
        (Endpoint("2001:db8::1", 50_123), Endpoint("2001:db8::2", 502)),
    ],
    ids=["ipv4", "ipv6"],
)
def test_tshark_finds_nothing_malformed_in_a_capture_of_tcp(
    host: Endpoint, meter: Endpoint, meters: Meters, tmp_path: Path
) -> None:
    unit = meters.unit("native", MAPS["native"][0])
    flow = TcpConversation(host, meter)
    packets = list(flow.begin())
    for way, frame in exchanges(meters, TCP, unit):
        packets += flow.packets(way, frame)
    packets += flow.end()
    found = tshark(write(tmp_path / "tcp.pcap", Link.RAW_IP, packets))
    check(found, CODES)
    assert [packet["tcp.checksum.status"] for packet in found] == [GOOD] * len(packets)


def test_tshark_finds_nothing_malformed_in_a_capture_of_rtu(meters: Meters, tmp_path: Path) -> None:
    unit = meters.unit("native", MAPS["native"][0])
    packets = [serial_packet(frame, way) for way, frame in exchanges(meters, RTU, unit)]
    path = write(tmp_path / "rtu.pcap", Link.EXPORTED_PDU, packets)
    short = CODES.index("17")  # tshark 4.0 does not decode a frame of 4 bytes
    codes = CODES[:short] + CODES[short + 1 :]
    found = tshark(path, "mbrtu.tcp.port:502")
    check(found, codes)
    crcs = [packet["mbrtu.crc16.status"] for packet in found]
    assert crcs == [GOOD] * short + [""] + [GOOD] * (len(codes) - short)
    without = tshark(path)
    assert [packet["modbus.func_code"] for packet in without if packet["modbus.func_code"]] == codes


def test_tshark_says_that_a_crc_is_wrong(tmp_path: Path) -> None:
    frame = bytearray(rtu(1, read(3, 0, 2)))
    frame[-1] ^= 1
    path = write(
        tmp_path / "rtu.pcap", Link.EXPORTED_PDU, [serial_packet(bytes(frame), Way.REQUEST)]
    )
    assert len(problems(tshark(path))) == 1
