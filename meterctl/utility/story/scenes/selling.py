"""A morning at the counters: sales by wire and by card."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from meterctl.card_readers.image import create_image
from meterctl.utility.meters.execution import Execution
from meterctl.utility.meters.gateway import CardPlace
from meterctl.utility.meters.leases import Leases, new_holder
from meterctl.utility.meters.readers import present_card
from meterctl.utility.meters.run_now import carry_out
from meterctl.utility.model.money import Carrier
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.services import sale_lists, sales, shifts
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import Home, Plan
from meterctl.utility.story.scenes.founding import vendor_of
from meterctl.utility.story.screen import money

FLOAT = 200_00
SEED = 16
KEPT = 3
"""The first supply points of a station, which are kept for single events."""
AMOUNTS = tuple(range(20_00, 160_00, 5_00))


def open_shifts(office: Office, plan: Plan) -> None:
    """Open a shift at each station, the first one as it is typed."""
    office.teller.heading(f"A morning at {plan.stations} counters")
    first, *others = plan.station_codes
    office.typed(vendor_of(first), "shift", "open", "--float", money(FLOAT))
    for station in others:
        office.do(vendor_of(station), shifts.open_shift, node=station, float_amount=FLOAT)


def sell_by_wire(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Sell to customers who come to the counters; a worker brings it to their meters."""
    draws = random.Random(SEED)
    taken: list[dict[str, Any]] = []
    for station in plan.station_codes:
        homes = [home for home in plan.homes() if home.station == station]
        first_buyers = [home for home in homes if home.is_new and not home.buys_by_card]
        others = draws.sample(
            ordinary(plan, station), plan.wire_sales - len(first_buyers[: plan.wire_sales])
        )
        for home in [*first_buyers, *others][: plan.wire_sales]:
            amount = draws.choice(AMOUNTS)
            number = numbers[home.unit]
            vendor = vendor_of(station)
            taken.append(office.do(vendor, sales.take, agreement=number, amount=amount, money=True))
    opening = sum(sale["kind"] == "open" for sale in taken)
    office.teller.say(
        f"{len(taken)} customers buy; the money is taken first, with a receipt. For {opening} it "
        f"opens the account. One worker carries the orders out, a thread a port."
    )
    said = office.work("selling by wire", len(taken))
    _tell(office, plan, [sale["sale"] for sale in taken], said)


def sell_by_card(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Sell on cards: the first sale opens the meter's account, the second follows on the card."""
    draws = random.Random(SEED + 1)
    sold: list[str] = []
    homes = [home for home in plan.homes() if home.buys_by_card]
    with office.teller.long("selling by card", 2 * len(homes)) as advance:
        for home in homes:
            card = office.folder / f"card-{home.unit:03}.img"
            create_image(card, home.unit.to_bytes(8, "big"))
            office.gateway.cards.format(CardPlace(str(card)))
            for _ in range(2):
                amount = draws.choice(AMOUNTS)
                sold.append(_sell_on(office, card, home, numbers[home.unit], amount))
                advance(len(sold))
    office.teller.say(
        f"{len(homes)} customers buy by card, twice each. A sale is on the card until its meter "
        f"has taken it; what the meter writes back on the card proves it."
    )
    _tell(office, plan, sold, [])


def ordinary(plan: Plan, station: str) -> list[Home]:
    """Return the supply points of a station to which nothing else happens in the story."""
    homes = [home for home in plan.homes() if home.station == station and not home.is_new]
    return [home for home in homes[KEPT:] if not home.is_workshop]


def _sell_on(office: Office, card: Path, home: Home, number: str, amount: int) -> str:
    """Sell on a card, insert it in the meter, and present it; return the number of the sale."""
    taken = office.do(
        vendor_of(home.station),
        sales.take,
        agreement=number, amount=amount, carrier=Carrier.CARD, reader=str(card), money=True,
    )  # fmt: skip
    carry_out(office.database, lambda: office.gateway, int(taken["order"][1:]))
    office.meters.tell("card", "insert", str(card), meter=home.serial)
    office.meters.tell("card", "remove", meter=home.serial)
    leases = Leases(office.database, new_holder())
    worker = leases.worker_of(office.gateway.journal_number, str(office.journal))
    present_card(Execution(office.database, office.gateway, worker), CardPlace(str(card)))
    sale: str = taken["sale"]
    return sale


def sale_of(office: Office, who: str, number: str) -> dict[str, Any]:
    """Return a sale as a person sees it."""
    with office.database.reading() as session:
        return sale_lists.show(session, office.person(who), number)


def _tell(office: Office, plan: Plan, numbers: list[str], said: list[str]) -> None:
    """Show what became of sales, a row a station."""
    rows, delivered = [], 0
    for station in plan.station_codes:
        vendor = vendor_of(station)
        with office.database.reading() as session:
            person = office.person(vendor)
            listed = sale_lists.list_(session, person, limit=len(numbers) * 4)
        own = [sale for sale in listed if sale["sale"] in numbers]
        done = [sale for sale in own if sale["state"] == SaleState.DELIVERED]
        delivered += len(done)
        rows.append((station, len(own), len(done), money(sum(sale["amount"] for sale in own))))
    columns = ("station", "sales", "delivered", "amount")
    office.teller.table(columns, rows, columns[1:])
    office.teller.proved(
        f"{len(numbers)} sales are delivered, each confirmed by its meter",
        delivered == len(numbers),
        "; ".join(said),
    )
