"""Clients of other projects read the values that `meter-sim control … state` tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.third_party import questions
from tests.third_party.clients import (
    GENERAL,
    MBPOLL,
    PYMODBUS,
    PYSUNSPEC2,
    RTU,
    SDM_MODBUS,
    TCP,
    THIN,
    TYPES,
    WHOLE,
    Client,
)
from tests.third_party.maps import MAPS
from tests.third_party.meters import Flow, Meters
from tests.third_party.questions import Question


class Row(NamedTuple):
    """A client reads meters with a map on a wire."""

    client: Client
    map: str
    asked: tuple[Question, ...]
    wire: str

    @property
    def name(self) -> str:
        """The name of the row in a report."""
        return f"{self.client.name}-{self.map}-{self.wire}"


OF_ANY_CLIENT = {
    "native": questions.NATIVE,
    "sdm630": questions.SDM630,
    "sdm120": questions.SDM120,
    "ddsu666": questions.DDSU666,
    "dtsu666": questions.DTSU666,
    "acrel-prepaid": questions.ACREL,
}
OF_A_CLIENT = (
    (PYSUNSPEC2, "sunspec-203", questions.SUNSPEC_203),
    (PYSUNSPEC2, "sunspec-201", questions.SUNSPEC_201),
    (SDM_MODBUS, "sdm630", questions.SDM630_BY_NAME),
    (SDM_MODBUS, "sdm120", questions.SDM120_BY_NAME),
)
IN_A_SHORT_RUN = {"native": (MBPOLL,), "sdm630": THIN, "sunspec-203": (PYSUNSPEC2,)}
"""What `make test` reads: each kind of client once."""


def rows() -> Iterator[Row]:
    """Yield the rows of `make strangers`, or a part of them."""
    for map_name, asked in OF_ANY_CLIENT.items():
        for client in GENERAL if WHOLE else IN_A_SHORT_RUN.get(map_name, ()):
            for wire in client.wires:
                yield Row(client, map_name, asked, wire)
    for client, map_name, asked in OF_A_CLIENT:
        for wire in client.wires:
            if WHOLE or client in IN_A_SHORT_RUN.get(map_name, ()):
                yield Row(client, map_name, asked, wire)


def flows(map_name: str, wire: str) -> tuple[Flow, ...]:
    """Return the meters with a map that a test reads: one, or in `make strangers` all."""
    return MAPS[map_name] if WHOLE else (MAPS[map_name][wire == RTU],)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in rows()])
def test_a_client_reads_the_values_of_the_state(row: Row, meters: Meters) -> None:
    wrong = [line for flow in flows(row.map, row.wire) for line in differences(row, flow, meters)]
    assert not wrong, "\n".join(wrong)
    meters.assert_well()


def differences(row: Row, flow: Flow, meters: Meters) -> list[str]:
    """Let a client read a meter; return what differs from its state."""
    unit = meters.unit(row.map, flow)
    asked = [one for one in row.asked if one.asked[-1] not in set(TYPES) - set(row.client.types)]
    target = meters.target(row.wire)
    read = row.client.read(row.wire, target, unit, [question.asked for question in asked])
    state = meters.state(unit)
    return [
        f"{flow.name}: {question.asked} is {value}, {question.item} is {state[question.item]}"
        for question, value in zip(asked, read, strict=True)
        if not question.agrees(value, state)
    ]


@pytest.mark.parametrize(("map_name", "size"), [("sdm630", 80), ("sdm120", 72)])
@pytest.mark.parametrize("wire", [TCP, RTU])
def test_a_block_with_gaps_is_read_at_once(
    map_name: str, size: int, wire: str, meters: Meters
) -> None:
    """OpenEMS asks for input registers 0 to 79 of an SDM630 and 0 to 71 of an SDM120."""
    by_address = {one.asked[1]: one for one in OF_ANY_CLIENT[map_name]}
    for flow in flows(map_name, wire):
        unit = meters.unit(map_name, flow)
        block = [("input", 0, f"f32*{size // 2}")]
        (values,) = PYMODBUS.read(wire, meters.target(wire), unit, block)
        assert len(values) == size // 2
        for address, value in zip(range(0, size, 2), values, strict=True):
            question = by_address.get(address)
            assert value == 0 if question is None else question.agrees(value, meters.state(unit)), (
                f"{flow.name}: {address} is {value}"
            )


@pytest.mark.parametrize("map_name", ["sunspec-203", "sunspec-201"])
def test_a_scan_finds_the_models(map_name: str, meters: Meters) -> None:
    for wire in PYSUNSPEC2.wires if WHOLE else (TCP,):
        unit = meters.unit(map_name, MAPS[map_name][0])
        (models,) = PYSUNSPEC2.read(wire, meters.target(wire), unit, [("models",)])
        assert models == [1, int(map_name.removeprefix("sunspec-"))]
