"""Frames of any protocol as a decoder shows them: bytes, direction, fields and values.

A decoder takes the bytes of a line, in pieces of any size, and gives objects whose bytes one after
another are the bytes that it took: frames, and between them bytes that are no frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import ClassVar, NamedTuple, Protocol

from protocols.faults import Way

_EPOCH = datetime.fromtimestamp(0, UTC)


class Field(NamedTuple):
    """Consecutive bytes of a frame with one meaning; `offset` counts from its first byte."""

    offset: int
    size: int
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame, or bytes that are no frame.

    Args:
        at_us: when its first byte was received, us since 1970 UTC; None where that is not known.
        ended_us: the same of its last byte.
        protocol: the name of the protocol, as --protocol takes it.
        direction: None where it is not known, and for bytes that are no frame.
        raw: all its bytes.
        decoded: names and JSON values.
        fields: all bytes of `raw`, in order, without gaps.
        summary: one line for people.
        is_frame: whether it is a frame, be it a faulty one.
        is_right: whether it is a frame without a fault: its check is right, its length fits.
        notice: a sentence about the line that begins to hold here, empty for none.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("at", "protocol", "direction", "raw", "decoded")
    """The keys of its object in JSON."""

    at_us: int | None
    protocol: str
    direction: Way | None
    raw: bytes
    decoded: Mapping[str, str]
    fields: Sequence[Field] = ()
    summary: str = ""
    is_frame: bool = True
    is_right: bool = True
    ended_us: int | None = field(default=None, compare=False)
    notice: str = ""

    def fragments(self) -> dict[str, str]:
        """Return the object of --json: `at, protocol, direction, raw, decoded`, as JSON values.

        `direction` is request, reply or unknown, and null for bytes that are no frame.
        """
        direction = "unknown" if self.direction is None else self.direction.value
        at = None if self.at_us is None else format_microseconds(self.at_us)
        inner = ", ".join(f"{json.dumps(name)}: {value}" for name, value in self.decoded.items())
        return {
            "at": json.dumps(at),
            "protocol": json.dumps(self.protocol),
            "direction": json.dumps(direction if self.is_frame else None),
            "raw": json.dumps(self.raw.hex(" ")),
            "decoded": f"{{{inner}}}",
        }


class CapturedData(NamedTuple):
    """Data of one conversation of a capture file or dump, in order.

    `at_us` is None where there are no times, `conversation` empty where no packet names one, `way`
    None where the packet does not say it. `is_packet` says that it is one transmission,
    which ends with it, and not a part of a stream.
    """

    at_us: int | None
    conversation: str
    way: Way | None
    data: bytes
    is_packet: bool


class RelayEvent(Enum):
    """What happens on a connection that is relayed."""

    OPENED = "opened"
    DATA = "data"
    ENDED = "ended"


class RelayedData(NamedTuple):
    """What passes on a connection that is relayed.

    `host` and `meter` are the addresses of its two ends as the host sees them. Data has the way in
    which it passes; the end has the way of the side that ended.
    """

    connection: int
    host: tuple[str, int]
    meter: tuple[str, int]
    event: RelayEvent
    way: Way | None = None
    data: bytes = b""


class RelayCapture(Protocol):
    """A capture file of connections that are relayed."""

    def header(self) -> bytes:
        """Return the first bytes of the file."""
        ...

    def packets(self, at_us: int, passed: RelayedData) -> bytes:
        """Return what passed as the next bytes of the file."""
        ...


class DecoderOptions(NamedTuple):
    """What a user knows of the bytes.

    Args:
        framing: a word of the protocol; empty to find out.
        direction: that of all frames; None to find out.
        address: where the values of replies begin whose request is not known.
        has_two_streams: whether requests and replies are streams of their own, as on TCP; else
            they share a line.
        numbers: counts the frames of several decoders; without it each counts its own from 1.
    """

    framing: str = ""
    direction: Way | None = None
    address: int | None = None
    has_two_streams: bool = False
    numbers: Iterator[int] | None = None


class FrameDecoder(Protocol):
    """Finds and decodes the frames in the bytes of one line or connection. It never raises."""

    def receive(
        self, data: bytes, at_us: int | None = None, way: Way | None = None
    ) -> Sequence[DecodedFrame]:
        """Take the next bytes; return what is decided by now. `way` is known to the caller."""
        ...

    def boundary(self) -> Sequence[DecodedFrame]:
        """Take the hint that a frame may end here, as at the end of a line of text."""
        ...

    def silence(self) -> Sequence[DecodedFrame]:
        """End all frames at a silence of the line; return all that is left."""
        ...

    def waiting(self) -> Sequence[int]:
        """Return the numbers of the last requests that have no reply yet, the oldest first."""
        ...

    def unanswered(self) -> int:
        """Return how many requests had no reply so far."""
        ...


class CaptureFormat(Protocol):
    """Capture files of a protocol, as Wireshark opens them."""

    def is_capture(self, data: bytes) -> bool:
        """Return whether bytes begin as a capture file."""
        ...

    def read(self, data: bytes) -> Iterator[CapturedData]:
        """Yield the data of the packets of a file; raises FrameError."""
        ...

    def has_header(self, packet: bytes) -> bool:
        """Return whether bytes begin with the headers of a network, as in a capture file."""
        ...

    def read_dumped(self, packets: Sequence[bytes]) -> Iterator[CapturedData]:
        """Yield the data of packets of a dump; those without headers are data as they are."""
        ...

    def header(self) -> bytes:
        """Return the first bytes of a file of a serial line."""
        ...

    def packet(self, frame: DecodedFrame) -> bytes:
        """Return a frame, or bytes that are none, as the next bytes of such a file."""
        ...

    def of_relay(self) -> RelayCapture:
        """Return a capture file of connections that are relayed."""
        ...


def format_microseconds(at_us: int) -> str:
    """Write us since 1970 UTC as ISO 8601, in UTC with microseconds."""
    try:
        return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:
        return f"@{at_us}us"
