"""JSON Lines: fragments are joined unchanged, numbers included."""

from __future__ import annotations

import json

from protocols.data_model.json_lines import array, line


def test_a_line_is_one_object_in_the_order_given() -> None:
    assert line({"b": "1.50", "a": "null", "c": '"on"'}) == '{"b": 1.50, "a": null, "c": "on"}'
    assert line([("b", "true"), ("a", "[]")]) == '{"b": true, "a": []}'
    assert line({}) == "{}"


def test_exact_numbers_stay_as_written() -> None:
    number = "-99999999999.0000000001"
    assert json.loads(line({"exact": number}), parse_float=str) == {"exact": number}


def test_names_are_quoted_and_nothing_breaks_the_line() -> None:
    text = line({'a "b"\n剩余': "1"})
    assert "\n" not in text
    assert json.loads(text) == {'a "b"\n剩余': 1}


def test_an_array_joins_values_and_objects() -> None:
    assert array([]) == "[]"
    assert array(["1.00", '"x"', line({"a": "1"})]) == '[1.00, "x", {"a": 1}]'
    assert array(str(n) for n in range(3)) == "[0, 1, 2]"
