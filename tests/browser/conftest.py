"""A served desk and a browser for the tests of a process; both are started at their first use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.browser import support
from tests.browser.support import Browser
from tests.support.desk_served import Served, furnished, serving
from tests.support.memory_folders import in_memory

WHOLE = "WHOLE_WEB"
"""Variable of the environment: set (`make browser`), every test runs; without it one story."""
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


@pytest.fixture(scope="session")
def desk_served(started_browser: Browser) -> Iterator[Served]:
    """A served desk; not made where there is no browser to look at it."""
    with (
        TemporaryDirectory(prefix="desk-", dir=in_memory()) as folder,
        furnished(Path(folder)) as desk,
        serving(desk) as served,
    ):
        yield served


@pytest.fixture
def browser(started_browser: Browser, desk_served: Served) -> Iterator[Browser]:
    """A browser that never was at the desk; afterwards no page had an error or looked elsewhere."""
    fresh = started_browser.start(desk_served.address)
    yield fresh
    assert fresh.messages() == []
    assert fresh.requests_elsewhere() == []
