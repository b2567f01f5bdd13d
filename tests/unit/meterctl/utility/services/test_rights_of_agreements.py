"""Who may do what about agreements, readings and taking over: exactly what the table allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy.orm import Session

from meterctl.utility.errors import DeskError, NotPermitted
from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.rules.papers import DocumentKind, Paper
from meterctl.utility.rules.rights import ALLOWED, Action, Role
from meterctl.utility.rules.takeover_file import parse_takeover
from meterctl.utility.services import (
    agreements,
    comparison,
    documents,
    epoch_ends,
    explanations,
    readings,
    takeover,
)
from meterctl.utility.services.printed_agreement.printing import print_agreement
from meterctl.utility.store.unit_of_work import Actor, Grant, UnitOfWork
from tests.support.desk_agreements import Office, terms, unchanged_office
from tests.support.desk_databases import DeskDatabases
from tests.support.desk_world import NOON

SERIAL, NUMBER = "000000000001", "A1"
ROW = "meter,port,node,address,class,capacity,name\n000000000042,port-1,0011,X,resident,8kW,Li\n"
NOTE = Paper("note.txt", b"a note")
DOES: dict[Callable[..., Any], Action] = {
    partial(
        agreements.draft,
        customer="1", point="000100000001", mode=AgreementMode.METER, terms=terms(),
    ): Action.AGREEMENT_DRAFT,
    partial(agreements.withdraw, agreement=NUMBER): Action.AGREEMENT_DRAFT,
    partial(agreements.sign, agreement=NUMBER, name="A"): Action.AGREEMENT_SIGN,
    partial(print_agreement, agreement=NUMBER): Action.AGREEMENT_PRINT,
    partial(documents.add, of=NUMBER, kind=DocumentKind.OTHER, paper=NOTE): Action.DOCUMENT_ADD,
    partial(comparison.write_terms, agreement=NUMBER): Action.AGREEMENT_PROVISION,
    partial(agreements.provision, agreement=NUMBER): Action.AGREEMENT_PROVISION,
    partial(agreements.compare, agreement=NUMBER): Action.AGREEMENT_COMPARE,
    partial(
        takeover.propose_file, rows=parse_takeover(ROW), sha256="", terms={}
    ): Action.TAKEOVER_PROPOSE,
    partial(readings.take, of=SERIAL): Action.READING_TAKE,
    partial(explanations.explain, meter=SERIAL, reason="x"): Action.CREDIT_EXPLAIN,
    partial(
        epoch_ends.end_epoch, meter=SERIAL, estimate=0, reason="x"
    ): Action.EPOCH_END,
}  # fmt: skip
"""A service's function -> the action that it needs."""


@pytest.fixture(scope="module")
def unchanged(
    desk_databases: DeskDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """An office that no test changes."""
    with unchanged_office(desk_databases, tmp_path_factory.mktemp("rights")) as office:
        yield office


@pytest.mark.parametrize("role", Role)
def test_a_role_does_what_the_table_allows_and_nothing_else(unchanged: Office, role: Role) -> None:
    desk = unchanged.desk
    for does, action in DOES.items():
        with Session(desk.engine, expire_on_commit=False, autoflush=False) as session:
            session.begin()
            path = session.get_one(Organisation, unchanged.world.station).path
            actor = Actor(unchanged.clerk.staff_id, "x", (Grant(role, path),))
            try:
                does(UnitOfWork(desk, session, actor, NOON, "k"))
                permitted = True
            except NotPermitted:
                permitted = False
            except DeskError:
                permitted = True
            session.rollback()
        assert permitted is (role in ALLOWED[action]), (does, action)


def test_nothing_is_done_at_the_nodes_above_or_beside(unchanged: Office) -> None:
    for does in DOES:
        with Session(unchanged.desk.engine, autoflush=False) as session:
            session.begin()
            grants = tuple(Grant(role, "/1/999/") for role in Role)
            actor = Actor(unchanged.clerk.staff_id, "x", grants)
            with pytest.raises(DeskError) as raised:
                does(UnitOfWork(unchanged.desk, session, actor, NOON, "k"))
            session.rollback()
        text = str(raised.value)
        assert isinstance(raised.value, NotPermitted) or "may not do" in text
