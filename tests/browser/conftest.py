"""A browser for the tests of a process, started at its first use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.browser import support
from tests.browser.support import Browser
from tests.support.desk_served import WHOLE, Served

collect_ignore = [] if os.environ.get(WHOLE) else ["test_every_page.py"]


@pytest.fixture(scope="session")
def started_browser() -> Iterator[Browser]:
    """A browser; the test is skipped with the names of what is missing."""
    if named := support.lacking():
        pytest.skip(f"no browser here: {', '.join(named)}")
    with (
        TemporaryDirectory(prefix="browser-") as folder,
        support.running_browser(Path(folder)) as browser,
    ):
        yield browser


@pytest.fixture
def browser(started_browser: Browser, desk_served: Served) -> Iterator[Browser]:
    """A browser that never was at the desk; afterwards no page had an error or looked elsewhere."""
    fresh = started_browser.start(desk_served.address)
    yield fresh
    assert fresh.messages() == []
    assert fresh.requests_elsewhere() == []
