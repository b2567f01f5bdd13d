"""One pcscd per test, in the foreground, ended by its pid; it starts within 30 ms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.card.answer_to_reset import Transmission
from tests.pcsc import cards, stack
from tests.pcsc.stack import Pcscd


@pytest.fixture(autouse=True)
def pcscd(tmp_path: Path) -> Iterator[Pcscd]:
    """A running pcscd with two empty slots; skips with the names of missing parts."""
    if named := stack.lacking():
        pytest.skip(f"no PC/SC stack here: {', '.join(named)}")
    with stack.alone():
        if running := stack.foreign():
            pytest.skip(
                f"{running} is not ours, and a machine has room for one pcscd only: end "
                f"it to run these tests"
            )
        daemon = Pcscd(tmp_path)
        try:
            daemon.wait_until_ready()
            yield daemon
            daemon.assert_well()
        finally:
            daemon.end()


@pytest.fixture(params=list(Transmission), ids=lambda transmission: transmission.name)
def transmission(request: pytest.FixtureRequest) -> Transmission:
    """Both transmission protocols of the contacts."""
    chosen: Transmission = request.param
    return chosen


@pytest.fixture
def card_file(tmp_path: Path) -> Path:
    """An issued card, T=1, without credit."""
    return cards.make(tmp_path / "card.ppc")


@pytest.fixture
def sold_card(tmp_path: Path, transmission: Transmission) -> Path:
    """A card with the opening sale on it, of either transmission protocol."""
    return cards.make(tmp_path / "sold.ppc", transmission, sold=True)
