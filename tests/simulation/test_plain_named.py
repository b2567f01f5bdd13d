"""What a journal is held to of the plain credit that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meterctl.journal import Journal
from tests.simulation.plain_named import named_plainly

METER = "000000000042"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Return an empty journal."""
    journal = Journal(tmp_path / "journal.sqlite", lambda n: bytes([7]) * n)
    yield journal
    journal.close()


def named(journal: Journal, what: str, amount: int, epoch: int = 0xE0) -> None:
    """Audit a line of a storage."""
    journal.audit(what, 1, meter=METER, amount=amount, detail=f"epoch {epoch:08x}: text")


@pytest.mark.parametrize(("was_set_back", "amount"), [(False, 150), (True, 50)])
def test_of_a_storage_that_was_set_back_only_what_is_behind_its_sign_counts(
    journal: Journal, was_set_back: bool, amount: int
) -> None:
    named(journal, "plain_credit", 100)
    named(journal, "set_back_served", 0)
    named(journal, "plain_credit", 50)
    named(journal, "plain_credit", 7, epoch=0xE1)
    named(journal, "unexplained_credit", 3)
    assert named_plainly(journal, METER, 0xE0, was_set_back=was_set_back) == amount


def test_without_a_sign_nothing_is_held_against_a_journal_of_a_storage_that_was_set_back(
    journal: Journal,
) -> None:
    named(journal, "plain_credit", 100)
    assert named_plainly(journal, METER, 0xE0, was_set_back=True) == 0
