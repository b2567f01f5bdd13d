"""Rounds of a top-up with one program killed, then a restart, a resolve and an audit.

SIGKILL ends a process, not the machine: written data stays written. These rounds test the order of
the writes on both sides; tests/property tests, with a memory that loses unflushed data, that a
flush reaches the disk.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random
from statistics import median

from protocols.quantities import CENT, format_money
from tests.kill.audit import Auditor
from tests.kill.site import Ended, JournalRow, Site, end, knows_faults

ENOUGH_ROUNDS = 200
ENOUGH_BETWEEN = 50
"""Minimum of kills of a side between `prepared` and `confirmed` in ENOUGH_ROUNDS rounds."""
DELAY_MS = 20
"""Delay of every answer; it widens the window `prepared` to `confirmed` from 10 to 30 ms."""
MEASURED, MOST_MEASURED = 5, 40
RESOLVES = 6
"""Tries of `journal resolve` on a faulty line; on a sound one the first must succeed."""
SHARE_BEFORE, SHARE_BETWEEN = 0.12, 0.76
"""Shares of the kills; the rest is aimed after `confirmed`."""
SHARE_RESOLVES_KILLED = 0.15
"""Share of the rounds in which the first `journal resolve` is killed as well."""
LOOKS = 3
"""Tries of an audit on a faulty line."""

_FAULTS = {
    "flip": "", "drop": "", "truncate": "", "byte_by_byte": "1ms", "reply_lost": "",
    "reply_late": "250ms",
    "reply_twice": "", "noise": "", "echo": "", "meter_echo": "", "packets": "", "stall": "",
}  # fmt: skip
FAULT_PROBABILITY = "0.01"


class Victim(Enum):
    """The program that is killed."""

    METER = "meter-sim"
    HOST = "meterctl"


class Fell(Enum):
    """The time of a kill relative to the states of the journal's entry."""

    BEFORE = "before prepared"
    BETWEEN = "between"
    AFTER = "after confirmed"


@dataclass(frozen=True, slots=True)
class Timing:
    """An undisturbed top-up, s: start to `prepared`, then to `confirmed`, then to its end.

    `commits` is the number of commits of the journal up to `prepared`.
    """

    prepared: float
    window: float
    tail: float
    commits: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a kill: so many s after the start, or after the journal has changed."""

    after_entry: bool
    delay_s: float

    def __str__(self) -> str:
        return (
            f"{self.delay_s * 1000:.1f} ms after "
            f"{'the entry was seen' if self.after_entry else 'the start'}"
        )


@dataclass(slots=True)
class Report:
    """The results of the rounds."""

    timing: Timing
    faulty: bool
    rounds: int = 0
    seconds: float = 0.0
    fell: Counter[tuple[Victim, Fell]] = field(default_factory=Counter)
    applied: Counter[Victim] = field(default_factory=Counter)
    resolves_killed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def enough(self) -> bool:
        """Whether enough kills fell between `prepared` and `confirmed` for the number of rounds."""
        wanted = ENOUGH_BETWEEN if self.rounds >= ENOUGH_ROUNDS else 0
        return all(self.fell[victim, Fell.BETWEEN] >= wanted for victim in Victim)

    def __str__(self) -> str:
        timing = self.timing
        lines = [
            f"an undisturbed top-up: prepared after {timing.prepared:.3f} s, confirmed "
            f"{timing.window:.3f} s later, "
            f"ended {timing.tail:.3f} s later; line "
            f"{'faulty' if self.faulty else f'slow ({DELAY_MS} ms), sound'}",
            f"{self.rounds} rounds, {self.seconds:.0f} s, {len(self.failures)} audits failed, "
            f"{self.resolves_killed} times `journal resolve` was killed too",
            f"{'killed':<10}"
            + "".join(f"{fell.value:>18}" for fell in Fell)
            + f"{'(meter had it)':>18}",
        ]
        for victim in Victim:
            counts = [self.fell[victim, fell] for fell in Fell] + [self.applied[victim]]
            lines.append(f"{victim.value:<10}" + "".join(f"{count:>18}" for count in counts))
        if not self.enough:
            lines.append(f"too few fell between: {ENOUGH_BETWEEN} a side are wanted")
        return "\n".join(lines + self.failures)


def play(
    rounds: int, seed: int, folder: Path, say: Callable[[str], None] = lambda text: None
) -> Report:
    """Run rounds on one meter and two journals; the journal of each round is drawn.

    It stops at the first round that fails and leaves the folder for inspection.
    """
    random = Random(seed)
    faulty = knows_faults()
    began = time.monotonic()
    with Site(folder, DELAY_MS, 150 if faulty else 1000, faulty=faulty) as site:
        site.start_meter()
        report = Report(_measure(site), faulty)
        site.stop_meter()
        say(str(report).partition("\n")[0])
        site.start_meter(*_line(site, random))
        auditor = Auditor(site)
        for number in range(1, rounds + 1):
            victim = list(Victim)[number % 2]
            site.journal = random.choice(site.journals)
            moment = _draw(random, report.timing)
            amount = random.randrange(1, 1000) * CENT
            try:
                wrong = _round(site, auditor, report, random, victim, moment, amount)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                # A program does not start, or hangs.
                wrong = [f"{type(error).__name__}: {error}"]
            report.rounds, report.seconds = number, time.monotonic() - began
            if wrong:
                where = f"round {number}, {victim.value} killed {moment}, {site.journal.name}"
                report.failures.append(f"{where}: " + "; ".join(wrong))
                break
            if number % 25 == 0:
                say(f"{number} rounds, {report.seconds:.0f} s")
        if not report.failures:
            report.failures += auditor.as_users_see_it(LOOKS if faulty else 1)
    return report


def _measure(site: Site) -> Timing:
    """Time undisturbed top-ups by the journal's commits at `prepared` and `confirmed`.

    The status is written before `prepared`, the receipt before `confirmed`.
    """
    times: list[tuple[float, float, float, int]] = []
    for _ in range(MOST_MEASURED):
        known, before, began = len(site.entries()), site.commits(), time.monotonic()
        process = site.start_host("topup", "1.00", "--yes", "--json")
        commits = site.wait_for_entry(process, known, before)
        assert commits, "the journal was not written"
        prepared, last, done = time.monotonic() - began, 0.0, before + commits
        while site.wait_for_commits(process, done + 1):
            done, last = site.commits(), time.monotonic() - began
        ended = end(process)
        assert ended.code == 0, ended.err
        if not last:
            continue  # the entry was seen only when it was confirmed
        times.append((prepared, last - prepared, time.monotonic() - began - last, commits))
        if len(times) == MEASURED:
            break
    else:
        raise AssertionError(f"no {MEASURED} of {MOST_MEASURED} top-ups could be watched")
    columns = zip(*times[1:], strict=True)  # the first one creates the journal
    prepared, window, tail, commits = (median(column) for column in columns)
    return Timing(prepared, window, tail, round(commits))


def _draw(random: Random, timing: Timing) -> Moment:
    """Return a moment of a kill.

    Of those in the window, half fall while the message is sent, half while its answer is awaited.
    """
    share = random.random()
    if share < SHARE_BEFORE:
        return Moment(False, random.uniform(0, timing.prepared))
    if share < SHARE_BEFORE + SHARE_BETWEEN:
        sending = max(timing.window - DELAY_MS / 1000, 0.001)
        first, last = random.choice(((0, sending / 2), (sending / 2, 0.8 * timing.window)))
        return Moment(True, random.uniform(first, last))
    return Moment(True, timing.window + random.uniform(0, timing.tail))


def _round(
    site: Site,
    auditor: Auditor,
    report: Report,
    random: Random,
    victim: Victim,
    moment: Moment,
    amount: int,
) -> list[str]:
    """Kill once, restart and resolve, and return the faults found."""
    known, before = len(site.entries()), site.commits()
    process = site.start_host("topup", format_money(amount), "--yes", "--json")
    if moment.after_entry:
        site.wait_for_commits(process, before + report.timing.commits)
    time.sleep(moment.delay_s)
    wrong = []
    if victim is Victim.METER:
        site.meter.kill()
        made = site.entries()[known:]  # at once: the host runs on and may have the answer already
        site.kill_meter()
        wrong += _agrees(end(process), site.entries()[known:])
    else:
        process.kill()
        end(process)
        made = site.entries(writer_is_dead=True)[known:]
    fell = _where(made)
    report.fell[victim, fell] += 1
    if fell is Fell.BETWEEN:
        report.applied[victim] += site.stored_sequence() >= made[0].sequence
    if victim is Victim.METER:
        site.start_meter(*_line(site, random))
    if random.random() < SHARE_RESOLVES_KILLED:
        mending = site.start_host("journal", "resolve", "--json")
        time.sleep(
            random.uniform(
                report.timing.prepared / 2, report.timing.prepared + report.timing.window
            )
        )
        mending.kill()
        end(mending)
        report.resolves_killed += 1
    wrong += _resolve(site, report.faulty) + auditor.audit(LOOKS if report.faulty else 1)
    if "Traceback" in site.log.read_text():
        wrong.append("meter-sim wrote a traceback")
    return wrong


def _where(made: list[JournalRow]) -> Fell:
    if not made:
        return Fell.BEFORE
    return Fell.BETWEEN if made[0].is_open else Fell.AFTER


def _agrees(ended: Ended, made: list[JournalRow]) -> list[str]:
    """Check that the exit code of a top-up matches the state of its journal entry."""
    wanted = {None: (2, 4, 5), "confirmed": (0,), "refused": (3,)}.get(
        made[0].state if made else None, (7,)
    )
    wrong = []
    if ended.code not in wanted:
        wrong.append(f"exit code {ended.code} beside {made}: {ended.err.strip()}")
    if "Traceback" in ended.err:
        wrong.append("meterctl wrote a traceback")
    return wrong


def _resolve(site: Site, faulty: bool) -> list[str]:
    """Settle the open entries; a faulty line may need several tries."""
    if not site.journal.exists():
        return []  # killed before it was made
    for _ in range(RESOLVES if faulty else 1):
        ended = site.host("journal", "resolve", "--json")
        if ended.code in (0, 3):
            return []
        if ended.code not in (4, 5, 7) or "Traceback" in ended.err:
            break
    return [f"journal resolve ended with {ended.code}: {ended.err.strip()}"]


def _line(site: Site, random: Random) -> list[str | Path]:
    """Return the options of a line with newly drawn faults.

    Empty where meter-sim has no faults.
    """
    if not knows_faults():
        return []
    plan = [f"seed = {random.randrange(1 << 31)}"]
    for name, value in _FAULTS.items():
        plan += ["[[fault]]", f'name = "{name}"', f"probability = {FAULT_PROBABILITY}"]
        plan += [f'value = "{value}"'] if value else []
    path = site.folder / "faults.toml"
    path.write_text("\n".join(plan) + "\n")
    return ["--faults", path]
