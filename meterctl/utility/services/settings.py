"""Settings: dated values of the company's and the law's limits. A legal one needs two persons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid
from meterctl.utility.model.base import Base
from meterctl.utility.model.organisation import Organisation, Setting
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.model.work import Task
from meterctl.utility.rules.law import (
    ANY_CLASS,
    SETTINGS,
    SettingDefinition,
    parse_value,
    setting,
    shown_value,
)
from meterctl.utility.rules.rights import Action, Role
from meterctl.utility.services.tasks import approval, propose
from meterctl.utility.store import settings as values
from meterctl.utility.store.queries.organisation import company, find_node
from meterctl.utility.store.rights import is_around, require_anywhere, require_at
from meterctl.utility.store.tasks import number_of
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork


def set_value(
    work: UnitOfWork,
    *,
    code: str,
    value: str,
    node: str | None = None,
    customer_class: CustomerClass | None = None,
    from_on: date | None = None,
) -> dict[str, Any]:
    """Write a value that holds from a date on, or propose it where the setting is a legal one.

    Args:
        value: as people write it.
        node: code of the node at which, and below which, it holds; the company by default.
        customer_class: None: all.
        from_on: today by default; a date in the past is refused.

    Raises:
        Invalid: no such setting, a value that it may not have, or a date in the past.
        Refused: a proposal about the setting waits already.
    """
    definition = setting(code)
    place = company(work.session) if node is None else find_node(work.session, node)
    needed = Action.LEGAL_SETTING_PROPOSE if definition.is_legal else Action.SETTING_SET
    work.require(needed, place.id)
    begins = work.today if from_on is None else from_on
    if begins < work.today:
        raise Invalid(
            "from_on", f"{begins} is past: what was decided then stands; nothing was changed"
        )
    wanted = {
        "code": code,
        "node": place.code,
        "class": ANY_CLASS if customer_class is None else customer_class.value,
        "from_on": begins.isoformat(),
        "value": parse_value(definition, value),
    }
    shown = _shown(definition, wanted)
    if not definition.is_legal:
        _write(work, wanted, needed)
        return {**shown, "state": "set"}
    subject: Base = _row_in_force(work, definition, place) or place
    task = propose(
        work, Action.LEGAL_SETTING_PROPOSE, subject, place.id, Role.COMPANY_MANAGER, wanted
    )
    return {**shown, "state": "proposed", "task": number_of(task)}


@approval(Action.LEGAL_SETTING_PROPOSE)
def approve_value(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """Write a legal setting's value; one whose date has passed holds from today."""
    assert task.proposal is not None
    wanted = dict(task.proposal)
    wanted["from_on"] = max(date.fromisoformat(wanted["from_on"]), work.today).isoformat()
    _write(work, wanted, Action.LEGAL_SETTING_APPROVE)
    return {"setting": _shown(setting(wanted["code"]), wanted)}


def all_values(session: Session, actor: Actor, node: str, on: date) -> list[dict[str, Any]]:
    """Return each setting with its value for all classes at a node on a date.

    Raises:
        NotPermitted: no role of the person's allows it there.
    """
    place = find_node(session, node)
    require_at(session, actor, Action.SETTING_READ, place.id)
    return [
        {
            "code": definition.code,
            "value": shown_value(definition, values.value(session, definition, place.id, None, on)),
            "type": definition.type.value,
            "legal": definition.is_legal,
            "meaning": definition.meaning,
            "source": definition.source,
        }
        for definition in SETTINGS.values()
    ]


def rows_of(session: Session, actor: Actor, code: str) -> list[dict[str, Any]]:
    """Return the rows of a setting, the oldest date first; raises Invalid, NotPermitted.

    Those at the person's nodes, below and above them.
    """
    definition = setting(code)
    require_anywhere(actor, Action.SETTING_READ)
    rows = session.execute(
        select(Setting, Organisation.code)
        .join(Organisation, Organisation.id == Setting.node_id)
        .where(Setting.code == code, is_around(actor, Action.SETTING_READ))
        .order_by(Setting.from_on, Setting.id)
    )
    return [
        {
            "code": code,
            "node": node,
            "class": row.customer_class,
            "from_on": row.from_on.isoformat(),
            "value": shown_value(definition, int(row.value["value"])),
        }
        for row, node in rows
    ]


def _row_in_force(
    work: UnitOfWork, definition: SettingDefinition, place: Organisation
) -> Setting | None:
    """Return the row of the setting that was written last at the node, or anywhere."""
    rows = select(Setting).where(Setting.code == definition.code)
    here = rows.where(Setting.node_id == place.id).order_by(Setting.id.desc()).limit(1)
    anywhere = rows.order_by(Setting.id.desc()).limit(1)
    return work.session.scalars(here).first() or work.session.scalars(anywhere).first()


def _write(work: UnitOfWork, wanted: Mapping[str, Any], action: Action) -> None:
    place = find_node(work.session, wanted["node"])
    row = work.add(
        Setting(
            code=wanted["code"],
            node_id=place.id,
            customer_class=wanted["class"],
            from_on=date.fromisoformat(wanted["from_on"]),
            value={"value": wanted["value"]},
            staff_id=work.actor.staff_id,
            set_at=work.now,
        )
    )
    shown = {name: wanted[name] for name in ("code", "node", "class", "from_on", "value")}
    work.audit(action, row, None, shown)


def _shown(definition: SettingDefinition, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": definition.code,
        "node": wanted["node"],
        "class": wanted["class"],
        "from_on": wanted["from_on"],
        "value": shown_value(definition, wanted["value"]),
    }
