"""Where the rings lie in a storage (METER.md 9).

    purchases · events · freezes of layouts 1 to 4 · profile · receipts · daily and billing freezes

A ring whose rows became longer got a new place behind all others, so that no row of another size is
ever overwritten and no ring moves. Its rows of older layouts stay where they are until newer ones
have replaced them: a row is found in one of the two places by its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from firmware_sim.records.ring import RingKind, ring_kinds
from protocols.sealed_message import Receipt

ROW = Struct(">II")
"""Number and CRC before each row."""
DEPTHS_KEPT = 64
"""Depths of profiles whose places are kept: the meters of a rack have a few."""


class RingPlace(NamedTuple):
    """A ring in a storage: its first byte, the size of its rows without their head, its depth."""

    begin: int
    row_size: int
    depth: int

    @property
    def end(self) -> int:
        """The first byte behind the ring."""
        return self.begin + self.depth * (ROW.size + self.row_size)

    def offset(self, number: int) -> int:
        """Return where a row begins."""
        return self.begin + (number - 1) % self.depth * (ROW.size + self.row_size)


class RingPlaces(NamedTuple):
    """The rings of a storage, and where rows of older layouts may be, in the order of the kinds."""

    kinds: tuple[RingKind, ...]
    rings: tuple[RingPlace, ...]
    older: tuple[RingPlace | None, ...]


@lru_cache(maxsize=DEPTHS_KEPT)
def ring_places(first_ring: int, profile_rows: int) -> RingPlaces:
    """Return where the rings of a storage lie, of which the first begins at `first_ring`."""
    kinds = ring_kinds(profile_rows, Receipt.SIZE)
    first = tuple(_placed(first_ring, [(kind.older_row_size, kind.depth) for kind in kinds]))
    longer = [kind for kind in kinds if kind.added]
    behind = _placed(first[-1].end, [(kind.row_size, kind.depth) for kind in longer])
    moved = dict(zip(longer, behind, strict=True))
    return RingPlaces(
        kinds,
        tuple(moved.get(kind, first[kind.place]) for kind in kinds),
        tuple(first[kind.place] if kind.added else None for kind in kinds),
    )


def _placed(begin: int, sizes: Sequence[tuple[int, int]]) -> Iterator[RingPlace]:
    """Yield rings of row sizes and depths, one behind the other."""
    for row_size, depth in sizes:
        place = RingPlace(begin, row_size, depth)
        yield place
        begin = place.end
