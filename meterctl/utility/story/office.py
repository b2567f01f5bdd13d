"""The desk of the story: its people, what they ask for, the worker, and commands as typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from meterctl.transports.wires import wall_milliseconds
from meterctl.utility.errors import DeskError
from meterctl.utility.meters.execution import Step
from meterctl.utility.meters.gateway import Clocks, Gateway
from meterctl.utility.meters.orders import Begun
from meterctl.utility.meters.worker import Worker
from meterctl.utility.services import approvals
from meterctl.utility.store import takeover_books
from meterctl.utility.store.authentication import authenticate
from meterctl.utility.store.comparison_books import is_of_night
from meterctl.utility.store.engine import Database
from meterctl.utility.store.unit_of_work import Actor, Answer, Asked, UnitOfWork, perform
from meterctl.utility.story.screen import Teller, screen
from meterctl.utility.story.simulated_meters import SimulatedMeters

Act = Callable[..., dict[str, Any]]
JOURNAL, DATABASE = "journal.sqlite", "desk.sqlite"
LONGEST_S = 120
"""How long orders may take before the story gives up, s."""
_PREFIX = "METERCTL_"

assert approvals.SERVICES  # imported for what they register
assert takeover_books.TAKE_OVER


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that was typed: its exit code, and what it printed."""

    exit_code: int
    out: str
    err: str


Run = Callable[[Sequence[str], Path, Mapping[str, str]], Ran]
"""Runs `meterctl desk` with words, in a folder, with variables of the environment."""


def run_program(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Ran:
    """Run `meterctl desk` as a program of its own, to its end."""
    command = started(words, folder, environment)
    out, err = command.communicate()
    return Ran(command.returncode, out, err)


def started(
    words: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Start `meterctl desk` as a program of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-m", "meterctl", "desk", *words],
        cwd=folder,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@dataclass
class Office:
    """An opened desk in a folder.

    Attributes:
        tokens: of its people, by their numbers.
        run: how commands that people type are run.
        ahead_ms: how far the office's host clock is ahead of the computer's.
    """

    folder: Path
    teller: Teller
    meters: SimulatedMeters
    tokens: dict[str, str] = field(default_factory=dict)
    run: Run = run_program
    ahead_ms: int = 0
    _keys: Iterator[int] = field(default_factory=partial(count, 1))

    def __post_init__(self) -> None:
        self.database = Database.open(self.url, lambda: wall_milliseconds() + self.ahead_ms)
        self.gateway = Gateway(self.journal, None, Clocks(now_ms=self.database.now))

    @property
    def url(self) -> str:
        """URL of the database."""
        return f"sqlite:///{self.folder / DATABASE}"

    @property
    def journal(self) -> Path:
        """File of the journal, beside the database."""
        return self.folder / JOURNAL

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def person(self, number: str) -> Actor:
        """Return a person with the roles of today."""
        return authenticate(self.database, self.tokens[number], self.database.now())

    def ask(
        self, who: str, act: Act, *, key: str = "", money: bool = False, **values: Any
    ) -> Answer:
        """Have a person do something under a key, one that is drawn by default."""
        body = json.loads(json.dumps(values, default=str))
        asked = Asked(key or f"story-{next(self._keys)}", act.__name__, body, money)
        do: Callable[[UnitOfWork], dict[str, Any]] = lambda work: act(work, **values)  # noqa: E731
        return perform(self.database, self.person(who), self.database.now(), asked, do)

    def do(self, who: str, act: Act, **values: Any) -> dict[str, Any]:
        """Have a person do something, and return what was answered."""
        return self.ask(who, act, **values).values

    def refused(self, who: str, act: Act, **values: Any) -> str:
        """Have a person try something; return why it was refused, empty if it was done."""
        try:
            self.ask(who, act, **values)
        except DeskError as error:
            return str(error)
        return ""

    def typed(self, who: str, *words: str, whole: bool = False) -> Ran:
        """Run a command of the desk as a person types it, and show it.

        Args:
            whole: show what it printed on stdout too, not its message alone.
        """
        done = self.run(words, self.folder, self.environment(who))
        self.teller.typed(who, words, done.out if whole else "", done.err, done.exit_code)
        return done

    def start(self, who: str, *words: str) -> subprocess.Popen[str]:
        """Start a command of the desk as a person types it, as a program of its own."""
        return started(words, self.folder, self.environment(who))

    def ended(self, who: str, words: Sequence[str], command: subprocess.Popen[str]) -> Ran:
        """Wait for a command that was started, and show it."""
        out, err = command.communicate()
        self.teller.typed(who, words, "", err, command.returncode)
        return Ran(command.returncode, out, err)

    def environment(self, who: str) -> dict[str, str]:
        """Return the variables of a person's commands: the desk, the token, the screen."""
        return {
            "METERCTL_DESK_URL": self.url,
            "METERCTL_DESK_TOKEN": self.tokens[who],
            "METERCTL_JOURNAL": str(self.journal),
            "COLUMNS": str(screen().width),
            "PYTHONIOENCODING": "utf-8",
        }

    def work(self, what: str, orders: int, ports: Collection[str] | None = None) -> list[str]:
        """Let a worker carry out so many orders, a thread a port; return what it said.

        Args:
            what: told beside the bar.
            ports: names of the ports that it may take; None is every port.
        """
        said: list[str] = []
        done = 0
        enough = threading.Event()

        with self.teller.long(what, orders) as advance:

            def observe(step: Step, begun: Begun, state: str) -> None:
                nonlocal done
                if step is Step.POSTED and not is_of_night(begun.key):
                    done += 1
                    advance(done)
                    if done >= orders:
                        enough.set()

            chosen = None if ports is None else frozenset(ports)
            worker = Worker(self.database, self.gateway, chosen, observer=observe, say=said.append)
            with _running(worker):
                if not enough.wait(LONGEST_S):
                    said.append(f"{done} of {orders} orders were carried out in {LONGEST_S} s")
        return said


@contextmanager
def _running(worker: Worker) -> Iterator[None]:
    """Run a worker in a thread until the end of the block."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run, name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()
