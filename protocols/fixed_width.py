"""Packing into fixed widths, where whole numbers saturate instead of failing.

Totals are kept unwrapped in the meter; in a record, an answer or a receipt they are cut to the
width of their field.
"""

from __future__ import annotations

import re
from struct import Struct, calcsize, error

_CODE = re.compile(r"(\d*)([a-zA-Z])")


class SaturatingStruct(Struct):
    """A big-endian struct whose whole numbers are cut to the range of their field."""

    def __init__(self, codes: str) -> None:
        super().__init__(">" + codes)
        self._bounds: list[tuple[int, int] | None] = []
        for count, code in _CODE.findall(codes):
            if code == "s":
                self._bounds.append(None)
                continue
            bits = 8 * calcsize(">" + code)
            bounds = (
                (-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else (0, (1 << bits) - 1)
            )
            self._bounds += [bounds] * int(count or 1)

    def saturate(self, *values: object) -> bytes:
        """Return the packed values; numbers outside their field are cut to its range."""
        try:
            return self.pack(*values)
        except error:
            pass
        cut = [
            value
            if bounds is None or not isinstance(value, int)
            else min(max(value, bounds[0]), bounds[1])
            for value, bounds in zip(values, self._bounds, strict=True)
        ]
        return self.pack(*cut)
