"""Mutants drawn from a seed over the meter, the host's ledger and the protocols."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.mutants.drawn.mutation import Mutation, Place, places

ROOMS = (
    "protocols/**/*.py",
    "firmware_sim/*.py",
    "firmware_sim/acceptance/**/*.py",
    "firmware_sim/account/**/*.py",
    "firmware_sim/hal/**/*.py",
    "firmware_sim/metrology/**/*.py",
    "firmware_sim/records/**/*.py",
    "firmware_sim/security/**/*.py",
    "firmware_sim/storage/**/*.py",
    "firmware_sim/supply/**/*.py",
    "firmware_sim/tariff/**/*.py",
    "meterctl/journal/**/*.py",
    "meterctl/operations/**/*.py",
)
APART = ("assembly", "errors", "meter_description", "vending", "wire_kinds")
"""Modules of firmware_sim that are no part of a meter."""


def files(root: Path) -> list[str]:
    """Return the files that are mutated, sorted, by their paths under a root."""
    apart = {root / "firmware_sim" / f"{name}.py" for name in APART}
    found = {path for pattern in ROOMS for path in root.glob(pattern)} - apart
    return sorted(path.relative_to(root).as_posix() for path in found)


def draw(root: Path, count: int, seed: int) -> list[Mutation]:
    """Return `count` mutants of a tree, one a place, in the order of files and lines."""
    every: list[Place] = [
        place for file in files(root) for place in places(file, (root / file).read_text())
    ]
    random = Random(seed)
    drawn = random.sample(range(len(every)), min(count, len(every)))
    chosen = {at: random.choice(every[at]) for at in drawn}
    return [chosen[at] for at in sorted(chosen)]
