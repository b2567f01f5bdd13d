"""Tests run as beside no terminal, and each leaves the signals as it found them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.support.desk_commands import desk_command
from tests.support.desk_databases import (
    desk_databases,
    desk_url,
    empty_url,
    postgresql_desk_url,
    postgresql_server,
    sqlite_desk_url,
)
from tests.support.memory_folders import in_memory

if TYPE_CHECKING:
    from tests.support.desk_served import Served

__all__ = [
    "desk_command",
    "desk_databases",
    "desk_url",
    "empty_url",
    "postgresql_desk_url",
    "postgresql_server",
    "sqlite_desk_url",
]

os.environ.pop("COLUMNS", None)  # the workers of a parallel run set it for their own use
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Restore handlers: commands ignore interrupts after their effect, and children would too."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def desk_served() -> Iterator[Served]:
    """A desk that `meterctl desk serve` serves, one for the tests of a process."""
    from tests.support.desk_served import furnished, serving

    with (
        TemporaryDirectory(prefix="desk-", dir=in_memory()) as folder,
        furnished(Path(folder)) as desk,
        serving(desk) as served,
    ):
        yield served
