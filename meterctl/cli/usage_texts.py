"""What `usage` says of its rows: their dates, and why some are not there or have no cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meterctl.cli.lists import Columns
from meterctl.operations.local_time import Offsets
from meterctl.operations.snapshots import Registers, Snapshot
from meterctl.operations.time_span import Span
from meterctl.operations.usage import Dated, Usage
from protocols.quantities import format_date


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows for programs and for people, their columns, and what is said about them.

    `after` is said under the table, to people alone.
    """

    records: Sequence[dict[str, str]]
    people: Sequence[dict[str, str]]
    columns: Columns
    said: Sequence[str]
    after: Sequence[str] = ()


def dates(row: Dated) -> str:
    """Return the first and the last date of a row for people."""
    last = format_date(row.end - 1)
    if row.begin is None:
        return f"until {last}"
    first = format_date(row.begin)
    return first if row.end - row.begin == 1 else f"{first} to {last}"


def cut_texts(rows: Sequence[Dated]) -> list[str]:
    """Say which rows are left out because a bound cuts them."""
    return [
        f"{dates(row)}: left out, it goes past --from or --to and no freeze divides it"
        for row in rows
    ]


def uncosted_texts(rows: Sequence[Dated]) -> list[str]:
    """Say of how many rows the cost is not known."""
    missing = sum(row.part.cost is None for row in rows)
    if not missing:
        return []
    return [
        f"no cost is shown for {missing} of {len(rows)} {'row' if len(rows) == 1 else 'rows'}: "
        f"the meter did not keep what was charged until then"
    ]


def span_texts(
    found: Usage,
    span: Span,
    registers: Registers,
    freezes: Sequence[Snapshot],
    offsets: Offsets,
) -> list[str]:
    """Say what of a span the meter does not know, and why there is no row at all."""
    present = registers.present
    is_from_start = not freezes or freezes[0].number == 1
    if not is_from_start:
        oldest = freezes[0].at
        if (span.begin is not None and span.begin < oldest) or (
            span.end is not None and span.end <= oldest
        ):
            return [f"before {format_date(offsets.date(oldest))}: older than the freezes kept"]
    if found.rows or found.cut:
        return []
    if present is not None and span.begin is not None and span.begin >= present.at:
        today = format_date(offsets.date(present.at))
        return [f"nothing is known of this time yet: it is {today} by the meter's clock"]
    if is_from_start and span.end is not None:
        return ["nothing was consumed in this time: it is before the meter's start"]
    return ["the meter has no freeze of this time"]
