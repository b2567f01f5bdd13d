"""The numbers of the words of a kind: what a host of another maker needs to decode a register."""

from __future__ import annotations

from protocols.data_model.items import AccountUnit
from protocols.data_model.kinds import Boolean, Choice, Flags, Kind
from protocols.data_model.words import ACCOUNT_UNITS


def codes(kind: Kind) -> dict[int, str]:
    """Return the word of each number, of flags that of each bit; empty for a kind without words.

    An account unit may be any other ISO 4217 number as well.
    """
    if isinstance(kind, Choice):
        return dict(enumerate(kind.words))
    if isinstance(kind, Flags):
        return {1 << bit: word for bit, word in enumerate(kind.words)}
    if isinstance(kind, Boolean):
        return {value: kind.text(value) for value in (0, 1)}
    return dict(ACCOUNT_UNITS) if isinstance(kind, AccountUnit) else {}
