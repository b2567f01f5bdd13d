"""Fixtures of the host's unit tests: a journal in memory, a vending point, an opened card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meterctl.journal import NOWHERE, Journal
from protocols.card.applet import Card
from tests.support.setup import Setup


@pytest.fixture
def journal() -> Iterator[Journal]:
    """A new journal in memory."""
    made = Journal(NOWHERE)
    yield made
    made.close()


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    """A vending point with its journal, and an unopened meter."""
    made = Setup(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def card(setup: Setup) -> Card:
    """A card whose opening of 30.00 its meter accepted and the journal confirmed."""
    made = setup.formatted()
    setup.open(made)
    setup.insert(made)
    setup.read(made)
    return made
