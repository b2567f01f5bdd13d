"""Capture files of Modbus."""

from __future__ import annotations

from collections.abc import Iterator

from protocols.decoded_frames import CapturedData, DecodedFrame
from protocols.modbus.capture import Link, file_header, record, serial_packet
from protocols.modbus.capture_packets import is_capture
from protocols.modbus.capture_reading import read_capture


class ModbusCaptures:
    """A `CaptureFormat` of Modbus."""

    def is_capture(self, data: bytes) -> bool:
        """Return whether bytes begin as a capture file."""
        return is_capture(data)

    def read(self, data: bytes) -> Iterator[CapturedData]:
        """Yield the data of the packets of a file; raises FrameError."""
        return read_capture(data)

    def header(self) -> bytes:
        """Return the first bytes of a file of a serial line."""
        return file_header(Link.EXPORTED_PDU)

    def packet(self, frame: DecodedFrame) -> bytes:
        """Return a frame, or bytes that are none, as the next bytes of such a file."""
        return record(frame.at_us or 0, serial_packet(frame.raw, frame.direction))
