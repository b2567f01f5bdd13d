"""Today (今日): what each station sold, holds, does not know and owes, and the rows behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.organisation import Organisation, OrganisationKind
from meterctl.utility.model.party import SupplyPoint
from meterctl.utility.rules import law
from meterctl.utility.rules.calendar import local_date, midnight
from meterctl.utility.rules.rights import Action
from meterctl.utility.store import settings
from meterctl.utility.store.queries.organisation import codes_of_paths, company, find_node
from meterctl.utility.store.queries.today import (
    FigureTotal,
    Moment,
    TodayFigure,
    last_check,
    rows_of_figure,
    totals,
)
from meterctl.utility.store.rights import is_within, paths, require_anywhere
from meterctl.utility.store.unit_of_work import Actor
from protocols.quantities import DAY

_ABOVE_STATIONS = (OrganisationKind.COMPANY, OrganisationKind.BRANCH)
_PREFIXES = {"sale": "S", "task": "T"}
"""Table -> what stands before its rows' numbers for people."""


def today(
    session: Session, actor: Actor, now: int, zone: ZoneInfo, node: str | None = None
) -> dict[str, Any]:
    """Return the figures of each station within the person's rights, their totals and the check.

    What lies at the company or a branch itself has a row of its own there. A person of a district
    sees the district's part.

    Args:
        now: ms since 1970 UTC; `zone` makes its date.
        node: code of a node: what lies there and below; None: wherever the person may see it.

    Returns:
        `on`, `as_of`, `node`, `rows` (`node`, `name`, `kind`, `figures`), `totals`, `check`. A
        figure has `count`, `amount` (0.01; None where it is no money), `oldest_at` (ms),
        `oldest_on` and `age_days`; `check` has `at`, `took_ms`, `rows`, `broken`, None before the
        first `desk check`.

    Raises:
        NotPermitted: no role of the person's sees sheets there.
        NotFound: there is no such node.
    """
    moment = _moment(session, actor, now, zone, node)
    nodes = session.scalars(
        select(Organisation).where(moment.within).order_by(Organisation.path)
    ).all()
    row_of = _rows_of_nodes(nodes)
    found: dict[int, dict[TodayFigure, list[FigureTotal]]] = {}
    for figure, by_node in totals(session, moment).items():
        for number, total in by_node.items():
            found.setdefault(row_of[number], {}).setdefault(figure, []).append(total)
    shown = [
        each
        for each in nodes
        if row_of[each.id] == each.id
        and (each.kind not in _ABOVE_STATIONS or each.id in found or _has_points(session, each))
    ]
    of_all = [found.get(each.id, {}) for each in shown]
    return {
        "on": moment.today.isoformat(),
        "as_of": now,
        "node": node,
        "rows": [
            {
                "node": each.code,
                "name": each.name,
                "kind": each.kind.value,
                "figures": _figures([found.get(each.id, {})], now, moment.today),
            }
            for each in shown
        ],
        "totals": _figures(of_all, now, moment.today),
        "check": _check(session),
    }


def rows(
    session: Session,
    actor: Actor,
    now: int,
    zone: ZoneInfo,
    figure: TodayFigure,
    node: str | None = None,
    *,
    own: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> list[dict[str, Any]]:
    """Return the rows behind a figure of `today`, the oldest first.

    All of them are as many as its `count`, and their amounts add up to its `amount`.

    Args:
        node: as of `today`, for the rows of a total.
        own: only those of the node's own row of `today`: of the company or a branch what lies at
            no station below it.
        limit: how many at most, after the first `offset` ones; None: all.

    Returns:
        `subject` (a table) and `subject_id`, `number` for people, `node`, `agreement`, `meter`,
        `amount`, `since_at`, `since_on`, `what`.

    Raises:
        NotPermitted, NotFound: as `today`.
    """
    moment = _moment(session, actor, now, zone, node, own=own)
    return [
        {
            "subject": row.subject,
            "subject_id": row.subject_id,
            "number": _number(row),
            "node": row.node,
            "agreement": row.agreement,
            "meter": row.meter,
            "amount": None if row.amount is None else int(row.amount),
            "since_at": row.since_at,
            "since_on": None if row.since_on is None else row.since_on.isoformat(),
            "what": str(row.what),
        }
        for row in rows_of_figure(session, figure, moment, limit, offset)
    ]


def _moment(
    session: Session, actor: Actor, now: int, zone: ZoneInfo, node: str | None, *, own: bool = False
) -> Moment:
    on = local_date(now, zone)
    yesterday = on - timedelta(days=1)
    within = _within(session, actor, None if node is None else find_node(session, node), own=own)
    at = company(session).id
    old = settings.value(session, law.CARD_OLD, at, None, on)
    suspense_old = settings.value(session, law.SUSPENSE_OLD, at, None, on)
    return Moment(
        within=within,
        today=on,
        yesterday=yesterday,
        yesterday_at=midnight(yesterday, zone),
        cards_before=now - old * DAY,
        suspense_before=on - timedelta(days=suspense_old),
    )


def _within(
    session: Session, actor: Actor, node: Organisation | None, *, own: bool
) -> ColumnElement[bool]:
    """Return the condition of the nodes that are meant and seen; raises NotPermitted."""
    require_anywhere(actor, Action.SHEET_READ)
    seen = is_within(actor, Action.SHEET_READ)
    if node is None:
        return seen
    if not actor.may(Action.SHEET_READ, node.path):
        named = ", ".join(codes_of_paths(session, paths(actor, Action.SHEET_READ)))
        raise NotPermitted(
            "not_allowed",
            f"{actor.number} may not see the figures of node {node.code} ({node.name}), but "
            f"those of {named} and below; nothing was changed",
        )
    if own and node.kind in _ABOVE_STATIONS:
        return Organisation.id == node.id
    return and_(seen, Organisation.path.startswith(node.path, autoescape=True))


def _rows_of_nodes(nodes: Sequence[Organisation]) -> dict[int, int]:
    """Return which node has the row of each node.

    It is the highest of those nodes above it, or it itself, that is a station or lies below one.

    Args:
        nodes: by their paths, so that each comes after the one in which it lies.
    """
    row_of: dict[int, int] = {}
    kinds = {node.id: node.kind for node in nodes}
    for node in nodes:
        above = node.parent_id
        is_own = above is None or kinds.get(above, OrganisationKind.COMPANY) in _ABOVE_STATIONS
        row_of[node.id] = node.id if is_own or above is None else row_of[above]
    return row_of


def _has_points(session: Session, node: Organisation) -> bool:
    found = select(SupplyPoint.id).where(SupplyPoint.node_id == node.id).limit(1)
    return session.scalars(found).first() is not None


def _figures(
    parts: Iterable[Mapping[TodayFigure, Sequence[FigureTotal]]], now: int, on: date
) -> dict[str, dict[str, Any]]:
    """Return the sums of figures."""
    parts = list(parts)
    return {
        figure.value: _figure(figure, [each for part in parts for each in part.get(figure, ())],
                              now, on)
        for figure in TodayFigure
    }  # fmt: skip


def _figure(
    figure: TodayFigure, totals_: Sequence[FigureTotal], now: int, on: date
) -> dict[str, Any]:
    oldest_at = min(
        (each.oldest_at for each in totals_ if each.oldest_at is not None), default=None
    )
    oldest_on = min(
        (each.oldest_on for each in totals_ if each.oldest_on is not None), default=None
    )
    age = None
    if oldest_on is not None:
        age = (on - oldest_on).days
    elif oldest_at is not None:
        age = max(0, now - oldest_at) // DAY
    return {
        "count": sum(each.count for each in totals_),
        "amount": sum(each.amount for each in totals_) if figure.is_money else None,
        "oldest_at": oldest_at,
        "oldest_on": None if oldest_on is None else oldest_on.isoformat(),
        "age_days": age,
    }


def _check(session: Session) -> dict[str, Any] | None:
    """Return the last run of the check and the invariants that it found broken."""
    run = last_check(session)
    if run is None:
        return None
    return {
        "at": run.at,
        "took_ms": run.took_ms,
        "rows": run.rows,
        "broken": list(run.broken),
    }


def _number(row: Any) -> str:
    """Return the number of a row for people; empty where it has none."""
    prefix = _PREFIXES.get(row.subject)
    return str(row.number) if prefix is None else f"{prefix}{row.subject_id}"
