"""Rows: their bytes, their columns as JSON, and the depth of each table."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from protocols.data_model.events import EVENTS
from protocols.data_model.kinds import COUNT, MONEY, Moment
from protocols.data_model.tables import TABLES, Event, Freeze, ProfileRecord, Purchase, Row
from protocols.data_model.words import Cause
from protocols.errors import ProtocolError
from protocols.quantities import LEDGER

NEW_YEAR = 1_767_225_600_000
PURCHASE = Purchase(
    3, NEW_YEAR, 1, 50 * LEDGER, 2 * LEDGER, 0, -2 * LEDGER, 48 * LEDGER, 150 * LEDGER, 4, 1
)
FREEZE = Freeze(9, NEW_YEAR, 1, 2, 3, 4, 5, 6, -LEDGER, 7 * LEDGER + 1)
RECORD = ProfileRecord(NEW_YEAR, 123_456, 7)


def test_tables_keep_their_sizes_and_depths() -> None:
    assert {table.name: (table.row_size, table.depth) for table in TABLES.values()} == {
        "purchases": (68, 10),
        "events": (38, 256),
        "daily_freezes": (76, 62),
        "billing_freezes": (76, 12),
        "profile": (12, 10 * 96),
        "utc_offsets": (14, 512),
    }
    assert all(table.meaning for table in TABLES.values())
    assert all(table.row_size % 2 == 0 for table in TABLES.values())  # whole registers


def q(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


@pytest.mark.parametrize(
    ("row", "data"),
    [
        (
            PURCHASE,
            b"\0\0\0\3"
            + q(NEW_YEAR)
            + b"\0\1"
            + q(50 * LEDGER)
            + q(2 * LEDGER)
            + q(0)
            + q(-2 * LEDGER)
            + q(48 * LEDGER)
            + q(150 * LEDGER)
            + b"\0\0\0\4\0\1",
        ),
        (
            Event(5, NEW_YEAR, 6, 21, -7, 8),
            b"\0\0\0\5" + q(NEW_YEAR) + q(6) + b"\0\x15" + q(-7) + q(8),
        ),
        (
            FREEZE,
            b"\0\0\0\x09"
            + q(NEW_YEAR)
            + b"".join(map(q, range(1, 7)))
            + q(-LEDGER)
            + q(7 * LEDGER + 1),
        ),
        (RECORD, bytes.fromhex("6955b900 0001e240 00000007")),
        (ProfileRecord(1000, 0, 0, power_down=True), bytes.fromhex("00000001 40000000 00000000")),
        (ProfileRecord(1000, 0, 0, clock_set=True), bytes.fromhex("00000001 80000000 00000000")),
        (ProfileRecord(1000, 0, 0, supply_open=True), bytes.fromhex("00000001 00000000 40000000")),
    ],
)
def test_a_row_has_the_bytes_of_its_diagram_and_comes_back(
    row: Row | ProfileRecord, data: bytes
) -> None:
    assert row.pack() == data
    assert type(row).unpack(data) == row
    assert len(data) == type(row).PACKING.size


def test_numbers_beyond_their_field_are_cut_to_it() -> None:
    """Totals of a meter are unwrapped (METER.md 3): a record saturates and never stops it."""
    assert Freeze.unpack(Freeze(2**40, NEW_YEAR, 2**70, 0, 0, 0, 0, 0, -(2**70)).pack()) == Freeze(
        2**32 - 1, NEW_YEAR, 2**64 - 1, 0, 0, 0, 0, 0, -(2**63)
    )
    assert Event.unpack(Event(1, -5, 6, 7, 2**63, 8).pack()) == Event(1, 0, 6, 7, 2**63 - 1, 8)
    assert ProfileRecord.unpack(ProfileRecord(2**50, 1, 2).pack()) == ProfileRecord(
        1000 * (2**32 - 1), 1, 2
    )
    assert ProfileRecord.unpack(ProfileRecord(-1000, 1, 2).pack()) == ProfileRecord(0, 1, 2)


@pytest.mark.parametrize("kind", [Purchase, Event, Freeze, ProfileRecord])
def test_a_row_cut_short_or_too_long_is_a_protocol_error(
    kind: type[Row] | type[ProfileRecord],
) -> None:
    """The row count of a window is read from the wire, so the bytes of a row may be missing."""
    for size in (0, 1, kind.PACKING.size - 1, kind.PACKING.size + 1):
        with pytest.raises(ProtocolError):
            kind.unpack(bytes(size))


@pytest.mark.parametrize("kind", [Purchase, Event, Freeze])
def test_columns_are_the_fields_in_order(kind: type[Row]) -> None:
    columns = kind.columns()
    assert list(columns) == [field.name for field in fields(kind)]  # type: ignore[arg-type]
    assert columns["number"] == COUNT
    assert columns["at"] == Moment()


def test_a_purchase_is_written_with_the_keys_and_decimals_of_the_output() -> None:
    fragments = PURCHASE.fragments()
    assert fragments == {
        "number": "3",
        "at": '"2026-01-01T00:00:00.000Z"',
        "kind": '"credit"',
        "amount": "50.00",
        "to_overdraft": "2.00",
        "to_debt": "0.00",
        "credit_before": "-2.00",
        "credit_after": "48.00",
        "cumulative": "150.00",
        "sequence": "4",
        "carrier": '"card"',
    }
    assert PURCHASE.fragments(480)["at"] == '"2026-01-01T08:00:00.000+08:00"'


def test_a_freeze_is_written_with_energies_to_the_milliwatt_hour() -> None:
    fragments = FREEZE.fragments()
    assert fragments["energy_import_kwh"] == "0.000001"
    assert fragments["energy_rate_4_kwh"] == "0.000006"
    assert fragments["available_credit"] == "-1.00"


# ---- events


def event(name: str, a: int = 0, b: int = 0) -> Event:
    return Event(1, NEW_YEAR, 2, EVENTS[name].code, a, b)


def test_an_event_is_known_by_its_word_and_its_details_by_their_names() -> None:
    one = event("credit_accepted", 50 * LEDGER, 7)
    assert one.name == "credit_accepted"
    assert one.details() == {"amount": (MONEY, 50 * LEDGER), "sequence": (COUNT, 7)}
    assert one.detail_fragments() == {"amount": "50.00", "sequence": "7"}
    assert event("switch_fault", 1, 2).details() == {}
    assert event("limits_set", 9, 2).detail_fragments() == {"sequence": "9"}


@pytest.mark.parametrize("code", [0, 99, 65_535])
def test_an_unknown_event_keeps_its_number_and_both_details(code: int) -> None:
    one = Event(1, NEW_YEAR, 2, code, -3, 4)
    assert one.name == f"event_{code}"
    assert one.detail_fragments() == {"a": "-3", "b": "4"}


@pytest.mark.parametrize(
    ("causes", "fragment"),
    [
        (Cause.CREDIT_EXHAUSTED, '"credit_exhausted"'),
        (Cause.REMOTE | Cause.TAMPER, '["remote", "tamper"]'),
        (Cause.NONE, "[]"),
    ],
)
def test_one_cause_is_its_word_and_several_are_a_list(causes: Cause, fragment: str) -> None:
    assert event("supply_disconnected", causes).detail_fragments() == {"cause": fragment}


def test_moments_among_the_details_carry_the_offset() -> None:
    assert event("clock_set", 0, NEW_YEAR).detail_fragments(480) == {
        "old": "null",
        "new": '"2026-01-01T08:00:00.000+08:00"',
    }


@pytest.mark.parametrize("name", EVENTS)
def test_the_details_of_every_event_are_json(name: str) -> None:
    for fragment in event(name, 1, 2).detail_fragments().values():
        json.loads(fragment)


# ---- profile


def test_energy_of_a_period_saturates() -> None:
    most = ProfileRecord.SATURATED
    assert most == 2**30 - 1
    for flags in range(8):
        marks = (bool(flags & 1), bool(flags & 2), bool(flags & 4))
        record = ProfileRecord(NEW_YEAR, most, most, *marks)
        assert ProfileRecord.unpack(record.pack()) == record
        assert (
            ProfileRecord.unpack(ProfileRecord(NEW_YEAR, most + 1, 2**40, *marks).pack()) == record
        )


def test_a_record_can_be_packed_without_being_made() -> None:
    assert (
        ProfileRecord.packed(NEW_YEAR, 1, 2, True, False, True)
        == ProfileRecord(NEW_YEAR, 1, 2, power_down=True, supply_open=True).pack()
    )


def test_an_instant_in_the_details_of_an_event_is_of_utc_where_no_offset_is_named() -> None:
    event = Event(1, NEW_YEAR, 5, EVENTS["clock_set"].code, NEW_YEAR, NEW_YEAR + 1)
    assert event.detail_fragments() == event.detail_fragments(0)
    assert event.detail_fragments() != event.detail_fragments(1)
