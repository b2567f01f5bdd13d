"""The company with its people, and its customers with their meters and agreements."""

from __future__ import annotations

import json
from random import Random

from benchmarks.desk_population.bulk import Bulk
from benchmarks.desk_population.plan import (
    DAYS,
    DISTRICTS,
    EPOCH,
    SALES,
    STATIONS,
    VENDORS,
    Plan,
    agreement_of,
    code_of,
    station_of,
)
from meterctl.utility.rules.numbering import customer_number
from meterctl.utility.store.authentication import hash_of
from protocols.quantities import DAY
from tests.support.desk_world import NOON

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建文辉"
_STREETS = ("幸福路", "人民路", "解放街", "建设路", "和平里", "光明巷", "中山路", "新华街")
_AT_COMPANY = ("accountant", "auditor", "company_manager")
_TERMS = {
    "low_credit_threshold_1": 20_00,
    "low_credit_threshold_2": 5_00,
    "way_of_buying": "wire",
    "max_credit": 10_000_00,
}
_SEED = 17


def write_organisation(bulk: Bulk, plan: Plan) -> dict[str, str]:
    """Write stations, districts and people; return the people's tokens by their numbers."""
    nodes, people = [], []
    for station in range(STATIONS):
        node = plan.station_node(station)
        path = f"/{plan.company}/{node}/"
        name = f"第{station + 1}供电所"
        nodes.append((node, plan.company, "station", code_of(station), name, path, 1))
        for n in range(1, DISTRICTS + 1):
            below = node + n
            inner = f"{path}{below}/"
            nodes.append((below, node, "district", f"D{below}", f"{n}号台区", inner, 1))
        people += [(f"v{station}-{vendor}", node, "vendor") for vendor in range(VENDORS)]
    people += [(role, plan.company, role) for role in _AT_COMPANY]
    bulk.fill("organisation", "id parent_id kind code name path version", nodes)
    staff, grants = [], []
    for n, (number, node, role) in enumerate(people, plan.first_staff):
        staff.append((n, number, f"person {number}", "active", hash_of(number), 1))
        grants.append((1_000 + n, n, role, node, "2026-01-01", "active"))
    bulk.fill("staff", "id number name state token_hash version", staff)
    bulk.fill("staff_grant", "id staff_id role node_id from_on state", grants)
    return {number: number for number, _, _ in people}


def write_customers(bulk: Bulk, plan: Plan) -> tuple[list[str], list[str]]:
    """Write customers, points, meters and agreements; return the customers' names and phones."""
    parties, points, meters, installed, agreements, versions = [], [], [], [], [], []
    random, terms = Random(_SEED), json.dumps(_TERMS)
    names, phones = [], []
    for n in range(1, plan.customers + 1):
        node, code = plan.district_node(n), code_of(station_of(n))
        names.append(random.choice(_SURNAMES) + "".join(random.choices(_GIVEN, k=2)))
        phones.append(f"13{random.randrange(10**9):09}")
        number = customer_number(code, n // STATIONS + 1)
        address = f"{random.choice(_STREETS)}{n // 40 + 1}号{n % 40 + 1}室"
        serial = f"{31_000_000_0000 + n * 7:012}"
        parties.append((n, f"C{n:07}", names[-1], None, json.dumps(phones[-1:]), False, 1))
        points.append((n, number, node, address, "resident", 8_000_000, "表后", f"R{node}", 1, 1))
        meters.append((n, serial, 1, EPOCH, 1 + SALES, 0, 0, 0, 0, 0, NOON, 1))
        installed.append((n, n, n, NOON - (DAYS + 5) * DAY))
        agreements.append((n, agreement_of(n), n, n, "meter", "active", 1))
        versions.append((n, n, 1, "active", "2026-07-01", terms, ""))
    bulk.fill("party", "id number name id_number phones protected version", parties)
    bulk.fill(
        "supply_point",
        "id number node_id address customer_class capacity_mw boundary route read_day version",
        points,
    )
    bulk.fill(
        "meter",
        "id serial unit epoch proved_sequence proved_cumulative proved_energy_mwh proved_elapsed "
        "explained_before to_debt_exact proved_at version",
        meters,
    )
    bulk.fill("installation", "id meter_id point_id from_at", installed)
    bulk.fill("agreement", "id number party_id point_id mode state version", agreements)
    bulk.fill("agreement_version", "id agreement_id n state effective_on terms cause", versions)
    return names, phones
