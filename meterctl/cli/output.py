"""Output: JSON Lines for scripts, tables for people; results on stdout, all else on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.json_lines import line
from protocols.data_model.kinds import Fixed, Moment, Optional
from protocols.quantities import CENT, format_money
from protocols.sealed_message import Receipt


def print_json(fragments: Mapping[str, str]) -> None:
    """Print one object, one line."""
    print(line(fragments))


def item_json(item: Item, value: Any, utc_offset_minutes: int) -> str:
    """Return a value as JSON; moments carry the meter's offset."""
    kind = item.kind
    return kind.json(value, utc_offset_minutes) if isinstance(kind, Moment) else kind.json(value)


def item_text(item: Item, value: Any, utc_offset_minutes: int) -> str:
    """Return a value for people, with its unit."""
    kind = item.kind
    if isinstance(kind, Moment):
        return kind.text(value, utc_offset_minutes)
    inner = kind.inner if isinstance(kind, Optional) else kind
    unit = f" {inner.unit}" if isinstance(inner, Fixed) and inner.unit and value is not None else ""
    return kind.text(value) + unit


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(table)


def receipt_fragments(receipt: Receipt, utc_offset_minutes: int) -> dict[str, str]:
    """Return a proven receipt as JSON values."""
    money = items.AVAILABLE_CREDIT.kind
    return {
        "meter": f'"{receipt.serial_number}"',
        "epoch": items.EPOCH.kind.json(receipt.epoch),
        "kind": f'"{receipt.kind.word}"',
        "sequence": str(receipt.sequence),
        "amount": format_money(receipt.amount * CENT),
        "to_overdraft": money.json(receipt.to_overdraft),
        "to_debt": money.json(receipt.to_debt),
        "credit_before": money.json(receipt.credit_before),
        "credit_after": money.json(receipt.credit_after),
        "cumulative": money.json(receipt.cumulative),
        "settlement": money.json(receipt.settlement),
        "at": Moment().json(receipt.at, utc_offset_minutes),
    }
