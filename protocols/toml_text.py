"""Tables of a TOML text, for files that a person writes: meters, scenarios, faults, presets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from protocols.errors import QuantityError

_TOKEN = re.compile(
    r"""
      (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
    | (?P<comment>\#[^\n]*)
    | (?P<sign>[\[\]{},=\n])
    | (?P<bare>[^\s\[\]{},=\#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLACE = re.compile(r"[A-Za-z0-9_.-]+")
_AT = re.compile(r"(?P<reason>.*) \(at (?P<where>line \d+, column \d+|end of document)\)")


def parse_toml(text: str) -> dict[str, Any]:
    """Return the table of a text; decimals stay text, so that every digit is kept.

    Raises:
        QuantityError: it is not TOML; it names the line.
    """
    import tomllib  # noqa: PLC0415 - most starts read no file

    try:
        return tomllib.loads(text, parse_float=str)
    # ValueError: tomllib's own error, and that of an integer with too many digits
    except (ValueError, RecursionError) as error:
        raise QuantityError(f"it is not TOML: {_reason(str(error))}") from error


def _reason(error: str) -> str:
    """Return an error of tomllib with its place first, and a word about what is often meant."""
    found = _AT.fullmatch(error)
    told = f"{found['where']}: {found['reason']}" if found else error
    if found and found["where"] == "end of document":
        return told
    if "Unescaped '\\'" in error or "hex value" in error:
        return f"{told}; write a path between ' and ', where a backslash is a backslash"
    if "Invalid value" in error or "after a statement" in error:
        return f'{told}; write a text between " and ", and a number with a decimal point'
    return told


def with_lines(problems: Iterable[str], text: str) -> list[str]:
    """Return problems, each of which begins with its key, after the line on which the key stands.

    Args:
        text: valid TOML, in which the keys are looked up; a key that it does not hold has no line.
    """
    lines, named = lines_of(text), []
    for problem in problems:
        found = _PLACE.match(problem)
        line = line_of(lines, found[0] if found else "")
        named.append(f"line {line}: {problem}" if line else problem)
    return named


def line_of(lines: Mapping[str, int], place: str) -> int:
    """Return the line of a place, or of the table or list around it; 0 where it is not known."""
    parts = place.rstrip(".").split(".")
    while parts:
        if line := lines.get(".".join(parts)):
            return line
        parts.pop()
    return 0


def lines_of(text: str) -> dict[str, int]:
    """Return the line, from 1, of every key and list element of valid TOML.

    A place is written with points: "tariff.prices.0" is the first element of `prices` in `tariff`.
    """
    return _Scanner(text).lines


class _Scanner:
    """Walks over the tokens of valid TOML; values are skipped, only their places are kept."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        """Elements of each array of tables so far."""
        self._tokens = list(_tokens(text))
        self._at = 0
        self._table = ""
        while self._at < len(self._tokens):
            if self._token == "\n":
                self._at += 1
            elif self._token == "[":
                self._header()
            else:
                self._pair(self._table)

    @property
    def _token(self) -> str:
        """The present token; nothing after the end."""
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _line(self) -> int:
        return self._tokens[min(self._at, len(self._tokens) - 1)][1]

    def _header(self) -> None:
        line, depth = self._line(), 0
        while self._token == "[":
            depth, self._at = depth + 1, self._at + 1
        parts = self._key("]")
        self._at += depth
        path = ""
        for number, part in enumerate(parts, 1):
            path = _under(path, part)
            self.lines.setdefault(path, line)
            is_new_element = depth == 2 and number == len(parts)
            self._counts[path] += is_new_element
            if self._counts[path]:
                path = _under(path, str(self._counts[path] - 1))
                self.lines.setdefault(path, line)
        self._table = path

    def _pair(self, table: str) -> None:
        """Read a key, "=" and a value."""
        line, path = self._line(), table
        for part in self._key("="):
            path = _under(path, part)
            self.lines.setdefault(path, line)
        self._at += 1
        self._value(path)

    def _key(self, end: str) -> list[str]:
        """Read the parts of a key up to `end`."""
        text = ""
        while self._token and self._token != end:
            text += self._token
            self._at += 1
        return [quoted or bare for quoted, bare in re.findall(r"[\"']([^\"']*)[\"']|([^.]+)", text)]

    def _value(self, path: str) -> None:
        """Skip a value; keep the lines of what is in it."""
        self.lines.setdefault(path, self._line())
        if self._token == "[":
            self._at += 1
            number = 0
            while self._token and self._token != "]":
                if self._token in "\n,":
                    self._at += 1
                    continue
                self._value(_under(path, str(number)))
                number += 1
            self._at += 1
        elif self._token == "{":
            self._at += 1
            while self._token and self._token != "}":
                if self._token in "\n,":
                    self._at += 1
                    continue
                self._pair(path)
            self._at += 1
        else:
            while self._token and self._token not in "\n,]}":  # a date and a time are two words
                self._at += 1


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield each token but comments, with its line."""
    line, counted = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        if match.lastgroup != "comment":
            yield match[0], line


def _under(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part
