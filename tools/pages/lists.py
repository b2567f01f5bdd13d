"""docs/sealed-messages.md, events.md, glossary.md and faults.md: lists of the code."""

from __future__ import annotations

from pages import NOTE, ROOT, head, row
from pages.codings import UNITS, code_tables, coding
from protocols.data_model.events import EVENTS
from protocols.data_model.items import ITEMS, SETTINGS, settable
from protocols.faults import FAULTS, OPTIONS, FaultScope, takes
from protocols.sealed_message import MessageKind, Outcome


def sealed_messages() -> str:
    """Return docs/sealed-messages.md."""
    text = (ROOT / "docs" / "sealed-messages.in.md").read_text()
    kinds = head("number", "kind", "class") + "".join(
        row(k.value, f"`{k.word}`", k.message_class.value) for k in MessageKind
    )
    outcomes = head("number", "outcome") + "".join(row(o.value, o.name) for o in Outcome)
    settings = head("number", "setting", "allowed") + "".join(
        row(number, f"`{item.name}`", settable(item).allowed())
        for number, item in sorted(SETTINGS.items())
    )
    return NOTE + text.replace("{kinds}", kinds).replace("{outcomes}", outcomes).replace(
        "{settings}", settings
    )


def events() -> str:
    """Return docs/events.md."""
    named = {name: kind for event in EVENTS.values() for name, kind in event.details}
    assert all(named[name] == kind for event in EVENTS.values() for name, kind in event.details)
    out = [
        "# Events\n\n",
        NOTE,
        "\nA row of the event log (docs/register-map.md) has a `code` and two whole numbers of 64 "
        "bits, `a` and `b`, which are 0 where an event has no such detail. An identifier is their "
        f"bits without a sign. {UNITS}\n",
        head("code", "event", "`a`", "`b`"),
    ]
    for event in EVENTS.values():
        details = [f"`{name}`: {coding(name, kind)}" for name, kind in event.details]
        out.append(row(event.code, f"`{event.name}`", *details, *[""] * (2 - len(details))))
    return "".join(
        (
            *out,
            "\n## Codes\n",
            code_tables({f"`{name}`": kind for name, kind in named.items()}),
            _AS_THEY_FALL,
        )
    )


_AS_THEY_FALL = """
## As they fall

`meter-sim run` tells each event on stderr as it falls, with the credit and the supply state at its
instant. With `--json` they are JSON Lines on stdout, after the line whose `event` is `ready`:

```json
{"event": "low_credit_warning", "serial_number": "000000000001", "unit": 1, "number": 1,
 "at": "2026-08-01T18:00:00.000Z", "elapsed_ms": 36000000, "available_credit": 10.00,
 "energy_import_kwh": 20.000000, "supply_state": "connected", "threshold": 10.00}
```

`number` is that of the meter's event log. Events that a state file holds already are not told
again. No reader can make the meter wait: lines that a reader does not take (a pipe that is not
read, a stopped terminal, a full disk) are not written, and the next line that is tells how many
they were: `"dropped": 12`. Where none follows, a line on stderr tells it at the end:
`2733 lines of events were not taken`.
"""


def glossary() -> str:
    """Return docs/glossary.md: name, meaning and DL/T 645 term of each item."""
    text = (ROOT / "docs" / "glossary.in.md").read_text()
    table = head("item", "meaning", "DL/T 645 term") + "".join(
        row(f"`{item.name}`", item.meaning, item.term) for item in ITEMS
    )
    return NOTE + text.replace("{items}", table)


_COMBINED = """
Faults that change bytes apply first. Then `delay` cuts the transmission, `pacing` gives each byte
its time, `packets` gathers what came, and `stall` holds it; no stall begins within another. An echo
is a transmission of its own in the other direction: faults of that direction apply to it as well,
and it is not echoed again.
"""


def faults() -> str:
    """Return docs/faults.md."""
    out = [
        "# Faults\n\n",
        NOTE,
        "\n",
        "A plan of faults is a TOML file for `meter-sim run --faults`, and the same words are "
        "commands to a running meter: `meter-sim control PATH fault NAME on --count 3`, `fault "
        "NAME off`, `fault off`, `fault list`. With the same seed the same traffic has the same "
        'faults.\n\n```toml\nseed = 7\n\n[[fault]]\nname = "reply_late"\nvalue = "300ms"\n'
        "probability = 0.1   # of the replies\ncount = 3           # the next three only\n"
        "unit = 1            # of this meter only\n```\n\n"
        "`examples/faults/` holds plans; one has the special behaviours of the server in "
        "libmodbus's unit tests, one is a line with USB adapters.\n\n## Options\n\n",
        head("option", "meaning; default", "for faults of"),
    ]
    meanings = {
        "value": "value of the fault: see below",
        "probability": "above 0 and at most 1, of each transmission, reply, write or flush that it "
        "can apply to; 1",
        "count": "how often it applies at most; unlimited",
        "from": "time until it begins, from the start or the command; at once",
        "for": "time in force from then on; unlimited",
        "unit": "only the meter with this unit; every meter",
        "way": "`request` or `reply`; both",
        "address": "only requests whose first register or coil this is; every request",
        "quantity": "only requests for this number of registers or coils; every request",
        "function": "only requests with this function code, 1 to 127; every request",
    }
    for option in OPTIONS:
        places = [scope.name.lower() for scope in FaultScope if takes(scope, option)]
        out.append(row(f"`{option}`", meanings[option], ", ".join(places)))
    out.append(
        "\nTimes of line and reply faults are wall time; times of meter faults are meter time.\n"
    )
    for scope in FaultScope:
        out += [f"\n## On {scope.value}\n\n", head("fault", "effect", "value", "default")]
        for kind in FAULTS.values():
            if kind.scope is scope:
                default = f"`{kind.show(kind.default)}`" if kind.takes else ""
                out.append(row(f"`{kind.name}`", kind.meaning, kind.takes, default))
        if scope is FaultScope.LINE:
            out.append(_COMBINED)
    return "".join(out)
