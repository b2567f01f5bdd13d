"""A database that fails: before anything was done, in the commit, and after it."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from meterctl.utility.errors import Conflict, DeskError, NotFound, OutcomeUnknown
from meterctl.utility.store.engine import Database
from meterctl.utility.store.opening import opened
from meterctl.utility.store.unit_of_work import WORKER, Asked, perform
from tests.support.desk_world import NOON, a_world
from tests.support.desk_world import opened as opened_desk

FULL = OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))


@pytest.fixture
def desk(sqlite_desk_url: str) -> str:
    a_world(made := opened_desk(sqlite_desk_url))
    made.close()
    return sqlite_desk_url


def _failing(url: str, *, when: str, dry_run: bool = False) -> DeskError:
    """Return how a command ends whose database fails at a moment."""

    def act(_: object) -> dict[str, Any]:
        if when == "before":
            raise FULL
        return {}

    def fail(_: object) -> None:
        raise FULL

    try:
        with opened(url, lambda: NOON) as database:
            if when == "in the commit":
                event.listen(database.engine, "commit", fail)
            asked = Asked("K1", "sell", {}, money=True)
            perform(database, WORKER, NOON, asked, act, dry_run)
            raise FULL
    except DeskError as error:
        return error


@pytest.mark.parametrize("when", ["in the commit", "after"])
def test_a_database_that_fails_in_a_commit_or_later_leaves_the_outcome_unknown(
    desk: str, when: str
) -> None:
    error = _failing(desk, when=when)
    assert (type(error), error.exit_code) == (OutcomeUnknown, 7)
    assert "disk is full; what was asked may have been done" in str(error)
    assert "--key K1" in str(error)
    assert "sqlalche.me" not in str(error)


def test_a_database_that_fails_before_has_changed_nothing(desk: str) -> None:
    error = _failing(desk, when="before")
    assert (type(error), error.exit_code) == (Conflict, 3)
    assert str(error).endswith("disk is full; the same command does nothing twice")
    assert type(_failing(desk, when="after", dry_run=True)) is Conflict


def test_what_is_no_database_is_told_in_its_own_words(tmp_path: Any) -> None:
    path = tmp_path / "desk.sqlite"
    path.write_bytes(b"no database " * 100)
    with pytest.raises(
        NotFound, match=r"does not answer \(file is not a database\); nothing was changed, no money"
    ):
        Database.open(f"sqlite:///{path}", lambda: NOON)
