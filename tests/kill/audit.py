"""The audit of both sides after a fault: the meter holds exactly the journals' confirmed sales."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from meterctl.errors import MeterctlError
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import Purchase
from protocols.quantities import format_money
from tests.kill.site import OPENING, JournalRow, Site, ledger

_INTO_CREDIT = (items.OPENING_BALANCE, items.CREDITED)
_OUT_OF_CREDIT = (
    items.REFUNDED,
    items.SETTLED,
    items.CONSUMPTION_CHARGED,
    items.STANDING_CHARGED,
    items.INSTALMENTS_TAKEN,
)
_READ = (
    items.AVAILABLE_CREDIT_EXACT,
    *_INTO_CREDIT,
    *_OUT_OF_CREDIT,
    items.PURCHASE_COUNT,
    items.CUMULATIVE_PURCHASED,
    items.CREDIT_SEQUENCE,
)
Values = Mapping[Item, int]


class Auditor:
    """Compares meter and journals, and records all purchases it has read.

    The meter stores ten purchases, so an audit is due at least every ten top-ups.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._purchases: dict[int, int] = {}

    def audit(self, looks: int = 1) -> list[str]:
        """Return the faults found, none if both sides agree to the last unit.

        A reading may fail on a faulty line, so there are up to `looks` tries; a wrong value in the
        meter is wrong in every try.
        """
        return _again(self._look, looks)

    def as_users_see_it(self, looks: int = 1) -> list[str]:
        """Return the differences of `meterctl read` and `journal list` from the audit's values."""
        return _again(self._compare_with_commands, looks)

    def _compare_with_commands(self) -> list[str]:
        read = self._site.host(
            "read", *(item.name for item in _READ), "--json", port=self._site.clean_port
        )
        if read.code:
            return [f"meterctl: {read.err.strip()}"]
        (shown,) = read.rows()
        wrong = []
        if shown != {item.name: value for item, value in self._site.read(_READ).items()}:
            wrong.append(f"meterctl read shows {shown}")
        listed: list[JournalRow] = []
        for path in (path for path in self._site.journals if path.exists()):
            ended = self._site.host("--journal", str(path), "journal", "list", "--json")
            if ended.code:
                return [f"meterctl: {ended.err.strip()}"]
            listed += [
                JournalRow(row["sequence"], row["kind"], row["amount"], row["state"])
                for row in ended.rows()
            ]
        if listed != self._site.all_entries():
            wrong.append(f"journal list shows {listed}")
        return wrong

    def _look(self) -> list[str]:
        purchases, values = self._site.purchases(), self._site.read(_READ)
        entries = self._site.all_entries()
        return [
            *self._see(purchases),
            *self._compare(entries, values),
            *_books(values),
            *_sequences(entries, values[items.CREDIT_SEQUENCE]),
        ]

    def _see(self, purchases: list[Purchase]) -> list[str]:
        wrong = []
        for newer, older in pairwise(purchases):
            if (newer.number, newer.credit_before) != (older.number + 1, older.credit_after):
                wrong.append(f"purchase {newer.number} does not follow purchase {older.number}")
        for row in purchases:
            if row.credit_after - row.credit_before != row.amount:
                wrong.append(
                    f"purchase of sequence {row.sequence} credited another amount than its own"
                )
            if self._purchases.setdefault(row.sequence, row.amount) != row.amount:
                wrong.append(f"purchase of sequence {row.sequence} is not what it was")
        return wrong

    def _compare(self, entries: list[JournalRow], values: Values) -> list[str]:
        wrong = [
            f"sequence {e.sequence} is still {e.state}"
            for e in entries
            if e.kind == "credit" and e.is_open
        ]
        confirmed_sales = [e for e in entries if e.kind == "credit" and e.state == "confirmed"]
        sold = {e.sequence: e.amount for e in confirmed_sales}
        for sequence in sorted(sold.keys() | self._purchases.keys()):
            confirmed, credited = sold.get(sequence), self._purchases.get(sequence)
            if confirmed != credited:
                wrong.append(
                    f"sequence {sequence}: {_shown(confirmed)} in the journal, "
                    f"{_shown(credited)} in the meter"
                )
        total = sum(e.amount for e in confirmed_sales)
        for item, wanted in (
            (items.PURCHASE_COUNT, len(confirmed_sales)),
            (items.CUMULATIVE_PURCHASED, total),
            (items.CREDITED, total),
            (items.AVAILABLE_CREDIT_EXACT, ledger(OPENING) + total),
        ):
            if values[item] != wanted:
                wrong.append(
                    f"{item.name} is {values[item]}, the journal's confirmed entries make {wanted}"
                )
        return wrong


def _again(look: Callable[[], list[str]], looks: int) -> list[str]:
    wrong: list[str] = []
    for _ in range(looks):
        try:
            wrong = look()
        except MeterctlError as error:
            wrong = [f"the meter cannot be read: {error}"]
        if not wrong:
            break
    return wrong


def _books(values: Values) -> list[str]:
    left = sum(values[item] for item in _INTO_CREDIT) - sum(values[item] for item in _OUT_OF_CREDIT)
    credit = values[items.AVAILABLE_CREDIT_EXACT]
    return [] if left == credit else [f"the books leave {left}, the credit is {credit}"]


def _sequences(entries: list[JournalRow], last: int) -> list[str]:
    """Check that each sequence up to the meter's last is confirmed once in a journal."""
    spent = sorted(e.sequence for e in entries if e.state == "confirmed")
    return (
        []
        if spent == list(range(1, last + 1))
        else [f"the meter stands at sequence {last}, proved are {spent}"]
    )


def _shown(amount: int | None) -> str:
    return "nothing" if amount is None else format_money(amount)
