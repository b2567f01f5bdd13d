"""tshark, an independent decoder, shows the same fields as the decoder of `frames decode`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from meterctl.drivers.table import MODBUS
from meterctl.operations.frame_decoding import decode_input
from protocols.decoded_frames import DecoderOptions
from protocols.faults import Way
from protocols.modbus import rtu, tcp
from protocols.modbus.capture import (
    Endpoint,
    Link,
    TcpConversation,
    file_header,
    record,
    serial_packet,
)

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

NOW_US = 1_767_225_600_000_000
PDUS = [
    ("01 0000 000a", "01 02 cd01"),
    ("02 0000 0008", "02 01 05"),
    ("03 0040 0002", "03 04 000007d0"),
    ("04 0000 0001", "04 02 1234"),
    ("05 0003 ff00", "05 0003 ff00"),
    ("06 2000 1234", "06 2000 1234"),
    ("07", "07 6d"),
    ("08 0000 cafe", "08 0000 cafe"),
    ("0f 0000 000a 02 cd01", "0f 0000 000a"),
    ("10 2000 0002 04 00010002", "10 2000 0002"),
    ("11", "11 03 50ff41"),
    ("16 2000 00f2 0025", "16 2000 00f2 0025"),
    ("17 1002 0003 1000 0002 04 00000000", "17 06 000000000000"),
    ("2b 0e 01 00", "2b 0e 01 01 00 00 01 00 03 414243"),
    ("03 f000 0001", "83 02"),
]
FIELDS = ("modbus.func_code", "modbus.exception_code", "modbus.reference_num", "modbus.word_cnt",
          "modbus.byte_cnt", "modbus.regval_uint16", "mbtcp.trans_id", "modbus.request_frame",
          "mbrtu.unit_id", "mbtcp.unit_id")  # fmt: skip
SHORT_REQUESTS = (7, 17)
"""Functions whose requests have 4 bytes on a serial line, fewer than tshark takes for a frame."""
SERIAL_UNIT, TCP_UNIT = FIELDS[-2:]


def frames() -> list[tuple[Way, bytes]]:
    return [(way, bytes.fromhex(pdu)) for pair in PDUS for way, pdu in zip(Way, pair, strict=True)]


def tshark(path: Path, *words: str) -> list[dict[str, str]]:
    """Return the fields of each packet that holds a frame."""
    done = subprocess.run(
        ["tshark", "-r", path, *words, "-Y", "modbus", "-T", "fields",
         "-E", "occurrence=a", *(word for field in FIELDS for word in ("-e", field))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [dict(zip(FIELDS, row, strict=False)) for row in rows]


def decoded(data: bytes) -> list[dict[str, object]]:
    """Return what `frames decode` shows of a capture file."""
    found = decode_input(data, MODBUS.decoder, DecoderOptions(), MODBUS.captures())
    return [json.loads(frame.fragments()["decoded"]) for frame in found.frames]


def compare(theirs: Sequence[dict[str, str]], ours: Sequence[dict[str, object]]) -> None:
    assert len(theirs) == len(ours) > len(PDUS)
    for them, us in zip(theirs, ours, strict=True):
        assert int(them["modbus.func_code"]) == us["function"]
        assert (them["modbus.exception_code"] or None) == (
            None if "exception" not in us else str(us["exception"])
        )
        assert int(them.get(TCP_UNIT) or them[SERIAL_UNIT]) == us["unit"]
        for field, key in (("modbus.byte_cnt", "byte_count"), ("mbtcp.trans_id", "transaction")):
            if them[field] and key in us:
                assert int(them[field]) == us[key], us
        if them["modbus.reference_num"] and us.get("address") is not None and "quantity" in us:
            assert int(them["modbus.reference_num"]) == us["address"], us
        if them["modbus.word_cnt"] and "quantity" in us:
            assert int(them["modbus.word_cnt"]) == us["quantity"], us


def test_frames_of_a_serial_line_have_the_fields_of_tshark(tmp_path: Path) -> None:
    data = file_header(Link.EXPORTED_PDU) + b"".join(
        record(NOW_US + place, serial_packet(rtu.encode(5, pdu), way))
        for place, (way, pdu) in enumerate(frames())
    )
    path = tmp_path / "serial.pcap"
    path.write_bytes(data)
    long = [us for us in decoded(data) if us["function"] not in SHORT_REQUESTS or "answers" in us]
    compare(tshark(path, "-o", "mbrtu.tcp.port:502"), long)


@pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap is not installed")
def test_a_capture_of_wireshark_is_read(tmp_path: Path) -> None:
    data = file_header(Link.EXPORTED_PDU) + b"".join(
        record(NOW_US + place, serial_packet(rtu.encode(5, pdu), way))
        for place, (way, pdu) in enumerate(frames())
    )
    (tmp_path / "a.pcap").write_bytes(data)
    words = ["editcap", "-F", "pcapng", tmp_path / "a.pcap", tmp_path / "a.pcapng"]
    subprocess.run(words, timeout=60, check=True, capture_output=True)
    theirs = (tmp_path / "a.pcapng").read_bytes()
    assert theirs[:4] == b"\x0a\x0d\x0d\x0a"
    assert decoded(theirs) == decoded(data)


def test_frames_of_tcp_have_the_fields_and_the_pairs_of_tshark(tmp_path: Path) -> None:
    flow = TcpConversation(Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 502))
    packets = [*flow.begin()]
    for place, (way, pdu) in enumerate(frames()):
        packets += flow.packets(way, tcp.encode(1 + place // 2, 5, pdu))
    data = file_header(Link.RAW_IP) + b"".join(
        record(NOW_US + place, packet) for place, packet in enumerate(packets)
    )
    path = tmp_path / "tcp.pcap"
    path.write_bytes(data)
    theirs, ours = tshark(path), decoded(data)
    compare(theirs, ours)
    opening = 3  # packets before the first frame
    pairs = [int(them["modbus.request_frame"] or opening) - opening or None for them in theirs]
    assert pairs[:-1] == [us.get("answers") for us in ours][:-1]  # it pairs no exception
