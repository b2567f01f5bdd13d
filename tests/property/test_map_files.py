"""Any text of a map file gives a map that a meter serves, or mistakes, each with its line."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.assembly import build
from firmware_sim.meter_description import MeterDescription
from firmware_sim.servers.modbus.bank import Bank
from firmware_sim.servers.modbus.plan import plan_of
from protocols.data_model.items import ITEMS
from protocols.errors import QuantityError
from protocols.modbus.areas import Area
from protocols.modbus.map_file import parse_map
from protocols.modbus.map_keys import TABLES

modest = settings(max_examples=60, deadline=None)
METER = build(MeterDescription())
HEAD = 'format = 1\ntitle = "t"\nsource = [{ text = "t", confidence = "memory" }]\n'
KEYS = sorted({key.name for table in TABLES for key in table.keys} | {"surprise"})
NAMES = sorted({table.name for table in TABLES if table.name} | {"surprise"})

words = st.sampled_from(
    ["u16", "s16", "u32", "f32", "f64", "u64", "bcd", "ascii", "bits", "bool", "nan", "zero"]
    + ["input", "holding", "coil", "discrete", "high_first", "low_first", "W", "s", "1/60", "ff"]
    + ["-0.1", "overload", "refuse"]
    + [item.name for item in ITEMS]
)
numbers = st.sampled_from([-1, 0, 1, 2, 4, 7, 0x8000, 0xFFFF, 1 << 16, 1 << 40, 1 << 70])
scalars = (
    words.map(lambda word: f'"{word}"')
    | numbers.map(str)
    | st.sampled_from(["true", "0.01", "1e9", "inf", "2026-01-01", "'''a\nb'''"])
)
values = (
    scalars
    | st.lists(scalars, max_size=3).map(lambda some: f"[{', '.join(some)}]")
    | st.dictionaries(st.sampled_from(KEYS), scalars, max_size=3).map(
        lambda some: "{ " + ", ".join(f"{key} = {value}" for key, value in some.items()) + " }"
    )
)


@st.composite
def likely_rows(draw: st.DrawFn) -> str:
    """Draw a register whose keys are likely to fit."""
    keys = {
        "address": str(draw(st.integers(0, 60) | numbers)),
        "area": draw(st.sampled_from(['"input"', '"holding"', '"coil"', '["input", "holding"]'])),
        "type": f'"{draw(st.sampled_from(["u16", "s32", "f32", "u64", "bcd", "bits", "bool"]))}"',
        "item": f'"{draw(st.sampled_from([item.name for item in ITEMS]))}"',
        **draw(st.dictionaries(st.sampled_from(KEYS), scalars, max_size=2)),
    }
    return "[[register]]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items()) + "\n"


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Draw a table of any keys."""
    name = draw(st.sampled_from(NAMES))
    header = draw(st.sampled_from([f"[{name}]", f"[[{name}]]"]))
    keys = draw(st.dictionaries(st.sampled_from(KEYS), values, max_size=6))
    return header + "\n" + "\n".join(f"{key} = {value}" for key, value in keys.items()) + "\n"


TEXTS = st.lists(likely_rows() | tables(), max_size=5).map(lambda some: HEAD + "".join(some))


@modest
@given(TEXTS | st.text(max_size=60))
def test_a_text_is_a_map_or_each_of_its_mistakes_has_a_line(text: str) -> None:
    try:
        parse_map(text, "drawn")
    except QuantityError as error:
        for told in str(error).splitlines():
            assert re.match(r"line \d+: [a-z_A-Z0-9.\"-]|it is not TOML|format: ", told), told


@modest
@given(st.lists(likely_rows(), min_size=1, max_size=4))
def test_a_map_of_a_file_is_served(rows: list[str]) -> None:
    try:
        found = parse_map(HEAD + "".join(rows), "drawn").register_map
    except QuantityError:
        return
    plan = plan_of(found)
    bank = Bank(METER, plan)
    for register in found.registers:
        address, count = register.address, register.width
        for area, view in ((Area.HOLDING, plan.holding), (Area.INPUT, plan.input)):
            shown = bank.read(view, address, count)
            if area not in register.area:
                continue
            assert shown is not None
            if not register.magnitude and register.sign_of is None:
                register.unpack(shown)
        for area, bits in ((Area.COIL, plan.coils), (Area.DISCRETE, plan.discrete)):
            if area in register.area:
                assert 0 <= bank.read_bits(bits, address, count) < 1 << count
