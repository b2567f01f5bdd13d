"""The ready line of a program that serves wires (DESIGN.md 5.1)."""

from __future__ import annotations

import json
import os

from firmware_sim.hosting.host import Host
from firmware_sim.programs.meter_names import meter_names
from firmware_sim.rack.operator import named_map
from firmware_sim.rack.stations import Station
from firmware_sim.wire_kinds import READY_KEYS, WIRE_KINDS, Medium, WireKind
from protocols.data_model.json_lines import array, line


def ready_line(host: Host, control: str | None, as_json: bool) -> str:
    """Return the names of the open wires, of the control socket and of the meters.

    A register map is named where it is not the native one, and meters whose plain writes are
    executed are named as such.
    """
    stations = host.rack.stations
    opened = {kind.name: host.names(kind) for kind in WIRE_KINDS}
    if as_json:
        return line(
            {
                "event": '"ready"',
                **{key: json.dumps(opened.get(key, [])) for key in READY_KEYS},
                "control": json.dumps(control),
                "meters": array(map(_meter, stations)),
                "pid": str(os.getpid()),
            }
        )
    wires = [
        f"{kind.title} {name}{_note(host, kind, name)}"
        for kind in WIRE_KINDS
        for name in opened[kind.name]
    ]
    wires += [f"control {control}"] if control else []
    meters = [(station.serial_number, station.unit) for station in stations]
    named = meter_names(meters, [station.register_map.name for station in stations])
    unsafe = [(one.serial_number, one.unit) for one in stations if one.meter.takes_plain_writes]
    note = f"; unsafe_writes: {meter_names(unsafe)}" if unsafe else ""
    return f"ready: {named} on {', '.join(wires) or 'no wire'}{note}"


def _meter(station: Station) -> str:
    """Return a meter as a JSON object."""
    fragments = {
        "serial_number": json.dumps(station.serial_number),
        "unit": str(station.unit),
        **{name: json.dumps(value) for name, value in named_map(station).items()},
    }
    if station.meter.takes_plain_writes:
        fragments["unsafe_writes"] = "true"
    return line(fragments)


def _note(host: Host, kind: WireKind, name: str) -> str:
    is_virtual = kind.medium is Medium.SERIAL and name in host.virtual_ports
    return " (virtual port, parity N)" if is_virtual else ""
