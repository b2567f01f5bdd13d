"""Targets of the edges: control socket, storage, files written by people (TOML, keys, loads)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from firmware_sim.assembly import build
from firmware_sim.description.files import describe
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.key_files import parse_keys
from firmware_sim.description.loads import HOUSEHOLD, read_load
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.hosting.control_socket import ControlSocket
from firmware_sim.hosting.errors import HostingError
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.operator import Operator, Result
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.values import fragments
from firmware_sim.servers.modbus.bank import Bank
from firmware_sim.servers.modbus.plan import plan_of
from firmware_sim.storage import record
from firmware_sim.storage.store import (
    FIRST_RING,
    FIRST_SLOT,
    HEADER_PLACES,
    SLOT_SIZE,
    SLOTS,
    ForeignStorageError,
    StorageLostError,
    load,
)
from meterctl.errors import UsageError
from meterctl.key_ring import parse_ring
from meterctl.operations.tariff.file import parse_tariff_file
from meterctl.operations.tariff.warnings import warnings_of
from protocols.control import Advance, Command
from protocols.data_model.tariff import TariffChange
from protocols.errors import QuantityError
from protocols.modbus.native_map import MAP_END, NATIVE_MAP
from protocols.named_files import decode_text
from protocols.quantities import DAY, HOUR
from protocols.sealed_message import MessageKind
from tests.fuzz.benches import keys_of, make_meter
from tests.fuzz.source import Source, expanded, has_words, text_of
from tests.support.meters import Host

MOST_LINES = 6
"""Limit of lines in one input: commands advance time, which costs run time."""
MOST_ADVANCE = DAY


class _ShortOperator(Operator):
    """An operator that moves time by a day at most for one command."""

    def execute_each(self, command: Command, name: str | None = None) -> Iterable[Result]:
        """Execute a command, an advance cut to a day."""
        if isinstance(command, Advance):
            command = Advance(min(command.duration_ms, MOST_ADVANCE))
        return super().execute_each(command, name)


class _FakeHost:
    """The part of a host that a control socket needs; each command comes 1 ms later."""

    def __init__(self) -> None:
        self.meters = [make_meter(), make_meter("000000000002")]
        self.rack = Rack(enumerate(self.meters, 1), 0)
        self._time_us = count(0, 1000)
        self.operator: Operator = _ShortOperator(self.rack, _read_load, lambda: next(self._time_us))
        self.replans = 0

    def after_command(self) -> None:
        """Count."""
        self.replans += 1

    def fail(self, error: Exception) -> None:
        """Fail: no command may stop a meter."""
        raise AssertionError("a command stopped a meter") from error


def _read_load(text: str, meter: Meter) -> Load:
    """Read a load; the household is a constant: reading its year of rows takes most of a second."""
    phases = len(meter.demand.phases)
    if text == HOUSEHOLD:
        return Load.constant((350_000,) * phases)
    return read_load(text, phases, meter.clock, meter.state.elapsed_ms)


def control_lines(data: bytes) -> None:
    """Any lines on the control socket."""
    _converse(expanded(data).splitlines(keepends=True))


_COMMANDS = (
    "advance",
    "load",
    "power",
    "cover",
    "terminal-cover",
    "magnet",
    "speed",
    "button",
    "state",
    "stop",
    "card",
)
_ARGUMENTS = (
    "1h",
    "25h",
    "3kW",
    "-2kW",
    HOUSEHOLD,
    "cut",
    "return",
    "open",
    "close",
    "on",
    "off",
    "100000",
    "0",
    "0.5",
)


def control_commands(data: bytes) -> None:
    """Well-formed lines on the control socket, whose words are commands or similar."""
    source = Source(data)
    lines: list[bytes] = []
    while source and len(lines) < MOST_LINES:
        words = [source.choice(_COMMANDS)]
        if source.number() % 8:
            what = source.number()
            words.append(
                text_of(source.sized()) if what > 127 else _ARGUMENTS[what % len(_ARGUMENTS)]
            )
        meter = source.choice((None, "000000000001", "000000000002", "1", 7))
        lines.append(json.dumps({"words": words, "meter": meter}).encode() + b"\n")
    _converse(lines)


def _at_once(socket: ControlSocket, request: bytes) -> list[str]:
    """Return the answer to a line; none of these commands waits."""

    async def answers() -> list[str]:
        return [answer async for answer in socket._answers(request)]

    try:
        answers().send(None)
    except StopIteration as end:
        return list(end.value)
    raise AssertionError("a command waited")


def _converse(lines: list[bytes]) -> None:
    host = _FakeHost()
    socket = ControlSocket(Path("no.sock"), host)
    credit = [meter.state.account.credit for meter in host.meters]
    for request in lines[:MOST_LINES]:
        answers = _at_once(socket, request)
        for written in answers:
            assert "\n" not in written
            said = json.loads(written.encode())
            assert isinstance(said, dict)
            assert said["ok"] is True or (
                said["ok"] is False and said["error"] and said["exit"] in (2, 3)
            ), written
            assert said.get("more", False) is (written is not answers[-1])
        for meter, before in zip(host.meters, credit, strict=True):
            account, security = meter.state.account, meter.state.security
            assert account.imbalance() == (0, 0)
            assert account.credit <= before, "a command gave credit"
            assert (security.credit_sequence, security.command_sequence) == (0, 0)


# ---- storage


@cache
def device() -> tuple[bytes, frozenset[bytes]]:
    """Return the image of a device after messages and days, and the record of each stored state."""
    nvram = SimulatedNvram()
    keys = keys_of("000000000001")
    meter = build(
        MeterDescription(
            keys={keys.version: keys}, load=Load.constant((1_500_000,)), profile_days=1
        ),
        nvram,
    )
    states = [_without_tail(meter)]
    for amount in range(1, 8):
        assert Host(meter, keys).send(MessageKind.CREDIT, amount=100 * amount).outcome.applied
        states.append(_without_tail(meter))
        meter.advance(meter.state.elapsed_ms + 3 * HOUR)
        meter.save()
        states.append(_without_tail(meter))
    return bytes(nvram.data), frozenset(states)


def _without_tail(meter: Meter) -> bytes:
    state = meter.state.clone()
    state.tail.clear()
    return record.encode(state)


@cache
def device_of_layout_1() -> tuple[bytes, frozenset[bytes]]:
    """Return a device of layout 1, and every upgraded state that may be found on it.

    Code and instant of the last message come from a receipt; they are unknown if it is damaged.
    """
    image, states = gzip.decompress(_LAYOUT_1.read_bytes()), set()
    for slot in range(SLOTS):
        alone = bytearray(image)
        for other in {*range(SLOTS)} - {slot}:
            begin = FIRST_SLOT + other * SLOT_SIZE
            alone[begin : begin + 16] = bytes(len(alone[begin : begin + 16]))
        try:
            found = load(SimulatedNvram(bytes(alone)))
        except StorageLostError:
            continue
        assert found is not None
        found.state.tail.clear()
        states.add(record.encode(found.state))
        found.state.security.last_code, found.state.security.last_at = "00000000", 0
        states.add(record.encode(found.state))
    return image, frozenset(states)


_LAYOUT_1 = Path(__file__).parents[1] / "fixtures" / "layout_1" / "000000000042.nv.gz"
_PLACES = (
    0,
    24,
    *(FIRST_SLOT + slot * SLOT_SIZE for slot in range(SLOTS)),
    FIRST_RING,
    HEADER_PLACES[1],
)


def storage_image(data: bytes) -> None:
    """A damaged device: a declared error, or a meter in a committed state."""
    _damaged_device(*device(), data)


def storage_image_of_layout_1(data: bytes) -> None:
    """A damaged device of layout 1: a declared error, or a meter in a committed state."""
    _damaged_device(*device_of_layout_1(), data)


def _damaged_device(image: bytes, states: frozenset[bytes], data: bytes) -> None:
    source = Source(data)
    damaged = bytearray(image)
    for _ in range(1 + source.number() % 4):
        at = (source.choice(_PLACES) + source.number(2)) % (len(damaged) + 1)
        what = source.number() % 6
        if what == 0 and at < len(damaged):
            damaged[at] ^= 1 << source.number() % 8
        elif what == 1:
            del damaged[at:]
        elif what == 2:
            size = source.number(2)
            damaged[at : at + size] = bytes(len(damaged[at : at + size]))
        elif what == 3:
            piece = source.sized()
            damaged[at : at + len(piece)] = piece
        elif what == 4:  # copy a slot, a row or a part of it to another place
            start, size = source.choice(_PLACES) + source.number(), source.number(2)
            piece = bytes(damaged[start : start + size])
            damaged[at : at + len(piece)] = piece
        else:
            start = source.choice(_PLACES)
            damaged[start : start + 2048] = image[start : start + 2048]
    try:
        found = load(SimulatedNvram(bytes(damaged)))
    except (ForeignStorageError, StorageLostError):
        return
    assert found is not None or not damaged, (
        "a device that holds something was taken for an empty one"
    )
    if found is None:
        return
    found.state.tail.clear()
    assert record.encode(found.state) in states, "a state was found that was never committed"
    if source.number() % 4 == 0:  # a quarter of the inputs: this second load is slow
        _lives(build(MeterDescription(), SimulatedNvram(bytes(damaged))))


def _lives(meter: Meter) -> None:
    """Fail unless a meter can be shown, read on the wire and brought forward."""
    fragments(meter)
    bank = Bank(meter, plan_of(NATIVE_MAP))
    assert bank.read(bank.plan.holding, 0, MAP_END) is not None
    meter.advance(meter.state.elapsed_ms + HOUR)
    assert meter.state.account.imbalance() == (0, 0)
    fragments(meter)


# ---- files written by people


def configuration(data: bytes) -> None:
    """Any TOML file as a configuration: a HostingError with a text, or a meter that runs."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "meter.toml")
        path.write_bytes(_file(data))
        Path(folder, "tariff.toml").write_bytes(b'prices = ["0.5", "0.7"]\n')
        try:
            (described,) = describe(MeterFlags((str(path),)))
        except HostingError as error:
            has_words(error)
            return
    _lives(build(described.description))


def tariff_file(data: bytes) -> None:
    """Any file as a tariff: refused with a text, or parts that a command carries."""
    try:
        file = parse_tariff_file(decode_text(_file(data)))
    except (QuantityError, UsageError) as error:
        has_words(error)
        return
    change = file.change()
    assert TariffChange.decode(change.encode()) == change
    assert not any(part.problem() for part in file.parts.values())
    warnings_of(file, 0)


def load_csv(data: bytes) -> None:
    """Any CSV file as a load: a HostingError with a text, or a load with valid demands."""
    source = Source(data)
    phases = source.choice((1, 3))
    with TemporaryDirectory() as folder:
        path = Path(folder, "load.csv")
        path.write_bytes(_file(source.rest()))
        try:
            drawn = read_load(str(path), phases, MeterDescription().start)
        except HostingError as error:
            has_words(error)
            return
    for elapsed_ms in (0, 1, HOUR, 40 * DAY, 400_000 * DAY):
        demand, until = drawn.at(elapsed_ms)
        assert len(demand.phases) == phases
        assert until is None or until > elapsed_ms, "the next row begins in the past"


def key_files(data: bytes) -> None:
    """Any file as a meter's keys and as a host's key ring: refused with a text, or usable keys."""
    path = Path("keys.json")
    try:
        text = decode_text(_file(data))
    except QuantityError as error:
        has_words(error)
        return
    try:
        keys, serial_number = parse_keys(text, path)
        assert keys
        assert isinstance(serial_number, str)
        build(MeterDescription(keys=keys))
    except HostingError as error:
        has_words(error)
    try:
        ring = parse_ring(text, path)
        for version in ring.masters:
            ring.meter_keys("000000000001", version)
    except UsageError as error:
        has_words(error)


def _file(data: bytes) -> bytes:
    """Return the bytes of a text file with runs expanded, other bytes unchanged."""
    return expanded(data)
