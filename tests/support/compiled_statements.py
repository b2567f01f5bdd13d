"""Engines of the desk in one process of tests: they share what the first of them has compiled.

SQLAlchemy compiles each statement once an engine, and a test has an engine of its own: compiling
took most of its time. A dialect keeps nothing of a database, but of the server and its version,
which is one a process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, event

from meterctl.utility.store import engine as engines

_FIRST: dict[str, Engine] = {}
"""By the name of a dialect: the engine that connected first, so that its dialect is complete."""


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Let all engines of the process share their compiled statements."""
    with compiled_once():
        yield


@contextmanager
def compiled_once() -> Iterator[None]:
    """Let the engines that are made within the block share their compiled statements."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "create_engine", _sharing)
        yield


def _sharing(url: URL, **arguments: Any) -> Engine:
    made = create_engine(url, **arguments)
    first = _FIRST.get(made.dialect.name)
    if first is None:
        event.listen(made, "connect", lambda *_: _FIRST.setdefault(made.dialect.name, made))
    else:
        made.dialect, made._compiled_cache = first.dialect, first._compiled_cache
    return made
