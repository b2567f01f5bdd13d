"""What stands beside the counter: the own shift."""

from __future__ import annotations

from typing import Any

from meterctl.utility.errors import NotFound
from meterctl.utility.services import shift_lists
from meterctl.utility.web.pages.asking import new_key
from meterctl.utility.web.people import Visitor


def side_of(visitor: Visitor) -> dict[str, Any]:
    """Return the shift of a person, None where none is open, and the key of a form to open one."""
    with visitor.reading() as session:
        try:
            shift = shift_lists.show(session, visitor.actor, None)
        except NotFound:
            shift = None
    return {"shift": shift, "shift_key": new_key()}
