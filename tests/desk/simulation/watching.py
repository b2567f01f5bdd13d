"""What a worker did, taken over into the plain desk: by the journal's words and the readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.quantities import HOUR
from tests.desk.simulation import plain_payments
from tests.desk.simulation.facts import Facts, entry_of, facts_of, readings_after
from tests.desk.simulation.lines import HostCrashError
from tests.desk.simulation.plain import BY_WORD, LIVE, ON_THE_WAY
from tests.desk.simulation.play import BOOKED, ModelError, Play

SETTLING = 30
"""Hours after which an honest line has settled everything."""
INSERTING = 5
"""Hours after which a card is erased that its meter does not take: its limit leaves no room."""


def work(play: Play) -> None:
    """Let a worker carry out what is due; it may die."""
    watched(play, lambda: play.site.work(lambda: see(play, may_lag=True)), is_worker=True)


def watched(play: Play, act: Callable[[], Any], *, is_worker: bool = False) -> None:
    """Let a process do something at meters or cards; it may die.

    Args:
        is_worker: it settles at its start what others left behind, if it does not die.
    """
    try:
        act()
    except HostCrashError:
        is_worker = False
        play.say("the process is killed")
    see(play, may_lag=not is_worker)


def settle(play: Play) -> None:
    """Let the line be honest and cards be carried, until all that can be settled is."""
    play.site.line.silent.clear()
    for hour in range(SETTLING):
        work(play)
        left = _not_settled(play)
        if not left:
            return
        for sale in (each for each in left if each.get("card")):
            serial = play.meter_of[sale["agreement"]]
            if sale["state"] == "taken":
                watched(play, lambda order=sale["order"]: play.site.write_card(order))
            if hour < INSERTING:
                play.site.insert_card(serial)
            else:
                play.site.erase_card(serial)
            watched(play, lambda serial=serial: play.site.present_card(serial))
        play.site.advance(HOUR)
    raise ModelError(f"not settled: {_not_settled(play)}")


def _not_settled(play: Play) -> list[dict[str, Any]]:
    """Return the orders that are on their way and can come there.

    A sale waits for a card that is bound to no meter: only an opening binds one, and the account
    may have been opened by wire.
    """
    orders = (*play.plain.sales.values(), *play.plain.refunds.values())
    return [
        order
        for order in orders
        if order["state"] in ON_THE_WAY and not (order.get("card") and order["state"] == "taken")
    ]


def see(play: Play, *, may_lag: bool = False) -> None:
    """Take over what the journal and the readings say since the last look.

    Args:
        may_lag: the desk may not know yet what the journal says.
    """
    facts = facts_of(play.site.database.engine)
    live = {agreement for agreement in play.meter_of if is_live(play, agreement)}
    for key, order in play.plain.refunds.items():
        before = order["state"]
        _see_order(play, key, order, facts.orders[key], may_lag=may_lag)
        if order["state"] == "delivered" != before:
            account = order["agreement"]
            play.plain.move(("in_meter", account), ("payable", account), order["amount"])
        if order["state"] == "dead":
            order["waits"] = None
    seen = tuple(play.plain.sales.items())
    for key, sale in seen:
        _see_order(play, key, sale, facts.sales[key][0], may_lag=may_lag)
    _see_moved(play, facts)
    for key, sale in tuple(play.plain.sales.items())[len(seen) :]:
        _see_order(play, key, sale, facts.sales[key][0], may_lag=may_lag)
    for row in readings_after(play.site.database.engine, play.last_reading):
        play.last_reading = row["id"]
        if row["number"] not in play.taken_over:
            _see_reading(play, row, is_live=row["number"] in live)
    if play.taken_over:
        _see_taking_over(play)


def _see_reading(play: Play, row: Mapping[str, Any], *, is_live: bool) -> None:
    """Take over what a reading books."""
    if row["state"] != "accepted":
        raise ModelError(f"reading {row['id']} is {row['state']}")
    agreement, values = row["number"], {name: row[f"{name}_exact"] for name in BOOKED}
    _compare_reading(play, agreement, values)
    play.plain.read(agreement, values, is_live=is_live)
    play.seen["reading"] += 1
    play.say(f"{agreement} was read: {values['consumption']}")


def _see_taking_over(play: Play) -> None:
    """Take over the meter whose reading was accepted; those before are for the approver."""
    for row in readings_after(play.site.database.engine, 0):
        agreement = row["number"]
        if agreement in play.taken_over and row["state"] == "accepted":
            values = {name: row[f"{name}_exact"] for name in BOOKED}
            old, balances = play.taken_over.pop(agreement), (row["credit_exact"], row["debt_exact"])
            play.plain.taken_over(agreement, values, *balances, **old, day=play.day)
            play.seen["taken over"] += 1


def is_live(play: Play, agreement: str) -> bool:
    """Return whether a credit order of an agreement's meter is not settled."""
    return any(
        order["agreement"] == agreement and order["state"] in LIVE
        for order in (*play.plain.sales.values(), *play.plain.refunds.values())
    )


def _see_order(play: Play, key: str, order: dict[str, Any], state: str, *, may_lag: bool) -> None:
    """Take over the state of one order, which the journal's word has to explain."""
    before = order["state"]
    if before not in ON_THE_WAY and state == before:
        return
    entry = entry_of(play.site.journal, key)
    by_word = BY_WORD[entry.word]
    allowed = {by_word, before} if before in ("unknown", "on_card") else {by_word}
    if order.get("card") and entry.word == "absent":
        allowed.add(before)  # for a while a living command may still write the card
    if may_lag:
        allowed |= {before, "sending"} if before == "taken" else {before}
    if state not in allowed:
        raise ModelError(f"{key} is {state}, it was {before}; the journal says {entry.word}")
    if state != by_word or "moved" not in order:
        order["state"] = state
    else:
        play.plain.told(order, entry.word, entry.to_debt, play.day)
    if state != before:
        play.seen[f"{'sale' if 'moved' in order else 'refund'}: {before} > {state}"] += 1
        play.say(f"{key} is {state}")


def _see_moved(play: Play, facts: Facts) -> None:
    """Take over the sales that follow refunds of moved ones."""
    for key in facts.sales.keys() - play.plain.sales.keys():
        waiting = [
            order
            for order in play.plain.refunds.values()
            if order["waits"] and order["waits"]["key"] == key and order["state"] == "delivered"
        ]
        if not waiting:
            raise ModelError(f"sale {key} was not asked for")
        (order,) = waiting
        moved = order["waits"]
        order["waits"] = None
        new = new_sale(moved["to"], moved["old"]["amount"], None, 0)
        new["number"] = facts.numbers[key]
        plain_payments.moved_sale(play.plain, moved["old"], key, new, order["amount"], play.day)
        play.seen["sale: moved"] += 1
        play.say(f"{moved['old']['key']} is moved to {moved['to']} as {key}")


def new_sale(agreement: str, amount: int, shift: str | None, paid: int) -> dict[str, Any]:
    """Return a sale as the plain desk keeps it; `paid` is what was paid for it in cash."""
    return {
        "agreement": agreement, "amount": amount, "shift": shift, "paid": paid, "moved": False,
        "card": False,
    }  # fmt: skip


def _compare_reading(play: Play, agreement: str, values: dict[str, int]) -> None:
    """Compare a reading with the meter, whose values have not fallen since."""
    account = play.site.meters[play.meter_of[agreement]].state.account
    shown = {
        "consumption": account.consumption, "standing": account.standing,
        "instalments": account.instalments, "to_debt": account.debt_from_top_ups,
    }  # fmt: skip
    for name, value in values.items():
        before = 0 if name == "to_debt" else play.plain.meters[agreement][name]
        if not before <= value <= shown[name]:
            raise ModelError(f"{agreement}: {name} {value} was read of {shown[name]}")
