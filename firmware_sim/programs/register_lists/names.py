"""Which item a register of a list means: its name is read word by word, in several languages.

A name means an item only where each of its words is known: "Phase 1 current THD" is no current.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from firmware_sim.programs.register_lists.cells import split_unit
from firmware_sim.programs.register_lists.vocabulary import FIRST_PARTS, OTHER_NAMES, WORDS
from protocols.data_model.items import BY_NAME, ITEMS, MONEY_UNIT
from protocols.suggestions import nearest

Marks = frozenset[str]


class Meaning(NamedTuple):
    """What the words of a name say, and those that say nothing that is known."""

    marks: Marks
    unknown: tuple[str, ...]


_LATIN_END = r"(?![a-z0-9])"
_LEXER = (
    *((re.compile(text), marks) for text, marks in FIRST_PARTS),
    *(
        (re.compile(rf"(?:{text}){'' if re.search('[一-鿿]$', text) else _LATIN_END}"), marks)
        for text, marks in WORDS
    ),
)
_BETWEEN = re.compile(r"[\s_,;:.()\[\]{}<>'\"*\-/]+")
_WORD = re.compile(r"[a-z0-9]+|.")
_UNDERSCORE = re.compile(r"(?<=[a-z]{2})_|_(?=[a-z]{2})")
"""One between words; U_a is one word."""
_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z](?:[a-z]|\d|$))")


def _by_marks() -> dict[Marks, str]:
    """Return the item of each set of marks."""
    found: dict[Marks, str] = {}
    for marks, item in _pairs():
        found.setdefault(frozenset(marks.split()), item)
    return {marks: item for marks, item in found.items() if item in BY_NAME}


def _pairs() -> Iterator[tuple[str, str]]:
    for pair in ("l12", "l23", "l31"):
        yield f"voltage {pair}", f"voltage_{pair}_v"
        yield f"voltage between {pair}", f"voltage_{pair}_v"
    yield "voltage mean", "voltage_mean_v"
    yield "voltage between mean", "voltage_line_mean_v"
    yield "current neutral", "current_neutral_a"
    yield "current mean", "current_mean_a"
    yield from ((f"current {word}", "current_sum_a") for word in ("sum", "total"))
    yield "frequency", "frequency_hz"
    for n in (1, 2, 3):
        yield f"voltage l{n}", f"voltage_l{n}_v"
        yield f"current l{n}", f"current_l{n}_a"
    for quantity, unit in _POWERS:
        for n in (1, 2, 3):
            yield f"{quantity} l{n}", f"{quantity}_l{n}{unit}"
        yield from ((f"{quantity}{word}", f"{quantity}{unit}") for word in ("", " total", " sum"))
    for words in ("demand", "demand active_power", "demand active_power import"):
        for total in ("", " total"):
            yield f"{words}{total}", "demand_kw"
            yield f"{words}{total} maximum", "maximum_demand_kw"
    yield from _energies()


_POWERS = (
    ("active_power", "_kw"),
    ("reactive_power", "_kvar"),
    ("apparent_power", "_kva"),
    ("power_factor", ""),
    ("phase_angle", "_deg"),
)


def _energies() -> Iterator[tuple[str, str]]:
    for way, total in product(("import", "export"), ("", " total", " sum")):
        yield f"active_energy {way}{total}", f"energy_{way}_kwh"
        yield f"reactive_energy {way}{total}", f"energy_reactive_{way}_kvarh"
        for n in (1, 2, 3):
            yield f"active_energy {way} l{n}{total}", f"energy_{way}_l{n}_kwh"
    for total in ("total", "sum", "import export", "import export total"):
        yield f"active_energy {total}", "energy_total_kwh"
        yield f"reactive_energy {total}", "energy_reactive_total_kvarh"
        for n in (1, 2, 3):
            yield f"active_energy {total} l{n}", f"energy_total_l{n}_kwh"
    yield from ((f"apparent_energy{word}", "energy_apparent_kvah") for word in ("", " total"))
    for n, total in product((1, 2, 3, 4), ("", " total")):
        yield f"active_energy import rate{n}{total}", f"energy_rate_{n}_kwh"


ITEM_OF = _by_marks()
_QUANTITIES = frozenset(marks for _, named in WORDS for marks in named.split() if "_" in marks) | {
    "voltage",
    "current",
    "frequency",
}
_BY_UNIT = {
    "V": "voltage", "A": "current", "W": "active_power", "var": "reactive_power",
    "VA": "apparent_power", "Hz": "frequency", "deg": "phase_angle", "Wh": "active_energy",
    "varh": "reactive_energy", "VAh": "apparent_energy",
}  # fmt: skip
_OPEN = {"power": "_power", "energy": "_energy"}
"""A word that leaves the quantity open, and how the names of its quantities end."""


def meaning_of(name: str, unit: str = "") -> Meaning:
    """Return what a name says; where it leaves the quantity open, its unit says that."""
    marks: set[str] = set()
    unknown: list[str] = []
    rest = _normal(name)
    while rest := rest[match.end() :] if (match := _BETWEEN.match(rest)) else rest:
        for pattern, named in _LEXER:
            if (found := pattern.match(rest)) and found.end():
                marks.update(named.split())
                break
        else:
            found = _WORD.match(rest)
            assert found is not None
            unknown.append(found[0])
        rest = rest[found.end() :]
    return Meaning(_with_quantity(marks, unit), tuple(unknown))


def _normal(name: str) -> str:
    """Return a name in lower case, without accents, a blank between its words."""
    parted = unicodedata.normalize("NFKD", name)
    spaced = _CAMEL.sub(" ", "".join(c for c in parted if not unicodedata.combining(c)))
    return " ".join(_UNDERSCORE.sub(" ", spaced.lower()).split())


def _with_quantity(marks: set[str], unit: str) -> Marks:
    """Return marks with the quantity that a unit says where the words leave it open."""
    by_unit = _BY_UNIT.get(split_unit(unit)[0], "")
    for word, end in _OPEN.items():
        if word in marks:
            marks.discard(word)
            quantities = marks & _QUANTITIES
            if not quantities:
                marks.add(by_unit if by_unit.endswith(end) else f"active{end}")
            elif not all(quantity.endswith(end) for quantity in quantities):
                marks.add(word)
    if by_unit and not marks & _QUANTITIES and not marks & set(_OPEN):
        marks.add(by_unit)
    return frozenset(marks)


def item_named(name: str, unit: str = "", *, single_phase: bool = False) -> str:
    """Return the item that a name means, empty where it means none or may mean several.

    Args:
        single_phase: the list has no other phases, so that "Voltage" is that of phase 1.
    """
    if item := _spelled(name):
        return item
    marks, unknown = meaning_of(name, unit)
    if unknown:
        return ""
    if single_phase and marks in ({"voltage"}, {"current"}):
        marks |= {"l1"}
    item = ITEM_OF.get(marks, "")
    return item if item and _fits(item, unit) else ""


def _spelled(name: str) -> str:
    """Return the item whose name, other name or DL/T 645 term this is; empty for none."""
    plain = _normal(name)
    word = re.sub(r"[\s-]+", "_", plain)
    if word in BY_NAME:
        return word
    for item, others in OTHER_NAMES.items():
        if plain in others.split("|") and item in BY_NAME:
            return item
    return next((item.name for item in ITEMS if item.term and item.term == plain), "")


def _fits(item: str, unit: str) -> bool:
    """Return whether values of an item can be written in a unit; no unit fits all."""
    if not unit:
        return True
    own = BY_NAME[item].unit or unit
    if own.startswith(MONEY_UNIT):
        own = "money"
    return split_unit(unit)[0].lower() == split_unit(own)[0].lower()


def has_other_phases(meanings: Iterable[Meaning]) -> bool:
    """Return whether one of several names is of a phase other than 1."""
    return any(m.marks & {"l2", "l3", "l12", "l23", "l31"} for m in meanings)


def near_items(name: str, unit: str = "", count: int = 3) -> list[str]:
    """Return the items in such a unit that a name is nearest to, nearest first; perhaps none."""
    marks, _ = meaning_of(name, unit)
    quantity, order = marks & _QUANTITIES, list(BY_NAME)
    ranked = sorted(
        (own for own in ITEM_OF if quantity and quantity <= own),
        key=lambda own: (len(own ^ marks), order.index(ITEM_OF[own])),
    )
    alike = [ITEM_OF[own] for own in ranked if len(own ^ marks) <= 2]
    if not alike:
        alike = nearest(_normal(name).replace(" ", "_"), BY_NAME, count)
    return [item for item in dict.fromkeys(alike) if _fits(item, unit)][:count]
