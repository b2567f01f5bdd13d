"""docs/map.schema.json: every shipped map and every example is valid, and mistakes are not."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from protocols.modbus.map_keys import TABLES
from protocols.modbus.shipped_maps import names

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "map.schema.json").read_text())
MAPS = {
    name: text.read_text()
    for name in names()
    if (text := files("protocols.modbus").joinpath("maps", f"{name}.toml")).is_file()
}
EXAMPLE = files("firmware_sim.data").joinpath("map.toml").read_text().replace("NAME", "mine")
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def problems(value: Any, schema: dict[str, Any], place: str = "file") -> Iterator[str]:
    """Yield what a schema refuses in a value; knows the words that the schema of maps uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        if not any(not list(problems(value, one, place)) for one in schema["anyOf"]):
            yield f"{place}: none of anyOf"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: not in enum"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: not the constant"
    allowed = schema.get("type", [])
    kinds = [allowed] if isinstance(allowed, str) else allowed
    is_bool = isinstance(value, bool)
    if kinds and not any(
        isinstance(value, TYPES[k]) and is_bool <= (k == "boolean") for k in kinds
    ):
        yield f"{place}: no {allowed}"
        return
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{place}: not the pattern"
    if isinstance(value, int) and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        yield f"{place}: out of range"
    if isinstance(value, dict):
        yield from inner_problems(value, schema, place)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{place}: too few"
        for number, each in enumerate(value):
            yield from problems(each, schema.get("items", {}), f"{place}.{number}")


def inner_problems(value: dict[str, Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    """Yield what a schema refuses in the keys of a table."""
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}: {name} is missing"
    for name, each in value.items():
        other = schema.get("additionalProperties", {})
        if name in known or other is not False:
            yield from problems(each, known.get(name, other), f"{place}.{name}")
        else:
            yield f"{place}: {name} is not known"


@pytest.mark.parametrize("text", [*MAPS.values(), EXAMPLE], ids=[*MAPS, "example"])
def test_a_right_map_is_valid(text: str) -> None:
    assert list(problems(tomllib.loads(text), SCHEMA)) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("format = 1", "format = 2", "file.format"),
        ('title = "mine"\n', "", "file: title"),
        ('confidence = "memory"', 'confidence = "sure"', "file.source.0.confidence"),
        ("address = 0x0000", "address = 0x10000", "file.register.0.address"),
        ("decimals = 1", 'decimals = "1"', "file.register.0.decimals"),
        ("decimals = 1", "decimal = 1", "file.register.0: decimal"),
        ('gaps = "zero"', 'gaps = "none"', "file.requests.gaps"),
        ('area = ["holding", "input"]', "area = []", "file.defaults.area"),
    ],
)
def test_a_mistake_is_not_valid(old: str, new: str, place: str) -> None:
    (told,) = problems(tomllib.loads(EXAMPLE.replace(old, new, 1)), SCHEMA)
    assert told.startswith(place)


def test_every_table_and_key_is_described() -> None:
    inner = {table.name: SCHEMA["$defs"].get(table.name, SCHEMA) for table in TABLES}
    for table in TABLES:
        described = inner[table.name]["properties"]
        assert list(described) == [key.name for key in table.keys]
        assert all(one["description"] for one in described.values())


@pytest.mark.parametrize("text", [*MAPS.values(), EXAMPLE], ids=[*MAPS, "example"])
def test_a_right_map_is_valid_for_a_validator_that_is_not_ours(text: str) -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(tomllib.loads(text), SCHEMA)
