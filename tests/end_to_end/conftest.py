"""Programs of these tests begin with the signals of a terminal, however the tests were started."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _signals() -> Iterator[None]:
    """Undo what `nohup make test &` does: a signal that is ignored is ignored by all children.

    Python sets SIGINT for itself where it is not ignored; children get the default of both.
    """
    numbers = (signal.SIGINT, signal.SIGHUP)
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
