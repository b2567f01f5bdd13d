"""Mutants drawn from a seed over the meter, its messages, the host's ledger and the protocols."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.mutants.drawn.mutation import Mutation, Place, places

ROOMS = (
    "protocols/**/*.py",
    "firmware_sim/acceptance*",
    "firmware_sim/account/**/*.py",
    "firmware_sim/authenticator*",
    "firmware_sim/calendar_work*",
    "firmware_sim/card_acceptance*",
    "firmware_sim/clock.py",
    "firmware_sim/hal/**/*.py",
    "firmware_sim/messages*",
    "firmware_sim/meter.py",
    "firmware_sim/metrology/**/*.py",
    "firmware_sim/readings*",
    "firmware_sim/records/**/*.py",
    "firmware_sim/requests*",
    "firmware_sim/security/**/*.py",
    "firmware_sim/settings.py",
    "firmware_sim/state.py",
    "firmware_sim/storage/**/*.py",
    "firmware_sim/supply/**/*.py",
    "firmware_sim/tariff/**/*.py",
    "meterctl/journal/**/*.py",
    "meterctl/operations/**/*.py",
)
"""Globs of files; a package that takes a module's place is found by its name."""


def files(root: Path) -> list[str]:
    """Return the files that are mutated, sorted, by their paths under a root."""
    found = {path for pattern in ROOMS for path in root.glob(pattern)}
    modules = {inner for path in found if path.is_dir() for inner in path.rglob("*.py")}
    modules |= {path for path in found if path.suffix == ".py"}
    return sorted(path.relative_to(root).as_posix() for path in modules)


def draw(root: Path, count: int, seed: int) -> list[Mutation]:
    """Return `count` mutants of a tree, one a place, in the order of files and lines."""
    every: list[Place] = [
        place for file in files(root) for place in places(file, (root / file).read_text())
    ]
    random = Random(seed)
    drawn = random.sample(range(len(every)), min(count, len(every)))
    chosen = {at: random.choice(every[at]) for at in drawn}
    return [chosen[at] for at in sorted(chosen)]
