"""Runs commands in the process of the tests, on a meter, a journal and a card of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from meterctl.cli.options import Options
from meterctl.drivers.table import MODBUS
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.command_line import Program
from tests.support.setup import Setup


class Printed(NamedTuple):
    """What a command printed."""

    out: str
    err: str


Run = Callable[..., Printed]


@pytest.fixture
def run(
    setup: Setup, card: Card, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command of a module of `meterctl.cli`: its words, with --json and --yes."""

    @contextmanager
    def session(_: Options, **__: Any) -> Iterator[Session]:
        yield setup.session()

    monkeypatch.setattr(Options, "session", session)
    monkeypatch.setattr(Options, "presented", lambda *_: setup.presented(card))
    monkeypatch.setattr(Options, "ring", lambda *_, **__: setup.ring)
    monkeypatch.setattr("meterctl.card_readers.pcsc.reader_names", lambda: ["Reader 1"])

    def run(
        module: str,
        *words: str,
        json: bool = False,
        journal: Path | None = None,
        dry_run: bool = False,
    ) -> Printed:
        app = Program("Commands of a test.")
        app.callback()(lambda: None)
        import_module(f"meterctl.cli.{module}").add_to(app)
        path = journal or setup.journal.path
        given = Options(None, MODBUS, 1, None, path, 1000, json, False, True, dry_run, False)
        app(list(words), obj=given, standalone_mode=False)
        printed = capsys.readouterr()
        return Printed(printed.out, printed.err)

    return run
