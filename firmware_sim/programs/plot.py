"""Credit and power over time as an SVG, for `meter-sim simulate --plot` (extra `plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firmware_sim.assembly import build
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.programs.shown_events import ShownEvent
from firmware_sim.programs.simulation import simulate
from protocols.quantities import HOUR, LEDGER

POINTS = 2_000


def draw(
    description: MeterDescription,
    duration: int,
    top_ups: Sequence[tuple[int, int]],
    events: Sequence[ShownEvent],
    path: Path,
) -> None:
    """Draw credit and import power over time, with the events marked.

    Raises:
        HostingError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise HostingError("--plot needs matplotlib: pip install 'prepaid-meter[plot]'") from error
    meter = build(description)
    step = max(duration // POINTS, 1)
    hours, credits_, powers = [], [], []
    left = sorted(top_ups)
    for at in range(0, duration + 1, step):
        due = [row for row in left if row[0] <= at]
        left = left[len(due) :]
        for _ in simulate(
            meter,
            at - meter.state.elapsed_ms,
            [(max(t - meter.state.elapsed_ms, 0), a) for t, a in due],
        ):
            pass
        hours.append(at / HOUR)
        credits_.append(meter.state.account.credit / LEDGER)
        powers.append(sum(meter.demand.phases) / 1e6)
    figure = Figure(figsize=(10, 5), layout="constrained")
    credit = figure.subplots()
    credit.plot(hours, credits_, color="#1f6f54", label="available_credit")
    credit.set_xlabel("hours of meter time")
    credit.set_ylabel("credit")
    credit.axhline(0, color="#999999", linewidth=0.8)
    for event in events:
        if event.name.startswith(("supply_", "low_credit")):
            credit.axvline(event.elapsed_ms / HOUR, color="#b3412e", linewidth=0.8, linestyle=":")
            credit.annotate(
                event.name,
                (event.elapsed_ms / HOUR, 0.98),
                xycoords=("data", "axes fraction"),
                rotation=90,
                va="top",
                ha="right",
                fontsize=7,
                color="#b3412e",
            )
    power = credit.twinx()
    power.step(hours, powers, where="post", color="#8899bb", linewidth=0.7, label="active_power_kw")
    power.set_ylabel("kW")
    try:
        figure.savefig(path, format="svg")
    except OSError as error:
        raise HostingError(f"{path}: {error.strerror}") from error
