"""docs/desk-states.md: states and events of what the desk carries through, with their diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from meterctl.utility.rules import transitions
from meterctl.utility.rules.transitions import JournalWord, SaleState, sale_event
from pages import NOTE, head, row


class Machine(NamedTuple):
    """A table of the rules, its title, and what is said of it."""

    title: str
    table: Mapping[tuple[StrEnum, StrEnum], StrEnum]
    text: str


def _machines() -> list[Machine]:
    return [
        Machine(
            "Sale",
            dict(transitions.SALE),
            "Orders of the credit class that move no money (open with 0.00, refund, debt, close) "
            "go by the same table.",
        ),
        Machine("Command", dict(transitions.COMMAND), "An order of the command class."),
        Machine("Shift", dict(transitions.SHIFT), "Money is taken while it is open."),
        Machine("Agreement", dict(transitions.AGREEMENT), ""),
        Machine("Version of an agreement", dict(transitions.VERSION), ""),
        Machine("Task", dict(transitions.TASK), ""),
        Machine("Reading", dict(transitions.READING), "Only an accepted one is booked."),
    ]


def desk_states() -> str:
    """Return docs/desk-states.md."""
    out = [
        "# States at the desk\n\n",
        NOTE,
        "\nAn event that a diagram does not show for a state is refused, and nothing is changed.\n",
    ]
    for machine in _machines():
        out += [f"\n## {machine.title}\n\n", f"{machine.text}\n\n" if machine.text else ""]
        out += ["```mermaid\nstateDiagram-v2\n", f"    [*] --> {_first(machine)}\n"]
        out += [
            f"    {state} --> {reached}: {event}\n"
            for (state, event), reached in machine.table.items()
        ]
        out.append("```\n")
    out += [
        "\n## What the journal decides\n\nA worker looks into the journal that the order names. "
        "What it holds under the sale's key is this event of the sale. An entry that a person "
        "closed by hand counts as unknown.\n\n",
        head("state of the sale", *(f"`{word}`" for word in JournalWord)),
    ]
    for state in SaleState:
        events = [sale_event(state, word) for word in JournalWord]
        if any(events):
            out.append(row(f"`{state}`", *(f"`{event}`" if event else "" for event in events)))
    return "".join(out)


def _first(machine: Machine) -> StrEnum:
    """Return the state in which a thing begins: the first of its enum."""
    state = next(iter(machine.table))[0]
    return next(iter(type(state)))
