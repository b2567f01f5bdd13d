"""The ready line of a program that serves wires (DESIGN.md 5.1)."""

from __future__ import annotations

import json
import os

from firmware_sim.hosting.host import Host
from firmware_sim.programs.meter_names import meter_names
from firmware_sim.wire_kinds import READY_KEYS, WIRE_KINDS, Medium, WireKind
from protocols.data_model.json_lines import array, line


def ready_line(host: Host, control: str | None, as_json: bool) -> str:
    """Return the names of the open wires, of the control socket and of the meters."""
    meters = [(station.serial_number, station.unit) for station in host.rack.stations]
    opened = {kind.name: host.names(kind) for kind in WIRE_KINDS}
    if as_json:
        return line(
            {
                "event": '"ready"',
                **{key: json.dumps(opened.get(key, [])) for key in READY_KEYS},
                "control": json.dumps(control),
                "meters": array(
                    line({"serial_number": json.dumps(s), "unit": str(u)}) for s, u in meters
                ),
                "pid": str(os.getpid()),
            }
        )
    wires = [
        f"{kind.title} {name}{_note(host, kind, name)}"
        for kind in WIRE_KINDS
        for name in opened[kind.name]
    ]
    wires += [f"control {control}"] if control else []
    return f"ready: {meter_names(meters)} on {', '.join(wires) or 'no wire'}"


def _note(host: Host, kind: WireKind, name: str) -> str:
    is_virtual = kind.medium is Medium.SERIAL and name in host.virtual_ports
    return " (virtual port, parity N)" if is_virtual else ""
