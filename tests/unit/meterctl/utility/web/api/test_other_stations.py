"""What a person of another station is answered: nothing of the first one, and the right is asked
before a state is told."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from meterctl.utility.rules.rights import Role
from meterctl.utility.store.engine import Database
from meterctl.utility.web.api.operations import Look
from meterctl.utility.web.api.tables import OPERATIONS
from tests.support.desk_api import Script, problem_of, script_of
from tests.support.desk_counter import Counter
from tests.support.desk_pages import Pages, pages_of
from tests.support.desk_stations import (
    AGREEMENT,
    DELIVERED,
    FIRST,
    METER,
    ORDER,
    PAYMENT,
    POINT,
    PORT,
    PROPOSAL,
    SHA256,
    SHIFT,
    SLIP,
    STORED_METER,
    TAKEN,
    WITHOUT_METER,
    add_stations,
)
from tests.support.desk_world import NOON, TODAY, World

NAMED: Mapping[str, str] = {
    "agreement": AGREEMENT, "sha256": SHA256, "bank": "shipped", "file": "1", "order": ORDER,
    "task": SLIP, "shift": SHIFT, "sale": TAKEN, "payment": PAYMENT, "receipt": PAYMENT,
    "on": f"{TODAY}", "figure": "sold_today", "code": "0011", "of": METER, "number": FIRST,
    "name": PORT, "serial": METER,
}  # fmt: skip
"""Name in an address -> a row of the first station."""
OTHERWISE: Mapping[str, str] = {
    "/settings/{code}": "/settings/cash_limit",
    "/points/{number}": f"/points/{POINT}",
}
FURTHER = (
    f"/documents?for={AGREEMENT}",
    f"/meters/{STORED_METER}",
    f"/readings/{STORED_METER}",
    f"/readings/{AGREEMENT}",
    f"/readings/{WITHOUT_METER}",
    f"/orders?all=true&meter={STORED_METER}",
    f"/sales?agreement={AGREEMENT}",
    f"/sales?shift={SHIFT}",
    f"/tasks/{PROPOSAL}",
    f"/sales/taken-{FIRST}",
    "/shifts?all=true",
    "/findings?all=true",
    *(f"/{each}?node=0011" for each in (
        "agreements", "points", "meters", "shifts", "sales", "tasks", "findings", "settings",
        "organisations", "today", "today/sold_today",
    )),
)  # fmt: skip
OF_FIRST = (FIRST, "700770.07", STORED_METER, WITHOUT_METER, '"0011"', "node 0011")
"""Texts that only rows of the first station have."""
ACTS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (f"/sales/{TAKEN}/sell-again", {}),
    (f"/sales/{TAKEN}/payout", {"channel": "transfer"}),
    (f"/sales/{TAKEN}/move", {"to": WITHOUT_METER}),
    (f"/sales/{TAKEN}/settle", {"as": "dead"}),
    (f"/sales/{DELIVERED}/sell-again", {}),
    (f"/sales/{DELIVERED}/cancel", {}),
    (f"/sales/{DELIVERED}/move", {"to": AGREEMENT}),
    (f"/payments/{PAYMENT}/move", {"to": AGREEMENT}),
    (f"/payments/{PAYMENT}/bounce", {}),
    ("/refunds", {"agreement": AGREEMENT, "amount": "1.00"}),
    (f"/receipts/{PAYMENT}/print", {}),
    (f"/shifts/{SHIFT}/count", {"counted": "1.00"}),
    (f"/shifts/{SHIFT}/recount", {}),
    (f"/shifts/{SHIFT}/close", {}),
    *((f"/tasks/{task}/{act}", body) for task in (SLIP, PROPOSAL) for act, body in (
        ("take", {}), ("put-back", {}), ("approve", {}), ("refuse", {"reason": "x"}),
        ("done", {"outcome": "x"}),
    )),
    (f"/takeovers/{SHA256}/approve", {}),
    (f"/takeovers/{SHA256}/again", {}),
    (f"/agreements/{AGREEMENT}/sign", {"name": "x"}),
    *((f"/agreements/{AGREEMENT}/{act}", {}) for act in (
        "withdraw", "provision", "compare", "write-terms", "print",
    )),
    (f"/agreements/{WITHOUT_METER}/compare", {}),
    ("/mandates", {"agreement": AGREEMENT, "bank": "shipped", "reference": "x"}),
    (f"/mandates/{AGREEMENT}/end", {}),
    (f"/mandates/{WITHOUT_METER}/end", {}),
    ("/readings", {"of": STORED_METER}),
    ("/readings", {"of": WITHOUT_METER}),
    ("/readings/explain", {"of": WITHOUT_METER, "reason": "x"}),
    ("/readings/end-epoch", {"of": WITHOUT_METER, "estimate": "0.00", "reason": "x"}),
    ("/readings/set-back", {"of": METER, "estimate": "0.00", "reason": "x"}),
    (f"/meters/{METER}/remove", {"reason": "x"}),
    (f"/meters/{STORED_METER}/remove", {"reason": "x"}),
)  # fmt: skip
"""Acts about rows of the first station; most of them are not possible in the state of these."""


@pytest.fixture
def stations(desk_with_world: tuple[Path, World], tmp_path: Path) -> Iterator[Pages]:
    """The pages of a desk with two stations."""
    template, world = desk_with_world
    shutil.copyfile(template, tmp_path / "desk.sqlite")
    database = Database.open(f"sqlite:///{tmp_path / 'desk.sqlite'}", lambda: NOON)
    counter = Counter(database, world)
    add_stations(counter)
    with pages_of(counter) as pages:
        yield pages
    database.close()


def _addresses() -> list[str]:
    looks = [each for table in OPERATIONS.values() for each in table if isinstance(each, Look)]
    plain = [OTHERWISE.get(each.path, each.path.format_map(NAMED)) for each in looks]
    return [*plain, *FURTHER]


def _told_of_first(script: Script, address: str) -> list[str]:
    """Return what an answer tells of the first station, beside what was asked for."""
    answer = script.get(address)
    assert answer.status_code in (200, 403, 404, 422), (address, answer.text)
    text = answer.text
    if answer.status_code != 200:
        for each in filter(None, re.split("[/?=&-]", address)):
            text = text.replace(each, "")
    return [each for each in OF_FIRST if each in text]


@pytest.mark.parametrize("person", [Role.VENDOR.value, Role.CLERK.value, "all"])
def test_a_reading_tells_nothing_of_another_station(stations: Pages, person: str) -> None:
    script = script_of(stations, person)
    told = {address: _told_of_first(script, address) for address in _addresses()}
    assert {address: each for address, each in told.items() if each} == {}


def test_the_company_reads_what_a_station_is_not_told(stations: Pages) -> None:
    stations.let_in("all", Role.AUDITOR)
    script = script_of(stations, "all")
    for address in (
        f"/meters/{METER}", f"/meters/{STORED_METER}", f"/ports/{PORT}", f"/orders/{ORDER}",
        f"/readings/{METER}", "/meters", "/ports", "/orders", "/workers", "/staff", "/duties",
        f"/receipts/{PAYMENT}", f"/sales/{TAKEN}",
    ):  # fmt: skip
        assert FIRST in script.get(address).text, address


def test_a_right_is_asked_before_a_state_is_told(stations: Pages) -> None:
    script = script_of(stations, "all")
    found = {
        (path, str(body)): problem_of(script.post(path, dict(body), key=f"act-{n}"))
        for n, (path, body) in enumerate(ACTS)
    }
    assert {asked: each for asked, each in found.items() if each[0] != 403} == {}
