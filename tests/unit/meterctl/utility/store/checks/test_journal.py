"""A sale that the journal proves at a meter of the desk is the desk's: a restored copy lacks it."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from meterctl.utility.model.metering import Meter
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import Transfer
from meterctl.utility.store.checks.journal import AcceptedSale, journal_known
from meterctl.utility.store.ledger import About
from meterctl.utility.store.unit_of_work import WORKER, UnitOfWork, unit_of_work
from protocols.quantities import CENT
from tests.support.desk_sales import a_sale
from tests.support.desk_world import NOON, World, a_reading, a_world, opened

SERIAL, EPOCH = "000000000001", 7


def accepted(key: str, sequence: int = 5, amount: int = 50_00, **more: str) -> AcceptedSale:
    return AcceptedSale(3, more.get("serial", SERIAL), key, EPOCH, sequence, amount)


def _taken_over(work: UnitOfWork, world: World) -> None:
    """Book that the meter was taken over with what a reading shows."""
    reading = a_reading(
        work, world.meter, world.agreement, epoch=EPOCH, credit_sequence=4,
        cumulative_exact=20_00 * CENT,
    )  # fmt: skip
    booked = (Transfer(postings.TAKEN_OVER, postings.in_meter(world.agreement), 20_00),)
    about = About(agreement=world.agreement, reading=reading.id)
    work.ledger.post("taken_over/1", "taken_over", booked, about)


@pytest.mark.parametrize(
    ("sale", "explained", "broken"),
    [
        (accepted("K1"), 0, 0),
        (accepted("K9"), 0, 1),
        (accepted(""), 0, 1),
        (accepted("K9"), 50_00, 0),
        (accepted("K9"), 49_99, 1),
        (accepted("K9", sequence=4), 0, 0),
        (accepted("K9", serial="000000000002"), 0, 0),
    ],
)
def test_a_sale_that_no_sale_of_the_desk_is_was_taken_over_or_explained(
    desk_url: str, sale: AcceptedSale, explained: int, broken: int
) -> None:
    """The meter was taken over at sequence 4 with 20.00 accepted; the desk sold K1."""
    database = opened(desk_url)
    world = a_world(database)
    with unit_of_work(database, WORKER, NOON) as work:
        a_sale(work, world, key="K1")
        _taken_over(work, world)
        before = (20_00 + explained) * CENT
        work.session.execute(update(Meter).values(epoch=EPOCH, explained_before=before))
    with database.reading() as session:
        found = journal_known(session, [sale])
    assert (found.count, found.broken) == (1, broken)
    if broken:
        assert "accepted 50.00 that no sale of the desk is" in found.violations[0].text
    database.close()
