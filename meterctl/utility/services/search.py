"""One field that finds a customer by whatever is known (UTILITY 7, Counter)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from meterctl.utility.rules.numbering import shown_name
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.found_customers import (
    LAST_DIGITS,
    METER_DIGITS,
    POINT_DIGITS,
    Matched,
    found_agreements,
)
from meterctl.utility.store.rights import is_within, require_anywhere
from meterctl.utility.store.unit_of_work import Actor

FEWEST_DIGITS = 4
"""Digits with which a supply point's or a meter's number begins that is looked for."""
MOST_DIGITS = 6
"""Digits alone that are looked for in addresses: those of a room or a postal code."""
LONGEST = 60
"""Characters that are looked for; names and addresses are not longer."""
_SEPARATORS, _COUNTRY = " -", "+86"


def find_customers(session: Session, actor: Actor, text: str, limit: int) -> list[dict[str, Any]]:
    """Return agreements that a text names, those of the person's nodes.

    The text is the number of an agreement, a supply point (户号), a meter, a customer or a card, a
    telephone number or its last four digits or more, the beginning of the number of a supply point
    or a meter, or a part of a name or an address. Full-width characters are as others, and numbers
    may have spaces and hyphens. Where a number names something, nothing else is looked for.

    Returns:
        `agreement`, `state`, `mode`, `point`, `name` (masked), `address`, `meter`, `matched` (a
        `Matched`); each agreement once, for the first thing that matched.

    Raises:
        NotPermitted: no role of the person's sees customers.
    """
    require_anywhere(actor, Action.CUSTOMER_READ)
    within = is_within(actor, Action.CUSTOMER_READ)
    found: dict[int, dict[str, Any]] = {}
    is_named = False
    for by, wanted in _ways(unicodedata.normalize("NFKC", text).strip()[:LONGEST]):
        if len(found) >= limit or (is_named and not by.is_whole):
            break
        for row in found_agreements(session, within, by, wanted, limit):
            found.setdefault(row.id, _values(row, by))
        is_named = bool(found) and by.is_whole
    return list(found.values())[:limit]


def _ways(text: str) -> Iterator[tuple[Matched, str]]:
    """Yield what a text may be, and how that is written; the surest first."""
    if not text:
        return
    digits = text.removeprefix(_COUNTRY).translate(dict.fromkeys(map(ord, _SEPARATORS)))
    is_number = digits.isascii() and digits.isdigit()
    yield Matched.AGREEMENT, text
    if is_number and len(digits) == POINT_DIGITS:
        yield Matched.POINT, digits
    if is_number and len(digits) == METER_DIGITS:
        yield Matched.METER, digits
    yield Matched.CUSTOMER, text.upper()
    yield Matched.CARD, text.upper()
    ends = [(Matched.PHONE, digits)] if is_number and len(digits) >= LAST_DIGITS else []
    begins = []
    if is_number and FEWEST_DIGITS <= len(digits) < POINT_DIGITS:
        begins = [(Matched.POINT_BEGINS, digits), (Matched.METER_BEGINS, digits)]
    yield from (begins + ends if len(digits) > MOST_DIGITS else ends + begins)
    if not is_number:
        yield Matched.NAME, text
    if not is_number or len(digits) <= MOST_DIGITS:
        yield Matched.ADDRESS, text


def _values(row: Any, by: Matched) -> dict[str, Any]:
    return {
        "agreement": row.number,
        "state": row.state.value,
        "mode": row.mode.value,
        "point": row.point,
        "name": shown_name(row.name, row.id_number),
        "address": row.address,
        "meter": row.meter,
        "matched": by.value,
    }
