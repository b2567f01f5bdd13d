"""Plots of --plot: SVG by matplotlib, the same bytes for the same data."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

from meterctl.cli.output import say
from meterctl.errors import UsageError
from meterctl.operations.load_profile import Gap, Interval
from meterctl.operations.local_time import Offsets
from meterctl.operations.snapshots import Snapshot, between
from meterctl.written_files import Making, require_place, write_whole
from protocols.data_model.tables import Freeze
from protocols.quantities import DAY, KWH, LEDGER, MWH_IN_MW_MS
from protocols.replacements import printable

PLOT = Making("plot", b"<dc:title>meterctl</dc:title>")
"""By the creator, which `_svg` names."""
_IMPORT, _EXPORT, _CREDIT = "#1f6f54", "#c98a1b", "#3b5b92"
_MARK, _GAP = "#b3412e", "#dddddd"
_USED = "#a5d1be"
"""Light bars, so that the line of the credit is seen before them."""
KW = 1_000_000
"""Milliwatts in one kilowatt."""
_SIZE = (10, 5)


def require_drawable(path: Path, own: Iterable[Path]) -> None:
    """Raise UsageError where a plot cannot be made; a long read is then spared.

    Args:
        own: files that the program itself keeps, which no plot replaces.
    """
    is_device = path.exists() and not path.is_file() and not path.is_dir()
    if path.suffix.lower() != ".svg" and not is_device:
        raise UsageError(
            f"--plot {path}: a plot is SVG: give a name that ends in .svg; nothing was sent or "
            f"written"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'prepaid-meter[plot]'")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"file {path}: its folder does not exist; nothing was sent or written")
    require_place(path, PLOT, own)


def write_plot(path: Path, data: bytes, own: Iterable[Path]) -> None:
    """Write a plot whole; raises UsageError, which names the file."""
    write_whole(path, data, PLOT, own)
    say(f"{printable(str(path))}: written")


def profile_svg(serial: str, parts: Sequence[Interval | Gap], offsets: Offsets) -> bytes:
    """Return the plot of a load profile: mean power over local time, gaps and marks as such."""
    figure, axes = _figure(serial, "load profile")
    _draw_power(axes, parts, offsets, 1, "import", _IMPORT)
    if any(isinstance(one, Interval) and one.record.export_mwh for one in parts):
        _draw_power(axes, parts, offsets, -1, "export", _EXPORT)
        axes.legend(loc="upper left")
    for part, after in zip_longest(parts, parts[1:]):
        if isinstance(part, Gap):
            begin, end = _local(part.begin, offsets), _local(part.end, offsets)
            axes.axvspan(begin, end, color=_GAP, linewidth=0)
            _note(axes, begin, f"no records: {part.reason.value}", "left")
        else:
            _draw_marks(axes, part, offsets, is_named=not isinstance(after, Gap))
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.set_ylabel("mean power [kW]")
    return _svg(figure, axes)


def _draw_power(
    axes: Any, parts: Sequence[Interval | Gap], offsets: Offsets, sign: int, label: str, colour: str
) -> None:
    """Draw one direction as steps; a line is broken where local time is."""
    runs: list[tuple[list[datetime], list[float]]] = [([], [])]
    for part in parts:
        if isinstance(part, Gap) or part.begin is None or part.begin >= part.end:
            continue
        begin, end = _local(part.begin, offsets), _local(part.end, offsets)
        if not runs[-1][0] or runs[-1][0][-1] != begin:
            runs.append(([], []))
        record = part.record
        mwh = record.import_mwh if sign > 0 else record.export_mwh
        power = sign * mwh * MWH_IN_MW_MS / (part.end - part.begin) / KW
        times, powers = runs[-1]
        times += [begin, end]
        powers += [power, power]
    for number, (times, powers) in enumerate(run for run in runs if run[0]):
        axes.plot(times, powers, color=colour, linewidth=1, label=None if number else label)
        axes.fill_between(times, powers, 0, color=colour, alpha=0.15, linewidth=0)


def _draw_marks(axes: Any, part: Interval, offsets: Offsets, *, is_named: bool) -> None:
    """Draw the marks of a record at its end; the gap after it names them itself."""
    end = _local(part.end, offsets)
    record = part.record
    named = [
        name
        for name, on in (("power_down", record.power_down), ("clock_set", record.clock_set))
        if on
    ]
    if named:
        axes.axvline(end, color=_MARK, linewidth=0.8, linestyle=":")
        if is_named:
            _note(axes, end, " ".join(named), "right")
    if record.supply_open:
        begin = end if part.begin is None else _local(part.begin, offsets)
        axes.axvspan(begin, end, ymax=0.02, color=_MARK, linewidth=0)


def _note(axes: Any, at: datetime, text: str, side: str) -> None:
    axes.annotate(
        text,
        (at, 0.98),
        xycoords=("data", "axes fraction"),
        rotation=90,
        va="top",
        ha=side,
        fontsize=7,
        color=_MARK,
    )


def freezes_svg(
    serial: str, account_unit: str, rows: Sequence[Freeze], offsets: Offsets, *, is_daily: bool
) -> bytes:
    """Return the plot of freezes: what was used between each two, and the credit at each.

    Args:
        account_unit: empty where it is not known.
    """
    figure, axes = _figure(serial, "daily freezes" if is_daily else "billing freezes")
    for first, last in pairwise(rows):
        if last.at <= first.at:
            continue  # the clock was set back
        begin, end = _local(first.at, offsets), _local(last.at, offsets)
        days = max(offsets.date(last.at) - offsets.date(first.at), 1)
        used = between(Snapshot.of(first), Snapshot.of(last)).import_mwh / KWH
        height = used / days if is_daily else used
        missing = is_daily and days > 1
        axes.bar(
            begin,
            height,
            width=end - begin,
            align="edge",
            color=_GAP if missing else _USED,
            edgecolor="white",
            linewidth=0.5,
        )
        if missing:
            unit = "day" if days == 2 else "days"
            _note(axes, begin, f"{days - 1} {unit} without a freeze", "left")
    axes.set_ylabel("used [kWh a day]" if is_daily else "used [kWh a period]")
    credit = axes.twinx()
    times = [_local(row.at, offsets) for row in rows]
    credit.plot(
        times,
        [row.available_credit / LEDGER for row in rows],
        color=_CREDIT,
        linewidth=1.5,
        marker=".",
        markersize=4,
    )
    credit.set_ylabel(f"credit [{account_unit or 'account unit'}]", color=_CREDIT)
    return _svg(figure, axes)


def _local(instant: int, offsets: Offsets) -> datetime:
    """Return local time, as the axis shows it."""
    local = offsets.local_ms(instant)
    days, rest = divmod(local, DAY)
    start = datetime.fromordinal(719_163 + days).replace(tzinfo=UTC)
    return datetime.fromtimestamp(start.timestamp() + rest / 1000, UTC)


def _figure(serial: str, what: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"meter {serial}: {what}" if serial else what)
    axes.set_xlabel("local time of the meter")
    return figure, axes


def _svg(figure: Any, axes: Any) -> bytes:
    """Return a figure as SVG without a date and with identifiers of its content."""
    from matplotlib import dates, rc_context

    make: Any = dates  # it has no types
    locator = make.AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(make.ConciseDateFormatter(locator, tz=UTC))
    data = io.BytesIO()
    with rc_context({"svg.hashsalt": "meterctl", "svg.fonttype": "none"}):
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": "meterctl"})
    return data.getvalue()
