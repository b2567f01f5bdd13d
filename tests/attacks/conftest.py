"""A town to be attacked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
