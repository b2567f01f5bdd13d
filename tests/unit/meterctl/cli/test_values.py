"""The values that a shell completes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from meterctl.cli.values import item_names, offered, settings
from protocols.data_model.items import ITEMS, SETTINGS


def line(*before: str, map_name: str | None = None) -> Any:
    """Return the context of a line that is completed."""
    names = None if map_name is None else [map_name]
    root = SimpleNamespace(params={"map_names": names}, get_parameter_source=lambda _: None)
    return SimpleNamespace(params={"settings": list(before)}, find_root=lambda: root)


def found(incomplete: str, *before: str) -> list[str]:
    return [word for word, _ in settings(line(*before), incomplete)]


def test_every_item_is_offered_with_its_meaning() -> None:
    assert item_names(line()) == [(item.name, item.meaning) for item in ITEMS]
    assert offered("on", "off")() == ["on", "off"]


def test_every_setting_is_offered_as_a_name_that_wants_a_value() -> None:
    assert found("") == [f"{item.name}=" for item in SETTINGS.values()]


@pytest.mark.parametrize(
    ("incomplete", "values"),
    [
        ("trip_mode", ["two_stage", "direct", "delayed"]),
        ("trip_mode=de", ["two_stage", "direct", "delayed"]),
        ("max_credit", ["off"]),
        ("tamper_trip", ["cover", "terminal_cover", "magnet"]),
        ("strict_suspension", ["on", "off"]),
    ],
)
def test_the_only_setting_that_begins_so_is_offered_with_its_values(
    incomplete: str, values: list[str]
) -> None:
    name = incomplete.partition("=")[0]
    assert found(incomplete) == [f"{name}=", *(f"{name}={value}" for value in values)]


@pytest.mark.parametrize("before", [["trip_mode"], ["trip_mode", "="]])
def test_a_shell_that_breaks_words_at_the_sign_is_given_the_values_alone(before: list[str]) -> None:
    assert found("de", "max_credit=off", *before) == ["two_stage", "direct", "delayed"]
