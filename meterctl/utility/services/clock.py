"""The clock of a simulated desk: it stands until it is moved."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.organisation import Desk
from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.unit_of_work import UnitOfWork

LONGEST_ADVANCE = 3660 * 86_400_000
"""ms; the simulator moves its meters no further at once."""


def advance(work: UnitOfWork, *, by: int) -> dict[str, Any]:
    """Move the clock of a simulated desk forward.

    Args:
        by: ms.

    Raises:
        Refused: the desk has the host's clock.
        Invalid: not forward, or too far.
    """
    work.require(Action.TIME_ADVANCE, company(work.session).id)
    desk = work.session.scalars(select(Desk).with_for_update()).one()
    if not work.database.simulated or desk.clock is None:
        raise Refused(
            "real_clock", "this desk has the clock of the host: only `init --simulated` has its own"
        )
    if not 0 < by <= LONGEST_ADVANCE:
        raise Invalid("advance", "allowed is above 0 and at most 3660d; nothing was changed")
    before = desk.clock
    desk.clock = before + by
    work.audit(Action.TIME_ADVANCE, desk, {"clock": before}, {"clock": desk.clock})
    return {"before_at": before, "now_at": desk.clock}
