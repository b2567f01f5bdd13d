"""Rounds of a sale whose command is killed, started again, and audited on both sides."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random

from meterctl.drivers.modbus import ModbusDriver
from meterctl.transports.wires import monotonic_ms, open_transport
from meterctl.utility.services import staff
from meterctl.utility.services.archive import ports
from meterctl.utility.store.authentication import draw_token
from protocols.data_model.items import CUMULATIVE_PURCHASED, PURCHASE_COUNT
from protocols.quantities import CENT
from tests.desk.kill.commands import Commands, Ended, KillPoint, commands
from tests.desk.simulation.facts import entry_of
from tests.desk.simulation.site import METERS, PORT, Template, furnish
from tests.support.desk_databases import DeskDatabases
from tests.support.desk_founded import FoundedDesk, found_with_admins
from tests.support.programs import running

KILLED = -9
METER = METERS[0]
READ_EACH = 3
"""Rounds between two readings of the meter, with which I3 is proved."""


class Victim(Enum):
    """The command that is killed."""

    SELL = "desk sell"
    WORK = "desk work --once"


AFTER_KILL: dict[KillPoint, tuple[str, str]] = {
    KillPoint.TAKEN: ("taken", "absent"),
    KillPoint.SENDING: ("sending", "absent"),
    KillPoint.PREPARED: ("sending", "prepared"),
    KillPoint.SENT: ("sending", "prepared"),
    KillPoint.SETTLED: ("sending", "confirmed"),
    KillPoint.POSTED: ("delivered", "confirmed"),
    KillPoint.ANSWER: ("delivered", "confirmed"),
}
"""Where a sale stands at the desk and in the journal when its command was killed."""


@dataclass
class Report:
    """The results of the rounds."""

    rounds: int = 0
    seconds: float = 0.0
    killed: Counts[tuple[Victim, KillPoint]] = field(default_factory=Counts)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.rounds} rounds, {self.seconds:.0f} s, {len(self.failures)} audits failed"]
        for victim in Victim:
            points = (f"{point} {self.killed[victim, point]}" for point in KillPoint)
            lines.append(f"{victim.value}: killed at {', '.join(points)}")
        return "\n".join(lines + self.failures)


@dataclass
class Counter:
    """A vendor's counter: a desk on SQLite, a meter of `meter-sim run`, the commands."""

    folder: Path
    commands: Commands
    tokens: dict[str, str]
    template: Template
    wire: str
    sold: list[int] = field(default_factory=list)

    @property
    def database(self) -> Path:
        """The file of the desk."""
        return self.folder / "desk.sqlite"

    @property
    def journal(self) -> Path:
        """The journal beside it."""
        return self.folder / "journal.sqlite"

    @property
    def agreement(self) -> str:
        """The agreement of the meter."""
        return self.template.agreements[1]

    def run(self, person: str, *words: str, point: KillPoint | None = None) -> Ended:
        """Run `meterctl desk WORDS` as a person."""
        environment = {
            "METERCTL_DESK_TOKEN": self.tokens[person],
            "METERCTL_DESK_URL": f"sqlite:///{self.database}",
            "METERCTL_JOURNAL": str(self.journal),
            "XDG_STATE_HOME": str(self.folder),
        }
        return self.commands.run("desk", *words, environment=environment, point=point)

    def done(self, person: str, *words: str) -> Ended:
        """Run a command that has to succeed."""
        ended = self.run(person, *words)
        assert ended.code == 0, f"{words}: {ended}"
        return ended

    def pass_leases(self) -> None:
        """Let the leases of dead processes end, as 30 s later."""
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute("UPDATE port SET lease_until = 0")
            database.execute("UPDATE worker SET lease_until = 0")

    def state(self, key: str) -> str:
        """Return the state of a sale at the desk."""
        with closing(sqlite3.connect(self.database)) as database:
            row = database.execute("SELECT state FROM sale WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def read_meter(self) -> tuple[int, int]:
        """Return how many purchases the meter has accepted, and their sum (0.01)."""
        transport = open_transport(self.wire)
        try:
            driver = ModbusDriver(transport, 1, 1000, monotonic_ms)
            values = driver.read((PURCHASE_COUNT, CUMULATIVE_PURCHASED))
        finally:
            transport.close()
        return values[PURCHASE_COUNT], values[CUMULATIVE_PURCHASED] // CENT


@contextmanager
def counter_in(folder: Path) -> Iterator[Counter]:
    """Yield a counter whose vendor has an open shift, and whose meter was read."""
    with ExitStack() as until_the_end:
        ready = until_the_end.enter_context(
            running(
                "--modbus-tcp", "127.0.0.1:0", "--serial-number", METER, "--unit", "1",
                "--unopened", "--load", "0kW", "--speed", "0", cwd=folder,
            )
        )  # fmt: skip
        wire = f"tcp://{ready['modbus_tcp'][0]}"
        databases = DeskDatabases(folder, until_the_end)
        file = folder / "desk.sqlite"
        shutil.copyfile(databases.template_file(), file)
        tokens, template = _furnished(f"sqlite:///{file}", wire)
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("UPDATE desk SET simulated = 0, clock = NULL")
        child = until_the_end.enter_context(commands())
        counter = Counter(folder, child, tokens, template, wire)
        counter.done("vendor1", "shift", "open", "--float", "0.00", "--node", "0101")
        counter.done("vendor1", "reading", "take", counter.agreement)
        yield counter


def _furnished(url: str, wire: str) -> tuple[dict[str, str], Template]:
    """Furnish a desk whose port is the wire; return the tokens of who works there."""
    admins = found_with_admins(url)
    desk = FoundedDesk(url, admins)
    template = furnish(desk)
    desk.do(desk.admin, lambda work: ports.edit(work, name=PORT, version=1, url=wire))
    tokens = {"admin": admins[0]}
    for person in ("vendor1", "auditor"):
        drawn = draw_token()
        desk.do(
            desk.admin,
            lambda work, person=person, drawn=drawn: staff.set_token(
                work, number=person, token_hash=drawn.token_hash
            ),
        )
        tokens[person] = drawn.token
    desk.database.close()
    return tokens, template


def play(rounds: int, seed: int, folder: Path, say: Callable[[str], None]) -> Report:
    """Kill a command in each round; stop at the first round whose audit fails."""
    random, report, began = Random(seed), Report(), time.monotonic()
    cases = [(victim, point) for victim in Victim for point in KillPoint if _can(victim, point)]
    with counter_in(folder) as counter:
        for number in range(rounds):
            victim, point = cases[number % len(cases)]
            wrong = _round(counter, random, number, victim, point)
            report.killed[victim, point] += 1
            report.rounds, report.seconds = number + 1, time.monotonic() - began
            if wrong:
                where = f"round {number}, {victim.value} killed at {point}"
                report.failures.append(f"{where}: {'; '.join(wrong)}")
                break
            if report.rounds % 25 == 0:
                say(f"{report.rounds} rounds, {report.seconds:.0f} s")
    return report


def _can(victim: Victim, point: KillPoint) -> bool:
    """Return whether a command comes to a point."""
    return victim is Victim.SELL or point is not KillPoint.TAKEN


def _round(
    counter: Counter, random: Random, number: int, victim: Victim, point: KillPoint
) -> list[str]:
    """Kill a command, start another one, audit; return what is wrong."""
    key, amount = f"sale-{number}", random.randrange(1_00, 40_00)
    selling = ("sell", counter.agreement, f"{amount // 100}.{amount % 100:02}", "--key", key)
    first = KillPoint.TAKEN if victim is Victim.WORK else point
    wrong = _killed(counter.run("vendor1", *selling, point=first))
    counter.pass_leases()
    if victim is Victim.WORK:
        wrong += _killed(counter.run("admin", "work", "--once", point=point))
        counter.pass_leases()
    stands = (counter.state(key), entry_of(counter.journal, key).word)
    if stands != AFTER_KILL[point]:
        wrong.append(f"it stands at {stands}, not at {AFTER_KILL[point]}")
    counter.sold.append(amount)
    if random.random() < 0.5:
        counter.done("admin", "work", "--once")
    ended = counter.run("vendor1", *selling, "--json")
    if ended.code or not ended.told["replayed"] or ended.told["state"] != "delivered":
        wrong.append(f"the same command again ended with {ended}")
    return wrong + _audit(counter, reads=number % READ_EACH == 0)


def _killed(ended: Ended) -> list[str]:
    return [] if ended.code == KILLED else [f"it was not killed: {ended}"]


def _audit(counter: Counter, *, reads: bool) -> list[str]:
    """Return what is wrong on either side: each sale is in the meter once, the books hold."""
    wrong = []
    accepted = counter.read_meter()
    if accepted != (len(counter.sold), sum(counter.sold)):
        wrong.append(f"the meter accepted {accepted}, sold were {counter.sold}")
    if reads:
        counter.done("vendor1", "reading", "take", counter.agreement)
    checked = counter.run("auditor", "check")
    if checked.code:
        wrong.append(f"desk check: {checked.out}{checked.err}")
    return wrong
