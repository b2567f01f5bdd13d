"""Fixtures for other people's tests: a prepaid meter on real ports, in virtual time, with faults.

Imports are late: pytest loads this file in every run of every project. See docs/testing.md.

def test_my_head_end(meter):
    meter.load("3kW")
    meter.advance("2h")
    assert MyHeadEnd(meter.port).read_credit() == meter.value("available_credit")
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from firmware_sim.fixtures.live import LiveMeter
    from firmware_sim.fixtures.pair import SerialPair
    from firmware_sim.fixtures.thread import LoopThread
    from firmware_sim.meter_description import MeterDescription

MeterFactory = Callable[..., "LiveMeter"]
CREDIT = "100.00"
_LIVE = pytest.StashKey[list["LiveMeter"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --meter-config."""
    parser.getgroup("prepaid meter").addoption(
        "--meter-config",
        metavar="FILE",
        help="describe the `meter` fixture's meter in TOML (meter-sim new FILE)",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Import meters before the first test that uses one: half a second, once a run."""
    if any("meter_factory" in getattr(item, "fixturenames", ()) for item in session.items):
        import firmware_sim.fixtures.live  # noqa: F401
        from firmware_sim.assembly import build
        from firmware_sim.meter_description import MeterDescription

        build(MeterDescription())  # ciphers are imported by the first meter


@pytest.fixture(scope="session")
def meter_thread() -> Iterator[LoopThread]:
    """The thread that serves the wires of all meters of a test run."""
    from firmware_sim.fixtures.thread import LoopThread

    thread = LoopThread()
    yield thread
    thread.end()


@pytest.fixture
def meter_factory(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    meter_thread: LoopThread,
) -> Iterator[MeterFactory]:
    """Return a function that makes meters, each on ports of its own.

    Its keywords are the keys of a meter's TOML: meter_factory(unit=2, credit="5.00",
    overdraft_limit="3.00"), or `config` with the path of such a file, over which keywords win.
    """
    from firmware_sim.fixtures.live import LiveMeter

    made: list[LiveMeter] = []
    request.node.stash[_LIVE] = made
    folder = tmp_path_factory.mktemp("meter")

    def make(config: str | None = None, **keys: object) -> LiveMeter:
        if config is None and made:
            keys.setdefault("serial_number", f"{len(made) + 1:012d}")
        meter = LiveMeter(meter_thread, _describe(config, keys), folder)
        made.append(meter)
        return meter

    with ExitStack() as closing:
        closing.callback(lambda: [closing.callback(meter.close) for meter in made])
        yield make


@pytest.fixture
def meter(request: pytest.FixtureRequest, meter_factory: MeterFactory) -> LiveMeter:
    """One meter on a virtual serial port and a TCP port, with credit 100.00 and standing time."""
    return meter_factory(request.config.getoption("--meter-config"))


@pytest.fixture
def serial_pair(
    tmp_path_factory: pytest.TempPathFactory, meter_thread: LoopThread
) -> Iterator[SerialPair]:
    """Two joined virtual serial ports, `serial_pair.a` and `serial_pair.b`, for your devices."""
    from firmware_sim.fixtures.pair import SerialPair

    pair = SerialPair(meter_thread, tmp_path_factory.mktemp("pair"))
    yield pair
    pair.close()


@pytest.fixture
def faulty_line(serial_pair: SerialPair) -> SerialPair:
    """The same with a line that flips, drops and cuts bytes; `inject` and `heal` change it."""
    for fault in ("flip", "drop", "truncate"):
        serial_pair.inject(fault, probability="0.1")
    return serial_pair


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.CallInfo[None], None]:
    """Show the last events and frames of the meters of a test that failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call" and report.failed:
        live: list[LiveMeter] = item.stash.get(_LIVE, [])
        for number, meter in enumerate(live, 1):
            try:
                report.sections.append((f"meter {number}", meter.report()))
            except Exception as error:  # a report about a failure must not hide it
                report.sections.append(
                    (f"meter {number}", f"it cannot tell how it stands: {error}")
                )


def _describe(config: str | None, keys: dict[str, object]) -> MeterDescription:
    """Return a description; keys of flags without a file need no import of the configuration."""
    from firmware_sim.description.files import describe_keys
    from firmware_sim.meter_description import DEFAULT_START

    given = {"credit": CREDIT, **{name: value for name, value in keys.items() if value is not None}}
    if "credit" not in keys and (config is not None or keys.get("account") == "unopened"):
        given.pop("credit")
    return describe_keys(config, given, DEFAULT_START)
