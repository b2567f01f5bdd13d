"""What happens in a seed, and how often: counter, back office, meters, lines, workers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from meterctl.utility.errors import NotPermitted, Refused
from meterctl.utility.rules.takeover_file import parse_takeover
from meterctl.utility.services import readings, takeover, tasks
from protocols.quantities import HOUR, MINUTE, SECOND
from tests.desk.simulation import back_office, counter, watching
from tests.desk.simulation.facts import newest_agreement
from tests.desk.simulation.lines import HONEST, LYING, WILD, KillPoint
from tests.desk.simulation.play import BOOKED, Play
from tests.desk.simulation.site import METERS, OLD_BOOKS

EPOCH = date(1970, 1, 1)
PASSES = (2 * SECOND, 15 * SECOND, 2 * MINUTE, 20 * MINUTE, HOUR, 7 * HOUR)


def read(play: Play, agreement: str = "") -> None:
    """A reading on demand is ordered."""
    agreement = agreement or play.random.choice(tuple(play.meter_of))
    play.attempt("vendor1", readings.take, set(), of=agreement)


def take_over(play: Play) -> None:
    """The last meter is taken over with what the old books have, by two persons."""
    rows = parse_takeover(OLD_BOOKS)
    told = play.attempt(
        "clerk", takeover.propose_file, set(), rows=rows, sha256="of the old books", terms={}
    )
    assert told is not None
    agreement = newest_agreement(play.site.database.engine)
    play.agreements.append(agreement)
    play.meter_of[agreement] = METERS[-1]
    play.plain.meters[agreement] = dict.fromkeys(BOOKED, 0)
    bills = [((bill.due_on - EPOCH).days, bill.amount) for row in rows for bill in row.bills]
    play.taken_over[agreement] = {"bills": bills, "advance": rows[0].advance}
    play.attempt("clerk", tasks.approve, {NotPermitted}, number=told["task"])
    play.attempt("head", tasks.approve, {Refused}, number=told["task"])
    play.attempt("head", takeover.approve, set(), task=told["task"], unread=True)
    watching.work(play)
    assert not play.taken_over


def work(play: Play) -> None:
    """A worker carries out what is due, over a line that is honest or is not."""
    line = play.site.line
    line.lies_in_100 = play.random.choice((HONEST, HONEST, LYING, WILD))
    watching.work(play)
    line.lies_in_100 = HONEST


def die(play: Play) -> None:
    """The worker dies at a drawn point."""
    line = play.site.line
    line.lies_in_100 = play.random.choice((HONEST, LYING))
    line.dies_at = play.random.choice(tuple(KillPoint))
    line.dies_in = play.random.randint(1, 25)
    watching.work(play)
    line.dies_at, line.lies_in_100 = None, HONEST


def silence(play: Play) -> None:
    """A meter stops answering, or answers again."""
    unit = play.random.randint(1, len(METERS))
    play.site.line.silent ^= {unit}
    play.say(f"meter {unit} {'is silent' if unit in play.site.line.silent else 'answers again'}")


def advance(play: Play) -> None:
    """Time passes."""
    play.site.advance(play.random.choice(PASSES))


WEIGHTS: dict[Callable[[Play], None], int] = {
    counter.open_shift: 5,
    counter.count: 2,
    counter.recount: 1,
    counter.close_shift: 2,
    counter.sell: 14,
    counter.sell_on_card: 4,
    counter.write_card: 1,
    counter.carry_card: 6,
    counter.cancel: 4,
    counter.pay: 5,
    back_office.payout: 3,
    back_office.refund: 2,
    back_office.sell_again: 3,
    back_office.move_sale: 2,
    back_office.settle_by_hand: 3,
    back_office.decide: 6,
    back_office.move_payment: 2,
    back_office.close_date: 3,
    back_office.bounce: 2,
    read: 4,
    work: 10,
    die: 4,
    silence: 2,
    advance: 6,
    Play.ask_again: 5,
}
