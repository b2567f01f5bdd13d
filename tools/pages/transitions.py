"""docs/supply-switch.md and docs/journal.md: tables of transitions with their diagrams."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from firmware_sim.supply.switch import CLEARED_BY, CLOSES_ALWAYS, CLOSES_NEVER, CUSTOMER, Clearing
from meterctl.journal.states import (
    BY_HAND_STATES,
    OPEN_STATES,
    OUTCOMES,
    TRANSITIONS,
    EntryEvent,
    LedgerState,
)
from pages import NOTE, head, row
from protocols.data_model.words import Cause


def supply_switch() -> str:
    """Return docs/supply-switch.md: the tables of the switch and their diagram."""
    out = [
        "# The supply control switch\n\n",
        NOTE,
        "\n",
        "The supply state is derived from the commanded position and the set of open causes; it "
        "is never stored.\n\n",
        "```mermaid\nstateDiagram-v2\n",
        "    connected --> ready_for_reconnection: credit_reminder\n",
    ]
    hard = [c.name.lower() for c in Cause if c.name and c is not Cause.CREDIT_REMINDER]
    out += [f"    connected --> disconnected: {name}\n" for name in hard]
    out += [f"    ready_for_reconnection --> disconnected: {name}\n" for name in hard]
    out += [
        f"    ready_for_reconnection --> connected: {by.value}\n"
        for by in Clearing
        if by in CLOSES_ALWAYS and by is not Clearing.RECLOSING
    ]
    out.append("    ready_for_reconnection --> connected: last cause cleared, automatic\n")
    out.append("    disconnected --> connected: last cause cleared, automatic\n")
    out.append(
        "    disconnected --> ready_for_reconnection: last cause cleared, manual or by "
        "permit\n```\n\n"
    )
    out += ["## Causes\n\n", head("cause", "cleared by")]
    for cause, clearings in CLEARED_BY.items():
        names = ", ".join(by.value for by in Clearing if by in clearings)
        out.append(row(f"`{(cause.name or '').lower()}`", names))
    out += [
        "\nButton and card clear all open causes or none: only where the customer may clear every "
        "one (`credit_reminder`; `overload` once its automatic reclosings are used up).\n\n"
        "## Closing\n\n",
        head("last cause cleared by", "closes"),
    ]
    for by in Clearing:
        how = (
            "never"
            if by in CLOSES_NEVER
            else "always"
            if by in CLOSES_ALWAYS
            else "in automatic mode"
        )
        extra = (
            ", even without an open cause" if by in CUSTOMER or by is Clearing.DIRECT_CLOSE else ""
        )
        out.append(row(by.value, how + extra))
    return "".join(out)


def after(states: Sequence[LedgerState], event: EntryEvent) -> LedgerState | None:
    """Return the state after an event, the same from all `states`; None where it is refused."""
    (state,) = {TRANSITIONS.get((state, event)) for state in states}
    return state


def word_after(event: EntryEvent) -> str:
    """Return the outcome word that an event gives to an entry, for a table."""
    if event is EntryEvent.NOT_ANSWERED:
        return "unchanged"
    if event not in OUTCOMES:
        return "that of the refusal"
    return f"`{OUTCOMES[event]}`" if OUTCOMES[event] else "none"


def journal() -> str:
    """Return docs/journal.md: the states of an entry, their diagram and the table of events."""
    compound = {"open": OPEN_STATES, "closed_by_hand": BY_HAND_STATES}
    single = [s for s in LedgerState if s not in (*OPEN_STATES, *BY_HAND_STATES)]
    sources = {**compound, **{state.value: (state,) for state in single}}
    out = [
        "# The entries of a journal\n\n",
        NOTE,
        "\n",
        "Every sealed message of the credit class is an entry of the journal before it is sent. An "
        "event makes of its state what the table says; an event that the table does not name for "
        "a state leaves the entry as it is. `refused_here` is an opening for epoch 0 that is void "
        "in one storage of its meter. The journal shows `refused_here` and `refused_by_hand` as "
        "`refused`, `confirmed_by_hand` as `confirmed`.\n\n",
        "```mermaid\nstateDiagram-v2\n",
    ]
    for name, states in compound.items():
        out += [f"    state {name} {{\n", *(f"        {s.value}\n" for s in states), "    }\n"]
    out += ["    [*] --> prepared: by wire\n", "    [*] --> on_card: on a card\n"]
    for name, states in sources.items():
        for state in LedgerState:
            events = [e.name.lower() for e in EntryEvent if after(states, e) is state]
            for line in textwrap.wrap(", ".join(events), 60):
                out.append(f"    {name} --> {state.value}: {line.rstrip(',')}\n")
    out += [
        "```\n\n## Events\n\nThe letters are those of the four proofs in "
        "[sealed-messages.md](sealed-messages.md).\n\n",
        head("event", "meaning", "outcome word", *(f"from {name}" for name in sources)),
    ]
    for event in EntryEvent:
        found = [after(states, event) for states in sources.values()]
        cells = [state.value if state else "" for state in found]
        out.append(row(f"`{event.name.lower()}`", event.value, word_after(event), *cells))
    return "".join(out)
