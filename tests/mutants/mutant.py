"""A mutant: one fault that is put into the product's source on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"""[rbf]*"(?:\\.|[^"\\\n])*"|\w+|[^\w\s]""")


class MutantError(Exception):
    """The text that a mutant replaces is not in its file exactly once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A replacement of `old` by `new` in `file`; `tests` must fail if no seed finds it.

    `old` is matched token by token, so that line breaks and trailing commas of the formatter do not
    matter.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def is_simulated(self) -> bool:
        """Whether the simulation of meters and hosts runs its file; that of the desk has others."""
        return not self.file.startswith("meterctl/utility/")

    def applied(self, text: str) -> str:
        """Return the source with the fault in it.

        Raises:
            MutantError: `old` is not in the source, or more than once.
        """
        if text.count(self.old) == 1:
            return text.replace(self.old, self.new)
        tokens, wanted = list(_tokens(text)), [word for _, _, word in _tokens(self.old)]
        words = [word for _, _, word in tokens]
        size = len(wanted)
        found = [at for at in range(len(words) - size + 1) if words[at : at + size] == wanted]
        if len(found) != 1:
            raise MutantError(
                f"{self.name}: {self.file} has its text {len(found)} times; mend the catalogue"
            )
        begin, end = tokens[found[0]][0], tokens[found[0] + size - 1][1]
        return text[:begin] + self.new.strip() + text[end:]


def _tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield (begin, end, word) of each token, without a comma before a closing bracket."""
    matches = list(_TOKEN.finditer(text))
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        if match[0] == "," and following is not None and following[0] in ")]}":
            continue
        yield match.start(), match.end(), match[0]
