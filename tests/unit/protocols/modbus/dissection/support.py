"""Frames for the tests of the decoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from protocols.decoded_frames import DecodedFrame, DecoderOptions
from protocols.modbus.dissection.decoder import ModbusDecoder
from protocols.modbus.register_map import RegisterMap
from protocols.modbus.rtu import encode


def decode(
    *frames: bytes, options: DecoderOptions | None = None, register_map: RegisterMap | None = None
) -> list[DecodedFrame]:
    """Return the objects of a stream."""
    decoder = ModbusDecoder(register_map, options)
    return [*decoder.receive(b"".join(frames)), *decoder.silence()]


def rtu(pdu: str, unit: int = 1) -> bytes:
    """Return the RTU frame of a PDU in hexadecimal."""
    return encode(unit, bytes.fromhex(pdu))


def values(frame: DecodedFrame) -> dict[str, Any]:
    """Return what a frame is decoded to."""
    found: dict[str, Any] = json.loads(frame.fragments()["decoded"])
    return found


def directions(frames: Sequence[DecodedFrame]) -> list[str | None]:
    """Return the direction of each frame."""
    return [json.loads(frame.fragments()["direction"]) for frame in frames]


def fields(frame: DecodedFrame) -> list[tuple[str, str, str]]:
    """Return the bytes, the name and the meaning of each field."""
    return [
        (frame.raw[each.offset : each.offset + each.size].hex(" "), each.name, each.meaning)
        for each in frame.fields
    ]
