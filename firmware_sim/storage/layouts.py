"""Layout versions of a state; every older one can be read (METER.md 7).

    1   first layout: the record has no version, the header has a fingerprint in its place
    2   security: code and instant of the last credit message, rows of journals, `forgotten`
    3   calendar: `past_offsets`; the changes of a zone begin in 1970
    4   registers: `phase_energies`; security: failures of the carrier `plain`
    5   rows of freezes: `consumption_charged_exact`; their rings have new places (ring_places.py)

A change to the fields of a state must raise LAYOUT and add the conversion from the previous layout;
`tests/unit/firmware_sim/storage/test_layouts.py` fails until both are done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware_sim.records.ring import (
    BILLING_RING,
    CREDIT_RECEIPTS,
    DAILY_RING,
    RECEIPT_CODE_SIZE,
    Ring,
)
from firmware_sim.state import State
from protocols.data_model.tables import Freeze
from protocols.sealed_message import Receipt

LAYOUT = 5
FINGERPRINT_OF_1 = 0xA64255C2
"""Header of layout 1: this value in place of a version."""
Plain = list[Any]
"""A record decoded from JSON, without its version."""

_SECURITY_IN_1 = 11
_SECURITY_IN_3, _FAILURES_IN_3 = 11, 4
_IDENTITY_IN_2, _CALENDAR_IN_2 = 0, 5
_REGISTERS_IN_3 = 8
_TAIL_IN_4 = 16
_NO_CODE = "00000000"


def layout_of_header(value: int) -> int | None:
    """Return the layout named in a header, None for an unknown one."""
    if value == FINGERPRINT_OF_1:
        return 1
    return value if 2 <= value <= LAYOUT else None


def brought_up(plain: Plain, layout: int) -> Plain:
    """Convert a record of any layout to the present one; raises KeyError for an unknown one."""
    while layout != LAYOUT:
        plain = _STEPS[layout](plain)
        layout += 1
    return plain


def _from_1(plain: Plain) -> Plain:
    """Add the fields of layout 2; every sequence counts as forgotten: its journal is unknown."""
    security = plain[_SECURITY_IN_1]
    return [
        *plain[:_SECURITY_IN_1],
        [*security, _NO_CODE, 0, [], security[0]],
        *plain[_SECURITY_IN_1 + 1 :],
    ]


def _from_2(plain: Plain) -> Plain:
    """Add the fields of layout 3; before its list a zone has the offset with which it begins."""
    *identity, transitions = plain[_IDENTITY_IN_2]
    if transitions:
        transitions = [[0, transitions[0][1]], *transitions[1:]]
    whole = list(plain)
    whole[_IDENTITY_IN_2] = [*identity, transitions]
    whole[_CALENDAR_IN_2] = [*plain[_CALENDAR_IN_2], []]
    return whole


def _from_3(plain: Plain) -> Plain:
    """Add the fields of layout 4: no energies of phases are kept, and the carrier never failed."""
    whole = list(plain)
    whole[_REGISTERS_IN_3] = [*plain[_REGISTERS_IN_3], None]
    security = whole[_SECURITY_IN_3] = list(plain[_SECURITY_IN_3])
    security[_FAILURES_IN_3] = [*security[_FAILURES_IN_3], []]
    return whole


def _from_4(plain: Plain) -> Plain:
    """Complete the freezes in the tail: what was charged until then is not known."""
    whole = list(plain)
    whole[_TAIL_IN_4] = [
        [ring, number, row + Freeze.NOT_KEPT.hex() * (ring in (DAILY_RING, BILLING_RING))]
        for ring, number, row in plain[_TAIL_IN_4]
    ]
    return whole


_STEPS: dict[int, Callable[[Plain], Plain]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
    4: _from_4,
}


def complete(state: State, layout: int, rings: tuple[Ring, ...]) -> None:
    """Set fields that an older layout lacks: the last credit receipt is taken from its ring."""
    newest = next(rings[CREDIT_RECEIPTS].newest(1), None)
    if layout > 1 or newest is None:
        return
    receipt = Receipt.decode(newest[RECEIPT_CODE_SIZE + 4 :])
    if receipt.sequence == state.security.credit_sequence:
        state.security.last_code, state.security.last_at = receipt.code.hex(), receipt.at
