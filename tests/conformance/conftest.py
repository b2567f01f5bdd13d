"""Meters that run for the whole session; each test opens wires of its own and leaves them idle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.running import Running, running
from tests.conformance.wire import RtuWire, TcpWire, Wire

UNITS = (3, 100)
"""Units of the two meters on shared wires; serial number and credit identify each meter."""


def describe(folder: Path, unit: int) -> Path:
    """Write a meter's description: `unit` is also its serial number and, plus 0.25, its credit."""
    path = folder / f"meter_{unit}.toml"
    path.write_text(
        f'serial_number = "{unit:012}"\nunit = {unit}\ncredit = "{unit}.25"\nload = "0kW"\n'
    )
    return path


def run_two(folder: Path) -> list[str | Path]:
    """Return the options that describe the meters of `UNITS`."""
    return [word for unit in UNITS for word in ("--config", describe(folder, unit))]


@pytest.fixture(scope="session")
def one_meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield unit 1, alone on its wires, with the default description."""
    with running(tmp_path_factory.mktemp("one")) as meters:
        yield meters


@pytest.fixture(scope="session")
def two_meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield the meters of `UNITS` on the same wires."""
    folder = tmp_path_factory.mktemp("two")
    with running(folder, *run_two(folder)) as meters:
        yield meters


@pytest.fixture(scope="session")
def two_silent_meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield the meters of `UNITS` on the same wires, with unknown units on TCP unanswered."""
    folder = tmp_path_factory.mktemp("silent")
    with running(folder, "--silent-unknown-units", *run_two(folder)) as meters:
        yield meters


@pytest.fixture
def tcp(one_meter: Running) -> Iterator[TcpWire]:
    """Yield a connection to the single meter."""
    with TcpWire(one_meter.tcp) as wire:
        yield wire
    one_meter.assert_well()


@pytest.fixture
def rtu(one_meter: Running) -> Iterator[RtuWire]:
    """Yield the serial line of the single meter."""
    with RtuWire(one_meter.pty) as wire:
        yield wire
    one_meter.assert_well()


@pytest.fixture(params=["tcp", "rtu"])
def wire(request: pytest.FixtureRequest) -> Wire:
    """Return either wire of the single meter."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Wire)
    return found


@pytest.fixture
def tcp_of_two(two_meters: Running) -> Iterator[TcpWire]:
    """Yield a connection to both meters."""
    with TcpWire(two_meters.tcp) as wire:
        yield wire
    two_meters.assert_well()


@pytest.fixture
def rtu_of_two(two_meters: Running) -> Iterator[RtuWire]:
    """Yield the serial line of both meters."""
    with RtuWire(two_meters.pty) as wire:
        yield wire
    two_meters.assert_well()
