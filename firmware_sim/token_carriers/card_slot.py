"""Card slot: reads a card, submits it to the meter and writes back (order of checks: docs/card.md).

`insert` is an exchange: it yields commands and is sent responses, so that metering and tripping
continue while it waits for a slow card. Credit is committed in the meter before the first byte of
the write-back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.meter import Meter
from firmware_sim.readings import GETTERS, status
from firmware_sim.requests import CardFailed, Insertion, PresentCard, Reply, Request
from protocols.card.answer_to_reset import parse_answer
from protocols.card.apdu import StatusWord
from protocols.card.files import CardFile, CardType, LogActor, LogRow
from protocols.card.keys import KeyReference, derive_meter_access
from protocols.card.terminal import Contents, Exchange, Selected, Terminal
from protocols.card.write_back import WriteBack
from protocols.data_model import items
from protocols.data_model.insertion import InsertionError
from protocols.errors import (
    ApduError,
    CardForgedError,
    CardFormatError,
    CardGoneError,
    CardRefusedError,
    CardTypeError,
    MalformedMessageError,
)
from protocols.quantities import CENT, format_money
from protocols.sealed_message import Outcome, SealedMessage, code_of

NO_SERIAL = bytes(8)
LOWEST_VOLTAGE_PERCENT = 80
"""Percent of the nominal voltage; with every phase below it no card is read."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """Result of an insertion; `insertion` is None where the meter has no power.

    `written_back`: whether the write-back on the card is complete. Credit in ledger units.
    """

    insertion: Insertion | None
    serial: bytes = NO_SERIAL
    card_type: CardType | None = None
    written_back: bool = False
    credit: int = 0

    @property
    def display(self) -> str:
        """Final text on the display: the credit or the error group; empty without power."""
        if self.insertion is None:
            return ""
        return self.insertion.error.display if self.insertion.error else format_money(self.credit)


class _SlotError(Exception):
    """The insertion ends with an error."""

    def __init__(self, error: InsertionError) -> None:
        super().__init__(error.word)
        self.error = error


class CardSlot:
    """The slot of one meter, for one insertion."""

    def __init__(
        self,
        meter: Meter,
        hand_over: Callable[[Request], Reply | None],
        random: Callable[[int], bytes],
    ) -> None:
        """Serve one insertion at a meter.

        Args:
            meter: is read only.
            hand_over: executes a request on it; None without power, and where the power failed.
        """
        self._meter, self._hand_over = meter, hand_over
        self._terminal = Terminal(random)
        self._serial = NO_SERIAL
        self._type: CardType | None = None

    def insert(self, answer_to_reset: bytes) -> Exchange[Inserted]:
        """Read a card that was given power, present it to the meter, and write it back."""
        if not self._meter.state.powered:
            return Inserted(None)
        try:
            self._check_readiness(answer_to_reset)
            card, contents = yield from self._read()
        except _SlotError as stopped:
            return self._failed(stopped.error)
        except CardGoneError:
            return self._failed(InsertionError.PULLED_EARLY)
        except CardFormatError:
            return self._failed(InsertionError.FILE_FORMAT)
        except CardForgedError:
            return self._failed(InsertionError.CODE_WRONG)
        except CardRefusedError:
            return self._failed(InsertionError.COMMUNICATION)
        return (yield from self._present(card, contents))

    # ---- reading

    def _check_readiness(self, answer_to_reset: bytes) -> None:
        meter = self._meter
        nominal = meter.state.identity.nominal_voltage_mv
        if all(
            GETTERS[item](meter) * 100 < nominal * LOWEST_VOLTAGE_PERCENT for item in items.VOLTAGES
        ):
            raise _SlotError(InsertionError.VOLTAGE_LOW)
        keys = meter.authenticator.keys(meter.state.security.key_version)
        if meter.storage_lost or keys is None or not keys.card:
            raise _SlotError(InsertionError.SECURITY_MODULE_RESET)
        try:
            parse_answer(answer_to_reset)
        except ApduError:
            raise _SlotError(InsertionError.CARD_RESET) from None

    def _read(self) -> Exchange[tuple[PresentCard, Contents]]:
        """Read a card.

        Its meter number is read in clear first, so that another meter's card is not tried with a
        wrong key.
        """
        terminal = self._terminal
        try:
            selected: Selected = yield from terminal.select()
        except CardRefusedError:
            raise _SlotError(InsertionError.CARD_NOT_ISSUED) from None
        self._serial = selected.serial
        claimed = yield from terminal.read_identity()
        if not selected.issued or claimed is None:
            raise _SlotError(InsertionError.CARD_NOT_ISSUED)
        if claimed.meter != self._meter.state.identity.serial_number:
            raise _SlotError(InsertionError.METER_NUMBER)
        keys = self._meter.authenticator.keys(claimed.key_version)
        if keys is None or not keys.card:
            raise _SlotError(InsertionError.NOT_AUTHORISED)
        yield from self._authenticate(derive_meter_access(keys.card, selected.serial))
        try:
            contents = yield from self._terminal.read_all()
        except CardTypeError:
            raise _SlotError(InsertionError.CARD_TYPE) from None
        if contents.identity != claimed:
            raise _SlotError(InsertionError.CODE_WRONG)
        if contents.credit is None:
            raise _SlotError(InsertionError.CARD_NOT_ISSUED)
        self._type = contents.credit.card_type
        empty = contents.return_slots.newest is None
        return PresentCard(
            selected.serial, claimed, contents.credit, empty, contents.parameters
        ), contents

    def _authenticate(self, key: bytes) -> Exchange[None]:
        try:
            yield from self._terminal.authenticate(KeyReference.METER, key)
        except CardForgedError:
            raise _SlotError(InsertionError.CARD_AUTHENTICATION) from None
        except CardRefusedError as refused:
            tried = refused.status & 0xFFF0 == StatusWord.AUTHENTICATION_FAILED
            blocked = refused.status == StatusWord.AUTHENTICATION_BLOCKED
            wrong = (
                InsertionError.METER_AUTHENTICATION
                if tried or blocked
                else InsertionError.CARD_AUTHENTICATION
            )
            raise _SlotError(wrong) from None

    # ---- processing and writing back

    def _present(self, card: PresentCard, contents: Contents) -> Exchange[Inserted]:
        reply = self._hand_over(card)
        if reply is None:
            return Inserted(None, self._serial, self._type)
        insertion = reply.insertion
        if insertion is None:  # the storage refused the write: nothing changed
            insertion = Insertion(InsertionError.SECURITY_MODULE_ACCESS, Outcome.STORAGE_FAULT)
        if not insertion.write_back:
            return self._done(insertion)
        try:
            yield from self._write_back(card, contents, insertion)
        except (CardGoneError, CardRefusedError, CardForgedError):
            self._hand_over(
                CardFailed(InsertionError.PULLED_EARLY, self._serial, after_commit=True)
            )
            early = Insertion(
                insertion.error or InsertionError.PULLED_EARLY,
                insertion.outcome,
                False,
                insertion.receipt,
                insertion.command_outcome,
                insertion.credit_before,
            )
            return self._done(early)
        return self._done(insertion, written_back=True)

    def _write_back(
        self, card: PresentCard, contents: Contents, insertion: Insertion
    ) -> Exchange[None]:
        slots = contents.return_slots
        keys = self._meter.authenticator.keys(self._meter.state.security.key_version)
        assert keys is not None, "the current version is held"
        sealed = self._record(card, slots.next_number, insertion).seal(keys.card)
        yield from self._terminal.update(CardFile.RETURN, slots.next_offset, sealed)
        yield from self._terminal.append_log(self._log_row(card, insertion))

    def _record(self, card: PresentCard, number: int, insertion: Insertion) -> WriteBack:
        meter = self._meter
        state, lasting = meter.state, meter.lasting
        message = card.credit.message
        return WriteBack.of(
            number,
            state.security.key_version,
            state.identity.serial_number,
            state.account.customer_number,
            meter_key_version=state.security.key_version,
            epoch=state.identity.epoch,
            card_serial=card.serial,
            answered_sequence=_sequence(message),
            answered_code=code_of(message) if message else bytes(4),
            outcome=insertion.outcome or 0,
            error=insertion.error or 0,
            command_outcome=insertion.command_outcome or 0,
            credit_sequence=state.security.credit_sequence,
            command_sequence=state.security.command_sequence,
            account_state=state.account.state,
            account_unit=state.account.unit,
            credit=state.account.credit,
            debt=state.account.debt,
            cumulative=state.account.cumulative,
            purchases=state.account.purchases,
            energy_mwh=lasting.import_mwh,
            clock=max(meter.clock, 0),
            elapsed_ms=lasting.elapsed_ms,
            supply_state=state.supply.state,
            causes=state.supply.causes,
            status=status(meter),
            illegal_insertions=state.slot.illegal_insertions,
            receipt=insertion.receipt,
        )

    def _log_row(self, card: PresentCard, insertion: Insertion) -> LogRow:
        state, message = self._meter.state, card.credit.message
        credit = state.account.credit
        return LogRow(
            min(max(self._meter.clock // 1000, 0), 0xFFFF_FFFF),
            LogActor.METER,
            insertion.error or 0,
            insertion.outcome or 0,
            _sequence(message),
            SealedMessage.decode(message).amount if message else 0,
            abs(credit) // CENT * (1 if credit >= 0 else -1),
        )

    def _failed(self, error: InsertionError) -> Inserted:
        reply = self._hand_over(CardFailed(error, self._serial))
        return self._done(Insertion(error)) if reply is not None else Inserted(None, self._serial)

    def _done(self, insertion: Insertion, *, written_back: bool = False) -> Inserted:
        return Inserted(
            insertion, self._serial, self._type, written_back, self._meter.state.account.credit
        )


def _sequence(message: bytes) -> int:
    try:
        return SealedMessage.decode(message).sequence
    except MalformedMessageError:
        return 0
