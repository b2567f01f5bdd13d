"""The host: a failed storage ends it by name, also at its last save; failed commands replan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.control_socket import ControlSocket
from firmware_sim.hosting.host import Host
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from protocols.control import Sense, parse_command
from protocols.data_model.words import Tamper
from protocols.faults import FaultPlan, FaultRule
from tests.support.racks import FailingNvram, one_kilowatt

STOPPED = "meter 000000000002: the device failed to flush"


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return an event loop of its own; a failure that a test does not look at is no fault."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, __: None)
    yield loop
    loop.close()


def hosted(loop: asyncio.AbstractEventLoop, *rules: FaultRule) -> tuple[Host, FailingNvram]:
    """Return a host of two meters at speed 0, and the storage of the second."""
    devices, faults = [FailingNvram(), FailingNvram()], Faults(FaultPlan(rules))

    def make(index: int) -> Meter:
        description = MeterDescription(f"{index + 1:012d}", index + 1)
        return build(description, faults.nvram(devices[index], index + 1))

    rack = Rack([(1, make(0)), (2, make(1))], 0, faults)
    for index, station in enumerate(rack.stations):
        station.rebuild = lambda index=index: make(index)  # type: ignore[misc]
    return Host(rack, Operator(rack, one_kilowatt, line_time), loop), devices[1]


def test_a_last_save_that_fails_to_flush_is_raised_after_an_orderly_stop(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, device = hosted(loop)
    host.rack.stations[1].hand_over(Sense(Tamper.COVER, True))
    host.stop()
    device.fails = True
    with pytest.raises(MeterStoppedError, match=STOPPED):
        host.close()


def test_a_storage_that_fails_ends_the_host_with_the_name_of_its_meter(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, device = hosted(loop)
    device.fails = True
    host.rack.stations[1].hand_over(Sense(Tamper.COVER, True))
    assert str(host.failure) == STOPPED
    host.close()


def test_a_host_that_failed_before_it_served_is_never_ready(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, device = hosted(loop)
    device.fails = True
    host.rack.stations[1].hand_over(Sense(Tamper.COVER, True))
    ready: list[str] = []
    with pytest.raises(MeterStoppedError):
        host.serve(lambda: ready.append("ready"))
    host.close()
    assert ready == []


def test_work_of_the_agenda_that_meets_a_failed_storage_ends_the_host(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, device = hosted(loop)
    station = host.rack.stations[1]

    def work() -> None:
        station.hand_over(Sense(Tamper.COVER, True))
        station.require_running()

    device.fails = True
    host.rack.agenda.plan(0, work)
    host.begin()
    assert str(host.failure) == STOPPED
    host.close()


# ---- commands that fail


class CommandHost:
    """The part of a host that a control socket uses."""

    def __init__(self, operator: Operator) -> None:
        self.operator, self.replans = operator, 0
        self.failures: list[Exception] = []

    def after_command(self) -> None:
        self.replans += 1

    def fail(self, error: Exception) -> None:
        self.failures.append(error)


def answers(host: CommandHost, *words: str, meter: object = None) -> list[dict[str, object]]:
    """Return the lines of the answer of a control socket to a command."""
    socket = ControlSocket(Path("no.sock"), host)
    request = json.dumps({"words": words, "meter": meter}).encode()

    async def read() -> list[str]:
        return [text async for text in socket._answers(request)]

    return [json.loads(text) for text in asyncio.run(read())]


def answer(host: CommandHost, *words: str, meter: object = None) -> dict[str, object]:
    """Return the last line, which is the whole answer where one meter is meant."""
    return answers(host, *words, meter=meter)[-1]


def test_deadlines_are_looked_at_again_after_a_command_that_failed(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, _ = hosted(loop, FaultRule("storage_full"))
    host.rack.begin_faults()
    commands = CommandHost(host.operator)
    assert answer(commands, "advance", "20h")["exit"] == 3
    assert commands.replans == 1
    assert answer(commands, "nonsense")["exit"] == 2
    assert answer(commands, "state", meter="000000000009")["error"] == "no meter 000000000009 here"
    assert answer(commands, "state", meter=["x"])["error"] == "no meter ['x'] here"


def test_deadlines_are_looked_at_again_before_a_client_took_its_answer(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, _ = hosted(loop, FaultRule("storage_full"))
    host.rack.begin_faults()
    commands = CommandHost(host.operator)
    socket = ControlSocket(Path("no.sock"), commands)

    async def first_line(*words: str) -> None:
        answering = socket._answers(json.dumps({"words": words}).encode())
        await anext(answering)
        assert commands.replans == 1
        await answering.aclose()

    for words in (["advance", "20h"], ["nonsense"], ["speed", "0"]):
        commands.replans = 0
        asyncio.run(first_line(*words))


def test_an_answer_has_a_line_a_meter_and_the_last_says_so(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, _ = hosted(loop)
    host.rack.begin_faults()
    commands = CommandHost(host.operator)
    told = answers(commands, "state")
    assert [(line["ok"], line.get("more", False)) for line in told] == [(True, True), (True, False)]
    host.rack.begin_fault(FaultRule("storage_full", unit=2), 0)
    told = answers(commands, "cover", "open")
    assert [(line["ok"], line.get("exit")) for line in told] == [(True, None), (False, 3)]
    assert str(told[1]["error"]).startswith("meter 000000000002: the storage refused it")
    assert answers(commands, "speed", "0") == [{"ok": True, "result": {}}]


@pytest.mark.parametrize("words", ["fault cover_open on --unit 2", "cover open", "advance 1d"])
def test_a_command_that_stops_a_meter_is_no_success(
    words: str, loop: asyncio.AbstractEventLoop
) -> None:
    host, device = hosted(loop)
    host.rack.begin_faults()
    device.fails = True
    commands = CommandHost(host.operator)
    failed = answer(commands, *words.split())
    assert (failed["ok"], failed["exit"], failed["error"]) == (False, 1, STOPPED)
    assert [str(error) for error in commands.failures] == [STOPPED]


def test_the_end_of_a_fault_that_stops_a_meter_is_no_success(
    loop: asyncio.AbstractEventLoop,
) -> None:
    host, device = hosted(loop)
    host.rack.begin_faults()
    host.operator.execute(parse_command(["fault", "magnet", "on", "--unit", "2"]))
    device.fails = True
    with pytest.raises(MeterStoppedError, match=STOPPED):
        host.operator.execute(parse_command(["fault", "magnet", "off"]))
