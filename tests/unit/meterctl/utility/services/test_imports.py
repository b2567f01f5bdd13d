"""An import adds a whole file or nothing, each mistake with its line."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from meterctl.utility.errors import Invalid, NotPermitted
from meterctl.utility.model.base import Base
from meterctl.utility.model.metering import Installation, Meter, Port
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.rules.csv_rows import parse_rows
from meterctl.utility.rules.rights import Role
from meterctl.utility.services.archive.imports import ImportKind, columns_of, import_rows
from meterctl.utility.store.unit_of_work import Actor
from tests.support.desk_founded import ON_SQLITE, FoundedDesk

ORG = "code,kind,parent,name\nB1,branch,company,B\n0202,station,B1,Two\nD2,district,0202,D\n"
POINTS = (
    "node,address,class,capacity,route,read_day\n"
    "D2,1 Second street,resident,8kW,R2,\nD1,1 First street,other,12kW,R1,5\n"
    "D2,2 Second street,important,20kW,R2,\n"
)
CUSTOMERS = "number,name,phones,protected\nX1,A,13800138000; 010 1234567,yes\n,B,,\n"
PORTS = "name,node,url,protocol\nP1,0101,tcp://10.0.0.1:502,\nR1,0101,/c.img,card\n"


def _import(desk: FoundedDesk, actor: Actor, kind: ImportKind, text: str) -> dict[str, Any]:
    rows = parse_rows(text, columns_of(kind))
    return desk.do(actor, lambda work: import_rows(work, kind, rows))


def _count(desk: FoundedDesk, table: type[Base]) -> int:
    with desk.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_whole_archive_comes_from_files(desk: FoundedDesk) -> None:
    clerk = desk.person("c1", Role.CLERK, "company")
    assert _import(desk, desk.admin, ImportKind.ORG, ORG)["rows"] == 3
    assert _import(desk, desk.admin, ImportKind.PORT, PORTS)["rows"] == 2
    _import(desk, clerk, ImportKind.CUSTOMER, CUSTOMERS)
    _import(desk, clerk, ImportKind.POINT, POINTS)
    with desk.database.reading() as session:
        numbers = list(session.scalars(select(SupplyPoint.number).order_by(SupplyPoint.number)))
        customers = list(session.scalars(select(Party.number).order_by(Party.id)))
    assert [number[:11] for number in numbers] == ["01010000001", "02020000001", "02020000002"]
    assert customers == ["X1", "C0000002"]
    meters = f"serial,port,unit,point\n000000000001,P1,1,{numbers[0]}\n000000000002,P1,2,\n"
    _import(desk, clerk, ImportKind.METER, meters)
    counts = [_count(desk, table) for table in (Organisation, Port, Meter, Installation)]
    assert counts == [6, 2, 2, 1]


def test_each_mistake_has_its_line_and_nothing_is_added(desk: FoundedDesk) -> None:
    clerk = desk.person("c1", Role.CLERK, "company")
    text = (
        "node,address,class,capacity,number\nD1,a,resident,8kW,\nD9,b,resident,8kW,\n"
        "company,c,resident,8kW,\nD1,d,resident,8,\nD1,e,resident,8kW,010100000019\n"
    )
    with pytest.raises(Invalid) as refused:
        _import(desk, clerk, ImportKind.POINT, text)
    told = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "line 3", "line 4", "line 5", "line 6", "nothing was changed",
    ]  # fmt: skip
    assert _count(desk, SupplyPoint) == 0


def test_a_name_twice_in_a_file_is_a_mistake_of_its_second_line(desk: FoundedDesk) -> None:
    text = "code,kind,parent,name\nB1,branch,company,x\nB1,branch,company,y\nB2,branch,B1,z\n"
    with pytest.raises(Invalid) as refused:
        _import(desk, desk.admin, ImportKind.ORG, text)
    assert [line.partition(";")[0] for line in str(refused.value).splitlines()] == [
        "line 3: node B1: there is one already",
        "line 4: a branch lies in a company, and B1 is a branch",
        "nothing was changed",
    ]
    assert _count(desk, Organisation) == 3


@ON_SQLITE
def test_who_may_not_add_one_may_not_import(desk: FoundedDesk) -> None:
    with pytest.raises(NotPermitted):
        _import(desk, desk.admin, ImportKind.CUSTOMER, CUSTOMERS)
    assert _count(desk, Party) == 0
