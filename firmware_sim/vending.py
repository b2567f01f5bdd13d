"""Vending point in the process of the meter: orders in words, sealed with the meter's own keys.

For `simulate`, fixtures and scenarios, which hold the meter. Its messages pass the same
authentication as all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from firmware_sim.acceptance.admission import limits_refusals, moratorium_refusal
from firmware_sim.meter import Meter
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.requests import Reply, Sealed
from protocols.card.applet import Card
from protocols.card.files import CardIdentity, CardType, CreditRecord
from protocols.card.issuing import bind, give_keys, read_as_vendor, write_sale
from protocols.card.keys import derive_card_keys, derive_meter_access
from protocols.card.memory import BytesMemory, make_blank
from protocols.card.terminal import Contents, Terminal, drive
from protocols.data_model.setting_words import parse_setting_words
from protocols.data_model.words import AccountState
from protocols.errors import QuantityError
from protocols.keys import bcd
from protocols.quantities import (
    CENT,
    MONEY_LIMIT,
    format_money,
    parse_date,
    parse_money,
    parse_written_moment,
)
from protocols.sealed_message import (
    LAST_SECOND,
    MessageKind,
    Origin,
    SealedMessage,
    SwitchAction,
    decode_limits,
    decode_number,
    encode_clock,
    encode_limits,
    encode_number,
)

MAX_CENTS = MONEY_LIMIT // CENT
SILENCE = "silence: the meter is without power, or lost it just then"
"""Text for an order without an answer."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order for a meter: kind of message, amount in 0.01, parameters."""

    kind: MessageKind
    amount: int = 0
    parameters: bytes = b""
    customer_number: str | None = None


_SWITCH = {
    "interrupt": SwitchAction.INTERRUPT,
    "permit": SwitchAction.PERMIT,
    "restore": SwitchAction.DIRECT,
}


def _amount(kind: MessageKind) -> Callable[[Sequence[str]], Order]:
    def read(words: Sequence[str]) -> Order:
        (text,) = words
        cents = parse_money(text) // CENT
        if not 0 < cents <= MAX_CENTS:
            raise QuantityError(f"{text!r}: an amount is 0.01 to 999999.99")
        return Order(kind, cents)

    return read


def _open(words: Sequence[str]) -> Order:
    amount, customer = words
    cents = parse_money(amount) // CENT
    if not 0 <= cents <= MAX_CENTS or not (len(customer) == 12 and customer.isdecimal()):
        raise QuantityError(
            f"'{amount} {customer}': an amount of 0.00 to 999999.99, and a customer "
            f"number of 12 digits"
        )
    return Order(MessageKind.OPEN, cents, customer_number=customer)


def _limits(words: Sequence[str]) -> Order:
    if not words:
        raise QuantityError("limits: write NAME=VALUE")
    wanted = {item.setting: value for item, value in parse_setting_words(words).items()}
    return Order(MessageKind.LIMITS, parameters=encode_limits(wanted))


def _number(kind: MessageKind, read: Callable[[str], int]) -> Callable[[Sequence[str]], Order]:
    def order(words: Sequence[str]) -> Order:
        (text,) = words
        return Order(kind, parameters=encode_number(kind, read(text)))

    return order


def _clock(words: Sequence[str]) -> Order:
    (text,) = words
    return Order(MessageKind.CLOCK, parameters=encode_clock(parse_written_moment(text)))


def _switch(text: str) -> int:
    if text not in _SWITCH:
        raise QuantityError(f"{text!r}: allowed are {', '.join(_SWITCH)}")
    return _SWITCH[text]


def _on(text: str) -> int:
    if text not in ("on", "off"):
        raise QuantityError(f"{text!r}: allowed are on and off")
    return int(text == "on")


def _until(text: str) -> int:
    """Return the date of a moratorium, 0 for off."""
    if text == "off":
        return 0
    date = parse_date(text)
    if date <= 0:
        raise QuantityError(f"{text!r} is no date of a meter: its dates begin in 1970")
    return date


def _alone(kind: MessageKind) -> Callable[[Sequence[str]], Order]:
    def order(words: Sequence[str]) -> Order:
        () = words
        return Order(kind)

    return order


_ORDERS: dict[str, Callable[[Sequence[str]], Order]] = {
    "topup": _amount(MessageKind.CREDIT),
    "refund": _amount(MessageKind.REFUND),
    "debt": _amount(MessageKind.DEBT),
    "open": _open,
    "close": _alone(MessageKind.CLOSE),
    "limits": _limits,
    "switch": _number(MessageKind.SWITCH, _switch),
    "guarantee": _number(MessageKind.GUARANTEE, _on),
    "moratorium": _number(MessageKind.MORATORIUM, _until),
    "clock": _clock,
    "clear-tamper": _alone(MessageKind.CLEAR_TAMPER),
}
ORDERS = tuple(_ORDERS)
GRAMMAR = (
    "topup 50.00 · refund 5.00 · debt 30.00 · open 50.00 CUSTOMER · close · limits NAME=VALUE... · "
    "switch interrupt|permit|restore · guarantee on|off · moratorium 2026-02-01|off · "
    "clock 2026-01-01T00:00:00Z · "
    "clear-tamper"
)


def parse_order(words: Sequence[str]) -> Order:
    """Return the order in `words`; raises QuantityError with the allowed orders."""
    read = _ORDERS.get(words[0]) if words else None
    if read is None:
        raise QuantityError(f"{' '.join(words)!r} is no order: allowed are {GRAMMAR}")
    try:
        return read(words[1:])
    except ValueError as error:  # too many words, or too few
        raise QuantityError(f"{' '.join(words)!r} is no order: allowed are {GRAMMAR}") from error


def refusal_reason(meter: Meter, order: Order) -> str:
    """Return why a meter refuses an order as out of range; empty where the order says it itself."""
    match order.kind:
        case MessageKind.LIMITS:
            return "; ".join(limits_refusals(meter.state, decode_limits(order.parameters)))
        case MessageKind.MORATORIUM:
            until = decode_number(order.kind, order.parameters)
            return moratorium_refusal(meter.state, until) or ""
        case _:
            return ""


class Vending:
    """Seals orders with the meter's own keys as journal 0; its messages count their marks."""

    def __init__(self) -> None:
        self._marks = 0

    def send(self, meter: Meter, order: Order) -> Reply | None:
        """Seal an order and submit it; None where the meter is without power."""
        return meter.handle(self.seal(meter, order))

    def seal(self, meter: Meter, order: Order) -> Sealed:
        """Seal an order with the next sequence of its class, under the meter's current keys."""
        state = meter.state
        keys = meter.authenticator.keys(state.security.key_version)
        assert keys is not None
        message_class = order.kind.message_class
        customer = order.customer_number
        expires = (
            state.elapsed_ms // 1000 + _EXPIRES_AFTER_S if order.kind is MessageKind.SWITCH else 0
        )
        self._marks += 1
        message = SealedMessage(
            order.kind,
            state.identity.serial_number,
            state.identity.epoch,
            state.security.last(message_class) + 1,
            order.amount,
            state.account.unit,
            state.account.customer_number if customer is None else customer,
            min(max(meter.clock // 1000, 0), LAST_SECOND),
            min(expires, LAST_SECOND),
            order.parameters,
            keys.version,
            Origin(0, self._marks),
        )
        return Sealed(message.seal(keys.key(message_class)))

    def buy_card(
        self, meter: Meter, cents: int, card: Card | None, random: Callable[[int], bytes]
    ) -> Card:
        """Sell credit on a card for a meter, with its next sequence.

        A new card is issued and bound first; for a meter with another bound card it is the
        replacement.

        Raises:
            QuantityError: the amount is not allowed, or the card holds credit that the meter has
                not accepted.
            CardError: the card is not of this meter.
        """
        if not 0 < cents <= MAX_CENTS:
            raise QuantityError("an amount is 0.01 to 999999.99")
        state, keys = meter.state, meter.authenticator.keys(meter.state.security.key_version)
        assert keys is not None
        bound = state.slot.bound_card
        opens = state.account.state == AccountState.UNOPENED
        customer = state.account.customer_number
        order = Order(
            MessageKind.OPEN if opens else MessageKind.CREDIT, cents, customer_number=customer
        )
        terminal = Terminal(random)
        if card is None:
            memory = BytesMemory()
            make_blank(memory, _card_serial(meter))
            card = Card(memory, random)
        card.power_on()
        selected = drive(terminal.select(), card.apdu)
        # the meter's own card key: there is no master in this process
        access = derive_card_keys(keys.card, selected.serial, keys.version)
        if not selected.issued:
            drive(give_keys(terminal, access, keys.version), card.apdu)
            issued = min(max(meter.clock // 1000, 0), LAST_SECOND)
            identity = CardIdentity(
                state.identity.serial_number, customer, keys.version, issued, state.account.unit
            )
            drive(
                bind(terminal, access, identity, derive_meter_access(keys.card, selected.serial)),
                card.apdu,
            )
        contents = drive(read_as_vendor(terminal, access), card.apdu)
        _require_consumed(contents, state.security.credit_sequence)
        other = bound not in (0, int.from_bytes(selected.serial, "big"))
        record_type = (
            CardType.OPEN if opens else CardType.REPLACEMENT if other else CardType.PURCHASE
        )
        sold = CreditRecord(
            record_type, contents.credit_slots.next_number, self.seal(meter, order).data
        )
        drive(write_sale(terminal, contents, sold), card.apdu)
        card.power_off()
        return card


def _require_consumed(contents: Contents, taken: int) -> None:
    """Refuse to overwrite credit that the meter has not accepted."""
    if contents.credit is not None and contents.credit.message:
        message = SealedMessage.decode(contents.credit.message)
        if message.sequence > taken:
            raise QuantityError(
                f"the card carries {format_money(message.amount * CENT)} already: insert it first"
            )


def _card_serial(meter: Meter) -> bytes:
    """Return a serial for a new card: the meter's number and the count of its events."""
    return bcd(meter.state.identity.serial_number) + (
        meter.state.numbers[EVENT_RING] % 0xFFFF + 1
    ).to_bytes(2, "big")


_EXPIRES_AFTER_S = 300
