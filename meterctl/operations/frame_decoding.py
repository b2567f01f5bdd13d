"""Decodes the frames of a text, of bytes or of a capture file. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, count
from typing import NamedTuple

from protocols.decoded_frames import (
    CapturedData,
    CaptureFormat,
    DecodedFrame,
    DecoderOptions,
    FrameDecoder,
)
from protocols.errors import FrameError, QuantityError
from protocols.named_files import decode_text
from protocols.pasted_bytes import Pasted, parse_pasted

MakeDecoder = Callable[[DecoderOptions], FrameDecoder]
_PIECE = 4096
_WINDOW = 256
"""Frames that are held until their replies are known."""
_LINE_CONTROLS = "\t\n\r\x0b\x0c"


class Decoded(NamedTuple):
    """The frames of an input as they are decoded, in its order; every byte is in one of them.

    Requests have `answered_by` among their values: the number of the reply, or null. `skipped` is
    the number of lines of text that held no bytes.
    """

    frames: Iterator[DecodedFrame]
    skipped: int = 0


def decode_input(
    data: bytes, make: MakeDecoder, options: DecoderOptions, captures: CaptureFormat
) -> Decoded:
    """Return the frames of a capture file, of a text with pasted bytes, or of bytes as they are.

    Raises:
        QuantityError: a text that is not hexadecimal; it names line and column.
        FrameError: from `frames`, a capture file that cannot be read further.
    """
    if captures.is_capture(data):
        return Decoded(_answered(_captured(captures.read(data), make, options)))
    text = _text_of(data)
    if text is not None:
        return decode_pasted(parse_pasted(text), make, options, captures)
    decoder = make(options)
    pieces = (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
    received = chain.from_iterable(decoder.receive(piece) for piece in pieces)
    return Decoded(_answered(_and_rest(received, decoder)))


def _text_of(data: bytes) -> str | None:
    """Return the text that bytes are; None where they hold other characters than text does."""
    try:
        text = decode_text(data)
    except QuantityError:
        return None
    is_text = all(letter.isprintable() or letter in _LINE_CONTROLS for letter in text)
    return text if is_text else None


def decode_pasted(
    pasted: Pasted, make: MakeDecoder, options: DecoderOptions, captures: CaptureFormat
) -> Decoded:
    """Return the frames of pasted bytes; the end of a line may be that of a frame.

    Packets of a dump are decoded as those of a capture file where they have headers; without, each
    is by itself, and no frame goes on in the next.
    """
    packets = [part.data for part in pasted.parts if part.is_packet]
    if not packets:
        whole = b"".join(part.data for part in pasted.parts)
        packets = [whole] if captures.has_header(whole) else []
    if packets:
        data = captures.read_dumped(packets)
        return Decoded(_answered(_captured(data, make, options)), pasted.skipped)
    decoder = make(options)
    return Decoded(_answered(_and_rest(_of_lines(pasted, decoder), decoder)), pasted.skipped)


def _of_lines(pasted: Pasted, decoder: FrameDecoder) -> Iterator[DecodedFrame]:
    for part in pasted.parts:
        yield from decoder.receive(part.data, None, part.way)
        yield from decoder.boundary()


def _and_rest(frames: Iterable[DecodedFrame], decoder: FrameDecoder) -> Iterator[DecodedFrame]:
    yield from frames
    yield from decoder.silence()


def _captured(
    packets: Iterable[CapturedData], make: MakeDecoder, options: DecoderOptions
) -> Iterator[DecodedFrame]:
    """Yield the frames of a capture file or dump, in the order of their ends.

    Raises:
        FrameError: it cannot be read further; all frames before were yielded.
    """
    decoders: dict[str, FrameDecoder] = {}
    numbers = count(1)
    try:
        for packet in packets:
            name = packet.conversation
            if name not in decoders:
                has_two = not packet.is_packet
                decoders[name] = make(options._replace(has_two_streams=has_two, numbers=numbers))
            decoder = decoders[name]
            yield from _of_conversation(
                name, decoder.receive(packet.data, packet.at_us, packet.way)
            )
            if packet.is_packet:
                yield from _of_conversation(name, decoder.silence())
    except FrameError:
        yield from _rest(decoders)
        raise
    yield from _rest(decoders)


def _rest(decoders: Mapping[str, FrameDecoder]) -> Iterator[DecodedFrame]:
    for name, decoder in decoders.items():
        yield from _of_conversation(name, decoder.silence())


def _of_conversation(name: str, frames: Iterable[DecodedFrame]) -> Iterator[DecodedFrame]:
    if not name:
        yield from frames
        return
    for frame in frames:
        yield replace(frame, decoded={**frame.decoded, "conversation": json.dumps(name)})


def _answered(frames: Iterable[DecodedFrame]) -> Iterator[DecodedFrame]:
    """Yield frames of which each request names its reply, if that is among the next `_WINDOW`."""
    window: dict[str, DecodedFrame] = {}
    try:
        for frame in frames:
            window[frame.decoded["number"]] = _unanswered(frame)
            asked = frame.decoded.get("answers", "null")
            if asked in window:
                answered = {**window[asked].decoded, "answered_by": frame.decoded["number"]}
                window[asked] = replace(window[asked], decoded=answered)
            if len(window) > _WINDOW:
                yield window.pop(next(iter(window)))
    except FrameError:
        yield from window.values()
        raise
    yield from window.values()


def _unanswered(frame: DecodedFrame) -> DecodedFrame:
    if "answers" in frame.decoded or not frame.is_right:
        return frame
    return replace(frame, decoded={**frame.decoded, "answered_by": "null"})
