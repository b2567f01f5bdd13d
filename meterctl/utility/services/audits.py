"""The audit, for those who may read it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from meterctl.utility.rules.rights import Action
from meterctl.utility.store.queries import audit
from meterctl.utility.store.queries.organisation import company
from meterctl.utility.store.rights import require_at
from meterctl.utility.store.unit_of_work import Actor

DESK = "desk"
"""Stands for who acts where no person does."""


def newest(
    session: Session,
    actor: Actor,
    limit: int,
    *,
    subject: str | None = None,
    staff: str | None = None,
    action: str | None = None,
    before: int | None = None,
) -> list[dict[str, Any]]:
    """Return what was done, the newest first; see `store.queries.audit`.

    Raises:
        NotPermitted: the person may not read the company's audit.
    """
    require_at(session, actor, Action.AUDIT_READ, company(session).id)
    return [
        {
            "number": row.id,
            "done_at": row.at,
            "staff": number or DESK,
            "action": row.action,
            "subject": row.subject,
            "before": row.before,
            "after": row.after,
            "reason": row.reason,
            "key": row.key,
        }
        for row, number in audit.newest(
            session, limit, subject=subject, staff=staff, action=action, before=before
        )
    ]
