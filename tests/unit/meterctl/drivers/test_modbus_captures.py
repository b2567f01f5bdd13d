"""Capture files of connections that are relayed are read back."""

from __future__ import annotations

from meterctl.drivers.modbus_captures import ModbusCaptures
from protocols.decoded_frames import RelayedData, RelayEvent
from protocols.faults import Way

NOW_US = 1_767_225_600_000_000
ENDS = ("192.0.2.1", 50_000), ("192.0.2.2", 5020)


def test_what_a_relay_passes_comes_back_with_its_way() -> None:
    capture = ModbusCaptures().of_relay()
    data = capture.header()
    for event, way, passed in (
        (RelayEvent.OPENED, None, b""),
        (RelayEvent.DATA, Way.REQUEST, b"ask"),
        (RelayEvent.DATA, Way.REPLY, b"answer"),
        (RelayEvent.ENDED, Way.REPLY, b""),
    ):
        data += capture.packets(NOW_US, RelayedData(1, *ENDS, event, way, passed))
    found = [*ModbusCaptures().read(data)]
    assert [(each.way, each.data) for each in found] == [
        (Way.REQUEST, b"ask"),
        (Way.REPLY, b"answer"),
    ]
    assert ":502" in found[0].conversation
