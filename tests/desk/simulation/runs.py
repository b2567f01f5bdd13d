"""Run seeds, in sequence or on all processors; a failure names the command that repeats it."""

from __future__ import annotations

import atexit
import os
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from tests.desk.simulation.actions import WEIGHTS, read, take_over
from tests.desk.simulation.comparison import compare, prove
from tests.desk.simulation.counter import open_shift
from tests.desk.simulation.play import Play
from tests.desk.simulation.site import Site
from tests.desk.simulation.templates import Templates
from tests.desk.simulation.watching import settle
from tests.support.compiled_statements import compiled_once
from tests.support.desk_databases import SQLITE, DeskDatabases
from tests.support.memory_folders import in_memory

STEPS = 40
LAST_LINES = 30
CHECKED_EACH = 20
"""Steps between two runs of `desk check`, which takes as long as many steps."""


@dataclass(frozen=True, slots=True)
class Played:
    """The result of a seed; `failure` is empty if desk and plain desk agreed."""

    seed: int
    failure: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    story: tuple[str, ...] = ()


@cache
def templates() -> Templates:
    """Return the templates of this process; its server and files are gone with it."""
    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    until_the_end.enter_context(compiled_once())
    folder = until_the_end.enter_context(tempfile.TemporaryDirectory(dir=in_memory()))
    databases = DeskDatabases(Path(folder), until_the_end)
    return Templates(databases)


def play(
    seed: int, engine: str = SQLITE, steps: int = STEPS, made: Templates | None = None
) -> Played:
    """Run one seed.

    Args:
        made: the templates of the process that runs it; else some are made.
    """
    playing: Play | None = None
    with tempfile.TemporaryDirectory(dir=in_memory()) as name, ExitStack() as until_the_end:
        try:
            folder = Path(name)
            url, template = until_the_end.enter_context((made or templates()).copy(engine, folder))
            site = Site(url, template, folder, seed)
            until_the_end.callback(site.close)
            playing = Play(site, seed)
            play_through(playing, steps)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            story = "\n  ".join(playing.log[-LAST_LINES:]) if playing else ""
            raised = "".join(traceback.format_exception(error)[-4:])
            again = f"make desk-simulate SEEDS=1 FROM={seed}"
            if (engine, steps) != (SQLITE, STEPS):
                again = f"python -m tests.desk.simulation --seeds 1 --from {seed} --steps {steps}"
                again += "" if engine == SQLITE else f" --{engine}"
            return Played(
                seed, f"seed {seed}: {type(error).__name__}: {error}\n  {story}\n{raised}\n{again}"
            )
        return Played(seed, seen=playing.seen + site.line.seen, story=tuple(playing.log))


def play_through(playing: Play, steps: int) -> None:
    """Begin with readings, do what is drawn, and end with everything settled."""
    for agreement in playing.meter_of:
        read(playing, agreement)
    take_over(playing)
    open_shift(playing, "vendor1")
    actions, weights = tuple(WEIGHTS), tuple(WEIGHTS.values())
    for step in range(steps):
        (action,) = playing.random.choices(actions, weights)
        action(playing)
        compare(playing)
        if step % CHECKED_EACH == CHECKED_EACH - 1:
            prove(playing)
    settle(playing)
    compare(playing)
    prove(playing)


def play_all(seeds: Iterable[int], engine: str = SQLITE, steps: int = STEPS) -> Iterator[Played]:
    """Run seeds on every processor; return their results in order."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(partial(play, engine=engine, steps=steps), seeds, chunksize=5)
