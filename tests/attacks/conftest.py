"""A town to be attacked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.card.applet import Card
from tests.support.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A vending point and an unopened meter."""
    made = Town(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def card(town: Town) -> Card:
    """The customer's card: an opening card of 30.00 that was inserted, so the account is open."""
    made = town.formatted()
    town.open(made)
    inserted = town.insert(made)
    assert inserted.written_back
    assert town.credit == 3000
    return made
