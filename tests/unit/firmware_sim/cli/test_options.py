"""Options made of tables: the values that were given reach the command, and no others."""

from __future__ import annotations

import inspect

from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.keys import FLAGS
from firmware_sim.wire_kinds import MODBUS_RTU, MODBUS_TCP, WIRE_KINDS, Wires


def test_flags_that_are_given_are_values_by_their_keys() -> None:
    from firmware_sim.cli.options import with_flags

    seen: list[MeterFlags] = []

    @with_flags
    def command(flags: MeterFlags) -> None:
        seen.append(flags)

    nothing = dict.fromkeys((key.name for key in FLAGS), None) | {"account": False, "config": None}
    command(**nothing)
    command(**nothing | {"unit": 0, "credit": "", "account": True, "config": ["a", "b"]})
    assert seen == [
        MeterFlags(),
        MeterFlags(("a", "b"), {"unit": 0, "credit": "", "account": "unopened"}),
    ]


def test_wires_that_are_given_are_names_by_their_kind() -> None:
    from firmware_sim.cli.options import with_wires

    seen: list[Wires | None] = []

    @with_wires
    def command(wires: Wires | None = None) -> None:
        seen.append(wires)

    command(**dict.fromkeys((kind.name for kind in WIRE_KINDS), None) | {"modbus_tcp": ["a:1"]})
    assert seen == [dict.fromkeys(WIRE_KINDS, ()) | {MODBUS_TCP: ("a:1",), MODBUS_RTU: ()}]


def test_options_stand_in_the_place_of_their_parameter() -> None:
    from firmware_sim.cli.options import with_flags

    @with_flags
    def command(first: int, flags: MeterFlags, last: int = 0) -> None: ...

    names = [*inspect.signature(command).parameters]
    assert names == ["first", "config", *(key.name for key in FLAGS), "last"]
