"""Points in the numbers of a file whose cells no commas separate: decimal signs, or of thousands.

A point is the decimal sign there unless every number with one could be thousands: 1.500 is then
1500 or 1.5, and the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_DOUBTFUL = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}", re.ASCII)
"""A number that is written with a separator of thousands or with three decimals."""


class Points:
    """Reads the numbers of a file until one shows that its points are decimal signs."""

    def __init__(self) -> None:
        self.doubtful = ""
        """The first number that may have a separator of thousands; empty where there is none."""
        self._are_decimal = False

    def take(self, texts: Iterable[str]) -> None:
        """Read the next numbers."""
        if self._are_decimal:
            return
        for text in texts:
            if "." not in text:
                continue
            if not _DOUBTFUL.fullmatch(text.strip()):
                self._are_decimal, self.doubtful = True, ""
                return
            self.doubtful = self.doubtful or text.strip()

    @property
    def problem(self) -> str:
        """The reason why the file is refused; empty where it is not."""
        if not self.doubtful:
            return ""
        whole, comma = self.doubtful.replace(".", ""), self.doubtful.replace(".", ",")
        return (
            f"{self.doubtful!r} may be thousands or decimals, and no number of the file tells: "
            f"write {whole}, or {comma} with a decimal comma"
        )
