"""Meters that run for the whole session; every test opens wires of its own and leaves them
quiet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.running import Running, running
from tests.conformance.wire import RtuWire, TcpWire, Wire

UNITS = (3, 100)
"""Units of the two meters that share wires; serial number and credit tell whose a value is."""


def describe(folder: Path, unit: int) -> Path:
    """Write the description of a meter: `unit` is its serial number and, with .25, its credit."""
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
    """Unit 1, alone on its wires: nothing described."""
    with running(tmp_path_factory.mktemp("one")) as meters:
        yield meters


@pytest.fixture(scope="session")
def two_meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`UNITS` on the same wires."""
    folder = tmp_path_factory.mktemp("two")
    with running(folder, *run_two(folder)) as meters:
        yield meters


@pytest.fixture(scope="session")
def two_silent_meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`UNITS` on the same wires, told to leave unknown units on TCP without an answer."""
    folder = tmp_path_factory.mktemp("silent")
    with running(folder, "--silent-unknown-units", *run_two(folder)) as meters:
        yield meters


@pytest.fixture
def tcp(one_meter: Running) -> Iterator[TcpWire]:
    """A connection to the meter that is alone."""
    with TcpWire(one_meter.tcp) as wire:
        yield wire
    one_meter.assert_well()


@pytest.fixture
def rtu(one_meter: Running) -> Iterator[RtuWire]:
    """The serial line of the meter that is alone."""
    with RtuWire(one_meter.pty) as wire:
        yield wire
    one_meter.assert_well()


@pytest.fixture(params=["tcp", "rtu"])
def wire(request: pytest.FixtureRequest) -> Wire:
    """Either wire of the meter that is alone."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Wire)
    return found


@pytest.fixture
def tcp_of_two(two_meters: Running) -> Iterator[TcpWire]:
    """A connection to both meters."""
    with TcpWire(two_meters.tcp) as wire:
        yield wire
    two_meters.assert_well()


@pytest.fixture
def rtu_of_two(two_meters: Running) -> Iterator[RtuWire]:
    """The serial line of both meters."""
    with RtuWire(two_meters.pty) as wire:
        yield wire
    two_meters.assert_well()
