"""Card ports: a PC/SC reader, or a file (a simulated card)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols.card.terminal import Transmit


@dataclass(frozen=True, slots=True)
class CardPort:
    """A powered card. `transmit` raises CardGoneError if the card does not respond.

    `is_desk` is true for a simulated card, on which the development key is allowed.
    """

    name: str
    transmit: Transmit
    is_desk: bool
