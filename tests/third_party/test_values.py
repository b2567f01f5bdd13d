"""Clients of other projects read the values that `meter-sim control … state` tells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.third_party.clients import GENERAL, THIN, WHOLE, Client
from tests.third_party.maps import MAPS
from tests.third_party.meters import Flow, Meters
from tests.third_party.questions import NATIVE, Question

Row = tuple[Client, str, tuple[Question, ...], str]
"""A client, the map of the meter, what is asked, the wire."""


def rows() -> Iterator[Row]:
    """Yield the rows: a part of them outside `make strangers`."""
    for client in GENERAL if WHOLE else THIN:
        for wire in client.wires:
            yield client, "native", NATIVE, wire


def name(row: Row) -> str:
    """Return the name of a row in a report."""
    return f"{row[0].name}-{row[1]}-{row[3]}"


@pytest.mark.parametrize("row", list(rows()), ids=name)
def test_a_client_reads_the_values_of_the_state(row: Row, meters: Meters) -> None:
    client, map_name, questions, wire = row
    for flow in MAPS[map_name] if WHOLE else MAPS[map_name][:1]:
        read_and_compare(meters, client, map_name, flow, questions, wire)


def read_and_compare(
    meters: Meters,
    client: Client,
    map_name: str,
    flow: Flow,
    questions: tuple[Question, ...],
    wire: str,
) -> None:
    """Let a client read a meter and compare every value with its state."""
    unit = meters.unit(map_name, flow)
    asked = [question for question in questions if question.asked[-1] in client.types]
    read = client.read(wire, meters.target(wire), unit, [question.asked for question in asked])
    state = meters.state(unit)
    wrong = [
        f"{question.asked}: read {value}, {question.item} is {state[question.item]}"
        for question, value in zip(asked, read, strict=True)
        if not question.agrees(value, state[question.item])
    ]
    assert not wrong, f"{client.name}, {map_name}, {flow.name}:\n" + "\n".join(wrong)
    meters.assert_well()
