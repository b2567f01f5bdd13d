"""Fixtures for other people's tests: a prepaid meter on real ports, in virtual time, with faults.

pytest loads this file in every run of every project, so it imports nothing of ours before a fixture
is asked for, and it is no part of our packages, whose names a project may have too: then its own
tests run, and a test that asks for a meter is told in one sentence. See docs/testing.md.

def test_my_head_end(meter):
    meter.load("3kW")
    meter.advance("2h")
    assert MyHeadEnd(meter.port).read_credit() == meter.value("available_credit")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from firmware_sim import LoopThread, PrepaidMeter, SerialPair

MeterFactory = Callable[..., "PrepaidMeter"]
CREDIT = "100.00"
_FROM_US = "_prepaid_meter"
_MADE = pytest.StashKey[list["PrepaidMeter"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --meter-config."""
    parser.getgroup("prepaid meter").addoption(
        "--meter-config",
        metavar="FILE",
        help="describe the `meter` fixture's meter in TOML (meter-sim new FILE)",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Import meters before the first test that uses one: half a second, once a run.

    An import that fails here is told by the fixture.
    """
    if session.config.getoption("collectonly"):
        return
    if any(_FROM_US in getattr(item, "fixturenames", ()) for item in session.items):
        with suppress(Exception):
            _imported()
            description = import_module("firmware_sim.meter_description").MeterDescription()
            import_module("firmware_sim.assembly").build(description)  # imports the ciphers


@pytest.fixture(scope="session", name=_FROM_US)
def prepaid_meter_library() -> ModuleType:
    """Our library, or one sentence why it cannot be used in this session."""
    try:
        return _imported()
    except Exception as error:
        sentence = str(error)
        if not sentence.startswith("prepaid-meter"):
            sentence = f"prepaid-meter cannot be imported: {type(error).__name__}: {sentence}"
    pytest.fail(sentence, pytrace=False)


@pytest.fixture(scope="session")
def meter_thread(_prepaid_meter: ModuleType) -> Iterator[LoopThread]:
    """The thread that serves the wires of all meters of a test run."""
    with _prepaid_meter.LoopThread() as thread:
        yield thread


@pytest.fixture
def meter_factory(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _prepaid_meter: ModuleType,
    meter_thread: LoopThread,
) -> Iterator[MeterFactory]:
    """Return a function that makes meters, each on ports of its own.

    Its keywords are those of `firmware_sim.PrepaidMeter`: the keys of a meter's TOML, such as
    meter_factory(unit=2, credit="5.00", overdraft_limit="3.00"), or `config` with the path of such
    a file, over which keywords win. Without both the credit is 100.00.
    """
    made: list[PrepaidMeter] = []
    request.node.stash[_MADE] = made
    folder = tmp_path_factory.mktemp("meter")

    def make(config: object = None, **keys: object) -> PrepaidMeter:
        __tracebackhide__ = True  # pytest shows the line of the test, and what the error says
        if config is None:
            if made:
                keys.setdefault("serial_number", f"{len(made) + 1:012d}")
            if "credit" not in keys and keys.get("account") != "unopened":
                keys["credit"] = CREDIT
        keys.setdefault("modbus_rtu", folder / f"meter-{len(made) + 1}.tty")
        meter: PrepaidMeter = _prepaid_meter.PrepaidMeter(config, thread=meter_thread, **keys)
        made.append(meter)
        return meter

    with ExitStack() as closing:
        closing.callback(lambda: [closing.callback(meter.close) for meter in made])
        yield make


@pytest.fixture
def meter(request: pytest.FixtureRequest, meter_factory: MeterFactory) -> PrepaidMeter:
    """One meter on a virtual serial port and a TCP port, with credit 100.00 and standing time."""
    described: str | None = request.config.getoption("--meter-config")
    if described is None:
        return meter_factory()
    try:
        return meter_factory(described)
    except Exception as error:
        sentence = f"--meter-config: {error}"
    pytest.fail(sentence, pytrace=False)


@pytest.fixture
def serial_pair(
    tmp_path_factory: pytest.TempPathFactory, _prepaid_meter: ModuleType, meter_thread: LoopThread
) -> Iterator[SerialPair]:
    """Two joined virtual serial ports, `serial_pair.a` and `serial_pair.b`, for your devices."""
    with _prepaid_meter.SerialPair(tmp_path_factory.mktemp("pair"), thread=meter_thread) as pair:
        yield pair


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
        made: list[PrepaidMeter] = item.stash.get(_MADE, [])
        for number, meter in enumerate(made, 1):
            try:
                report.sections.append((f"meter {number}", meter.report()))
            except Exception as error:  # a report about a failure must not hide it
                report.sections.append(
                    (f"meter {number}", f"it cannot tell how it stands: {error}")
                )


def _imported() -> ModuleType:
    """Return our package `firmware_sim`; raises ImportError where another one is in front of it."""
    spec = (
        sys.modules["firmware_sim"].__spec__
        if "firmware_sim" in sys.modules
        else find_spec("firmware_sim")
    )
    place = spec.origin if spec is not None else None
    if place is None or not Path(place).parent.parent.samefile(Path(__file__).parent):
        raise ImportError(
            f"prepaid-meter needs its own package `firmware_sim`, and {place} stands in front of "
            f"it: rename that one, or run the meter as a program of its own (meter-sim run)"
        )
    found = import_module("firmware_sim")
    found.PrepaidMeter  # noqa: B018 - imported when it is first used
    return found
