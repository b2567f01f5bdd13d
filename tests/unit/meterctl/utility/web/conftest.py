"""The pages of a desk with its people."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterctl.utility.store.checks import books, payments
from meterctl.utility.store.engine import Database
from tests.support.desk_counter import Counter, desk_with_world
from tests.support.desk_pages import Pages, pages_of
from tests.support.desk_world import NOON, World

__all__ = ["desk_with_world"]


@pytest.fixture
def pages(desk_with_world: tuple[Path, World], tmp_path: Path) -> Iterator[Pages]:
    """The pages of a desk; afterwards I1, I2 and I12 hold.

    Its people have their roles from the tests, not from two persons (I7).
    """
    template, world = desk_with_world
    shutil.copyfile(template, tmp_path / "desk.sqlite")
    database = Database.open(f"sqlite:///{tmp_path / 'desk.sqlite'}", lambda: NOON)
    with pages_of(Counter(database, world)) as made:
        yield made
    with database.reading() as session:
        for found in (
            books.never_negative(session, whole=True),
            books.undelivered_sales(session),
            payments.payments_booked(session),
        ):
            assert not found.broken, (found.invariant, found.violations)
    database.close()
