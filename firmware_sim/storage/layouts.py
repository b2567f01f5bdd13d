"""Layout versions of a state, and the way from each older one (METER.md 7: an older layout is read
for ever).

    1   the first one; its record has no version, its header has a fingerprint in the version's
    place
    2   security: code and instant of the last message of the credit class, a row for each journal,
    `forgotten`

Whoever changes a field of a state raises LAYOUT, and writes here how a record of the layout before
becomes one of the new layout. `tests/unit/firmware_sim/test_layouts.py` fails until both are done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware_sim.records.ring import CREDIT_RECEIPTS, RECEIPT_CODE_SIZE, Ring
from firmware_sim.state import State
from protocols.sealed_message import Receipt

LAYOUT = 2
FINGERPRINT_OF_1 = 0xA64255C2
"""What the header of layout 1 holds in the place of its version."""
Plain = list[Any]
"""A record as JSON holds it, without its version."""

_SECURITY_IN_1 = 11
_NO_CODE = "00000000"


def layout_of_header(value: int) -> int | None:
    """Return the layout that a storage's header names, None where it is not known."""
    return {FINGERPRINT_OF_1: 1, LAYOUT: LAYOUT}.get(value)


def brought_up(plain: Plain, layout: int) -> Plain:
    """Return a record of any layout as one of the present layout; raises KeyError for one that is
    not known.
    """
    while layout != LAYOUT:
        plain = _STEPS[layout](plain)
        layout += 1
    return plain


def _from_1(plain: Plain) -> Plain:
    """Nobody knows which journals the accepted messages were of: every sequence so far counts as
    forgotten.
    """
    security = plain[_SECURITY_IN_1]
    return [
        *plain[:_SECURITY_IN_1],
        [*security, _NO_CODE, 0, [], security[0]],
        *plain[_SECURITY_IN_1 + 1 :],
    ]


_STEPS: dict[int, Callable[[Plain], Plain]] = {1: _from_1}


def complete(state: State, layout: int, rings: tuple[Ring, ...]) -> None:
    """Take from the rings what a record of an older layout lacks: the last receipt of the credit
    class.
    """
    newest = next(rings[CREDIT_RECEIPTS].newest(1), None)
    if layout > 1 or newest is None:
        return
    receipt = Receipt.decode(newest[RECEIPT_CODE_SIZE + 4 :])
    if receipt.sequence == state.security.credit_sequence:
        state.security.last_code, state.security.last_at = receipt.code.hex(), receipt.at
