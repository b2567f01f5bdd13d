"""Capture files of Modbus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocols.decoded_frames import CapturedData, DecodedFrame, RelayedData, RelayEvent
from protocols.faults import Way
from protocols.modbus.capture import (
    MODBUS_PORT,
    Endpoint,
    Link,
    TcpConversation,
    file_header,
    record,
    serial_packet,
)
from protocols.modbus.capture_dumps import has_header, read_dumped
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

    def has_header(self, packet: bytes) -> bool:
        """Return whether bytes begin with the headers of a network, as in a capture file."""
        return has_header(packet)

    def read_dumped(self, packets: Sequence[bytes]) -> Iterator[CapturedData]:
        """Yield the data of packets of a dump; those without headers are data as they are."""
        return read_dumped(packets)

    def header(self) -> bytes:
        """Return the first bytes of a file of a serial line."""
        return file_header(Link.EXPORTED_PDU)

    def packet(self, frame: DecodedFrame) -> bytes:
        """Return a frame, or bytes that are none, as the next bytes of such a file."""
        return record(frame.at_us or 0, serial_packet(frame.raw, frame.direction))

    def of_relay(self) -> ModbusConnections:
        """Return a capture file of connections that are relayed."""
        return ModbusConnections()


class ModbusConnections:
    """A `RelayCapture` of Modbus; the meter has port 502 in it, by which Wireshark knows Modbus."""

    def __init__(self) -> None:
        self._flows: dict[int, TcpConversation] = {}

    def header(self) -> bytes:
        """Return the first bytes of the file."""
        return file_header(Link.RAW_IP)

    def packets(self, at_us: int, passed: RelayedData) -> bytes:
        """Return what passed as the next bytes of the file."""
        return b"".join(record(at_us, packet) for packet in self._packets(passed))

    def _packets(self, passed: RelayedData) -> Iterator[bytes]:
        number, way = passed.connection, passed.way or Way.REQUEST
        match passed.event:
            case RelayEvent.OPENED:
                ends = Endpoint(*passed.host), Endpoint(passed.meter[0], MODBUS_PORT)
                self._flows[number] = TcpConversation(*ends)
                return self._flows[number].begin()
            case RelayEvent.DATA:
                return self._flows[number].packets(way, passed.data)
            case RelayEvent.ENDED:
                return self._flows.pop(number).end(way)
