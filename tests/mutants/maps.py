"""The mutants of register maps: how values lie in registers, and what a map file may say."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LAYOUTS = "tests/property/test_value_layouts.py"
PACKING = "tests/unit/protocols/modbus/test_value_packing.py"
FOREIGN = "tests/unit/firmware_sim/servers/modbus/test_foreign_maps.py"
FILES = "tests/unit/protocols/modbus/test_map_file.py"

MAP_MUTANTS = (
    Mutant(
        "an f32 read as all the digits of its f64",
        "protocols/modbus/value_packing.py",
        "    if layout.type is ValueType.F32:\n        shorter",
        "    if layout.type is None:\n        shorter",
        (LAYOUTS, PACKING),
    ),
    Mutant(
        "a float divided before it is multiplied",
        "protocols/modbus/value_packing.py",
        "            return pack(value * up / down)\n        except OverflowError",
        "            return pack(value / down * up)\n        except OverflowError",
        (LAYOUTS, PACKING),
    ),
    Mutant(
        "the low word first is the low byte first",
        "protocols/modbus/value_packing.py",
        "    if layout.word_order is Order.LOW_FIRST:\n        words.reverse()\n",
        "    if layout.word_order is Order.LOW_FIRST:\n        return data[::-1]\n",
        (PACKING, "tests/unit/protocols/modbus/test_value_layout.py"),
    ),
    Mutant(
        "a phase that a meter lacks shown as a number",
        "firmware_sim/servers/modbus/plan.py",
        "    if register.may_lack:\n        get = _present",
        "    if register.writable:\n        get = _present",
        (FOREIGN,),
    ),
    Mutant(
        "scratch among values cached",
        "firmware_sim/servers/modbus/bank.py",
        "        return view.holds(address, address + count) and not view.written("
        "address, address + count)\n",
        "        return view.holds(address, address + count)\n",
        (FOREIGN,),
    ),
    Mutant(
        "of several values under a long one only the first told",
        "protocols/modbus/map_checks.py",
        "        if reached is None or part.extent.stop > reached.extent.stop:\n"
        "            reached = part\n",
        "        reached = part\n",
        (FILES,),
    ),
    Mutant(
        "a default of one type taken by another",
        "protocols/modbus/map_rows.py",
        '        if "type" in row or area & Area.BITS or kind in _TEXTS:\n',
        "        if area & Area.BITS or kind in _TEXTS:\n",
        (FILES,),
    ),
    Mutant(
        "zeros over the windows for sealed messages",
        "protocols/modbus/map_file.py",
        "            for window in (*windows, range(end, end)):\n",
        "            for window in (range(end, end),):\n",
        (FILES,),
    ),
)
