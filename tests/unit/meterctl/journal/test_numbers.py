"""Journal numbers: drawn, renewed, never 0, kept by the entries sealed under them."""

from __future__ import annotations

import itertools

from meterctl.journal import NOWHERE, Journal
from meterctl.journal.numbers import draw_number
from protocols.sealed_message import Origin

METER = "000000000042"


def test_a_renewed_journal_has_a_new_number_and_knows_its_old_marks(journal: Journal) -> None:
    origin = journal.numbers.draw_origin()
    assert origin.journal == journal.numbers.current != 0
    journal.prepare(METER, 0xE0, 1, "credit", 900, b"1", 0, origin=origin)
    assert journal.numbers.renew(9) == journal.numbers.current != origin.journal
    assert journal.knows_mark(METER, origin.journal, origin.mark, 1)
    assert not journal.knows_mark(METER, journal.numbers.current, origin.mark, 1)
    assert not journal.knows_mark(METER, origin.journal, origin.mark, 2)


def test_a_number_that_is_drawn_as_zero_is_drawn_again() -> None:
    draws = iter([bytes(4), b"\0\0\0\7", bytes(4), b"\0\0\0\x08"])
    with_zeros = Journal(NOWHERE, lambda _: next(draws))
    assert with_zeros.numbers.draw_origin() == Origin(7, 8)


def test_a_number_has_four_bytes_and_is_never_0() -> None:
    draws = itertools.chain([bytes(4), bytes(4), b"\xff\xff\xff\xff"])
    assert draw_number(lambda size: next(draws) if size == 4 else b"") == 0xFFFF_FFFF


def test_every_message_has_a_mark_of_its_own() -> None:
    count = itertools.count(1)
    journal = Journal(NOWHERE, lambda size: next(count).to_bytes(size, "big"))
    assert [journal.numbers.draw_origin() for _ in range(3)] == [Origin(1, n) for n in (2, 3, 4)]
