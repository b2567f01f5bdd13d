"""`meter-sim simulate`: one meter in virtual time, its events on stdout, perhaps a drawing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from firmware_sim.assembly import build
from firmware_sim.description.files import describe
from firmware_sim.description.flags import MeterFlags
from firmware_sim.hosting.errors import HostingError
from firmware_sim.programs.shown_events import ShownEvent
from firmware_sim.programs.simulation import simulate as play
from protocols.data_model.json_lines import line
from protocols.errors import QuantityError
from protocols.quantities import format_duration, parse_amount, parse_duration


def simulate(
    flags: MeterFlags, duration_ms: int, top_ups: Sequence[str], plot: Path | None, as_json: bool
) -> None:
    """Simulate a meter and print each event.

    Args:
        top_ups: each WHEN:AMOUNT, such as 5d:20.00.
        plot: an SVG file into which credit and power are drawn.

    Raises:
        HostingError: not exactly one meter, a wrong description, or a file that cannot be used.
        QuantityError: a top-up that is none, or one after the end.
    """
    due = [parse_top_up(text, duration_ms) for text in top_ups]
    described = describe(flags)
    if len(described) != 1:
        raise HostingError("simulate takes one meter: give one --config")
    for warning in described[0].warnings:
        print(warning, file=sys.stderr)
    meter = build(described[0].description)
    curve: list[ShownEvent] = []
    for event in play(meter, duration_ms, due):
        curve.append(event)
        print(line(event.fragments()) if as_json else event.line(with_energy=True))
    if plot is not None:
        from firmware_sim.programs.plot import draw

        draw(described[0].description, duration_ms, due, curve, plot)
        print(f"drawn: {plot}", file=sys.stderr)


def parse_top_up(text: str, duration_ms: int) -> tuple[int, int]:
    """Return the instant, ms of elapsed time, and the amount in 0.01.

    Raises:
        QuantityError: it is none, or its instant is after `duration_ms`.
    """
    when, colon, amount = text.partition(":")
    if not colon:
        raise QuantityError(f"--topup {text!r}: write WHEN:AMOUNT, such as 5d:20.00")
    try:
        at, cents = parse_duration(when), parse_amount(amount)
    except QuantityError as error:
        raise QuantityError(f"--topup {text!r}: {error}") from error
    if at > duration_ms:
        raise QuantityError(
            f"--topup {text!r}: it is after the end, --for {format_duration(duration_ms)}; "
            f"nothing was simulated"
        )
    return at, cents
