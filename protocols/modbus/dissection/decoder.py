"""The decoder of Modbus: bytes in, decoded frames out (`protocols/decoded_frames.py`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from protocols.decoded_frames import DecodedFrame, DecoderOptions, Field
from protocols.faults import Way
from protocols.modbus.crc import crc16
from protocols.modbus.dissection.finding import Fault, FrameFinder, Framing, Piece
from protocols.modbus.dissection.functions import Known, asked_of, read_pdu
from protocols.modbus.dissection.pairing import Conversation, Matched, OpenRequest
from protocols.modbus.dissection.roles import possible_ways
from protocols.modbus.dissection.sealed import as_object, brief_of_message, read_message
from protocols.modbus.dissection.sheet import Sheet
from protocols.modbus.dissection.unit_maps import UnitMaps
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RegisterMap

PROTOCOL = "modbus"
_CHECK = {Framing.RTU: "crc", Framing.ASCII: "lrc"}
_FAULTS = {
    Fault.WRONG_CHECK: "WRONG CHECK",
    Fault.WRONG_LENGTH: "WRONG LENGTH",
    Fault.CUT_SHORT: "the beginning of a frame, cut short",
    Fault.NOISE: "no frame",
}


class ModbusDecoder:
    """A `FrameDecoder` of Modbus.

    Args:
        register_map: names addresses and values; the native map without one.
        options: what is known of the bytes.
        unit_maps: the maps of units that have another one.
    """

    def __init__(
        self,
        register_map: RegisterMap | None = None,
        options: DecoderOptions | None = None,
        unit_maps: Mapping[int, RegisterMap] | None = None,
    ) -> None:
        self._options = options or DecoderOptions()
        self._maps = UnitMaps(register_map or NATIVE_MAP, unit_maps or {})
        framing = Framing(self._options.framing) if self._options.framing else None
        self._finders = {way: FrameFinder(framing) for way in (None, *Way)}
        self._way: Way | None = None
        self._conversation = Conversation()
        self._numbers = self._options.numbers or count(1)
        self._number = 0

    def receive(
        self, data: bytes, at_us: int | None = None, way: Way | None = None
    ) -> Sequence[DecodedFrame]:
        """Take the next bytes; return the frames that are decided by now."""
        found: list[DecodedFrame] = []
        if way is not self._way and not self._options.has_two_streams:
            found += self.silence()
        self._way = way
        return [*found, *self._decoded(self._finders[way].receive(data, at_us), way)]

    def boundary(self) -> Sequence[DecodedFrame]:
        """Take the hint that a frame may end here."""
        return [*self._decoded(self._finders[self._way].boundary(), self._way)]

    def silence(self) -> Sequence[DecodedFrame]:
        """End all frames; return all that is left."""
        found: list[DecodedFrame] = []
        for way, finder in self._finders.items():
            found += self._decoded(finder.silence(), way)
        return found

    def waiting(self) -> Sequence[int]:
        """Return the numbers of the last requests that have no reply yet, the oldest first."""
        return self._conversation.waiting

    def unanswered(self) -> int:
        """Return how many requests had no reply so far."""
        return self._conversation.unanswered

    def _decoded(self, pieces: Iterable[Piece], way: Way | None) -> Iterable[DecodedFrame]:
        for piece in pieces:
            self._number = next(self._numbers)
            yield self._frame(piece, way) if piece.framing is not None else self._noise(piece)

    def _noise(self, piece: Piece) -> DecodedFrame:
        """Return bytes that are no frame."""
        fault = piece.fault or Fault.NOISE
        size = len(piece.raw)
        number = str(self._number)
        decoded = {
            "number": number,
            "framing": "null",
            "fault": json.dumps(fault.value),
            "size": str(size),
        }
        fields = (Field(0, size, "noise", _FAULTS[fault]),)
        summary = f"{size} byte{'s' if size > 1 else ''}: {_FAULTS[fault]}"
        return DecodedFrame(
            piece.at_us,
            PROTOCOL,
            None,
            piece.raw,
            decoded,
            fields,
            summary,
            is_frame=False,
            is_right=False,
            ended_us=piece.ended_us,
        )

    def _frame(self, piece: Piece, way: Way | None) -> DecodedFrame:
        transaction, unit, pdu = piece.body
        direction = self._direction(piece, way)
        matched = self._paired(piece, direction)
        request = None if matched is None else matched.request.pdu
        asked = None if request is None else asked_of(request)
        notice = self._maps.learn(unit, asked, pdu) if direction is Way.REPLY else ""
        known = Known(self._maps.view(unit), request, self._options.address)
        sheet = Sheet(_bytes_of(piece))
        assert piece.framing is not None
        sheet.decoded["number"] = str(self._number)
        sheet.decoded["framing"] = json.dumps(piece.framing.value)
        told = _read_head(sheet, piece.framing, transaction)
        body = Sheet(pdu)
        read_pdu(body, direction, known)
        sheet.include(body)
        if direction is not Way.REPLY and piece.fault is None:
            body.told += self._tell_message(sheet, unit, pdu)
        if piece.framing is not Framing.TCP:
            _read_check(sheet, piece.framing)
        sheet.decoded["fault"] = json.dumps(None if piece.fault is None else piece.fault.value)
        told += [f"unit {unit}", *body.told]
        if piece.fault is not None:
            told.append(_FAULTS[piece.fault])
        told += self._tell_pairing(sheet, direction, matched, piece)
        return DecodedFrame(
            piece.at_us,
            PROTOCOL,
            direction,
            piece.raw,
            sheet.decoded,
            tuple(_placed_fields(piece, sheet.fields)),
            ", ".join(told),
            is_right=piece.fault is None,
            ended_us=piece.ended_us,
            notice=notice,
        )

    def _tell_message(self, sheet: Sheet, unit: int, pdu: bytes) -> list[str]:
        """Add the sealed message that a request completes; return words for the summary."""
        whole = self._maps.messages(unit).take(unit, pdu)
        if whole is None:
            return []
        message = read_message(Sheet(whole), len(whole))
        sheet.decoded["message"] = as_object(message)
        return [f"completes a message ({brief_of_message(message)})"]

    def _direction(self, piece: Piece, way: Way | None) -> Way | None:
        transaction, unit, pdu = piece.body
        given = way or self._options.direction
        if given is not None:
            return given
        possible = possible_ways(pdu)
        return self._conversation.way_of(transaction, unit, pdu, possible, piece.at_us)

    def _paired(self, piece: Piece, direction: Way | None) -> Matched | None:
        """Return the request of a reply; keep a request. A faulty frame is neither."""
        if piece.fault is not None:
            return None
        transaction, unit, pdu = piece.body
        if direction is Way.REPLY:
            return self._conversation.reply(self._number, transaction, unit, pdu)
        request = OpenRequest(self._number, transaction, unit, pdu, piece.ended_us)
        if direction is Way.REQUEST:
            self._conversation.request(request)
        elif len(possible_ways(pdu)) > 1:
            self._conversation.undecided(request)
        return None

    def _tell_pairing(
        self, sheet: Sheet, direction: Way | None, matched: Matched | None, piece: Piece
    ) -> list[str]:
        """Add to a reply which request it answers; return words for the summary."""
        if direction is not Way.REPLY or piece.fault is not None:
            return []
        number = None if matched is None else matched.request.number
        sheet.decoded["answers"] = json.dumps(number)
        sheet.decoded["late"] = json.dumps(matched is not None and matched.is_late)
        if matched is None:
            return ["without its request"]
        words = [f"answers {number}{', late' if matched.is_late else ''}"]
        sent_us = matched.request.ended_us
        if sent_us is not None and piece.at_us is not None:
            took_us = piece.at_us - sent_us
            sheet.decoded["response_ms"] = f"{took_us / 1000:.3f}"
            words.append(f"after {took_us / 1000:.1f} ms")
        return words


def _bytes_of(piece: Piece) -> bytes:
    """Return the bytes of a frame without the characters of ASCII framing."""
    if piece.framing is not Framing.ASCII:
        return piece.raw
    return bytes.fromhex(piece.raw[1:-2].decode("ascii"))


def _placed_fields(piece: Piece, fields: Iterable[Field]) -> Iterable[Field]:
    """Yield fields with their places in the raw bytes, those of ASCII framing with its marks."""
    if piece.framing is not Framing.ASCII:
        yield from fields
        return
    yield Field(0, 1, "start", "colon")
    for each in fields:
        yield each._replace(offset=1 + 2 * each.offset, size=2 * each.size)
    yield Field(len(piece.raw) - 2, 2, "end", "CR LF")


def _read_head(sheet: Sheet, framing: Framing, transaction: int | None) -> list[str]:
    """Read what is before the PDU; return words for the summary."""
    words: list[str] = []
    if framing is Framing.TCP:
        sheet.number(2, "transaction", lambda value: f"{value} ({value:04X}H)", "transaction")
        sheet.number(2, "protocol", lambda value: "0: Modbus" if value == 0 else str(value))
        sheet.number(2, "length", "bytes follow", "length")
        words.append(f"transaction {transaction}")

    def text(value: int) -> str:
        is_broadcast = value == 0 and framing is not Framing.TCP
        return f"{value}: broadcast" if is_broadcast else str(value)

    sheet.number(1, "unit", text, "unit")
    return words


def _read_check(sheet: Sheet, framing: Framing) -> None:
    """Read the CRC or LRC at the end; `crc` is right or wrong, `crc_expected` what it must be."""
    key = _CHECK[framing]
    data = sheet.before
    if framing is Framing.RTU:
        expected = crc16(data).to_bytes(2, "little")
    else:
        expected = bytes((-sum(data) & 0xFF,))
    found = sheet.ahead(sheet.left)
    is_right = found == expected
    text = "right" if is_right else f"WRONG, it must be {expected.hex(' ')}"
    sheet.take(sheet.left, key.upper(), text)
    sheet.decoded[key] = json.dumps("right" if is_right else "wrong")
    sheet.decoded[f"{key}_expected"] = json.dumps(expected.hex(" "))
