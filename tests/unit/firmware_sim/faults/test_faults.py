"""Each fault of the registry has its effect: a check fails if its fault has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.rack.errors import CommandFailedError
from firmware_sim.rack.rack import Rack
from firmware_sim.readings import read
from firmware_sim.servers.line import Line
from protocols.control import Advance, BeginFault, parse_command
from protocols.data_model.items import ACTIVE_POWERS, VOLTAGES
from protocols.data_model.words import MeterType, SupplyState
from protocols.errors import QuantityError
from protocols.faults import FAULTS, FaultPlan, FaultRule, FaultScope, parse_plan, parse_rule
from protocols.keys import MessageClass, development_keys
from protocols.modbus import rtu, tcp
from protocols.modbus.pdu import read_request
from protocols.modbus.sealed_windows import ANSWER_HEAD_REGISTERS, MESSAGE_HEAD
from protocols.quantities import HOUR, LEDGER
from protocols.sealed_message import MessageKind, SealedMessage
from tests.support.maps import MAGIC, WINDOWS
from tests.support.meters import event_names
from tests.support.racks import operate, rtu_server, tcp_server

ASK = read_request(3, 0, 2)
RIGHT = rtu.encode(1, bytes((3, 4)) + MAGIC[:4])
EXAMPLES = Path(__file__).parents[4] / "examples" / "faults"


def rack_of(*rules: FaultRule, meter: Meter | None = None, seed: int = 1) -> Rack:
    """Return a rack of one meter with a plan in force."""
    meter = meter or build(MeterDescription(load=Load.constant((2_000_000,))))
    rack = Rack([(1, meter)], 0, Faults(FaultPlan(rules, seed)))
    rack.begin_faults()
    return rack


def heard(*rules: FaultRule, wait_us: int = 0, frame: bytes | None = None, seed: int = 1) -> bytes:
    """Return the bytes that a host receives within `wait_us` of its request on a serial line."""
    rack = rack_of(*rules, seed=seed)
    return pump(Line(rtu_server(rack), faults=rack.faults), frame, wait_us)


def pump(line: Line, frame: bytes | None = None, wait_us: int = 0) -> bytes:
    """Send a request at time 0 and collect the output until `wait_us`."""
    out = line.receive(rtu.encode(1, ASK) if frame is None else frame, 0)
    while (due := line.next_wake()) is not None and due <= wait_us:
        out += line.wake(due)
    return out


def differs_by_one_bit(rule: FaultRule) -> None:
    got = heard(replace_way(rule))
    assert len(got) == len(RIGHT)
    assert sum((a ^ b).bit_count() for a, b in zip(got, RIGHT, strict=True)) == 1


def replace_way(rule: FaultRule) -> FaultRule:
    """Restrict a line fault to replies."""
    return parse_rule(rule.name, {**dict(word.split("=") for word in rule.words()), "way": "reply"})


def one_byte_less(rule: FaultRule) -> None:
    got = heard(replace_way(rule))
    assert len(got) == len(RIGHT) - 1
    assert any(RIGHT[:i] + RIGHT[i + 1 :] == got for i in range(len(RIGHT)))


def one_byte_twice(rule: FaultRule) -> None:
    got = heard(replace_way(rule))
    assert any(RIGHT[: i + 1] + RIGHT[i:] == got for i in range(len(RIGHT)))


def one_byte_more(rule: FaultRule) -> None:
    got = heard(replace_way(rule))
    assert any(got[:i] + got[i + 1 :] == RIGHT for i in range(len(got)))


def cut_short(rule: FaultRule) -> None:
    got = heard(replace_way(rule))
    assert RIGHT.startswith(got)
    assert len(got) < len(RIGHT)


def noise_before(rule: FaultRule) -> None:
    assert heard(replace_way(rule))[3:] == RIGHT


def rest_is_late(rule: FaultRule) -> None:
    early = heard(replace_way(rule), wait_us=49_999)
    assert RIGHT.startswith(early)
    assert len(early) < len(RIGHT)
    assert heard(replace_way(rule), wait_us=50_000) == RIGHT


def echoed(rule: FaultRule) -> None:
    assert heard(rule) == rtu.encode(1, ASK) + RIGHT


def paced(rule: FaultRule) -> None:
    byte = 10_000_000 // 9600
    assert heard(replace_way(rule), wait_us=byte - 1) == b""
    assert heard(replace_way(rule), wait_us=4 * byte) == RIGHT[:4]
    assert heard(replace_way(rule), wait_us=9 * byte) == RIGHT


def heard_by_the_meter(rule: FaultRule) -> None:
    server = Recorder()
    line = Line(server, faults=Faults(FaultPlan((rule,))))
    assert pump(line, b"ask") == b"answer"
    assert server.heard == [b"ask", b"answer"]


class Recorder:
    """A server that answers the first transmission and keeps all."""

    closed = False

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def receive(self, data: bytes, at_us: int) -> bytes:
        self.heard.append(data)
        return b"answer" if len(self.heard) == 1 else b""

    def wake(self, at_us: int) -> bytes:
        return b""

    def next_wake(self) -> int | None:
        return None

    def unit_of(self, data: bytes) -> int | None:
        return None


def in_packets(rule: FaultRule) -> None:
    """A reply of 125 registers arrives as 62, 62, 62, 62 and 7 bytes; the last within 16 ms."""
    ask = rtu.encode(1, read_request(3, 0, 125))
    whole = heard(frame=ask)
    line = Line(rtu_server(rack := rack_of(replace_way(rule))), faults=rack.faults)
    assert line.receive(ask, 0) == whole[:248]
    due = line.next_wake()
    assert due is not None
    assert due < 16_000
    assert line.wake(due) == whole[248:]


def all_at_once_after_50_ms(rule: FaultRule) -> None:
    rest_is_late(rule)


def away_and_back(rule: FaultRule) -> None:
    rack = rack_of(rule)
    line = Line(rtu_server(rack), faults=rack.faults)
    assert pump(line) == b""
    assert line.closed
    assert line.returns_at_us == 1_000_000


def not_done(rule: FaultRule) -> None:
    message, meter = top_up_frame()
    rack = rack_of(rule, meter=meter)
    assert pump(Line(rtu_server(rack)), message) == b""
    assert meter.state.account.credit == 20 * LEDGER


def done_unheard(rule: FaultRule) -> None:
    message, meter = top_up_frame()
    rack = rack_of(rule, meter=meter)
    assert pump(Line(rtu_server(rack)), message) == b""
    assert meter.state.account.credit == 25 * LEDGER


def comes_late(rule: FaultRule) -> None:
    assert heard(rule, wait_us=499_999) == b""
    assert heard(rule, wait_us=500_000) == RIGHT


def comes_twice(rule: FaultRule) -> None:
    assert heard(rule) == RIGHT + RIGHT


def other_unit(rule: FaultRule) -> None:
    assert heard(rule) == rtu.encode(2, RIGHT[1:-2])


def other_transaction(rule: FaultRule) -> None:
    rack = rack_of(rule)
    out = Line(tcp_server(rack), faults=rack.faults).receive(tcp.encode(7, 1, ASK), 0)
    assert out == tcp.encode(8, 1, RIGHT[1:-2])


def fewer_registers(rule: FaultRule) -> None:
    assert heard(rule) == rtu.encode(1, bytes((3, 2)) + MAGIC[:2])


def each_byte_apart(rule: FaultRule) -> None:
    for count in range(len(RIGHT)):
        assert heard(rule, wait_us=count * 5_000) == RIGHT[: count + 1]


def refused_busy(rule: FaultRule) -> None:
    assert heard(rule) == rtu.encode(1, bytes((0x83, 6)))


def refused(rule: FaultRule) -> None:
    assert heard(rule) == rtu.encode(1, bytes((0x83, 4)))


def stored(*rules: FaultRule, seed: int = 1) -> tuple[Rack, SimulatedNvram]:
    """Return a rack of one meter on a simulated device."""
    device = SimulatedNvram()
    faults = Faults(FaultPlan(rules, seed))

    def make() -> Meter:
        return build(MeterDescription(), faults.nvram(device, 1))

    rack = Rack([(1, make())], 0, faults)
    rack.stations[0].rebuild = make
    rack.begin_faults()
    return rack, device


def torn_and_up_again(rule: FaultRule) -> None:
    rack, _ = stored(rule)
    before = rack.stations[0].meter
    with pytest.raises(CommandFailedError, match="restarted"):
        operate(rack, parse_command(["button"]), 0) if before.state.supply.causes else operate(
            rack, parse_command(["load", "1kW"]), 0
        )
    assert rack.stations[0].meter is not before
    assert event_names(rack.stations[0].meter)[-1] == "restart"


def unflushed_is_lost(rule: FaultRule) -> None:
    """A periodic save is not flushed: a cut loses it for some seeds, without the fault never."""

    def rows_after_a_cut(*rules: FaultRule, seed: int) -> int:
        torn = FaultRule("torn_write", count=1, value=0)
        rack, _ = stored(torn, *rules, seed=seed)
        rack.faults.storage_rests = True
        operate(rack, Advance(2 * HOUR), 0)
        meter = rack.stations[0].meter
        meter.advance(meter.state.elapsed_ms + 4 * HOUR)  # saved, not flushed
        rack.faults.storage_rests = False
        with pytest.raises(CommandFailedError):
            operate(rack, parse_command(["cover", "open"]), 0)
        return rack.stations[0].meter.state.elapsed_ms

    lost = {rows_after_a_cut(rule, seed=seed) for seed in range(12)}
    kept = {rows_after_a_cut(seed=seed) for seed in range(12)}
    assert kept == {6 * HOUR}
    assert lost == {2 * HOUR, 6 * HOUR}


def write_is_refused(rule: FaultRule) -> None:
    rack, _ = stored(rule)
    with pytest.raises(CommandFailedError, match="storage refused"):
        operate(rack, parse_command(["cover", "open"]), 0)
    assert not rack.stations[0].meter.state.supply.sensors


def meter_stops(rule: FaultRule) -> None:
    from firmware_sim.meter import MeterStoppedError

    rack, _ = stored(rule)
    with pytest.raises(MeterStoppedError):
        operate(rack, parse_command(["cover", "open"]), 0)
    assert rack.stations[0].meter.stopped


def meter_of(rule: FaultRule, minutes: int = 0) -> Meter:
    """Return a meter the given minutes after its own fault began."""
    rack = rack_of(rule)
    if minutes:
        operate(rack, Advance(minutes * 60_000), 0)
    return rack.stations[0].meter


def clock_jumps(rule: FaultRule) -> None:
    assert meter_of(rule).clock == build(MeterDescription()).clock + HOUR


def clock_runs_fast(rule: FaultRule) -> None:
    meter = meter_of(rule, 1000)
    assert (
        meter.clock - build(MeterDescription()).clock == 60_000_000 + 60_000_000 * 200 // 1_000_000
    )


def clock_is_lost(rule: FaultRule) -> None:
    assert not meter_of(rule).state.clock.valid


def does_not_open(rule: FaultRule) -> None:
    rack = rack_of(rule)
    open_supply(rack)
    assert rack.stations[0].meter.switch.closed


def does_not_close(rule: FaultRule) -> None:
    assert not meter_of(rule).switch.closed


def open_supply(rack: Rack) -> None:
    """Trip the meter by letting it use up its credit."""
    operate(rack, Advance(60 * HOUR), 0)
    assert rack.stations[0].meter.state.supply.state is not SupplyState.CONNECTED


def sensed(event: str) -> Callable[[FaultRule], None]:
    def check(rule: FaultRule) -> None:
        assert event_names(meter_of(rule))[-1] == event

    return check


def phase_is_gone(rule: FaultRule) -> None:
    meter = build(
        MeterDescription(meter_type=MeterType.THREE_PHASE, load=Load.constant((1_000_000,) * 3))
    )
    rack = rack_of(rule, meter=meter)
    shown = {
        item.name: value
        for item, value in ((i, read(meter, i)) for i in (*VOLTAGES, *ACTIVE_POWERS))
    }
    assert [shown[f"voltage_l{n}_v"] for n in (1, 2, 3)] == [0, 230_000, 230_000]
    assert [shown[f"active_power_l{n}_kw"] for n in (1, 2, 3)] == [0, 1_000_000, 1_000_000]
    operate(rack, parse_command(["fault", "off"]), 0)
    assert sum(meter.demand.phases) == 3_000_000


def test_hardware_outlives_a_cut() -> None:
    """A welded switch stays welded when the meter restarts."""
    rack, _ = stored(FaultRule("switch_welded"))
    operate(rack, parse_command(["fault", "torn_write", "on", "--count", "1"]), 0)
    with pytest.raises(CommandFailedError):
        operate(rack, parse_command(["load", "1kW"]), 0)
    assert rack.stations[0].meter.switch.defect is SwitchDefect.WELDED


def flows_back(rule: FaultRule) -> None:
    meter = meter_of(rule, 60)
    assert (meter.state.registers.import_mwh, meter.state.registers.export_mwh) == (0, 2_000_000)


def goes_out_and_returns(rule: FaultRule) -> None:
    rack = rack_of(rule)
    assert not rack.stations[0].meter.state.powered
    operate(rack, Advance(1000), 0)
    assert rack.stations[0].meter.state.powered
    assert event_names(rack.stations[0].meter)[-2:] == ["power_lost", "power_restored"]


CHECKS: dict[str, Callable[[FaultRule], None]] = {
    "flip": differs_by_one_bit,
    "drop": one_byte_less,
    "duplicate": one_byte_twice,
    "insert": one_byte_more,
    "truncate": cut_short,
    "noise": noise_before,
    "delay": rest_is_late,
    "echo": echoed,
    "meter_echo": heard_by_the_meter,
    "pacing": paced,
    "packets": in_packets,
    "stall": all_at_once_after_50_ms,
    "hang_up": away_and_back,
    "request_lost": not_done,
    "reply_lost": done_unheard,
    "reply_late": comes_late,
    "reply_twice": comes_twice,
    "wrong_unit": other_unit,
    "wrong_transaction": other_transaction,
    "wrong_length": fewer_registers,
    "byte_by_byte": each_byte_apart,
    "busy": refused_busy,
    "exception": refused,
    "torn_write": torn_and_up_again,
    "lost_writes": unflushed_is_lost,
    "storage_full": write_is_refused,
    "flush_fails": meter_stops,
    "clock_step": clock_jumps,
    "clock_drift": clock_runs_fast,
    "clock_lost": clock_is_lost,
    "switch_welded": does_not_open,
    "switch_stuck_open": does_not_close,
    "lost_phase": phase_is_gone,
    "cover_open": sensed("cover_opened"),
    "terminal_cover_open": sensed("terminal_cover_opened"),
    "magnet": sensed("magnet_detected"),
    "reverse_flow": flows_back,
    "brown_out": goes_out_and_returns,
}


def top_up_frame() -> tuple[bytes, Meter]:
    """Return a request that tops up 5.00 by function 23, and its meter."""

    meter = build(MeterDescription())
    keys = development_keys(meter.state.identity.serial_number)
    sealed = SealedMessage(MessageKind.CREDIT, keys_of(meter), 1, 1, 500, key_version=0).seal(
        keys.key(MessageClass.CREDIT)
    )
    part = MESSAGE_HEAD.pack(len(sealed), 0, len(sealed), 1) + sealed + bytes(len(sealed) % 2)
    head = b"".join(
        word.to_bytes(2, "big")
        for word in (WINDOWS.answer, ANSWER_HEAD_REGISTERS, WINDOWS.message, len(part) // 2)
    )
    return rtu.encode(1, bytes((23,)) + head + bytes((len(part),)) + part), meter


def keys_of(meter: Meter) -> str:
    """Return the serial number under which the keys of a meter were derived."""
    return meter.state.identity.serial_number


def test_every_fault_has_a_check() -> None:
    assert set(CHECKS) == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_has_its_effect(name: str) -> None:
    CHECKS[name](FaultRule(name))


def test_without_a_fault_the_reply_is_right() -> None:
    assert heard() == RIGHT


def test_the_next_three_replies_and_no_more() -> None:
    rack = rack_of(FaultRule("busy", count=3))
    line = Line(rtu_server(rack), faults=rack.faults)
    replies = [pump(line) for _ in range(5)]
    assert [reply[1] for reply in replies] == [0x83, 0x83, 0x83, 3, 3]


def test_a_span_begins_and_ends_in_line_time() -> None:
    rack = rack_of(FaultRule("busy", begins=1000, lasts=500))
    line = Line(rtu_server(rack), faults=rack.faults)
    codes = [
        line.receive(rtu.encode(1, ASK), at)[1] for at in (999_999, 1_000_000, 1_499_999, 1_500_000)
    ]
    assert codes == [3, 0x83, 0x83, 3]


def test_only_one_unit_suffers() -> None:
    meters = [(unit, build(MeterDescription(f"{unit:012d}", unit))) for unit in (1, 2)]
    for rule in (FaultRule("busy", unit=2), FaultRule("truncate", unit=2)):
        rack = Rack(meters, 0, Faults(FaultPlan((rule,))))
        line = Line(rtu_server(rack), faults=rack.faults)
        assert pump(line, rtu.encode(1, ASK)) == RIGHT
        assert pump(line, rtu.encode(2, ASK)) != rtu.encode(2, RIGHT[1:-2])


def test_a_probability_is_kept_and_the_seed_repeats_it() -> None:
    def struck(seed: int) -> list[bool]:
        rack = rack_of(FaultRule("busy", probability=250_000), seed=seed)
        line = Line(rtu_server(rack), faults=rack.faults)
        return [pump(line)[1] == 0x83 for _ in range(2000)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 400 < sum(struck(1)) < 600


def test_a_fault_of_the_meter_ends_at_its_time() -> None:
    rack = rack_of()
    operate(rack, BeginFault(FaultRule("magnet", begins=1000, lasts=2000)), 0)
    operate(rack, Advance(HOUR), 0)
    names = event_names(rack.stations[0].meter)
    assert names[-2:] == ["magnet_detected", "magnet_removed"]
    assert not list(rack.faults)


def test_a_fault_that_is_put_off_ends() -> None:
    rack = rack_of(FaultRule("switch_welded"), FaultRule("busy"))
    operate(rack, parse_command(["fault", "switch_welded", "off"]), 0)
    open_supply(rack)
    assert not rack.stations[0].meter.switch.closed
    assert [fault.rule.name for fault in rack.faults] == ["busy"]
    operate(rack, parse_command(["fault", "off"]), 0)
    assert not list(rack.faults)


def test_a_load_that_changes_while_it_flows_back_flows_back_too() -> None:
    rack = rack_of(FaultRule("reverse_flow"))
    operate(rack, parse_command(["load", "1kW"]), 0)
    operate(rack, Advance(HOUR), 0)
    operate(rack, parse_command(["fault", "off"]), 0)
    operate(rack, Advance(HOUR), 0)
    registers = rack.stations[0].meter.state.registers
    assert (registers.import_mwh, registers.export_mwh) == (1_000_000, 1_000_000)


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.name)
def test_a_rule_is_read_back_from_its_words(kind: object) -> None:
    name = kind.name  # type: ignore[attr-defined]
    options = {"unit": "3"}
    if FAULTS[name].scope is not FaultScope.STORAGE:
        options["for"] = "1h30m"
    if FAULTS[name].takes:
        own = {"noise": "7", "exception": "7", "lost_phase": "2"}
        options["value"] = own.get(name, "7ms" if "ms" in FAULTS[name].show(7) else "75")
    rule = parse_rule(name, options)
    assert parse_rule(name, dict(word.split("=", 1) for word in rule.words())) == rule


@pytest.mark.parametrize(
    "text",
    [
        "seed = 1.5",
        "fault = 3",
        "[[fault]]\nname = 'no such'",
        "[[fault]]\nvalue = '5ms'",
        "[[fault]]\nname = 'flip'\nvalue = '5ms'",
        "[[fault]]\nname = 'flip'\nprobability = 0",
        "[[fault]]\nname = 'flip'\nprobability = 1.5",
        "[[fault]]\nname = 'flip'\ncount = 0",
        "[[fault]]\nname = 'flip'\naddress = 5",
        "[[fault]]\nname = 'magnet'\ncount = 5",
        "[[fault]]\nname = 'torn_write'\nfor = '5s'",
        "[[fault]]\nname = 'busy'\nunit = 300",
        "[[fault]]\nname = 'reply_late'\nvalue = '5'",
        "[[fault]]\nname = 'busy'\nwhy = 'so'",
        "a = 1",
        "=",
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_its_key(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_plan(text)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_examples_can_be_read(path: Path) -> None:
    assert parse_plan(path.read_text()).rules


def test_the_special_behaviours_of_libmodbus_are_a_plan() -> None:
    """By quantity: wrong length. By address: busy, wrong ids, 500 ms late, byte by byte."""
    rack = rack_of(*parse_plan((EXAMPLES / "libmodbus-unit-test.toml").read_text()).rules)

    def ask(address: int, count: int, wait_us: int = 0) -> bytes:
        line = Line(tcp_server(rack), faults=rack.faults)
        return pump(line, tcp.encode(9, 1, read_request(3, address, count)), wait_us)

    assert tcp.HEADER.unpack_from(ask(0, 3)) == (9, 0, 9, 1)
    assert ask(0, 2) == tcp.encode(9, 1, bytes((3, 2)) + MAGIC[:2])
    assert ask(0x100, 1) == tcp.encode(9, 1, bytes((0x83, 6)))
    transaction, _, _, unit = tcp.HEADER.unpack_from(ask(0x101, 1))
    assert (transaction, unit) == (10, 2)
    assert ask(0x102, 1, 499_999) == b""
    assert len(ask(0x102, 1, 500_000)) == 11
    assert [len(ask(0x103, 1, 5_000 * n)) for n in range(12)] == [*range(1, 12), 11]


def test_a_fault_of_one_function_leaves_the_others_alone() -> None:
    """Of two rules at one address, a read meets one and a write the other."""
    rack = rack_of(
        FaultRule("busy", function=3, address=0x2000),
        FaultRule("exception", 3, function=6, address=0x2000),
    )

    def ask(pdu: bytes) -> bytes:
        return pump(Line(tcp_server(rack), faults=rack.faults), tcp.encode(9, 1, pdu))[7:]

    assert ask(read_request(3, 0x2000, 1)) == bytes((0x83, 6))
    assert ask(bytes.fromhex("06 2000 0042")) == bytes((0x86, 3))
    assert ask(bytes.fromhex("10 2000 0001 02 0042")) == bytes.fromhex("10 2000 0001")
    assert ask(read_request(4, 0x2000, 1)) == bytes.fromhex("04 02 0042")


def test_two_faults_of_one_kind_are_one_condition() -> None:
    rack = rack_of(
        FaultRule("reverse_flow", lasts=2 * HOUR), FaultRule("reverse_flow", unit=1, lasts=HOUR)
    )
    meter = rack.stations[0].meter
    operate(rack, Advance(HOUR), 0)
    assert meter.installation.flows_back, "one of the two still stands"
    operate(rack, Advance(HOUR), 0)
    assert not meter.installation.flows_back
    assert (meter.state.registers.import_mwh, meter.state.registers.export_mwh) == (0, 4_000_000)


def test_a_fault_that_could_not_begin_ends_without_a_trace() -> None:
    rack, _ = stored(FaultRule("storage_full", count=2), FaultRule("reverse_flow", lasts=HOUR))
    operate(rack, Advance(2 * HOUR), 0)
    assert not rack.stations[0].meter.installation.flows_back


def test_a_command_that_comes_late_does_not_turn_the_rack_back() -> None:
    """Overdue work is done at its own instant, and the command at the present instant."""
    rack = rack_of()
    rack.timeline.set(0, 0, 1_000_000)
    rack.agenda.plan(10_000, lambda: None)
    operate(rack, parse_command(["button"]), 3_590_000)
    assert rack.agenda.now_ms == 3_590_000


def test_a_storage_that_was_full_for_weeks_recovers() -> None:
    rack, _ = stored()
    operate(rack, parse_command(["fault", "storage_full", "on"]), 0)
    with pytest.raises(CommandFailedError):
        operate(rack, Advance(60 * 24 * HOUR), 0)
    operate(rack, parse_command(["fault", "off"]), 0)
    operate(rack, Advance(HOUR), 0)
    elapsed_ms = rack.stations[0].meter.state.elapsed_ms
    rack.stations[0].restart()
    assert rack.stations[0].meter.state.elapsed_ms == elapsed_ms
