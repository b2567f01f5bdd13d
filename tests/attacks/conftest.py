"""Fixtures of the attacks: a vending point, an unopened meter, a card, journals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meterctl.journal import Journal
from protocols.card.applet import Card
from tests.support.setup import Setup


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    """A vending point and an unopened meter."""
    made = Setup(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def card(setup: Setup) -> Card:
    """The customer's card: an opening card of 30.00 that was inserted, so the account is open."""
    made = setup.formatted()
    setup.open(made)
    inserted = setup.insert(made)
    assert inserted.written_back
    assert setup.credit == 3000
    return made


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Callable[[str], Journal]]:
    opened: list[Journal] = []

    def open_(name: str) -> Journal:
        opened.append(Journal(tmp_path / f"{name}.sqlite"))
        return opened[-1]

    yield open_
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(journals: Callable[[str], Journal]) -> Journal:
    return journals("own")


@pytest.fixture
def other_journal(tmp_path: Path) -> Journal:
    """The journal of another vending point."""
    return Journal(tmp_path / "elsewhere.sqlite")


@pytest.fixture
def other_vendor(setup: Setup, card: Card, tmp_path: Path) -> Setup:
    """A set-up with another vending point's journal, after the first one sold 10.00 on the card."""
    setup.sell(card, 1000)
    setup.journal.close()
    setup.journal = Journal(tmp_path / "elsewhere.sqlite")
    return setup
