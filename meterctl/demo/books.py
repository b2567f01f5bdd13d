"""The proofs at the end of the demo: the instant of the trip, the books, the events."""

from __future__ import annotations

from meterctl.demo.household import Agreement
from meterctl.demo.watched_meter import WatchedMeter, is_event
from protocols.card.files import CardType
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import Event
from protocols.data_model.words import Cause, SwitchedBy
from protocols.quantities import CENT, format_moment, format_money

EXPECTED: tuple[tuple[str, dict[str, int]], ...] = (
    ("account_opened", {}),
    ("card_accepted", {"type": CardType.OPEN}),
    ("low_credit_warning", {}),
    ("supply_disconnected", {"cause": Cause.CREDIT_REMINDER}),
    ("supply_connected", {"by": SwitchedBy.BUTTON}),
    ("supply_disconnected", {"cause": Cause.CREDIT_EXHAUSTED}),
    ("credit_accepted", {}),
    ("supply_connected", {"by": SwitchedBy.AUTOMATIC}),
    ("card_accepted", {"type": CardType.PURCHASE}),
)
_CREDIT_SIDE: tuple[tuple[str, int, Item], ...] = (
    ("opening", 1, items.OPENING_BALANCE),
    ("credited", 1, items.CREDITED),
    ("refunded", -1, items.REFUNDED),
    ("settled", -1, items.SETTLED),
    ("consumption", -1, items.CONSUMPTION_CHARGED),
    ("standing", -1, items.STANDING_CHARGED),
    ("instalments", -1, items.INSTALMENTS_TAKEN),
)


def exact_instant(meter: WatchedMeter, agreement: Agreement) -> bool:
    """Show that the supply opened at the exact mWh: the first one at or below the limit."""
    values = meter.session.driver.read(
        [items.AVAILABLE_CREDIT_EXACT, items.ENERGY_IMPORT, items.OVERDRAFT_LIMIT]
    )
    credit, limit = values[items.AVAILABLE_CREDIT_EXACT], values[items.OVERDRAFT_LIMIT]
    exact: bool = credit <= -limit < credit + agreement.price
    opened = [event for event in meter.show.seen if event.name == "supply_disconnected"][-1]
    meter.show.out(
        f"{'exact':<13} opened at {format_moment(opened.at)} after "
        f"{values[items.ENERGY_IMPORT]:,} mWh: credit "
        f"{format_money(credit, 10)} is {'the first' if exact else 'NOT the first'} at "
        f"or below {format_money(-limit)}"
    )
    return exact


def print_books(meter: WatchedMeter) -> bool:
    """Print the books of METER.md 6 from the wire; return whether they balance to the last unit."""
    wanted = [item for *_, item in _CREDIT_SIDE]
    values = meter.session.driver.read(
        [
            *wanted,
            items.AVAILABLE_CREDIT_EXACT,
            items.DEBT,
            items.DEBT_ENTERED,
            items.DEBT_FROM_TOP_UPS,
        ]
    )
    credit = values[items.AVAILABLE_CREDIT_EXACT]
    total = sum(sign * values[item] for _, sign, item in _CREDIT_SIDE)
    debt = (
        values[items.DEBT_ENTERED]
        - values[items.DEBT_FROM_TOP_UPS]
        - values[items.INSTALMENTS_TAKEN]
    )
    terms = " ".join(
        f"{'+' if sign > 0 else '-'} {name} {format_money(values[item], 10)}"
        for name, sign, item in _CREDIT_SIDE
    )
    balanced: bool = credit == total and values[items.DEBT] // CENT == debt // CENT
    meter.show.out(f"books: credit {format_money(credit, 10)} = {terms.removeprefix('+ ')}")
    meter.show.out(
        "books: "
        f"{'balanced to the last unit' if balanced else f'OUT OF BALANCE by {credit - total}'}"
    )
    return balanced


def missing_events(seen: list[Event]) -> list[str]:
    """Return the expected events that were not seen, in their order."""
    left = iter(seen)
    return [
        name
        for name, details in EXPECTED
        if not any(is_event(event, name, details) for event in left)
    ]
