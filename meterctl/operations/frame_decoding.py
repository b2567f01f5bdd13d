"""Decodes the frames of a text, of bytes or of a capture file. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from protocols.decoded_frames import (
    CapturedData,
    CaptureFormat,
    DecodedFrame,
    DecoderOptions,
    FrameDecoder,
)
from protocols.errors import QuantityError
from protocols.named_files import decode_text
from protocols.pasted_bytes import Pasted, parse_pasted

MakeDecoder = Callable[[DecoderOptions], FrameDecoder]
_LINE_CONTROLS = "\t\n\r\x0b\x0c"


class Decoded(NamedTuple):
    """The frames of an input, in its order; every byte of it is in one of them.

    Requests have `answered_by` among their values: the number of the reply, or null. `skipped` is
    the number of lines of text that held no bytes.
    """

    frames: Sequence[DecodedFrame]
    skipped: int = 0

    @property
    def undecoded(self) -> int:
        """Number of bytes that are no frame without a fault."""
        return sum(len(frame.raw) for frame in self.frames if not frame.is_right)

    @property
    def size(self) -> int:
        """Number of all bytes."""
        return sum(len(frame.raw) for frame in self.frames)


def decode_input(
    data: bytes, make: MakeDecoder, options: DecoderOptions, captures: CaptureFormat
) -> Decoded:
    """Return the frames of a capture file, of a text with pasted bytes, or of bytes as they are.

    Raises:
        QuantityError: a text that is not hexadecimal; it names line and column.
        FrameError: a capture file that cannot be read.
    """
    if captures.is_capture(data):
        return decode_captured(captures.read(data), make, options)
    text = _text_of(data)
    if text is None:
        decoder = make(options)
        return _answered([*decoder.receive(data), *decoder.silence()])
    return decode_pasted(parse_pasted(text), make, options)


def _text_of(data: bytes) -> str | None:
    """Return the text that bytes are; None where they hold other characters than text does."""
    try:
        text = decode_text(data)
    except QuantityError:
        return None
    is_text = all(letter.isprintable() or letter in _LINE_CONTROLS for letter in text)
    return text if is_text else None


def decode_pasted(pasted: Pasted, make: MakeDecoder, options: DecoderOptions) -> Decoded:
    """Return the frames of pasted bytes; the end of a line may be that of a frame."""
    decoder = make(options)
    found: list[DecodedFrame] = []
    for part in pasted.parts:
        found += decoder.receive(part.data, None, part.way)
        if part.ends:
            found += decoder.boundary()
    return _answered([*found, *decoder.silence()], pasted.skipped)


def decode_captured(
    packets: Iterable[CapturedData], make: MakeDecoder, options: DecoderOptions
) -> Decoded:
    """Return the frames of a capture file, in the order of their ends; raises FrameError."""
    decoders: dict[str, FrameDecoder] = {}
    found: list[DecodedFrame] = []
    numbers = count(1)
    for packet in packets:
        name = packet.conversation
        if name not in decoders:
            has_two = not packet.is_packet
            decoders[name] = make(options._replace(has_two_streams=has_two, numbers=numbers))
        decoder = decoders[name]
        frames = [*decoder.receive(packet.data, packet.at_us, packet.way)]
        if packet.is_packet:
            frames += decoder.silence()
        found += _of_conversation(name, frames)
    for name, decoder in decoders.items():
        found += _of_conversation(name, decoder.silence())
    return _answered(found)


def _of_conversation(name: str, frames: Iterable[DecodedFrame]) -> Iterator[DecodedFrame]:
    for frame in frames:
        yield replace(frame, decoded={**frame.decoded, "conversation": json.dumps(name)})


def _answered(frames: Sequence[DecodedFrame], skipped: int = 0) -> Decoded:
    """Return frames of which each request names its reply."""
    replies = {
        frame.decoded["answers"]: frame.decoded["number"]
        for frame in frames
        if frame.decoded.get("answers", "null") != "null"
    }
    named = [
        frame
        if "answers" in frame.decoded or not frame.is_right
        else replace(frame, decoded=_with_reply(frame, replies))
        for frame in frames
    ]
    return Decoded(named, skipped)


def _with_reply(frame: DecodedFrame, replies: dict[str, str]) -> dict[str, str]:
    reply = replies.get(frame.decoded["number"], "null")
    return {**frame.decoded, "answered_by": reply}
