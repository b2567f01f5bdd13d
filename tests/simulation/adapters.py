"""Adapters of the simulated serial lines and late replies, drawn from streams of their own.

So the other draws of a seed are the same with and without them.
"""

from __future__ import annotations

from random import Random

from protocols.faults import FaultRule, Way

BAUDS = (1200, 9600, 19_200, 115_200)
LATE_MS = (600, 3000)


def adapters(seed: int) -> list[FaultRule]:
    """Return the adapters of a seed, the pace of the line first; in some seeds none.

    An adapter echoes always or never.
    """
    rng = Random(f"adapters/{seed}")
    if rng.random() < 0.25:
        return []
    possible = [
        FaultRule("packets", rng.choice((62, 62, 64, 8, 1)), way=_way(rng)),
        FaultRule("stall", rng.choice((10, 50, 50, 300)), _ppm(rng), way=_way(rng)),
        FaultRule("echo"),
        FaultRule("meter_echo"),
    ]
    pace = FaultRule("pacing", rng.choice(BAUDS))
    return [pace, *rng.sample(possible, rng.randint(1, 3))]


def late_replies(seed: int) -> list[FaultRule]:
    """Return replies that come around the time-out or beyond it; in most seeds none."""
    rng = Random(f"late/{seed}")
    return [FaultRule("reply_late", rng.randint(*LATE_MS), _ppm(rng))] if rng.random() < 0.3 else []


def _way(rng: Random) -> Way | None:
    return rng.choice((None, Way.REQUEST, Way.REPLY))


def _ppm(rng: Random) -> int:
    return rng.choice((50_000, 200_000, 1_000_000))
