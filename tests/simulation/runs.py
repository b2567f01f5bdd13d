"""Run seeds in sequence or on all processors; a failure names the command that repeats it."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.simulation.world import LATEST_DRAWS, World

REGRESSIONS = Path(__file__).with_name("regressions.txt")
MEMORY = Path("/dev/shm")
"""The folder for journals, where a flush costs no disk access; else the default one."""
LAST_LINES = 30


@dataclass(frozen=True, slots=True)
class Played:
    """The result of a seed; `failure` is empty if the auditor found no fault."""

    seed: int
    top_ups: int
    crashes: int
    delivered: int
    failure: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    """What happened in it how often."""
    story: tuple[str, ...] = ()
    """The log of the run, in its order."""


def play(seed: int, draws: int = LATEST_DRAWS) -> Played:
    """Run one seed, with the draws of a version."""
    world = None
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        try:
            world = World(seed, Path(folder), draws)
            world.run()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            story = "\n  ".join(world.log[-LAST_LINES:]) if world else ""
            raised = "".join(traceback.format_exception(error)[-3:])
            told = f"seed {seed}: {type(error).__name__}: {error}\n  {story}\n{raised}"
            return Played(seed, 0, 0, 0, f"{told}\nagain: {_again(seed, draws)}")
        return Played(
            seed,
            world.top_ups,
            world.crashes,
            world.delivered,
            seen=world.seen,
            story=tuple(world.log),
        )


def _again(seed: int, draws: int) -> str:
    """Return the command that repeats a seed."""
    if draws == LATEST_DRAWS:
        return f"make simulate SEEDS=1 FROM={seed}"
    return f"python -m tests.simulation --one --seeds 1 --from {seed} --draws {draws}"


def play_all(seeds: Iterable[int], draws: int = LATEST_DRAWS) -> Iterator[Played]:
    """Run seeds on every processor; return their results in order."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(partial(play, draws=draws), seeds, chunksize=5)


def regressions() -> list[tuple[int, int]]:
    """Return every seed that ever failed, with the version of its draws."""
    lines = (line.partition("#")[0].split() for line in REGRESSIONS.read_text().splitlines())
    return [(int(line[0]), int(line[1])) for line in lines if line]
