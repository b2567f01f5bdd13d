"""The mistakes of a description: where each stands, and all of them at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from firmware_sim.description.keys import FILE_READERS
from firmware_sim.hosting.errors import HostingError
from protocols.toml_text import with_lines
from protocols.toml_values import ConfigurationError


class Mistakes:
    """The mistakes of one description, each with its file and line, told all at once.

    Args:
        source: its TOML file, empty without one; `text` is its text.
        given: keys that flags or keywords gave; `options` are their names on a command line.
    """

    def __init__(
        self, source: str, text: str, given: Collection[str], options: Mapping[str, str]
    ) -> None:
        self._source, self._text, self._given, self._options = source, text, given, options
        self._told: list[str] = []

    def add(self, error: ConfigurationError | HostingError) -> None:
        """Keep the lines of an error; those of a HostingError name their file themselves."""
        lines = str(error).splitlines()
        if isinstance(error, HostingError):
            self._told += lines
            return
        for line in lines:
            found = _KEY.match(line)
            key = found[0] if found else ""
            if key in self._given or not self._source:
                first = self._options.get(key, key)
                self._told.append(first + self._with_options(line.removeprefix(key)))
                continue
            (numbered,) = with_lines([_outside_its_table(line)], self._text)
            self._told.append(f"{self._source}: {self._with_options(numbered)}")

    def _with_options(self, text: str) -> str:
        """Return a text in which each key that was given has the name of its option."""
        return _NAME.sub(
            lambda found: (
                self._options.get(found[0], found[0]) if found[0] in self._given else found[0]
            ),
            text,
        )

    def end(self) -> None:
        """Raise HostingError if there was a mistake."""
        if self._told:
            raise HostingError("\n".join(self._told))


_KEY = re.compile(r"\w+")
_NAME = re.compile(r"(?<!['\w.])[a-z]+_\w+")
"""A name of several words; one word may be a word of the sentence."""
_IN_TARIFF = re.compile(r"tariff\.(\w+): there is no such key.*")


def _outside_its_table(line: str) -> str:
    """Return a line about an unknown key; one of the meter below [tariff] is told where it goes."""
    found = _IN_TARIFF.fullmatch(line)
    if found is None or found[1] not in FILE_READERS:
        return line
    return f"tariff.{found[1]}: there is no such key; write {found[1]} above the line [tariff]"
