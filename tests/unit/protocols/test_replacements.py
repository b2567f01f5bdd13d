"""Characters that an encoding lacks: replaced in text, escaped in JSON, never a fault."""

from __future__ import annotations

import io
import json

import pytest

from protocols.replacements import (
    READABLE,
    escaped_json,
    has,
    printable,
    printable_lines,
    readable,
    replace_in,
)

TEXT = "┏━┓ 保电 … · é ½ → “x” 😀"
ENCODINGS = ("ascii", "latin-1", "cp437", "cp850", "gbk", "koi8-r", "utf-8", "utf-16")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_text_can_be_written_and_keeps_what_the_encoding_has(encoding: str) -> None:
    shown = readable(TEXT, encoding)
    assert has(encoding, shown)
    for letter in TEXT:
        if has(encoding, letter):
            assert letter in shown


def test_characters_become_similar_ones_or_their_numbers() -> None:
    assert readable("┏━┓│", "ascii") == "+-+|"
    assert readable("wait… a · b → “c”", "ascii") == 'wait... a - b -> "c"'
    assert readable("保电 é", "latin-1") == "\\u4fdd\\u7535 é"
    assert readable("a\udcffb", "utf-8") == "a\\xffb", "a file name that is not UTF-8"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_the_same_value_in_any_encoding(encoding: str) -> None:
    text = json.dumps({"term": TEXT, "file": "a\udcff"}, ensure_ascii=False)
    shown = escaped_json(text, encoding)
    assert has(encoding, shown)
    assert json.loads(shown) == {"term": TEXT, "file": "a\udcff"}


STEERING = "a\x1b[2J\x9b1m\x07\r\x7f\u202eb"
SEEN = "a\\x1b[2J\\x9b1m\\x07\\r\\x7f\\u202eb"


def test_what_steers_a_terminal_is_an_escape() -> None:
    assert printable(STEERING) == SEEN
    assert readable(STEERING, "utf-8") == SEEN
    assert printable("a\nb") == "a\\nb"
    assert readable("a\nb\tc", "utf-8") == "a\nb\tc"
    assert printable_lines("\x1b[36mred\x1b[0m\x1b[2J\n", coloured=True) == (
        "\x1b[36mred\x1b[0m\\x1b[2J\n"
    )
    assert printable_lines("\x1b[36mred") == "\\x1b[36mred"
    escaped = escaped_json(json.dumps({"x": STEERING}, ensure_ascii=False), "utf-8")
    assert escaped.isprintable()
    assert json.loads(escaped) == {"x": STEERING}


@pytest.mark.parametrize("errors", ["strict", "surrogateescape", "backslashreplace"])
def test_a_stream_replaces_what_it_cannot_write(errors: str) -> None:
    stream = io.TextIOWrapper(raw := io.BytesIO(), "ascii", errors)
    replace_in(stream)
    stream.write("保 … \udcff")
    stream.flush()
    assert raw.getvalue() == b"\\u4fdd ... \\xff"
    assert stream.errors == READABLE


@pytest.mark.parametrize(
    ("encoding", "errors"),
    [("ascii", "replace"), ("ascii", "ignore"), ("utf-8", "surrogateescape")],
)
def test_a_stream_keeps_the_way_that_was_chosen_for_it(encoding: str, errors: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding, errors)
    replace_in(stream)
    assert stream.errors == errors


def test_a_decoding_error_is_not_handled() -> None:
    replace_in(io.TextIOWrapper(io.BytesIO(), "ascii"))
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", READABLE)
