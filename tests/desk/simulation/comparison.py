"""The desk, the journal and the meters, compared with the plain desk."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from meterctl.utility.meters.gateway import reading_journal
from meterctl.utility.rules.calendar import end_of, local_date
from meterctl.utility.services.checks import check
from meterctl.utility.store.checks.meters import KeyProof, ProofWord
from meterctl.utility.store.checks.outcome import Checked
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import Actor
from tests.desk.simulation.facts import accepted_by, entry_of, facts_of
from tests.desk.simulation.plain import LIVE, ON_THE_WAY
from tests.desk.simulation.play import ModelError, Play
from tests.support.desk_sheets import require_same_sheet

EPOCH = date(1970, 1, 1)
NOT_NEGATIVE = (
    "undelivered", "advance", "payable", "suspense", "cash", "receivable", "meter_debt",
)  # fmt: skip
BY_HAND = ("hand_delivered", "hand_dead")


def compare(play: Play) -> None:
    """Compare all that the database holds, and the meters, with the plain desk; I1, I2, I5."""
    facts, plain = facts_of(play.site.database.engine), play.plain
    _same("balances", facts.balances, plain.shown())
    states = {key: (sale["state"],) * 2 for key, sale in plain.sales.items()}
    _same("sales", facts.sales, states)
    _same("orders", facts.orders, {key: order["state"] for key, order in plain.refunds.items()})
    shifts = {number: shift["state"] for number, shift in plain.shifts.items()}
    _same("shifts", facts.shifts, shifts)
    receipts = {
        number: list(range(1, shift["receipts"] + 1)) for number, shift in plain.shifts.items()
    }
    _same("receipts", facts.receipts, receipts)
    days = {(on - EPOCH).days for on in facts.booked_on}
    late = [day for day in days - play.booked_days if day <= play.closed_day]
    if late:
        raise ModelError(f"entries were booked on dates that are closed: {late}")
    play.booked_days = days
    _compare_invariants(play)
    for agreement in play.meter_of:
        _compare_meter(play, agreement)


def _same(name: str, desk: dict[Any, Any], plain: dict[Any, Any]) -> None:
    differ = {key for key in desk.keys() | plain.keys() if desk.get(key) != plain.get(key)}
    if differ:
        told = ", ".join(
            f"{key}: {desk.get(key)}, not {plain.get(key)}" for key in sorted(differ, key=str)
        )
        raise ModelError(f"{name} of the desk: {told}")


def _compare_invariants(play: Play) -> None:
    """I1: what may not be negative is not, receivable is what bills say; I2."""
    plain = play.plain
    for (kind, owner), balance in plain.balances.items():
        if kind in NOT_NEGATIVE and balance < 0:
            raise ModelError(f"I1: {kind} {owner} is {balance}")
    for agreement in play.agreements:
        bills = plain.bills.get(agreement, [])
        for kind, part in (("receivable", "open"), ("meter_debt", "in_meter")):
            if plain.balances[kind, agreement] != sum(bill[part] for bill in bills):
                raise ModelError(f"I1: {kind} of {agreement} is not the sum of its bills")
        sold = sum(
            sale["amount"]
            for sale in plain.sales.values()
            if sale["agreement"] == agreement and sale["state"] in ON_THE_WAY
        )
        if plain.balances["undelivered", agreement] != sold:
            raise ModelError(f"I2: undelivered of {agreement} is not {sold}")


def _compare_meter(play: Play, agreement: str) -> None:
    """A meter has accepted what is delivered, once, and beside it at most what is not proved."""
    serial, plain = play.meter_of[agreement], play.plain
    sales = [sale for sale in plain.sales.values() if sale["agreement"] == agreement]
    refunds = [order for order in plain.refunds.values() if order["agreement"] == agreement]
    live = [order for order in (*sales, *refunds) if order["state"] in LIVE]
    if len(live) > 1:
        raise ModelError(f"I5: {agreement} has {len(live)} live orders")
    sold = sum(sale["amount"] for sale in sales if sale["state"] == "delivered")
    open_ones = [sale["amount"] for sale in sales if _is_unproved(sale)]
    accepted = accepted_by(play.site.meters[serial])
    if accepted - sold not in _sums(open_ones):
        raise ModelError(f"meter {serial} accepted {accepted}, delivered are {sold}")


def _is_unproved(sale: dict[str, Any]) -> bool:
    """Return whether the meter may have a sale that is not delivered: nothing was proved of it."""
    state = sale["state"]
    return state in LIVE or (bool(sale.get("by_hand")) and state != "delivered")


def _sums(amounts: Iterable[int]) -> set[int]:
    """Return the sums of all subsets."""
    sums = {0}
    for amount in amounts:
        sums |= {each + amount for each in sums}
    return sums


def prove(play: Play) -> None:
    """Prove the invariants over the whole database, as `desk check` does with the journal."""
    failed = broken(play.site.database, play.site.template.people["auditor"], play.site.journal)
    if failed:
        raise ModelError(f"desk check: {failed}")
    _compare_sheet(play.site.database)


def _compare_sheet(database: Database) -> None:
    """The sheet of today has the figures that are made row by row."""
    now = database.now()
    with database.reading() as session:
        require_same_sheet(session, now, end_of(local_date(now, database.zone), database.zone))


def broken(database: Database, auditor: Actor, journal: Path) -> list[Checked]:
    """Return what `desk check` finds broken in a database, with the journal of its sales."""

    def find(key: str) -> KeyProof:
        entry = entry_of(journal, key)
        match entry.word:
            case "absent":
                return KeyProof(ProofWord.ABSENT)
            case "confirmed":
                return KeyProof(ProofWord.CONFIRMED, entry.amount, entry.epoch, entry.sequence)
            case _:
                return KeyProof(ProofWord.NOT_CONFIRMED)

    with database.reading() as session, reading_journal(journal) as read:
        return [each for each in check(session, auditor, find, read.accepted()) if each.broken]
