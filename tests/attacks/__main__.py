"""`make cuts`: every byte of a sale and an insertion, and pairs of both; STEP=n thins it out."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.attacks.cuts import MEMORY, NO_CUT, Cut, CutSetup, Where, cuts_of, places, play, stage
from tests.attacks.test_cuts import recorded

Pair = tuple[Cut, Cut]
BATCH = 200
_staged: list[tuple[CutSetup, tuple[bytes, bytes, bytes]]] = []


def pairs(step: int) -> Iterator[Pair]:
    """Yield every pair of cuts: each byte alone, then points of sale times insertion."""
    cut_setup, kept = stage()
    commands = places(cut_setup, kept, Where.COMMAND)
    card_bytes = places(cut_setup, kept, Where.CARD_BYTE)
    meter_bytes = places(cut_setup, kept, Where.METER_BYTE)[1]
    writes = recorded((cut_setup, kept))
    for cut in cuts_of(Where.CARD_BYTE, card_bytes[0], step):
        yield cut, NO_CUT
    for cut in cuts_of(Where.CARD_BYTE, card_bytes[1], step):
        yield NO_CUT, cut
    total, sale_points, insertion_points = 0, list(cuts_of(Where.COMMAND, commands[0])), []
    for _, _, data in writes:
        total += len(data)
        inside = total <= card_bytes[0]
        points = sale_points if inside else insertion_points
        base = 0 if inside else card_bytes[0]
        points += [
            Cut(Where.CARD_BYTE, end - base) for end in (total - len(data) // 2, total - 1, total)
        ]
    insertion_points += list(cuts_of(Where.COMMAND, commands[1]))
    insertion_points += list(cuts_of(Where.METER_BYTE, meter_bytes, step))
    for sale in sale_points:
        for insertion in insertion_points:
            yield sale, insertion


def play_batch(batch: list[Pair]) -> list[str]:
    """Run some pairs in this process; return the failures."""
    if not _staged:
        folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        _staged.append(stage(folder))
    wrong = []
    for sale, insertion in batch:
        try:
            play(*_staged[0], sale, insertion)
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
    return wrong


def main() -> int:
    """Run all pairs on every processor; exit 1 if one lost, doubled or invented credit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1)
    step = parser.parse_args().step
    began, wrong, played = time.monotonic(), [], 0
    every = list(pairs(step))
    source = iter(every)
    batches = list(iter(lambda: list(islice(source, BATCH)), []))
    columns = (TextColumn("cuts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("", total=len(every))
        for batch, found in zip(batches, pool.map(play_batch, batches), strict=True):
            played += len(batch)
            wrong += found
            progress.advance(task, len(batch))
    print(f"{played} pairs of cuts, {len(wrong)} failed, {time.monotonic() - began:.0f} s")
    for text in wrong[:20]:
        print(text)
    return 1 if wrong or not played else 0


if __name__ == "__main__":
    sys.exit(main())
