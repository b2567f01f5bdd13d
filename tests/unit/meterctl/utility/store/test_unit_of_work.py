"""A mutation happens once for its key, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from meterctl.utility.errors import KeyReused, NotPermitted, Refused
from meterctl.utility.model.evidence import Audit, Request
from meterctl.utility.model.money import Entry
from meterctl.utility.rules import postings
from meterctl.utility.rules.postings import AccountKind
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.engine import Database
from meterctl.utility.store.ledger import About, Ledger
from meterctl.utility.store.unit_of_work import (
    WORKER,
    Actor,
    Answer,
    Asked,
    UnitOfWork,
    perform,
    unit_of_work,
)
from tests.support.desk_world import NOON, TODAY, World, a_person, a_world, opened


@pytest.fixture
def database(desk_url: str) -> Iterator[Database]:
    database = opened(desk_url)
    yield database
    database.close()


@pytest.fixture
def world(database: Database) -> World:
    return a_world(database)


def _paid(world: World, amount: int = 50_00) -> Any:
    def act(work: UnitOfWork) -> dict[str, Any]:
        entry = work.ledger.post(
            work.key,
            "paid",
            postings.paid_for_sale(postings.cash(world.shift), world.agreement, amount),
            About(agreement=world.agreement),
        )
        return {"entry": entry}

    return act


def _count(database: Database, table: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_the_same_key_and_body_give_the_first_answer_and_book_once(
    database: Database, world: World
) -> None:
    asked = Asked("K1", "sell", {"amount": 5000}, money=True)
    first = perform(database, world.vendor, NOON, asked, _paid(world))
    again = perform(database, world.vendor, NOON + 1, asked, _paid(world))
    assert (again.values, again.replayed, first.replayed) == (first.values, True, False)
    assert _count(database, Entry) == 1


def test_a_key_with_another_body_is_refused(database: Database, world: World) -> None:
    perform(database, world.vendor, NOON, Asked("K1", "sell", {"amount": 5000}), _paid(world))
    with pytest.raises(KeyReused):
        perform(database, world.vendor, NOON, Asked("K1", "sell", {"amount": 1}), _paid(world, 1))
    assert _count(database, Entry) == 1


def test_a_key_of_another_person_is_refused_unless_it_is_made_of_what_is_asked(
    database: Database, world: World
) -> None:
    def ask(actor: Actor, *, shared: bool = False) -> Answer:
        asked = Asked("K1", "sell", {"amount": 5000}, money=True, shared=shared)
        return perform(database, actor, NOON, asked, _paid(world))

    ask(world.vendor)
    with unit_of_work(database, WORKER, NOON) as work:
        another = a_person(work, "v2")
    with pytest.raises(KeyReused, match=r"another person.*no money was taken"):
        ask(another)
    assert ask(another, shared=True).replayed
    assert _count(database, Entry) == 1


def test_a_refused_mutation_leaves_nothing_and_its_key_may_be_used(
    database: Database, world: World
) -> None:
    def refused(work: UnitOfWork) -> dict[str, Any]:
        _paid(world)(work)
        raise Refused("no", "no")

    asked = Asked("K1", "sell", {})
    with pytest.raises(Refused):
        perform(database, world.vendor, NOON, asked, refused)
    assert (_count(database, Entry), _count(database, Request)) == (0, 0)
    assert not perform(database, world.vendor, NOON, asked, _paid(world)).replayed


def test_a_dry_run_answers_and_leaves_nothing(database: Database, world: World) -> None:
    answer = perform(
        database, world.vendor, NOON, Asked("K1", "sell", {}), _paid(world), dry_run=True
    )
    assert answer.values["entry"] is not None
    assert (_count(database, Entry), _count(database, Request)) == (0, 0)


def test_an_action_without_a_grant_at_the_node_is_refused(database: Database, world: World) -> None:
    def act(work: UnitOfWork) -> dict[str, Any]:
        work.require(Action.SELL, world.station)
        with pytest.raises(NotPermitted):
            work.require(Action.SELL, world.company)
        with pytest.raises(NotPermitted):
            work.require(Action.DAY_CLOSE, world.station)
        return {}

    perform(database, world.vendor, NOON, Asked("K1", "x", {}), act)
    assert _count(database, Audit) == 0


def test_an_account_is_never_taken_below_zero(database: Database, world: World) -> None:
    def act(work: UnitOfWork) -> dict[str, Any]:
        work.ledger.post(
            "paid out",
            "paid out",
            postings.paid_out(world.agreement, postings.cash(world.shift), 1),
            About(),
        )
        return {}

    with pytest.raises(Refused, match=r"-0\.01"):
        perform(database, world.vendor, NOON, Asked("K1", "x", {}), act)


def test_balances_are_on_the_side_of_their_kind(database: Database, world: World) -> None:
    perform(database, world.vendor, NOON, Asked("K1", "sell", {}), _paid(world))
    with database.reading() as session:
        ledger = Ledger(session, NOON, TODAY, None)
        assert ledger.balance(AccountKind.CASH, world.shift) == 50_00
        assert ledger.balance(AccountKind.UNDELIVERED, world.agreement) == 50_00
        assert ledger.balance(AccountKind.PAYABLE, world.agreement) == 0
