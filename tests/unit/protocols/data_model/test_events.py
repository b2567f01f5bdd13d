"""Event codes are stable."""

from __future__ import annotations

from protocols.card.files import CardType
from protocols.data_model.events import EVENT_BY_CODE, EVENTS, TARIFF_PARTS
from protocols.data_model.kinds import COUNT, MONEY, Boolean, Date, Moment
from protocols.data_model.tariff import PART_NAMES
from protocols.data_model.words import Carrier, Cause, SwitchedBy, choice, flags


def test_codes_are_stable() -> None:
    assert {code: kind.name for code, kind in EVENT_BY_CODE.items()} == {
        1: "low_credit_warning",
        2: "supply_disconnected",
        3: "supply_connected",
        4: "ready_for_reconnection",
        5: "supply_cause_added",
        6: "trip_pending",
        7: "trip_cancelled",
        8: "switch_fault",
        9: "switch_fault_ended",
        10: "account_opened",
        11: "credit_accepted",
        12: "credit_refunded",
        13: "debt_entered",
        14: "account_closed",
        15: "sequence_voided",
        16: "limits_set",
        17: "tariff_set",
        18: "tariff_activated",
        19: "tariff_switched",
        20: "billing_period_ended",
        21: "clock_set",
        22: "clock_invalid",
        23: "power_lost",
        24: "power_restored",
        25: "restart",
        26: "guarantee_set",
        27: "moratorium_set",
        28: "moratorium_ended",
        29: "cover_opened",
        30: "cover_closed",
        31: "terminal_cover_opened",
        32: "terminal_cover_closed",
        33: "magnet_detected",
        34: "magnet_removed",
        35: "tamper_cleared",
        36: "authentication_attack",
        37: "events_cleared",
        38: "demand_cleared",
        39: "key_changed",
        40: "step_reached",
        41: "supply_cause_cleared",
        42: "card_accepted",
        43: "card_refused",
        44: "card_bound",
        45: "card_pulled_early",
        46: "plain_write_accepted",
    }


def test_codes_and_names_are_unique_and_agree() -> None:
    assert len(EVENTS) == len(EVENT_BY_CODE) == 46
    assert all(EVENT_BY_CODE[kind.code] is kind for kind in EVENTS.values())
    assert all(EVENTS[kind.name] is kind for kind in EVENTS.values())
    assert all(1 <= code <= 0xFFFF for code in EVENT_BY_CODE)


def test_an_event_has_at_most_two_details_of_different_names() -> None:
    for kind in EVENTS.values():
        names = [name for name, _ in kind.details]
        assert len(names) == len(set(names)) <= 2


def test_details_that_stand_in_the_log_keep_their_kinds() -> None:
    assert EVENTS["credit_accepted"].details == (("amount", MONEY), ("sequence", COUNT))
    assert EVENTS["supply_disconnected"].details == (("cause", flags(Cause)),)
    assert EVENTS["supply_connected"].details == (("by", choice(SwitchedBy)),)
    assert EVENTS["clock_set"].details == (("old", Moment()), ("new", Moment()))
    assert EVENTS["trip_pending"].details == (("cause", flags(Cause)), ("due", Moment()))
    assert EVENTS["guarantee_set"].details == (("on", Boolean()),)
    assert EVENTS["moratorium_set"].details == (("until", Date()),)
    assert EVENTS["authentication_attack"].details == (("carrier", choice(Carrier)),)
    assert [name for name, _ in EVENTS["card_refused"].details] == ["card", "error"]
    assert EVENTS["card_refused"].details[0][1].text(-1) == "f" * 16, (
        "a serial fills the whole signed field"
    )


def test_card_types_are_named_as_the_card_names_them() -> None:
    kind = EVENTS["card_accepted"].details[1][1]
    assert [kind.text(number) for number in range(1, 6)] == [
        card_type.word for card_type in CardType
    ]


def test_tariff_parts_are_named_as_the_tariff_names_them() -> None:
    assert TARIFF_PARTS.words == tuple(PART_NAMES.values())
