"""A malicious proxy on the wire, between a pipe and the meters' server, without valid keys.

It changes registers of readings, swallows messages and delivers them much later, replays receipts,
statuses and answers, forges refusals and acceptances, diverts requests to another meter, and
empties statuses. In some worlds it holds the retired keys of the meters and forges receipts and
statuses under them. It may deny service; it must never cause wrong money (METER.md 8).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

from firmware_sim.servers.seam import Server
from protocols.data_model import items
from protocols.data_model.words import AccountState
from protocols.errors import MalformedMessageError
from protocols.keys import MeterKeys
from protocols.modbus import tcp
from protocols.modbus.crc import crc16, with_crc
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.sealed_windows import ANSWER_HEAD_REGISTERS, MESSAGE_HEAD, STATUS_QUESTION
from protocols.quantities import CENT
from protocols.sealed_message import Answer, Outcome, Receipt, SealedMessage, code_of
from protocols.sealed_status import LastOfJournal, SealedStatus
from tests.support.maps import WINDOWS

_READ, _EXCHANGE = 3, 0x17
_LIED_OF = (
    items.SERIAL_NUMBER,
    items.EPOCH,
    items.CREDIT_SEQUENCE,
    items.COMMAND_SEQUENCE,
    items.KEY_VERSION,
    items.KEY_CHECK_VALUE,
    items.CLOCK,
    items.ACCOUNT_STATE,
    items.STATUS,
    items.CUSTOMER_NUMBER,
)
_PLACES = [place for item in _LIED_OF for place in NATIVE_MAP.best_registers[item]]
TRICKS = (
    "registers", "swallow", "replay_receipt", "replay_status", "replay_answer", "refuse", "accept",
    "another_meter", "divert", "empty_status", "empty_receipt", "release",
)  # fmt: skip
FORGERIES = ("forge_receipt", "forge_status", "forge_answer")
_KEPT = 40

Pdu = bytes
Forward = Callable[[Pdu], Pdu]


class Liar:
    """The state and the actions of one liar on all lines of a world.

    Args:
        retired: keys that no host accepts as proof, by serial number; empty if it holds none.
        serials: the serial numbers of the meters by their unit.
    """

    def __init__(
        self,
        random: Random,
        units: Sequence[int],
        retired: Mapping[str, MeterKeys],
        serials: Mapping[int, str],
    ) -> None:
        self._random, self._units, self._retired, self._serials = random, units, retired, serials
        chosen = random.sample(TRICKS, random.randint(1, 5)) + (list(FORGERIES) if retired else [])
        if "swallow" in chosen:
            chosen.append("release")
        self.chances = {trick: random.choice((0.05, 0.15, 0.4)) for trick in chosen}
        self.is_honest = False
        self.told: Counter[str] = Counter()
        self._diverted: dict[int, int] = {}
        self.held: list[tuple[int, Pdu]] = []
        """Messages that it swallowed, each with its unit."""
        self._receipts: list[bytes] = []
        self._statuses: list[bytes] = []
        self._answers: list[bytes] = []

    def lies(self, trick: str) -> bool:
        """Return whether the liar applies a trick now; applications are counted."""
        told = trick in self.chances and self._random.random() < self.chances[trick]
        self.told[trick] += told
        return told

    def hook(self, unit: int, pdu: Pdu, forward: Callable[[int, Pdu], Pdu]) -> Pdu:
        """Return the reply to a request, empty for silence.

        Args:
            forward: sends a request to a meter and returns its reply.
        """
        if self.is_honest:
            return forward(unit, pdu)
        if self.held and self.lies("release"):
            forward(*self.held.pop(self._random.randrange(len(self.held))))
        others = [other for other in self._units if other != unit]
        if others and self.lies("divert"):
            self._diverted = {} if self._diverted else {unit: self._random.choice(others)}
        asked = self._diverted.get(unit, unit)
        if others and self.lies("another_meter"):
            asked = self._random.choice(others)
        if pdu[0] == _READ and len(pdu) == 5:
            return self._reading(pdu, forward(asked, pdu))
        if pdu[0] != _EXCHANGE or len(pdu) < 10:
            return forward(asked, pdu)
        write, data = int.from_bytes(pdu[5:7], "big"), pdu[10:]
        size = 2 * int.from_bytes(pdu[3:5], "big")
        ask: Forward = lambda question: forward(asked, question)  # noqa: E731
        if write == WINDOWS.message and int.from_bytes(pdu[1:3], "big") == WINDOWS.answer:
            return self._message(unit, pdu, data, size, ask)
        if write == WINDOWS.receipt:
            return self._receipt(unit, pdu, size, ask)
        if write == WINDOWS.status:
            return self._status(unit, pdu, data, size, ask)
        return forward(asked, pdu)

    # ---- readings

    def _reading(self, pdu: Pdu, reply: Pdu) -> Pdu:
        first, count = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        places = [p for p in _PLACES if first <= p.address and p.address + p.width <= first + count]
        if len(reply) != 2 + 2 * count or not places:
            return reply
        changed = bytearray(reply)
        for _ in range(2):
            if self.lies("registers"):
                place = self._random.choice(places)
                at, width = 2 + 2 * (place.address - first), 2 * place.width
                old, bits = int.from_bytes(changed[at : at + width], "big"), 8 * width
                new = self._random.choice(
                    (
                        old + 1,
                        old + 7,
                        old + 100,
                        max(0, old - 1),
                        0,
                        (1 << bits) - 2,
                        self._random.getrandbits(bits),
                    )
                )
                changed[at : at + width] = (new % (1 << bits)).to_bytes(width, "big")
        return bytes(changed)

    # ---- messages

    def _message(self, unit: int, pdu: Pdu, data: bytes, size: int, ask: Forward) -> Pdu:
        sealed = message_in(data)
        message = _decoded(sealed)
        # A part of a longer message.
        if message is None:
            return ask(pdu)
        if self.lies("swallow"):
            self.held.append((unit, pdu))
            return b""
        if self.lies("accept"):
            return _reply(size, self._answer(sealed, message, Outcome.ACCEPTED))
        if self.lies("forge_answer"):
            receipt = self._forged_receipt(message, sealed)
            return _reply(size, self._answer(sealed, message, Outcome.ACCEPTED, receipt))
        if self.lies("refuse"):
            if self._random.random() < 0.5:
                ask(pdu)
            else:
                self.held.append((unit, pdu))
            outcome = self._random.choice([o for o in Outcome if not o.applied])
            return _reply(size, self._answer(sealed, message, outcome))
        reply = ask(pdu)
        if self._answers and self.lies("replay_answer"):
            return _reply(size, self._random.choice(self._answers))
        if len(reply) > 2 + 2 * ANSWER_HEAD_REGISTERS:
            _keep(self._answers, reply[2:])
            _keep(self._receipts, _sized(reply[2 + 2 * ANSWER_HEAD_REGISTERS :]))
            if self._receipts and self.lies("replay_receipt"):
                receipt = self._random.choice(self._receipts)
                return _reply(size, reply[2 : 2 + 2 * ANSWER_HEAD_REGISTERS] + _with_size(receipt))
        return reply

    def _answer(
        self, sealed: bytes, message: SealedMessage, outcome: Outcome, receipt: bytes = b""
    ) -> bytes:
        answer = Answer(outcome, message.sequence, code_of(sealed), 0, message.amount * CENT)
        return (b"\0\1" + answer.encode()).ljust(2 * ANSWER_HEAD_REGISTERS, b"\0") + _with_size(
            receipt
        )

    # ---- receipts and statuses

    def _receipt(self, unit: int, pdu: Pdu, size: int, ask: Forward) -> Pdu:
        if self.lies("empty_receipt"):
            return _reply(size, b"")
        if self.held and self.lies("forge_receipt"):
            sealed = message_in(self.held[-1][1][10:])
            message = _decoded(sealed)
            if message is not None:
                return _reply(size, _with_size(self._forged_receipt(message, sealed)))
        reply = ask(pdu)
        if self._receipts and self.lies("replay_receipt"):
            asked = int.from_bytes(pdu[12:16], "big")
            fitting = [kept for kept in self._receipts if _sequence_of(kept) == asked]
            return _reply(size, _with_size(self._random.choice(fitting or self._receipts)))
        _keep(self._receipts, _sized(reply[2:]))
        return reply

    def _status(self, unit: int, pdu: Pdu, data: bytes, size: int, ask: Forward) -> Pdu:
        if self.lies("empty_status"):
            return _reply(size, b"")
        if self._statuses and self.lies("replay_status"):
            return _reply(size, _with_size(self._random.choice(self._statuses)))
        if self.lies("forge_status"):
            return _reply(size, _with_size(self._forged_status(unit, data)))
        reply = ask(pdu)
        _keep(self._statuses, _sized(reply[2:]))
        return reply

    def _forged_receipt(self, message: SealedMessage, sealed: bytes) -> bytes:
        keys = self._retired.get(message.serial_number)
        if keys is None:
            return b""
        amount = message.amount * CENT
        return Receipt(
            message.kind,
            message.serial_number,
            message.epoch,
            message.sequence,
            message.amount,
            code_of(sealed),
            0,
            0,
            amount,
            0,
            0,
            amount,
            0,
            keys.version,
        ).seal(keys.key(message.kind.message_class))

    def _forged_status(self, unit: int, question: bytes) -> bytes:
        """Return a status most useful to an attacker, sealed under a retired key."""
        nonce, journal, version = STATUS_QUESTION.unpack(question[: STATUS_QUESTION.size])
        keys = self._retired.get(self._serials[unit])
        if keys is None:
            return b""
        row, epoch, sequence = (
            LastOfJournal(),
            self._random.getrandbits(32),
            self._random.randrange(40),
        )
        if self.held:
            sealed = message_in(self.held[-1][1][10:])
            message = _decoded(sealed)
            if message is not None:
                epoch, sequence = message.epoch, message.sequence
                row = LastOfJournal(message.origin.mark, message.sequence, code_of(sealed))
        named = self._random.choice((keys.version, version))
        current = self._random.choice((keys.version, version))
        return SealedStatus(
            named,
            self._serials[unit],
            epoch,
            nonce,
            journal,
            current,
            AccountState.OPEN,
            156,
            "0" * 12,
            sequence,
            sequence,
            0,
            1 << 40,
            0,
            1 << 40,
            0,
            0,
            bytes(4),
            0,
            row,
            0,
        ).seal(keys.credit)


def message_in(data: bytes) -> bytes:
    """Return the sealed message, or the part of one, in a write to the message window."""
    if len(data) < MESSAGE_HEAD.size:
        return b""
    return data[MESSAGE_HEAD.size : MESSAGE_HEAD.size + MESSAGE_HEAD.unpack_from(data)[2]]


def _keep(kept: list[bytes], data: bytes) -> None:
    if data:
        kept.append(data)
        del kept[:-_KEPT]


def _sized(data: bytes) -> bytes:
    size = int.from_bytes(data[:2], "big")
    return data[2 : 2 + size]


def _with_size(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _reply(size: int, body: bytes) -> Pdu:
    return bytes((_EXCHANGE, size)) + body[:size].ljust(size, b"\0")


def _sequence_of(receipt: bytes) -> int:
    try:
        return Receipt.decode(receipt).sequence
    except MalformedMessageError:
        return 0


def _decoded(sealed: bytes) -> SealedMessage | None:
    try:
        return SealedMessage.decode(sealed)
    except MalformedMessageError:
        return None


class LyingServer:
    """A server in front of a server: the liar answers whole requests; other bytes pass unchanged.

    Requests that the liar itself makes use a connection of their own.
    """

    def __init__(self, liar: Liar, inner: Server, own: Server, *, framed: bool) -> None:
        self._liar, self._inner, self._own, self._framed = liar, inner, own, framed

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return self._inner.closed

    def unit_of(self, data: bytes) -> int | None:
        """Return the unit that a transmission names first."""
        return self._inner.unit_of(data)

    def wake(self, at: int) -> bytes:
        """Return the bytes that are due."""
        return self._inner.wake(at)

    def next_wake(self) -> int | None:
        """Return when the next bytes are due."""
        return self._inner.next_wake()

    def receive(self, data: bytes, at: int) -> bytes:
        """Receive bytes; the liar makes the reply to a whole request."""
        request = self._open(data)
        if request is None or self._liar.is_honest:
            return self._inner.receive(data, at)
        unit, pdu = request

        def forward(asked: int, question: Pdu) -> Pdu:
            mine = (asked, question) == (unit, pdu)
            server = self._inner if mine else self._own
            got = self._open(server.receive(self._close(asked, question, data), at))
            return got[1] if got is not None else b""

        reply = self._liar.hook(unit, pdu, forward)
        return self._close(unit, reply, data) if reply else b""

    def _open(self, data: bytes) -> tuple[int, Pdu] | None:
        if self._framed:
            whole = len(data) > tcp.HEADER_SIZE and len(data) == 6 + int.from_bytes(
                data[4:6], "big"
            )
            return (data[6], data[tcp.HEADER_SIZE :]) if whole else None
        return (data[0], data[1:-2]) if len(data) >= 4 and crc16(data) == 0 else None

    def _close(self, unit: int, pdu: Pdu, request: bytes) -> bytes:
        if self._framed:
            return tcp.encode(int.from_bytes(request[:2], "big"), unit, pdu)
        return with_crc(bytes((unit,)) + pdu)
