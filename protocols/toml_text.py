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
_AT = re.compile(
    r"(?P<reason>.*) \(at (?P<where>line (?P<line>\d+), column (?P<column>\d+)|end of document)\)"
)
_TWICE = re.compile("Cannot (overwrite|declare|mutate|redefine)|Duplicate")
_IN_KEY = re.compile("Invalid (statement|initial character)|Expected ('=' after a key|']+' at the)")
_ASCII_SIGNS = str.maketrans("“”„‘’，＝［］｛｝＃。．：－", '"""\'\',=[]{}#..:-')
"""The signs of TOML for those of other keyboards, which look like them."""


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
        reason = _reason(str(error), text.replace("\r\n", "\n").split("\n"))
        raise QuantityError(f"it is not TOML: {reason}") from error


def _reason(error: str, rows: list[str]) -> str:
    """Return an error of tomllib with its place first, and a word about what is often meant."""
    found = _AT.fullmatch(error)
    told = f"{found['where']}: {found['reason']}" if found else error
    if not found:
        return told
    line, column = int(found["line"] or len(rows)), int(found["column"] or 0)
    if _TWICE.match(error) and (twice := _Scanner("\n".join(rows[:line])).twice):
        key, first, again = twice
        return f"line {again}: {key} is given twice, first in line {first}: write it once"
    if not column:
        return told
    if hint := _other_sign(rows[line - 1][column - 1 : column], in_key=bool(_IN_KEY.match(error))):
        return f"{found['where']}: {hint}"
    if "Unescaped '\\'" in error or "hex value" in error:
        return f"{told}; write a path between ' and ', where a backslash is a backslash"
    if "Invalid value" in error or "after a statement" in error:
        return f'{told}; write a text between " and ", and a number with a decimal point'
    return told


def _other_sign(sign: str, *, in_key: bool) -> str:
    """Return what to write for a sign that is not ASCII, at which a text stops to be TOML."""
    if sign.isascii():
        return ""
    ascii_sign = sign.translate(_ASCII_SIGNS)
    if ascii_sign.isascii():
        return f"{sign!r} is no sign of TOML: write {ascii_sign}"
    if in_key:
        return f"{sign!r} is in a key: a bare key has Latin letters, digits, _ and - only"
    return f'write a text with {sign!r} between " and "'


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

    A place is written with points: "tariff.prices.1" is the first element of `prices` in `tariff`.
    """
    return _Scanner(text).lines


class _Scanner:
    """Walks over the tokens of valid TOML; values are skipped, only their places are kept."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self.twice: tuple[str, int, int] | None = None
        """The first key that is given twice, and its lines; in valid TOML there is none."""
        self._declared: set[str] = set()
        """Keys that have a value, and tables that have a header of their own."""
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

    def _note_twice(self, path: str, line: int) -> None:
        if self.twice is None:
            self.twice = path, self.lines[path], line

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
            is_last = number == len(parts)
            if is_last and (path in self._declared or (depth == 1 and self._counts[path])):
                self._note_twice(path, line)
            self.lines.setdefault(path, line)
            is_new_element = depth == 2 and is_last
            self._counts[path] += is_new_element
            if self._counts[path]:
                path = _under(path, str(self._counts[path]))
                self.lines.setdefault(path, line)
        self._table = path
        self._declared.add(path)

    def _pair(self, table: str) -> None:
        """Read a key, "=" and a value."""
        line, path = self._line(), table
        parts = self._key("=")
        for number, part in enumerate(parts, 1):
            path = _under(path, part)
            if path in self._declared or (number == len(parts) and path in self.lines):
                self._note_twice(path, line)
            self.lines.setdefault(path, line)
        self._declared.add(path)
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
                number += 1
                self._value(_under(path, str(number)))
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
