"""What happens at the counter in a seed: shifts, sales, cancelling, payments for bills.

Each action draws its values, and says what has to become of it by UTILITY.md.
"""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import Conflict, Invalid, NotPermitted, Refused
from meterctl.utility.model.money import Carrier, PaymentChannel
from meterctl.utility.services import payments, sales, shifts
from tests.desk.simulation import plain_payments
from tests.desk.simulation.lines import KillPoint
from tests.desk.simulation.plain import LOWEST, TILL_LIMIT
from tests.desk.simulation.play import Errors, Play
from tests.desk.simulation.site import STATION, reader_of
from tests.desk.simulation.watching import new_sale, watched

VENDORS = ("vendor1", "vendor2")
TILLS = (*VENDORS, "accountant1")
AMOUNTS = (LOWEST, 5_00, 12_34, 50_00, 99_99, 300_00, 700_00)
ENDED = ("delivered", "cancelled", "dead", "repaid", "replaced", "hand_dead")
ALL = ("taken", "sending", "on_card", "unknown", *ENDED)


def open_shift(play: Play, person: str = "") -> None:
    """A shift is opened by a person who may have one, or may not."""
    person = person or play.random.choice((*TILLS, *TILLS, "auditor", "clerk"))
    expected: Errors = set() if person in TILLS else {NotPermitted}
    if person in TILLS and play.plain.shift_of(person):
        expected = {Refused}
    change = play.random.choice((0, 100_00))
    told = play.attempt(person, shifts.open_shift, expected, node=STATION, float_amount=change)
    if told is not None:
        play.plain.opened(told["shift"], person, change, play.day)


def count(play: Play) -> None:
    """A till is counted, rightly or not."""
    person = play.random.choice(TILLS)
    shift = play.plain.shift_of(person)
    if shift is None:
        return
    wrong = play.random.choice((0, 0, 0, -10_50, 3_00))
    counted = max(0, shift["float"] + play.plain.cash(shift) + wrong)
    if play.attempt(person, shifts.count, set(), shift=None, counted=counted) is not None:
        shift.update(state="counted", counted=counted)


def recount(play: Play) -> None:
    """A count is taken back."""
    person = play.random.choice(TILLS)
    shift = play.plain.shift_of(person)
    if shift is None:
        return
    expected: Errors = set() if shift["state"] == "counted" else {Refused}
    if play.attempt(person, shifts.recount, expected, shift=None) is not None:
        shift.update(state="open", counted=None)


def close_shift(play: Play) -> None:
    """A shift is closed: by its own person, or by the head of the station."""
    person = play.random.choice(TILLS)
    shift = play.plain.shift_of(person)
    if shift is None:
        return
    closer = play.random.choice((person, person, "head", "vendor3"))
    expected: Errors = set() if shift["state"] == "counted" else {Refused}
    if closer == "vendor3":
        expected = {NotPermitted}
    slip = play.new_key("slip")
    told = play.attempt(closer, shifts.close, expected, shift=shift["number"], slip=slip)
    if told is not None:
        play.plain.closed(shift, has_worker=False)


def till_errors(play: Play, person: str, amount: int) -> Errors:
    """Return why a person's till takes no amount."""
    shift = play.plain.shift_of(person)
    if shift is None or shift["state"] != "open":
        return {Refused}
    return {Refused} if play.plain.cash(shift) + amount > TILL_LIMIT else set()


def sell(play: Play) -> None:
    """Credit is sold over the wire."""
    _sell(play, play.random.choice((*play.meter_of, *play.agreements)), {})


def sell_on_card(play: Play) -> None:
    """Credit is sold on a card, which is written at once unless the command dies before."""
    agreement = play.random.choice(tuple(play.meter_of)[:-1])
    reader = reader_of(play.meter_of[agreement])
    sale = _sell(play, agreement, {"carrier": Carrier.CARD, "reader": reader})
    if sale is not None:
        sale["card"] = True
        _write(play, sale)


def write_card(play: Play) -> None:
    """A sale that is not on its card yet is written again."""
    waiting = [
        sale
        for sale in play.plain.sales.values()
        if sale["card"] and sale["state"] in ("taken", "sending")
    ]
    if waiting:
        _write(play, play.random.choice(waiting))


def _write(play: Play, sale: dict[str, Any]) -> None:
    line = play.site.line
    points = (KillPoint.SENDING, KillPoint.SETTLED, KillPoint.POSTED)
    line.dies_at = play.random.choice((None, None, *points))
    watched(play, lambda: play.site.write_card(sale["order"]))
    line.dies_at = None


def carry_card(play: Play) -> None:
    """A customer inserts the card at home, or brings it to the counter, or it is erased there."""
    agreement = play.random.choice(tuple(play.meter_of))
    serial = play.meter_of[agreement]
    happens = play.random.choice(("inserted", "presented", "both", "both", "erased"))
    play.say(f"the card of {agreement} is {happens}")
    if happens in ("inserted", "both"):
        play.site.insert_card(serial)
    if happens in ("presented", "both"):
        watched(play, lambda: play.site.present_card(serial))
    if happens == "erased":
        play.site.erase_card(serial)
    play.seen[f"card {happens}"] += 1


def _sell(play: Play, agreement: str, carrier: dict[str, Any]) -> dict[str, Any] | None:
    person = seller(play)
    amount = play.random.choice((*AMOUNTS, *AMOUNTS, 50, TILL_LIMIT))
    expected = till_errors(play, person, amount)
    if person not in VENDORS:
        expected.add(NotPermitted)
    if agreement not in play.meter_of:
        expected.add(Refused)
    if lies_on_card(play, agreement):
        expected.add(Conflict)
    if amount < LOWEST:
        expected.add(Invalid)
    key = play.new_key("sale")
    values = {"agreement": agreement, "amount": amount, **carrier}
    told = play.attempt(person, sales.take, expected, key=key, **values)
    if told is None:
        return None
    shift = play.plain.shift_of(person)
    assert shift is not None
    sale = new_sale(agreement, amount, shift["number"], amount)
    order = int(told["order"].removeprefix("O"))
    known = {"number": told["sale"], "order": order, "kind": told["kind"]}
    play.plain.taken(key, {**sale, **known})
    return play.plain.sales[key]


def lies_on_card(play: Play, agreement: str) -> bool:
    """Return whether a sale to an agreement lies unused on a card."""
    return any(
        sale["agreement"] == agreement and sale["state"] == "on_card"
        for sale in play.plain.sales.values()
    )


def seller(play: Play) -> str:
    """Return who sells: mostly a vendor with an open shift."""
    ready = [name for name in VENDORS if (play.plain.shift_of(name) or {}).get("state") == "open"]
    if ready and play.random.random() < 0.9:
        return play.random.choice(ready)
    return play.random.choice((*VENDORS, "vendor3", "accountant1"))


def cancel(play: Play) -> None:
    """A sale is cancelled: only one that no worker has begun."""
    sale = play.sale("taken") if play.random.random() < 0.8 else play.sale(*ALL)
    if sale is None:
        return
    shift = None if sale["shift"] is None else play.plain.shifts[sale["shift"]]
    own = "accountant1" if shift is None else shift["vendor"]
    person = play.random.choice((own, own, "accountant1", "clerk"))
    expected: Errors = set()
    if person == "clerk":
        expected.add(NotPermitted)
    if sale["state"] != "taken":
        expected.add(Refused)
    if shift is not None and shift["state"] == "counted":
        expected.add(Refused)
    if shift is not None and shift["state"] == "open" and person != own:
        expected.add(NotPermitted)
    if play.attempt(person, sales.cancel, expected, sale=sale["number"]) is not None:
        play.plain.cancelled(sale)


def pay(play: Play) -> None:
    """Cash is paid for bills, in any mode."""
    person = play.random.choice((*TILLS, *TILLS, "clerk"))
    agreement = play.random.choice(play.agreements)
    amount = play.random.choice((1, 20_00, 55_55, 600_00))
    expected = till_errors(play, person, amount)
    if person == "clerk":
        expected.add(NotPermitted)
    told = play.attempt(
        person,
        payments.pay,
        expected,
        agreement=agreement,
        amount=amount,
        channel=PaymentChannel.CASH,
    )
    if told is not None:
        shift = play.plain.shift_of(person)
        assert shift is not None
        plain_payments.pay(play.plain, told["payment"], agreement, shift["number"], amount)
