"""Acceptance of cards, in the order of checks of DL/T 645 meters (docs/card.md).

It works on an uncommitted copy of the state. Credit, binding, events and the closing of the switch
are one commit; the slot writes back only after it, so a card that is pulled at any moment is
neither lost nor credited twice.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.acceptance.acceptance import Acceptance
from firmware_sim.requests import CardFailed, Insertion, PresentCard, Reply, Sealed
from firmware_sim.state import State
from firmware_sim.supply.control import Emit, clear
from firmware_sim.supply.switch import Clearing
from protocols.card.files import CardType
from protocols.data_model.insertion import InsertionError
from protocols.data_model.words import AccountState, Carrier
from protocols.errors import MalformedMessageError
from protocols.keys import MessageClass
from protocols.sealed_message import FORMAT_VERSION, Outcome, SealedMessage

ERRORS: dict[Outcome, InsertionError | None] = {
    Outcome.MALFORMED: InsertionError.FILE_FORMAT,
    Outcome.UNSUPPORTED_VERSION: InsertionError.FILE_FORMAT,
    Outcome.NOT_FOR_THIS_METER: InsertionError.METER_NUMBER,
    Outcome.UNKNOWN_KEY_VERSION: InsertionError.NOT_AUTHORISED,
    Outcome.BAD_AUTHENTICATION: InsertionError.CODE_WRONG,
    Outcome.SUSPENDED: InsertionError.CODE_WRONG,
    Outcome.ALREADY_ACCEPTED: None,
    Outcome.SEQUENCE_CONFLICT: InsertionError.COUNT,
    Outcome.SEQUENCE_OLD: None,
    Outcome.SEQUENCE_GAP: InsertionError.COUNT,
    Outcome.EXPIRED: InsertionError.NOT_AUTHORISED,
    Outcome.NOT_OPENED: InsertionError.PURCHASE_CARD_UNOPENED,
    Outcome.ALREADY_OPENED: InsertionError.COUNT,
    Outcome.NOT_FOR_THIS_CUSTOMER: InsertionError.CUSTOMER_NUMBER,
    Outcome.WRONG_UNIT: InsertionError.FILE_FORMAT,
    Outcome.OUT_OF_RANGE: InsertionError.FILE_FORMAT,
    Outcome.EXCEEDS_MAX_CREDIT: InsertionError.EXCEEDS_MAX_CREDIT,
    Outcome.REFUSED_BY_GUARANTEE: InsertionError.NOT_AUTHORISED,
    Outcome.STORAGE_FAULT: InsertionError.SECURITY_MODULE_ACCESS,
    Outcome.ACCEPTED: None,
}
"""Error on the display for each outcome of the card's message."""

LEAVES_UNUSED = frozenset(
    {
        Outcome.MALFORMED,
        Outcome.UNSUPPORTED_VERSION,
        Outcome.BAD_AUTHENTICATION,
        Outcome.SUSPENDED,
        Outcome.EXCEEDS_MAX_CREDIT,
        Outcome.STORAGE_FAULT,
    }
)
"""Outcomes without a write-back: the card stays as sold."""

_USER_CARDS = frozenset({CardType.OPEN, CardType.PURCHASE, CardType.REPLACEMENT})
_UNOPENED = {
    CardType.PURCHASE: InsertionError.PURCHASE_CARD_UNOPENED,
    CardType.REPLACEMENT: InsertionError.REPLACEMENT_CARD_UNOPENED,
}


class CardAcceptance:
    """Accepts cards for one meter; their messages pass the same authentication as all others."""

    __slots__ = ("_acceptance",)

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance

    def take(
        self, state: State, card: PresentCard, emit: Emit, reevaluate: Callable[[], None]
    ) -> Reply:
        """Process a card; the result is always committed, since every insertion is an event."""
        refused = _refusal(state, card)
        if refused is not None:
            return _conclude(state, card, Insertion(refused[0], write_back=refused[1]), emit)
        insertion = Insertion(write_back=True)
        if card.credit.message:
            insertion = self._take_credit(state, card, emit, reevaluate)
        if insertion.error is None:
            insertion = self._take_commands(state, card, insertion, emit, reevaluate)
        return _conclude(state, card, insertion, emit)

    def fail(self, state: State, failed: CardFailed, emit: Emit) -> Reply:
        """Record a card that was not readable, or was pulled before its write-back was complete."""
        if failed.after_commit:
            emit("card_pulled_early", _signed(failed.serial), 0)
        else:
            _refuse(state, failed.serial, failed.error, emit)
        return Reply(insertion=Insertion(failed.error))

    def _take_credit(
        self, state: State, card: PresentCard, emit: Emit, reevaluate: Callable[[], None]
    ) -> Insertion:
        before = state.account.credit
        request = Sealed(card.credit.message, Carrier.CARD)
        message = _decoded(request.data)
        if message is not None and message.kind.message_class is not MessageClass.CREDIT:
            return Insertion(InsertionError.FILE_FORMAT, Outcome.MALFORMED, credit_before=before)
        new = message is not None and message.sequence == state.security.credit_sequence + 1
        if new and not card.write_back_empty:
            return Insertion(InsertionError.WRITE_BACK_NOT_EMPTY, credit_before=before)
        reply, _ = self._acceptance.take(state, request, emit, reevaluate)
        assert reply.answer is not None
        outcome = reply.answer.outcome
        error = ERRORS[outcome]
        mine = message is not None and message.serial_number == state.identity.serial_number
        if outcome is Outcome.NOT_FOR_THIS_METER and mine:
            opened = (
                card.credit.card_type is CardType.OPEN
                and state.account.state != AccountState.UNOPENED
            )
            error = InsertionError.COUNT if opened else error
        return Insertion(
            error,
            outcome,
            write_back=outcome not in LEAVES_UNUSED,
            receipt=reply.receipt,
            credit_before=before,
        )

    def _take_commands(
        self,
        state: State,
        card: PresentCard,
        so_far: Insertion,
        emit: Emit,
        reevaluate: Callable[[], None],
    ) -> Insertion:
        """Execute the sealed commands in order, up to the first that is not applied."""
        outcome: Outcome | None = None
        for data in card.commands:
            outcome = self._take_command(state, data, emit, reevaluate)
            if not outcome.applied:
                break
        if outcome is None:
            return so_far
        error = so_far.error
        if card.credit.card_type is CardType.PRESET:
            error = InsertionError.COUNT if outcome is Outcome.SEQUENCE_OLD else ERRORS[outcome]
        return so_far.with_commands(error, outcome)

    def _take_command(
        self, state: State, data: bytes, emit: Emit, reevaluate: Callable[[], None]
    ) -> Outcome:
        message = _decoded(data)
        if message is not None and message.kind.message_class is not MessageClass.COMMAND:
            return Outcome.MALFORMED
        reply, _ = self._acceptance.take(state, Sealed(data, Carrier.CARD), emit, reevaluate)
        assert reply.answer is not None
        return reply.answer.outcome


def _decoded(data: bytes) -> SealedMessage | None:
    """Return the decoded message; None for malformed bytes or another format version."""
    try:
        message = SealedMessage.decode(data)
    except MalformedMessageError:
        return None
    return message if message.version == FORMAT_VERSION else None


def _refusal(state: State, card: PresentCard) -> tuple[InsertionError, bool] | None:
    """Return the error of a card that is refused before its messages are read, else None.

    The second value is whether the card is written back all the same.
    """
    kind, account = card.credit.card_type, state.account
    if card.identity.meter != state.identity.serial_number:
        return InsertionError.METER_NUMBER, False
    if account.state == AccountState.UNOPENED and kind in _UNOPENED:
        return _UNOPENED[kind], False
    if kind not in _USER_CARDS or account.state == AccountState.UNOPENED:
        return None
    if card.identity.customer != account.customer_number:
        return InsertionError.CUSTOMER_NUMBER, False
    bound, serial = state.slot.bound_card, int.from_bytes(card.serial, "big")
    outdated = card.identity.issued_at < state.slot.bound_at_s
    if bound and bound != serial and (kind is CardType.PURCHASE or outdated):
        return InsertionError.CARD_SERIAL, False
    return None


def _conclude(state: State, card: PresentCard, insertion: Insertion, emit: Emit) -> Reply:
    """Record an insertion; bind an accepted customer card.

    Such a card also clears the causes that the customer may clear (METER.md 5).
    """
    if insertion.error is not None:
        _refuse(state, card.serial, insertion.error, emit)
        return Reply(insertion=insertion)
    serial, slot = int.from_bytes(card.serial, "big"), state.slot
    own = card.credit.card_type in _USER_CARDS
    if own and slot.bound_card != serial:
        emit("card_bound", _signed(card.serial), _signed(slot.bound_card.to_bytes(8, "big")))
        slot.bound_card, slot.bound_at_s = serial, card.identity.issued_at
    emit("card_accepted", _signed(card.serial), card.credit.card_type)
    if own:
        clear(state.supply, Clearing.CARD, state.settings, emit)
    return Reply(insertion=insertion)


def _refuse(state: State, serial: bytes, error: InsertionError, emit: Emit) -> None:
    state.slot.illegal_insertions += error.illegal
    emit("card_refused", _signed(serial), error)


def _signed(serial: bytes) -> int:
    """Return a serial as the signed number of an event detail."""
    return int.from_bytes(serial, "big", signed=True)
