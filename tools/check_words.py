"""Refuse long lines and the words of docs/adr/0007-words-and-lines.md in tracked files."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tools.source_tree import files_of

ROOT = Path(__file__).resolve().parents[1]
RECORD = "docs/adr/0007-words-and-lines.md"
COLUMNS = 100
SUFFIXES = (".py", ".md", ".toml", ".sh", ".c", "Makefile")
_LONG_OK = re.compile(r"\s*\||.*https?://|\s*\[[^]]+\]:")
"""Rows of Markdown tables and lines with a link may be longer."""
_PRAGMA = re.compile(r"\s*# (?:noqa|type: ignore).*$")
_WITHOUT_WORDS = (RECORD,)
_TARGET = re.compile(r"^## make ([a-z]+)", re.MULTILINE)


def refused_words(record: str) -> list[str]:
    """Return the words of the table "Refused words"."""
    section = record.partition("## Refused words")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    return [word.strip() for row in rows[2:] for word in row.split(",")]


def pattern(record: str) -> re.Pattern[str]:
    """Return the pattern of all refused words, also as parts of names."""
    refused = "|".join(refused_words(record))
    return re.compile(rf"(?<![a-z])(?:{refused})[a-z]*", re.IGNORECASE)


def command_names(makefile: str, is_makefile: bool = False) -> re.Pattern[str]:
    """Return the pattern of the commands `make …` of users; in the Makefile targets stand alone."""
    targets = "|".join(_TARGET.findall(makefile))
    return re.compile(rf"(?<![\w-]){'' if is_makefile else 'make '}(?:{targets})(?![\w-])")


def width(line: str) -> int:
    """Return the columns of a line: wide characters take two, a linter's pragma none."""
    text = _PRAGMA.sub("", line)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def problems(path: str, text: str, words: re.Pattern[str]) -> Iterator[str]:
    """Yield what is wrong with a file, one line each."""
    commands = command_names((ROOT / "Makefile").read_text(), is_makefile=path == "Makefile")
    is_page, in_code = path.endswith(".md"), False
    for number, line in enumerate(text.splitlines(), 1):
        if is_page and line.startswith("```"):
            in_code = not in_code
        may_be_long = is_page and (in_code or _LONG_OK.match(line))
        if width(line) > COLUMNS and not may_be_long:
            yield f"{path}:{number}: {width(line)} columns, at most {COLUMNS}"
        found = None if path in _WITHOUT_WORDS else words.search(commands.sub("", line))
        if found:
            yield f"{path}:{number}: the word {found[0]!r}: see {RECORD}"


def main() -> int:
    """Check all tracked files; the exit code is 1 where one has a problem."""
    words = pattern((ROOT / RECORD).read_text())
    found = [
        problem
        for path in files_of(ROOT)
        if path.endswith(SUFFIXES) and (ROOT / path).is_file()
        for problem in problems(path, (ROOT / path).read_text(), words)
    ]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
