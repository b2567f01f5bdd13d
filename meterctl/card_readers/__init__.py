"""Where a card lies: in a PC/SC reader, or in a file (a simulated card)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols.card.terminal import Transmit


@dataclass(frozen=True, slots=True)
class CardPort:
    """A card that has power. `transmit` raises CardGoneError where no response comes.

    `is_desk` says whether it is simulated: there development keys do no harm.
    """

    name: str
    transmit: Transmit
    is_desk: bool
