"""The daily limit of a key ring: what counts, and the audit line of a refusal."""

from __future__ import annotations

import pytest

from meterctl.errors import OverDailyLimitError
from meterctl.journal import EntryEvent, Journal
from meterctl.journal.limits import DAY_S
from meterctl.key_ring import DailyLimit

METER, OTHER = "000000000042", "000000000043"
LIMIT = DailyLimit("ring", 1000)


def sold(journal: Journal, kind: str = "credit", limit: DailyLimit = LIMIT) -> None:
    """Enter 9.00."""
    journal.prepare(METER, 0xE0, 1, kind, 900, b"1", 0, limit=limit)


@pytest.mark.parametrize(("amount", "allowed"), [(100, True), (101, False)])
def test_the_daily_limit_may_be_reached_and_not_passed(
    journal: Journal, amount: int, allowed: bool
) -> None:
    sold(journal)
    if allowed:
        journal.limits.hold(LIMIT, OTHER, "", amount, DAY_S - 1)
    else:
        with pytest.raises(OverDailyLimitError, match=r"9\.00 sold today"):
            journal.limits.hold(LIMIT, OTHER, "", amount, DAY_S - 1)
        assert [line.what for line in journal.audit_lines()] == ["over_daily_limit"]
        journal.limits.hold(LIMIT, OTHER, "", amount, DAY_S)


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (EntryEvent.NOT_ANSWERED, True),
        (EntryEvent.RECEIPT, True),
        (EntryEvent.CLOSED_AS_CONFIRMED, True),
        (EntryEvent.CLOSED_AS_REFUSED, True),
        (EntryEvent.RECEIPT_OF_VOID, False),
    ],
)
def test_a_sale_counts_unless_it_is_proved_refused(
    journal: Journal, event: EntryEvent, counts: bool
) -> None:
    sold(journal)
    journal.settle(journal.entry(1), event, 1)
    if counts:
        with pytest.raises(OverDailyLimitError, match="would pass the daily limit"):
            journal.limits.require_within(LIMIT, OTHER, 101, 2)
        assert journal.audit_lines() == [], "`hold` audits, this does not"
    else:
        journal.limits.require_within(LIMIT, OTHER, 1000, 2)


@pytest.mark.parametrize("kind", ["refund", "debt", "close"])
def test_other_kinds_do_not_count(journal: Journal, kind: str) -> None:
    sold(journal, kind)
    journal.limits.hold(LIMIT, OTHER, "", 1000, 1)


def test_another_ring_and_no_limit_are_not_held(journal: Journal) -> None:
    sold(journal, limit=DailyLimit("other", 900))
    journal.limits.hold(LIMIT, OTHER, "", 1000, 1)
    journal.limits.hold(DailyLimit("ring", None), OTHER, "", 10**9, 1)


def test_a_refused_sale_makes_no_entry_and_one_audit_line(journal: Journal) -> None:
    with pytest.raises(OverDailyLimitError):
        journal.prepare(METER, 0xE0, 1, "open", 1001, b"1", 5, card="c", limit=LIMIT)
    assert journal.entries() == []
    (line,) = journal.audit_lines()
    assert (line.what, line.at, line.meter, line.card, line.amount) == (
        "over_daily_limit", 5, METER, "c", 1001,
    )  # fmt: skip
    assert "10.01 would pass the daily limit: 0.00 sold today" in line.detail


def test_a_day_is_a_day_of_utc(journal: Journal) -> None:
    sold(journal)
    journal.limits.hold(LIMIT, OTHER, "", 1000, DAY_S)
