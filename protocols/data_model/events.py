"""The event log: number, word and details of every event that a meter records.

A record holds a running number, the clock, the elapsed time and two whole numbers. The meaning of
these two is declared here, so that meter, wires and tools use the same names. Codes are stable;
only append.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.data_model.insertion import InsertionError
from protocols.data_model.kinds import COUNT, MONEY, Boolean, Choice, Date, Hex, Kind, Moment
from protocols.data_model.words import Carrier, Cause, SwitchedBy, choice, flags

PLAIN_WRITES = Choice(("credit", "switch", "limits"))
"""Kinds of plain writes."""
TARIFF_PARTS = Choice(("seasons", "day_tables", "prices", "steps"))
_CAUSE = flags(Cause)
CARD_SERIAL = Hex(16)
_CARD_TYPE = Choice(("none", "open", "purchase", "replacement", "preset", "service"))
"""Words of `protocols.card.files.CardType`; importing that module would slow every reading."""
_CARD_ERROR = Choice(("none", *(error.word for error in InsertionError)))


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event: its stable code, its word, and up to two named details."""

    code: int
    name: str
    details: tuple[tuple[str, Kind], ...] = ()


_KINDS = (
    EventKind(1, "low_credit_warning", (("threshold", MONEY),)),
    EventKind(2, "supply_disconnected", (("cause", _CAUSE),)),
    EventKind(3, "supply_connected", (("by", choice(SwitchedBy)),)),
    EventKind(4, "ready_for_reconnection", (("by", choice(SwitchedBy)),)),
    EventKind(5, "supply_cause_added", (("cause", _CAUSE),)),
    EventKind(6, "trip_pending", (("cause", _CAUSE), ("due", Moment()))),
    EventKind(7, "trip_cancelled", (("cause", _CAUSE),)),
    EventKind(8, "switch_fault"),
    EventKind(9, "switch_fault_ended"),
    EventKind(10, "account_opened", (("amount", MONEY), ("sequence", COUNT))),
    EventKind(11, "credit_accepted", (("amount", MONEY), ("sequence", COUNT))),
    EventKind(12, "credit_refunded", (("amount", MONEY), ("sequence", COUNT))),
    EventKind(13, "debt_entered", (("amount", MONEY), ("sequence", COUNT))),
    EventKind(14, "account_closed", (("settlement", MONEY), ("sequence", COUNT))),
    EventKind(15, "sequence_voided", (("sequence", COUNT),)),
    EventKind(16, "limits_set", (("sequence", COUNT),)),
    EventKind(17, "tariff_set", (("sequence", COUNT),)),
    EventKind(18, "tariff_activated", (("part", TARIFF_PARTS),)),
    EventKind(19, "tariff_switched", (("rate", COUNT), ("previous_rate", COUNT))),
    EventKind(20, "billing_period_ended"),
    EventKind(21, "clock_set", (("old", Moment()), ("new", Moment()))),
    EventKind(22, "clock_invalid"),
    EventKind(23, "power_lost"),
    EventKind(24, "power_restored"),
    EventKind(25, "restart"),
    EventKind(26, "guarantee_set", (("on", Boolean()),)),
    EventKind(27, "moratorium_set", (("until", Date()),)),
    EventKind(28, "moratorium_ended"),
    EventKind(29, "cover_opened"),
    EventKind(30, "cover_closed"),
    EventKind(31, "terminal_cover_opened"),
    EventKind(32, "terminal_cover_closed"),
    EventKind(33, "magnet_detected"),
    EventKind(34, "magnet_removed"),
    EventKind(35, "tamper_cleared"),
    EventKind(36, "authentication_attack", (("carrier", choice(Carrier)),)),
    EventKind(37, "events_cleared", (("sequence", COUNT),)),
    EventKind(38, "demand_cleared", (("sequence", COUNT),)),
    EventKind(39, "key_changed", (("key_version", COUNT),)),
    EventKind(40, "step_reached", (("step", COUNT),)),
    EventKind(41, "supply_cause_cleared", (("cause", _CAUSE),)),
    EventKind(42, "card_accepted", (("card", CARD_SERIAL), ("type", _CARD_TYPE))),
    EventKind(43, "card_refused", (("card", CARD_SERIAL), ("error", _CARD_ERROR))),
    EventKind(44, "card_bound", (("card", CARD_SERIAL), ("previous", CARD_SERIAL))),
    EventKind(45, "card_pulled_early", (("card", CARD_SERIAL),)),
    EventKind(46, "plain_write_accepted", (("kind", PLAIN_WRITES), ("purchase_count", COUNT))),
)
EVENTS: dict[str, EventKind] = {kind.name: kind for kind in _KINDS}
EVENT_BY_CODE: dict[int, EventKind] = {kind.code: kind for kind in _KINDS}
