"""The tree of the organisation."""

from __future__ import annotations

from functools import partial

import pytest

from meterctl.utility.errors import Conflict, Invalid, NotFound, NotPermitted, Refused, Stale
from meterctl.utility.model.organisation import OrganisationKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import organisation
from meterctl.utility.store.queries.organisation import (
    company,
    find_node,
    nodes_below,
    numbers_of_path,
    station_of,
)
from tests.support.desk_founded import ON_SQLITE, FoundedDesk

BRANCH, STATION, DISTRICT = (
    OrganisationKind.BRANCH, OrganisationKind.STATION, OrganisationKind.DISTRICT,
)  # fmt: skip


def test_nodes_lie_in_nodes_of_the_kinds_above(desk: FoundedDesk) -> None:
    add = organisation.add
    desk.do(desk.admin, partial(add, parent="company", kind=BRANCH, code="B", name="B"))
    desk.do(desk.admin, partial(add, parent="B", kind=STATION, code="0201", name="S"))
    desk.do(desk.admin, partial(add, parent="0201", kind=DISTRICT, code="D2", name="D"))
    with desk.database.reading() as session:
        district, root = find_node(session, "D2"), company(session)
        branch, station = find_node(session, "B"), station_of(session, district)
        assert station is not None
        assert numbers_of_path(district.path) == [root.id, branch.id, station.id, district.id]
        assert [node.code for node in nodes_below(session, branch)] == ["B", "0201", "D2"]
        assert station_of(session, branch) is None
    for parent, kind in (("B", DISTRICT), ("0201", STATION), ("D2", BRANCH), ("B", BRANCH)):
        with pytest.raises(Refused) as refused:
            desk.do(desk.admin, partial(add, parent=parent, kind=kind, code="9999", name="x"))
        assert refused.value.code == "wrong_parent"
    with pytest.raises(Refused):
        desk.do(
            desk.admin,
            partial(add, parent="B", kind=OrganisationKind.COMPANY, code="C", name="x"),
        )


@ON_SQLITE
@pytest.mark.parametrize(("kind", "code"), [(STATION, "12"), (STATION, "ABCD"), (BRANCH, "a/b")])
def test_a_code_that_is_none_is_refused(
    desk: FoundedDesk, kind: OrganisationKind, code: str
) -> None:
    with pytest.raises(Invalid):
        desk.do(
            desk.admin,
            partial(organisation.add, parent="company", kind=kind, code=code, name="x"),
        )


def test_a_code_is_used_once_and_an_unknown_parent_is_named(desk: FoundedDesk) -> None:
    add = partial(organisation.add, kind=STATION, name="x")
    with pytest.raises(Conflict, match="node 0101: there is one already; nothing was changed"):
        desk.do(desk.admin, partial(add, parent="company", code="0101"))
    with pytest.raises(NotFound, match="there is no node 'X'"):
        desk.do(desk.admin, partial(add, parent="X", code="0102"))


@ON_SQLITE
def test_an_edit_names_the_version_that_was_seen(desk: FoundedDesk) -> None:
    rename = partial(organisation.rename, code="0101")
    assert desk.do(desk.admin, partial(rename, name="New", version=1))["version"] == 2
    with pytest.raises(Stale):
        desk.do(desk.admin, partial(rename, name="Other", version=1))
    with pytest.raises(NotPermitted):
        desk.do(desk.person("c1", Role.CLERK, "0101"), partial(rename, name="x"))
