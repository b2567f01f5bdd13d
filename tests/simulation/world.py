"""One simulated world from one seed: meters, lines with faults, hosts, workload, crashes, auditor.

Both sides run the product's code. Only the byte pipe, the meters' byte device, the clocks and the
random numbers are replaced. No call sleeps, and the same seed gives the same world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from firmware_sim.acceptance.plain import plain_credit
from firmware_sim.assembly import build
from firmware_sim.faults.in_force import Faults
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load, split
from firmware_sim.rack.errors import POWER_FAILED, CommandFailedError
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.stations import Observer, Station
from firmware_sim.rack.values import fragments
from firmware_sim.records.ring import PURCHASE_RING
from firmware_sim.requests import Plain, PresentCard, Reply, Request, Sealed
from firmware_sim.servers.line import Line
from firmware_sim.servers.transit import BITS_A_BYTE
from firmware_sim.settings import Settings
from firmware_sim.token_carriers.insertion import CardInsertion
from firmware_sim.vending import Order, Vending
from meterctl.errors import MeterctlError, NotPermittedError, RefusedError, UnknownOutcomeError
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import KeyRing, development_ring
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import hold_against_journal, settle_by_write_back
from meterctl.operations.card.issuing import plan_format, plan_replacement
from meterctl.operations.card.openings import Opening, open_account
from meterctl.operations.card.presented import PresentedCard
from meterctl.operations.card.sales import sell
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import advance_key_version, execute, plan
from meterctl.operations.entry_results import Settled
from meterctl.operations.limits import encode_settings, parse_settings, set_limits
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.status import ask_status
from meterctl.operations.withdrawal import withdraw_cards
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.card.memory import make_blank
from protocols.control import Advance, BeginFault, parse_command
from protocols.data_model.items import ITEMS
from protocols.data_model.tables import DAILY_FREEZES, EVENTS, PROFILE, PURCHASES, Purchase
from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.words import MeterType
from protocols.errors import MalformedMessageError
from protocols.faults import FaultPlan, FaultRule, Way
from protocols.keys import MessageClass, MeterKeys, bcd, derive_meter_keys
from protocols.modbus import tcp
from protocols.quantities import CENT, DAY, HOUR, LEDGER, MINUTE, SECOND, parse_power
from protocols.sealed_message import (
    MessageKind,
    Origin,
    Outcome,
    SealedMessage,
    SwitchAction,
    encode_number,
)
from tests.simulation.adapters import adapters, late_replies
from tests.simulation.auditor import AuditError, Auditor, JournalLine, MeterFacts
from tests.simulation.hosts import Host
from tests.simulation.liar import Liar, LyingServer, message_in
from tests.simulation.pipes import CardContacts, CrashingPipe, HostCrashError, Time
from tests.simulation.plain_named import named_plainly
from tests.simulation.witness import (
    CHANGES_WITHOUT_A_TRACE,
    Witness,
    WitnessedDriver,
    WitnessedServer,
)
from tests.support.maps import ADDRESS, WINDOWS
from tests.support.racks import rtu_server, tcp_server

HOST_EPOCH_S = 1_767_225_600
TIMEOUT_MS = 1000
SETTLES_WITHIN_MS = 10 * MINUTE
"""Line time within which every entry is settled after the faults have ended."""
STEPS = (10, 30)
WITH_ADAPTERS, WITH_PLAIN_WRITES = 2, 3
LATEST_DRAWS = WITH_PLAIN_WRITES
"""Versions of the draws of a seed; 1 is without either. A seed that failed once is played as it was
drawn then."""
DRAWN_ITEMS = [item for item in ITEMS if ADDRESS[item.name] < 352]
"""The items that a seed draws from: further ones would make another world of every seed."""
TABLES_READ = (PURCHASES, EVENTS, PROFILE, DAILY_FREEZES)
LEVELS = ("off", "2.00", "5.00")


@dataclass(slots=True)
class Placed:
    """A meter, its byte device and its customer's card."""

    description: MeterDescription
    device: SimulatedNvram
    last: Mapping[str, Any]
    chip: SimulatedNvram = field(default_factory=SimulatedNvram)
    image: bytes = b""
    """An earlier copy of its storage."""
    goes_back: bool = False
    is_new: bool = False
    """Whether the meter got a new storage, which is a new epoch."""
    was_set_back: bool = False


OLDER, NEWER = 1, 2
"""Key versions of worlds that have a key ring."""
_SET_BACK_WORDS = ("set back", "has taken", "forged", "cloned", "tampered", "clone")


@dataclass(slots=True)
class Executing:
    """A request that a meter executes, and how the meter was before it."""

    meter: Meter
    request: Sealed | Plain | PresentCard
    before: Mapping[str, Any]
    is_new: bool


class Watch(Observer):
    """Shows the auditor every sealed message and every card that reaches a meter."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._executing: dict[Station, Executing] = {}

    def before(self, station: Station, request: Request) -> None:
        """Keep how the meter is before a message or a card."""
        world, meter = self._world, station.meter
        if isinstance(request, Sealed | Plain):
            before = world.step(meter)
            world.delivered += isinstance(request, Sealed)
            self._executing[station] = Executing(meter, request, before, False)
        elif isinstance(request, PresentCard):
            before, data = world.step(meter), request.credit.message
            last = meter.state.security.credit_sequence
            is_new = bool(data) and SealedMessage.decode(data).sequence > last
            self._executing[station] = Executing(meter, request, before, is_new)

    def after(self, station: Station, request: Request, reply: Reply | None) -> None:
        """Show the auditor what a message or a card did."""
        done = self._executing.pop(station, None)
        if done is not None:
            self._world.executed(done, reply, was_lost=False)

    def interrupted(self, station: Station) -> None:
        """Show the auditor a message or a card that may have been taken."""
        done = self._executing.pop(station, None)
        if done is not None:
            self._world.executed(done, None, was_lost=True)

    def stopped(self, station: Station, error: MeterStoppedError) -> None:
        """The same of a meter that stopped."""
        self.interrupted(station)


class World:
    """The whole simulated system. `run` plays the seed and raises AuditError or another failure."""

    def __init__(self, seed: int, folder: Path, draws: int = LATEST_DRAWS) -> None:
        self.seed, self.folder, self._draws = seed, folder, draws
        self.rng = Random(f"simulate/{seed}")
        self.log: list[str] = []
        self.top_ups = self.crashes = self.delivered = 0
        self.seen: Counter[str] = Counter()
        """What happened how often: what the tests hold that it happens at all."""
        self.random = Random(f"cards/{seed}").randbytes
        self._shown: dict[int, tuple[Meter, int, Mapping[str, Any]]] = {}
        self._sent: list[tuple[str, bytes]] = []
        self._vends = False
        self._vended: list[JournalLine] = []
        self._vending = Vending()
        self._plain = Random(f"plain/{seed}")
        self._writes_plainly = draws >= WITH_PLAIN_WRITES and self._plain.random() < 0.25
        self._credit_written = (0, 0)
        """Purchase count and amount of the plain credit that is being written."""
        self._written_last: dict[str, tuple[int, int]] = {}
        self._written: Counter[str] = Counter()
        """Plain credit by the serial number of the meter that took it or may have, 0.01."""
        self.faults = Faults(FaultPlan((), seed))
        self.time = Time()
        self._choose_keys()
        count = self.rng.choice((1, 1, 1, 2, 3))
        descriptions = [self._description(unit) for unit in range(1, count + 1)]
        self.auditor = Auditor(
            [
                MeterFacts(d.serial_number, d.tariff.prices.prices[0], self._keys(d.serial_number))
                for d in descriptions
            ]
        )
        self.placed: dict[str, Placed] = {}
        stations = []
        for description in descriptions:
            serial = description.serial_number
            placed = self.placed[serial] = Placed(description, SimulatedNvram(), {})
            meter = self._make(placed)
            placed.last = self.snapshot(meter)
            self.auditor.started(serial, placed.last)
            stations.append((description.unit, meter))
        self.rack = Rack(stations, self.rng.choice((0, 1000, 60_000)), self.faults)
        self.operator = Operator(self.rack, self._load, lambda: self.time.now_us)
        self.rack.observers.append(Watch(self))
        for station in self.rack.stations:
            station.rebuild = self._rebuilder(
                self.placed[station.meter.state.identity.serial_number]
            )
        self.rack.begin_faults()
        self.liar = self._make_liar() if self.rng.random() < 0.45 else None
        self._reads = Random(f"reads/{seed}")
        self.witness = Witness(lambda serial: self.rack.station(serial).meter)
        self._place_hosts()

    # ---- hosts

    def _choose_keys(self) -> None:
        """Choose the development key or a ring of two versions, the older one retired or not."""
        kind = self.rng.choice(("development", "development", "two", "two", "retired"))
        draw = Random(f"masters/{self.seed}")
        self.ring = development_ring()
        if kind != "development":
            masters = {version: draw.randbytes(16) for version in (OLDER, NEWER)}
            retired = frozenset({OLDER}) if kind == "retired" else frozenset()
            self.ring = KeyRing(masters, Path("ring"), retired=retired)

    def _keys(self, serial: str) -> dict[int, MeterKeys]:
        masters = self.ring.masters.items()
        return {version: derive_meter_keys(master, serial, version) for version, master in masters}

    def _make_liar(self) -> Liar:
        serials = {p.description.unit: serial for serial, p in self.placed.items()}
        forges = OLDER in self.ring.retired and self.rng.random() < 0.8
        retired = {s: self._keys(s)[OLDER] for s in serials.values()} if forges else {}
        return Liar(Random(f"liar/{self.seed}"), list(serials), retired, serials)

    def _place_hosts(self) -> None:
        """Create one to three hosts with one clock, which is coarse in some worlds."""
        rng = self.rng
        self._grain = rng.choice((1, 1, 60, 86_400))
        self._crowd = rng.choice((0.0, 0.0, 0.1, 0.3, 0.8))
        self._sets_back = rng.random() < 0.12
        self._loses_journals = rng.random() < 0.2
        self._renews_storages = not self._sets_back and rng.random() < 0.12
        framed = self._framed = rng.random() < 0.3
        server = tcp_server if framed else rtu_server

        def make_line() -> Line:
            made = server(self.rack)
            if self.liar is not None:
                made = LyingServer(self.liar, made, server(self.rack), framed=framed)
            can_echo = not framed or self._draws < WITH_ADAPTERS
            served = WitnessedServer(self.witness, made)
            return Line(served, faults=self.faults, can_echo=can_echo)

        self.hosts: list[Host] = []
        marks = Random(f"marks/{self.seed}").randbytes
        for number in range(rng.choice((1, 2, 2, 3))):
            journal = Journal(self.folder / f"host{number}.sqlite", marks)
            ring = self.ring
            if number and not ring.is_development and not ring.retired and rng.random() < 0.2:
                ring = KeyRing({OLDER: ring.masters[OLDER]}, ring.path)
            host = Host(number, journal, ring, CrashingPipe(self.time, make_line, framed), marks)
            host.pipe.meanwhile = self._interleaver(host)
            self.hosts.append(host)
        self._acting: Host | None = None
        self._is_interleaved = False
        self._hosts_die = True

    def _interleaver(self, host: Host) -> Callable[[bytes], None]:
        """Return a hook that lets another host act between two exchanges of a host.

        It acts most often between the status and the delivery.
        """

        def meanwhile(request: bytes) -> None:
            others = [other for other in self.hosts if other is not host]
            if self._is_interleaved or not others or not self._crowd:
                return
            if self.rng.random() >= (self._crowd if _delivers(request) else self._crowd / 10):
                return
            self._is_interleaved = True
            try:
                self.look()
                self.log.append(
                    f"  meanwhile {self._do(self._wire_action(), self.rng.choice(others))}"
                )
                self.look()
            finally:
                self._is_interleaved = False

        return meanwhile

    # ---- building

    def _description(self, unit: int) -> MeterDescription:
        rng = self.rng
        maybe = lambda *values: rng.choice(values)  # noqa: E731
        settings = Settings(
            low_credit_threshold_1=maybe(None, 5 * LEDGER),
            low_credit_threshold_2=maybe(None, 2 * LEDGER),
            overdraft_limit=maybe(0, 0, 3 * LEDGER),
            max_credit=maybe(None, None, 150 * LEDGER),
            reconnect_threshold=maybe(0, 0, 1 * LEDGER),
            trip_mode=rng.randrange(3),
            reconnect_mode=rng.randrange(2),
            trip_delay_minutes=maybe(0, 5),
            standing_charge=maybe(0, 0, 35 * CENT),
            debt_instalment=maybe(0, 50 * CENT),
            debt_share_percent=maybe(0, 30),
            utc_offset_minutes=maybe(0, 480),
        )
        serial = f"{self.seed % 10**9:09d}{unit:03d}"
        return MeterDescription(
            serial_number=serial,
            unit=unit,
            credit=rng.randrange(0, 4000) * CENT,
            opened=rng.random() > 0.15,
            keys=None if self.ring.is_development else self._keys(serial),
            meter_type=rng.choice((MeterType.SINGLE_PHASE, MeterType.THREE_PHASE)),
            debt=maybe(0, 0, 20 * LEDGER),
            settings=settings,
            tariff=Tariff(prices=Prices((rng.randrange(1, 20_000),))),
            epoch=rng.randrange(1, 1 << 32),
            phase_energies=Random(f"{serial} keeps energies of phases").random() < 0.5,
            unsafe_writes=self._writes_plainly,
        )

    def _make(self, placed: Placed) -> Meter:
        unit = placed.description.unit
        faulty = self.faults.nvram(placed.device, unit)
        return build(placed.description, faulty)

    def _rebuilder(self, placed: Placed) -> Callable[[], Meter]:
        def rebuild() -> Meter:
            meter = self._make(placed)
            self.crashes += 1
            now = self.snapshot(meter)
            self.log.append(f"meter {placed.description.serial_number} restarted")
            if placed.is_new:
                placed.is_new = False
                self.auditor.started(placed.description.serial_number, now)
            elif placed.goes_back:
                placed.goes_back, placed.was_set_back = False, True
                self.auditor.set_back(placed.description.serial_number, now)
            else:
                self.auditor.restarted(placed.description.serial_number, placed.last, now)
            placed.last = now
            return meter

        return rebuild

    def executed(self, done: Executing, reply: Reply | None, *, was_lost: bool) -> None:
        """Show the auditor a message, a plain credit or a card.

        Args:
            was_lost: whether the power or the storage failed while the meter executed it.
        """
        if isinstance(done.request, Plain):
            self._written_plainly(done, reply, was_lost)
        elif isinstance(done.request, Sealed):
            self._delivered_message(done, done.request.data, reply, was_lost)
        else:
            self._inserted_card(done, done.request.credit.message, reply, was_lost)

    def _delivered_message(
        self, done: Executing, data: bytes, reply: Reply | None, was_lost: bool
    ) -> None:
        serial = done.meter.state.identity.serial_number
        if was_lost:
            self._sent.append((serial, data))
            self.auditor.delivered(serial, data, None, done.before, done.before)
            return
        if reply is None or reply.answer is None:
            return
        outcome = reply.answer.outcome
        if not self._vends or outcome.applied:  # vending keeps nothing that was refused
            self._sent.append((serial, data))
        self.seen[outcome.name] += 1
        self.log.append(f"meter {serial}: {outcome.name} to sequence {reply.answer.sequence}")
        self._took(done, data, outcome)

    def _written_plainly(self, done: Executing, reply: Reply | None, was_lost: bool) -> None:
        serial = done.meter.state.identity.serial_number
        credit = self._credit_written
        outcome = reply.answer.outcome.name if reply is not None and reply.answer else None
        if not was_lost and outcome is None:
            return
        if was_lost or outcome == Outcome.ACCEPTED.name:
            self._written[serial] += credit[1]
        self.seen[f"plain: {outcome}"] += 1
        after = done.before if was_lost else self.snapshot(done.meter)
        self.auditor.written_plainly(serial, credit, outcome, done.before, after)
        if not was_lost:
            self.placed[serial].last = after

    def _inserted_card(
        self, done: Executing, data: bytes, reply: Reply | None, was_lost: bool
    ) -> None:
        """Show the auditor a card's sale; one that is not accepted counts like the button."""
        serial = done.meter.state.identity.serial_number
        if data:
            self._sent.append((serial, data))
        if was_lost:
            if done.is_new:  # a card that was taken before is no new possibility
                self.auditor.delivered(serial, data, None, done.before, done.before)
            return
        insertion = reply.insertion if reply is not None else None
        self.log.append(f"meter {serial}: card, {insertion}")
        if insertion is None or insertion.outcome is not Outcome.ACCEPTED:
            self.step(done.meter)
            return
        self.seen["taken from a card"] += 1
        self._took(done, data, insertion.outcome)

    def _took(self, done: Executing, data: bytes, outcome: Outcome) -> None:
        serial, after = done.meter.state.identity.serial_number, self.snapshot(done.meter)
        self.auditor.delivered(serial, data, outcome.name, done.before, after)
        self.placed[serial].last = after

    def snapshot(self, meter: Meter) -> Mapping[str, Any]:
        """Return the values of a meter's items; the same object while its revision is unchanged."""
        known = self._shown.get(id(meter))
        if known is not None and known[0] is meter and known[1] == meter.revision:
            return known[2]
        rows = meter.rings[PURCHASE_RING].newest(PURCHASES.depth)
        shown: dict[str, Any] = {
            **fragments(meter),
            "purchases": [Purchase.unpack(row).fragments() for row in rows],
        }
        self._shown[id(meter)] = (meter, meter.revision, shown)
        return shown

    def step(self, meter: Meter) -> Mapping[str, Any]:
        """Report a meter's present state to the auditor."""
        placed = self.placed[meter.state.identity.serial_number]
        now = self.snapshot(meter)
        if now is not placed.last:
            self.auditor.stepped(meter.state.identity.serial_number, placed.last, now)
            placed.last = now
        return now

    def look(self) -> None:
        """Advance all meters to the present and audit all meters and journals."""
        self._everyone()
        for station in self.rack.stations:
            self.step(station.meter)
        self.auditor.journal(self.entries())

    def entries(self) -> list[JournalLine]:
        """Return the entries of all journals and of vending in the meters' own process."""
        return [*self._vended, *(line for host in self.hosts for line in host.lines())]

    # ---- the run

    def run(self) -> None:
        """Run the workload under faults, end the faults, settle, and check the books."""
        if self.liar is not None:
            self.liar.is_honest = True
        for station in self.rack.stations:
            self._issue_card(station)
        if self.liar is not None:
            self.liar.is_honest = False
        rules = [*self._rules(), *self._adapters()]
        for rule in rules:
            self._command_fault(rule)
            self.seen[f"fault: {rule.name}"] += 1
        changes = self._framed and any(rule.name in CHANGES_WITHOUT_A_TRACE for rule in rules)
        self.witness.trusts_the_line = self.liar is None and not changes
        for _ in range(self.rng.randint(*STEPS)):
            self.log.append(self._act())
            self.look()
            if self._draws >= WITH_ADAPTERS and self._reads.random() < 0.3:
                self.log.append(self._do(self._read, self._reads.choice(self.hosts)))
                self.look()
            if self._writes_plainly and self._plain.random() < 0.3:
                self.log.append(self._do_plainly())
                self.look()
        self._settle()

    def _rules(self) -> list[FaultRule]:
        """Return some faults, each rare enough for some exchanges to succeed."""
        rng = self.rng
        ppm = lambda: rng.choice((10_000, 50_000, 150_000))  # noqa: E731
        possible = [
            FaultRule("flip", probability=ppm()),
            FaultRule("drop", probability=ppm(), way=rng.choice((None, Way.REPLY, Way.REQUEST))),
            FaultRule("duplicate", probability=ppm()),
            FaultRule("insert", probability=ppm()),
            FaultRule("truncate", probability=ppm()),
            FaultRule("noise", probability=ppm()),
            FaultRule("delay", probability=ppm(), value=rng.choice((5, 50, 1500))),
            FaultRule("echo", probability=rng.choice((50_000, 1_000_000))),
            FaultRule("pacing"),
            FaultRule("hang_up", probability=10_000, value=rng.choice((10, 3000))),
            FaultRule("request_lost", probability=ppm()),
            FaultRule("reply_lost", probability=rng.choice((50_000, 300_000))),
            FaultRule("reply_late", probability=ppm(), value=rng.choice((200, 1500, 4000))),
            FaultRule("reply_twice", probability=ppm()),
            FaultRule("wrong_unit", probability=ppm()),
            FaultRule("wrong_transaction", probability=ppm()),
            FaultRule("wrong_length", probability=ppm()),
            FaultRule("byte_by_byte", probability=ppm()),
            FaultRule("busy", probability=ppm()),
            FaultRule("exception", probability=ppm(), value=rng.choice((2, 3, 4, 5, 11))),
            FaultRule("torn_write", probability=ppm()),
            FaultRule("lost_writes", probability=500_000),
            FaultRule("storage_full", probability=ppm()),
            FaultRule("flush_fails", probability=20_000),
            FaultRule("switch_welded", lasts=rng.randrange(1, 20) * HOUR),
            FaultRule("switch_stuck_open", begins=HOUR, lasts=rng.randrange(1, 20) * HOUR),
            FaultRule(
                "brown_out", begins=rng.randrange(5 * HOUR), lasts=rng.choice((SECOND, 2 * HOUR))
            ),
            FaultRule("magnet", begins=HOUR, lasts=HOUR),
            FaultRule(
                "clock_step",
                value=rng.choice((-DAY, -HOUR, HOUR, 2 * DAY)),
                begins=rng.randrange(9 * HOUR),
            ),
            FaultRule("reverse_flow", begins=HOUR, lasts=5 * HOUR),
            FaultRule("lost_phase", lasts=3 * HOUR),
            FaultRule("clock_drift", value=rng.choice((-500, 500)), lasts=30 * HOUR),
        ]
        return rng.sample(
            possible, rng.randint(0, 6) if self.liar is None else rng.choice((0, 0, 1, 2))
        )

    def _adapters(self) -> list[FaultRule]:
        """Return late replies and the adapters of serial lines, none of them beside a liar.

        The hosts know the pace of their lines.
        """
        if self._draws < WITH_ADAPTERS or self.liar is not None:
            return []
        drawn = [] if self._framed else adapters(self.seed)
        for host in self.hosts if drawn else ():
            host.pipe.character_us = BITS_A_BYTE * 1_000_000 // drawn[0].amount
        return [*drawn, *late_replies(self.seed)]

    def _command_fault(self, rule: FaultRule) -> None:
        try:
            self.operator.execute(BeginFault(rule))
        except MeterStoppedError:
            self._revive()
        self.log.append(f"fault {rule.name} {' '.join(rule.words())}")
        self.look()

    def _act(self) -> str:
        actions: list[tuple[float, Callable[[], str]]] = [
            (6, self._time),
            (7, self._top_up),
            (2, self._refund),
            (1, self._debt),
            (2, self._read),
            (3, self._limits),
            (3, self._switch),
            (1, self._guarantee),
            (1, self._clock),
            (2, self._change_load),
            (2, self._button),
            (1, self._cover),
            (1, self._power),
            (3, self._sell_card),
            (4, self._insert_card),
            (5, self._command_round),
            (3, self._resolve),
            (2, self._crash_meter),
            (1, self._withdraw),
            (1.5, self._vend),
            (0.3, self._close),
            (0.7, self._other_sellers),
            (1 if any(not p.description.opened for p in self.placed.values()) else 0, self._open),
            (0 if self.ring.is_development else 1.5, self._advance_key_version),
            *(((2, self._new_storage),) if self._renews_storages else ()),
            *(((5, self._lose_journal),) if self._loses_journals else ()),
            *(
                ((14, self._go_back), (10, self._top_up), (5, self._replay_one))
                if self._sets_back
                else ()
            ),
            (0.5, self._far_command),
            (1, self._replay_one),
        ]
        weights, choices = zip(*actions, strict=True)
        return self._do(self.rng.choices(choices, weights)[0], self.rng.choice(self.hosts))

    def _wire_action(self) -> Callable[[], str]:
        """Return the action of the host that acts between two exchanges of another."""
        actions = (
            self._top_up,
            self._top_up,
            self._refund,
            self._debt,
            self._switch,
            self._resolve,
            self._vend,
        )
        return self.rng.choice(actions)

    def _do(self, act: Callable[[], str], host: Host) -> str:
        """Run an action of a host and return its result as text."""
        acting, self._acting = self._acting, host
        if self._hosts_die and self.rng.random() < 0.12:
            host.pipe.dies_in = self.rng.randint(1, 40)
        try:
            return f"host {host.name}: {act()}"
        except HostCrashError:
            host.restart()
            return f"{act.__name__}: host {host.name} died"
        except MeterctlError as error:
            self._check(error, host)
            return f"host {host.name}: {act.__name__}: {type(error).__name__} {error}"
        except CommandFailedError as error:
            return f"{act.__name__}: {error}"
        except MeterStoppedError:
            return f"{act.__name__}: the meter stopped"
        finally:
            host.pipe.dies_in = None
            self._acting = acting

    def _do_plainly(self) -> str:
        """Write credit; draw nothing of the other draws."""
        try:
            return self._write_credit()
        except MeterStoppedError:
            return "a plain write: the meter stopped"

    def _check(self, error: MeterctlError, host: Host) -> None:
        """Check that an error is a declared one and accuses no sound meter, card or journal."""
        if not 2 <= error.exit_code <= 7:
            raise AuditError(f"exit code {error.exit_code}: {error}") from error
        self.seen[type(error).__name__] += 1
        text = str(error)
        lost = isinstance(error, UnknownOutcomeError) and self._loses_journals and self._hosts_die
        if lost and not self._is_interleaved and self.rng.random() < 0.4:
            for other in self.hosts:
                if other is not host:
                    other.copy_from(host)
                    self.log.append(
                        f"  host {other.name} got a copy of the journal of host {host.name}"
                    )
                    self.seen["journal copied"] += 1
        if "Other sellers were first" in text:
            self.seen["gave up"] += 1
        if "journal renew" in text:
            if not self._loses_journals:
                raise AuditError(f"a sound journal was accused: {error}") from error
            self.seen["copy refused"] += 1
            if self.rng.random() < 0.7:
                host.journal.numbers.renew(self._now())
                self.seen["renewed"] += 1
        sets_back = any(placed.was_set_back for placed in self.placed.values())
        accused = isinstance(error, NotPermittedError) and any(
            word in text for word in _SET_BACK_WORDS
        )
        if accused and self._writes_plainly and "the journal has sold it" in text:
            self.seen["card refused for plain credit"] += 1
        elif accused and sets_back:
            self.seen["set back refused"] += 1
        elif accused and not self._loses_journals and not self._renews_storages:
            raise AuditError(f"a sound meter or card was accused: {error}") from error

    def _everyone(self) -> None:
        """Bring all meters to the present; one whose flush fails on the way is restarted."""
        self.rack.bring_all(self.time.now_us)
        self._revive()

    def _revive(self) -> None:
        """Restart each meter whose flush failed, as the supervisor of its ended process does."""
        for station in self.rack.stations:
            if station.meter.stopped:
                self._cycle(station)

    def _cycle(self, station: Station) -> None:
        placed = self.placed[station.meter.state.identity.serial_number]
        placed.device = placed.device.power_cycle(lambda _: self.rng.random() < 0.5)
        self._restart(station)

    def _restart(self, station: Station) -> None:
        station.restart(self.rack.timeline.instant(self.time.now_us))

    # ---- actions

    def _station(self) -> Station:
        return self.rng.choice(self.rack.stations)

    def _now(self) -> int:
        return HOST_EPOCH_S + self.time.now_us // 1_000_000 // self._grain * self._grain

    def _session(
        self, station: Station, host: Host | None = None, *, set_back: bool | None = None
    ) -> tuple[Session, Journal]:
        """Return a session with a meter for the acting host or `host`, and that host's journal.

        With `set_back` the session serves a meter that was set back.
        """
        host = host or self._acting
        assert host is not None
        pipe, serial = host.pipe, station.meter.state.identity.serial_number
        driver = WitnessedDriver(self.witness, serial, pipe, station.unit, TIMEOUT_MS, pipe.clock)
        knowingly = self.rng.random() < 0.4 if set_back is None else set_back
        knowingly = knowingly and self.placed[serial].was_set_back
        if knowingly:
            host.served.add(serial)
        payee = serial if self.rng.random() < 0.7 else None
        session = Session(
            driver,
            host.ring,
            self._now,
            pipe.clock,
            pipe.pause,
            host.random,
            payee=payee,
            set_back=knowingly,
        )
        return session, host.journal

    def _command(self, *words: str) -> None:
        self.look()
        self.operator.execute(parse_command(words), self._station().serial_number)

    def _time(self) -> str:
        duration = self.rng.choice((1, 777, SECOND, MINUTE, HOUR, 7 * HOUR, DAY, 3 * DAY))
        self.look()
        self.operator.execute(Advance(duration))
        return f"advance {duration} ms"

    def _bring(self, kind: MessageKind, amount: int) -> str:
        station = self._station()
        session, journal = self._session(station)
        assert self._acting is not None
        behind = self._must_refuse(station, self._acting)
        is_copy = self._is_copy(station, self._acting)
        planned = plan(session, journal, kind, amount)
        before = journal.last_id()
        try:
            settled = execute(session, journal, planned)
        finally:
            resealed = sum(e.id > before and e.kind == kind.word for e in journal.entries()) - 1
            self.seen["resealed"] += max(0, resealed)
            if resealed > 4:
                raise AuditError(f"a sale was sealed again {resealed} times")
        self._hold_payee(session, settled)
        if behind and settled.entry.meter == station.meter.state.identity.serial_number:
            raise AuditError(
                f"meter {settled.entry.meter}: a meter that was set back was sold to unknowingly"
            )
        if is_copy and settled.entry.meter == station.meter.state.identity.serial_number:
            raise AuditError(
                f"meter {settled.entry.meter}: sold with a journal that is a copy or was restored"
            )
        return (
            f"{kind.word} {amount}: sequence {settled.entry.sequence} {settled.entry.state.value}"
        )

    @staticmethod
    def _hold_payee(session: Session, settled: Settled) -> None:
        if session.payee not in (None, settled.entry.meter):
            raise AuditError(
                f"--meter named {session.payee}, meter {settled.entry.meter} was sold to"
            )
        if settled.entry.state is not EntryState.CONFIRMED:
            raise AuditError(f"a sale ended without an error and is {settled.entry.state.value}")

    def _must_refuse(self, station: Station, host: Host) -> bool:
        """Say whether a host has proof of a sequence that a meter which was set back has not
        reached.
        """
        identity, reached = (
            station.meter.state.identity,
            station.meter.state.security.credit_sequence,
        )
        if (
            not self.placed[identity.serial_number].was_set_back
            or identity.serial_number in host.served
        ):
            return False
        return any(
            line.state == "confirmed" and not line.lost and line.sequence > reached
            for line in host.lines()
            if (line.serial, line.epoch) == (identity.serial_number, identity.epoch)
        )

    @staticmethod
    def _is_copy(station: Station, host: Host) -> bool:
        """Say whether a meter's last message of a host's journal number is none that the journal
        holds.
        """
        row = station.meter.state.security.last_of(host.journal.numbers.current)
        origins = {(e.meter, e.origin.mark) for e in host.journal.entries()}
        return (
            row is not None
            and (station.meter.state.identity.serial_number, row.mark) not in origins
        )

    def _open(self) -> str:
        return self._bring(MessageKind.OPEN, self.rng.randrange(0, 5000))

    def _close(self) -> str:
        return self._bring(MessageKind.CLOSE, 0)

    def _advance_key_version(self) -> str:
        session, journal = self._session(self._station())
        settled = advance_key_version(session, journal, session.identify())
        for entry in journal.open_entries(settled.entry.meter):
            if (
                entry.lives_in(settled.entry.epoch)
                and entry.key_version < settled.entry.key_version
            ):
                raise AuditError(
                    f"entry {entry.id} was open when its journal advanced the key version"
                )
        self.seen["key advanced"] += 1
        return f"key version advanced at sequence {settled.entry.sequence}"

    def _vend(self) -> str:
        """Sell within the meter's own process: journal 0, which stores accepted messages only."""
        station = self._station()
        kind = self.rng.choice(
            (MessageKind.CREDIT, MessageKind.CREDIT, MessageKind.REFUND, MessageKind.DEBT)
        )
        order = Order(kind, self.rng.randrange(1, 2000))
        outcome = self._give(station, lambda: self._vending.seal(station.meter, order).data)
        self.seen["vended"] += 1
        return f"vended {kind.word} {order.amount}: {outcome}"

    def _write_credit(self) -> str:
        """Write credit plainly: mostly the next count, else one that was or that is not yet."""
        station, rng = self._plain.choice(self.rack.stations), self._plain
        self.look()
        meter = station.meter
        if meter.stopped or not meter.state.powered:
            return "no plain write in the dark"
        count = meter.state.account.purchases + rng.choice((1, 1, 1, 0, 0, -1, 2))
        kept = self._written_last.get(station.serial_number)
        if kept is not None and rng.random() < 0.3:
            self._credit_written = kept
        else:
            self._credit_written = (max(0, count), rng.choice((0, 1, 700, rng.randrange(1, 3000))))
        restarts = station.restarts
        reply = station.hand_over(plain_credit(*self._credit_written))
        self._written_last[station.serial_number] = self._credit_written
        if station.meter.stopped:
            raise MeterStoppedError(f"meter {station.serial_number} stopped")
        if station.restarts != restarts:
            return f"wrote credit {self._credit_written}: {POWER_FAILED}"
        outcome = reply.answer.outcome.name if reply and reply.answer else "no answer"
        return f"wrote credit {self._credit_written}: {outcome}"

    def _ask_for_status(self, station: Station) -> str:
        session, journal = self._session(station, set_back=True)
        ask_status(session, journal, session.identify())
        return "status"

    def _check_plain_credit(self) -> None:
        """Check that no journal names more plain credit than was ever written."""
        for host in self.hosts:
            for serial, placed in self.placed.items():
                epoch, gone_back = placed.description.epoch, placed.was_set_back
                named = named_plainly(host.journal, serial, epoch, was_set_back=gone_back)
                if named > self._written[serial]:
                    raise AuditError(
                        f"meter {serial}: host {host.name} names {named} of plain credit, "
                        f"{self._written[serial]} was written"
                    )
                self.seen["plain credit named"] += bool(named)

    def _other_sellers(self) -> str:
        """Sell 18 times with 1, 3, 15 or 18 other journals: a meter stores 16 receipts and rows."""
        station = self._station()
        count = self.rng.choice((1, 3, 15, 18))
        numbers = [self.rng.randrange(1, 1 << 32) for _ in range(count)]
        outcomes = {
            self._give(
                station, lambda number=number: self._of_another_seller(station.meter, number)
            )  # type: ignore[misc]
            for number in (numbers * 18)[:18]
        }
        self.seen[f"{count} sellers"] += 1
        return f"{count} sellers sold 18 times: {outcomes}"

    def _far_command(self) -> str:
        """Send a genuine command whose sequence is far above the meter's last one."""
        station = self._station()
        ahead = self.rng.choice((2, 65_536, 65_537, 1 << 31))
        self.look()
        meter = station.meter
        state, keys = meter.state, meter.authenticator.keys(meter.state.security.key_version)
        sequence = state.security.command_sequence + ahead
        if meter.stopped or not state.powered or keys is None or sequence >= 1 << 32:
            return "no far command"
        data = SealedMessage(
            MessageKind.GUARANTEE,
            state.identity.serial_number,
            state.identity.epoch,
            sequence,
            account_unit=state.account.unit,
            customer_number=state.account.customer_number,
            parameters=b"\0",
            key_version=keys.version,
        ).seal(keys.command)
        return f"a command {ahead} above the last: {self._outcome(station, data)}"

    def _outcome(self, station: Station, data: bytes) -> str:
        """Hand over a message; return the word of its outcome."""
        restarts = station.restarts
        reply = station.hand_over(Sealed(data))
        if station.meter.stopped:
            raise MeterStoppedError(f"meter {station.serial_number} stopped")
        if station.restarts != restarts:
            return POWER_FAILED
        return reply.answer.outcome.name if reply and reply.answer else "no answer"

    def _of_another_seller(self, meter: Meter, number: int) -> bytes:
        state, keys = meter.state, meter.authenticator.keys(meter.state.security.key_version)
        assert keys is not None
        origin = Origin(number, self.rng.randrange(1, 1 << 32))
        return SealedMessage(
            MessageKind.CREDIT,
            state.identity.serial_number,
            state.identity.epoch,
            state.security.credit_sequence + 1,
            1,
            state.account.unit,
            state.account.customer_number,
            key_version=keys.version,
            origin=origin,
        ).seal(keys.credit)

    def _give(self, station: Station, seal: Callable[[], bytes]) -> str:
        """Give a meter a message of a vendor who keeps nothing of it but that it was accepted."""
        self.look()
        meter = station.meter
        if meter.stopped or not meter.state.powered:
            return "in the dark"
        data = seal()
        message = SealedMessage.decode(data)
        line = JournalLine(
            message.serial_number,
            message.epoch,
            message.sequence,
            message.kind.word,
            message.amount,
            "unknown",
            data,
            "vending",
            lost=True,
        )
        self._vends = True
        try:
            outcome = self._outcome(station, data)
        except MeterStoppedError:
            self._vended.append(line)
            raise
        finally:
            self._vends = False
        if outcome == POWER_FAILED:
            self._vended.append(line)
        elif outcome == Outcome.ACCEPTED.name:
            self._vended.append(replace(line, state="confirmed"))
        return outcome

    # ---- accidents and attacks

    def _replay_one(self) -> str:
        """Deliver again a message that a meter received by wire or card."""
        if not self._sent:
            return "nothing to replay"
        serial, data = self.rng.choice(self._sent[-12:])
        station = next(
            s for s in self.rack.stations if s.meter.state.identity.serial_number == serial
        )
        self.look()
        meter = station.meter
        if meter.stopped or not meter.state.powered:
            return "no replay in the dark"
        return f"replayed: {self._outcome(station, data)}"

    def _lose_journal(self) -> str:
        """Back up a journal, restore the backup, or replace the journal with another host's."""
        host = self._acting
        assert host is not None
        others = [other for other in self.hosts if other is not host]
        if others and self.rng.random() < 0.4:
            other = self.rng.choice(others)
            host.copy_from(other)
            self.seen["journal copied"] += 1
            return f"its journal is a copy of that of host {other.name} now"
        if host.backup.exists() and self.rng.random() < 0.6:
            host.restore()
            self.seen["journal restored"] += 1
            return "its journal was restored from an earlier copy"
        host.back_up()
        return "its journal was copied"

    def _new_storage(self) -> str:
        """Give a meter a new storage: a new epoch, with the account unopened or with a balance."""
        station = self._station()
        placed = self.placed[station.meter.state.identity.serial_number]
        self.look()
        opened = self.rng.random() < 0.5
        placed.description = replace(
            placed.description, epoch=self.rng.randrange(1, 1 << 32), opened=opened
        )
        placed.device, placed.is_new = SimulatedNvram(), True
        self.seen["new storage"] += 1
        self._restart(station)
        return f"meter {placed.description.serial_number} has got a new storage"

    def _go_back(self) -> str:
        """Save an image of a meter's storage, or restore it, once."""
        station = self._station()
        placed = self.placed[station.meter.state.identity.serial_number]
        self.look()
        if placed.was_set_back:
            return "it was set back already"
        if not placed.image or self.rng.random() < 0.3:
            placed.image = bytes(placed.device.power_cycle(lambda _: False).data)
            return f"an image of meter {placed.description.serial_number} was kept"
        placed.device, placed.goes_back = SimulatedNvram(placed.image), True
        self.seen["set back"] += 1
        self._restart(station)
        return f"meter {placed.description.serial_number} was set back"

    def _top_up(self) -> str:
        self.top_ups += 1
        return self._bring(
            MessageKind.CREDIT, self.rng.choice((1, 500, 2000, self.rng.randrange(1, 9000)))
        )

    def _refund(self) -> str:
        return self._bring(MessageKind.REFUND, self.rng.randrange(1, 3000))

    def _debt(self) -> str:
        return self._bring(MessageKind.DEBT, self.rng.randrange(1, 1500))

    def _read(self) -> str:
        """Read items and tables; the witness compares what is returned."""
        session, _ = self._session(self._station())
        items = self.rng.sample(DRAWN_ITEMS, 5)
        session.driver.read(items)
        if self._draws >= WITH_ADAPTERS:
            for table in TABLES_READ:
                session.driver.rows(table)
            session.driver.read(items)
        return "read"

    def _limits(self) -> str:
        word = self.rng.choice(
            (
                f"low_credit_threshold_1={self.rng.choice(LEVELS)}",
                f"overdraft_limit={self.rng.choice(('0.00', '4.00'))}",
                f"max_credit={self.rng.choice(('off', '60.00', '500.00'))}",
                f"trip_delay_minutes={self.rng.choice((0, 3))}",
                f"trip_mode={self.rng.choice(('two_stage', 'direct', 'delayed'))}",
                f"debt_share_percent={self.rng.choice((0, 50))}",
            )
        )
        session, journal = self._session(self._station())
        wanted = parse_settings([word])
        planned = plan_command(
            session, journal, MessageKind.LIMITS, encode_settings(wanted), self._lives_s()
        )
        set_limits(session, journal, planned, wanted)
        return f"limits {word}"

    def _lives_s(self) -> int | None:
        """Return for how many seconds a command is valid; None uses the product's default."""
        return self.rng.choice((None, None, 2, 60, 4000))

    def _send_command(self, kind: MessageKind, value: int) -> str:
        session, journal = self._session(self._station())
        planned = plan_command(session, journal, kind, encode_number(kind, value), self._lives_s())
        execute_command(session, journal, planned)
        return f"{kind.word} {value}"

    def _switch(self) -> str:
        return self._send_command(MessageKind.SWITCH, self.rng.choice(list(SwitchAction)))

    def _guarantee(self) -> str:
        return self._send_command(MessageKind.GUARANTEE, self.rng.randrange(2))

    def _clock(self) -> str:
        clock = self._station().meter.clock
        return self._send_command(
            MessageKind.CLOCK, clock + self.rng.choice((-DAY, -HOUR, 0, HOUR, 2 * DAY))
        )

    def _change_load(self) -> str:
        load = self.rng.choice(("0kW", "0.123kW", "2.345kW", "7kW", "-1kW"))
        self._command("load", load)
        return f"load {load}"

    def _button(self) -> str:
        self._command("button")
        return "button"

    def _cover(self) -> str:
        turn = self.rng.choice(("open", "close"))
        self._command("cover", turn)
        return f"cover {turn}"

    def _power(self) -> str:
        turn = self.rng.choice(("cut", "return"))
        self._command("power", turn)
        return f"power {turn}"

    def _resolve(self) -> str:
        session, journal = self._session(self._station())
        resolved = [(r.entry.sequence, r.entry.state.value) for r in resolve(session, journal)]
        return f"resolve: {resolved}"

    # ---- cards: the first host is the vending point; card contacts are separate from the line

    @property
    def _vendor(self) -> Host:
        return self.hosts[0]

    @contextmanager
    def _as_vendor(self) -> Iterator[Journal]:
        """Make the first host the acting one."""
        acting, self._acting = self._acting, self._vendor
        try:
            yield self._vendor.journal
        finally:
            self._acting = acting

    def _presented(self, contacts: CardContacts) -> PresentedCard:
        contacts.card.power_on()
        return PresentedCard(contacts, self._vendor.ring, self.random, self._now)

    def _case(
        self, placed: Placed, presented: PresentedCard, session: Session | None = None
    ) -> Case:
        """Read a presented card for an operation with the journal of its vendor."""
        journal = self._vendor.journal
        return Case.read(presented, journal, session, set_back=placed.was_set_back)

    def _card(self, placed: Placed) -> Card:
        """Return the customer's card from its memory; the first call makes and formats it."""
        if not placed.chip.data:
            make_blank(placed.chip, bcd(placed.description.serial_number) + b"\x00\x01")
            card = Card(placed.chip, self.random)  # type: ignore[arg-type]
            plan_format(
                self._presented(CardContacts(card, Random(0), False)), self._vendor.journal
            ).carry_out()
        placed.chip = SimulatedNvram(bytes(placed.chip.data))
        return Card(placed.chip, self.random)  # type: ignore[arg-type]

    def _sell_card(self) -> str:
        station = self._station()
        placed = self.placed[station.meter.state.identity.serial_number]
        card = self._card(placed)
        contacts = CardContacts(card, self.rng, self.rng.random() < 0.1)
        placed.chip.cut_after = self.rng.choice((None, None, None, self.rng.randrange(30_000)))
        presented = self._presented(contacts)
        cents = self.rng.choice((1, 700, 700, self.rng.randrange(1, 5000)))
        try:
            with self._as_vendor():
                session = self._session(station)[0] if self.rng.random() < 0.3 else None
                sold = sell(self._case(placed, presented, session), cents)
        except HostCrashError:
            self._vendor.restart()
            return f"host {self._vendor.name} died while it sold on a card"
        self.top_ups += not sold.finished
        return f"sold {cents} on a card: entry {sold.entry.id}, finished {sold.finished}"

    def _command_round(self) -> str:
        """Sell on a card and insert the card in its meter at once."""
        return f"{self._sell_card()}; {self._insert_card()}"

    def _issue_card(self, station: Station) -> None:
        """Issue the customer's card; an account that was never opened gets an opening card, or
        none.
        """
        placed = self.placed[station.meter.state.identity.serial_number]
        presented = self._presented(CardContacts(self._card(placed), Random(0), False))
        serial = placed.description.serial_number
        with self._as_vendor():
            if placed.description.opened:
                case = self._case(placed, presented, self._session(station)[0])
                plan_replacement(case, serial).carry_out()
            elif self.rng.random() < 0.6:
                wanted = Opening(serial, "0" * 12, self.rng.randrange(1, 3000), 156)
                open_account(self._case(placed, presented), wanted)
                self.seen["opening card"] += 1

    def _insert_card(self) -> str:
        station = self._station()
        astray = self.rng.random() < 0.1
        owner = self.placed[
            (self._station() if astray else station).meter.state.identity.serial_number
        ]
        card = self._card(owner)
        self.look()
        contacts = CardContacts(card, self.rng, False)
        owner.chip.cut_after = self.rng.choice((None, None, None, self.rng.randrange(30_000)))
        insertion = CardInsertion(station, self.random)
        told = insertion.play(card.power_on(), contacts, self.time.now_us)
        return f"card inserted: {told.insertion if told else 'the power went'}"

    def _withdraw(self) -> str:
        with self._as_vendor() as journal:
            session, _ = self._session(self._station())
            ended = withdraw_cards(session, journal, erased_only=False).entries
        return f"withdrawn: {[(entry.sequence, entry.state.value) for entry in ended]}"

    def _bring_cards_home(self) -> None:
        """Insert every card in its meter, read it at the vending point, void untaken sales."""
        for station in self.rack.stations:
            placed = self.placed[station.meter.state.identity.serial_number]
            card = self._card(placed)
            insertion = CardInsertion(station, self.random)
            insertion.play(card.power_on(), card.apdu, self.time.now_us)
            self.log.append(self._do(lambda: self._read_card(placed), self._vendor))  # noqa: B023
            self.look()
            self.log.append(self._do(lambda: self._withdraw_all(station), self._vendor))  # noqa: B023
            self.look()

    def _read_card(self, placed: Placed) -> str:
        presented = self._presented(CardContacts(self._card(placed), Random(0), False))
        case = Case(presented, self._vendor.journal, presented.read(), set_back=placed.was_set_back)
        settle_by_write_back(case)
        hold_against_journal(case)
        return "card read"

    def _withdraw_all(self, station: Station) -> str:
        session, journal = self._session(station, set_back=True)
        withdraw_cards(session, journal, erased_only=False)
        return "withdrawn"

    def _crash_meter(self) -> str:
        self.look()
        self._cycle(self._station())
        return "meter killed"

    def _load(self, text: str, meter: Meter) -> Load:
        phases = 3 if meter.state.identity.meter_type == MeterType.THREE_PHASE else 1
        return Load.constant(split(parse_power(text), phases))

    # ---- the end

    def _settle(self) -> None:
        """End the faults and the lies, and settle within SETTLES_WITHIN_MS.

        After that no earlier message may have an effect.
        """
        self.operator.execute(parse_command(["fault", "off"]))
        self.operator.execute(parse_command(["power", "return"]))
        self.faults.storage_rests = True
        self._crowd, self._hosts_die = 0.0, False
        self.seen["reading compared"] += self.witness.compared
        if self.liar is not None:
            self.liar.is_honest = True
            self.seen.update({f"lie: {trick}": times for trick, times in self.liar.told.items()})
        self.look()
        for host in self.hosts:
            host.pipe.new_line()
            host.ring = self.ring
        self.witness.trusts_the_line = True
        began = self.time.now_us
        for station in self.rack.stations if self._writes_plainly else ():
            for host in self.hosts:
                self.log.append(self._do(lambda: self._ask_for_status(station), host))  # noqa: B023
        self._bring_cards_home()
        for host in self.hosts:
            for station in self.rack.stations:
                # A copy of the vendor's journal holds the vendor's cards.
                if host is not self._vendor:
                    self.log.append(self._do(lambda: self._withdraw_all(station), host))  # noqa: B023
                self.log.append(self._do(lambda: self._resolve_at_the_end(station), host))  # noqa: B023
                self.look()
        took = (self.time.now_us - began) // 1000
        if took > SETTLES_WITHIN_MS:
            raise AuditError(f"it took {took} ms to settle after the faults had ended")
        self._close_by_hand()
        self._finish()
        self._replay()
        self._finish()
        self._sell_again()
        self._finish()
        self._check_plain_credit()

    def _finish(self) -> None:
        self.auditor.finish(
            {s.serial_number: self.snapshot(s.meter) for s in self.rack.stations}, self.entries()
        )

    def _resolve_at_the_end(self, station: Station) -> str:
        session, journal = self._session(station, set_back=True)
        resolved = resolve(session, journal)
        for one in resolved:
            if one.error is not None and one.entry.is_open:
                assert self._acting is not None
                self._check(one.error, self._acting)
        return (
            f"settled: {[(r.entry.sequence, r.entry.state.value, str(r.error)) for r in resolved]}"
        )

    def _close_by_hand(self) -> None:
        """Close by hand the entries that METER 8 leaves to a person, and no others."""
        reasons = {
            (line.journal, line.message): reason
            for line, reason in self.auditor.open_for_a_person(self.entries()).items()
        }
        for host in self.hosts:
            for entry in host.journal.entries():
                reason = reasons.get((host.name, entry.message))
                if entry.kind == MessageKind.VOID.word and self.placed[entry.meter].was_set_back:
                    reason = "a void for a storage that was set back"
                # an entry that is closed takes its voids along
                if reason is not None and host.journal.entry(entry.id).is_open:
                    said = self.rng.choice((EntryState.CONFIRMED, EntryState.REFUSED))
                    close_by_hand(host.journal, entry, said, self._now())
                    self.seen[f"by hand: {reason}"] += 1
                    self.log.append(f"closed by hand: {entry.kind} {entry.sequence}: {reason}")

    def _replay(self) -> None:
        """Deliver all bytes once more, and those that were refused or swallowed: no credit message
        has an effect.
        """
        refused = [
            (line.serial, line.message) for line in self.entries() if line.state == "refused"
        ]
        swallowed = []
        if self.liar is not None:
            by_unit = {placed.description.unit: serial for serial, placed in self.placed.items()}
            swallowed = [(by_unit[unit], message_in(pdu[10:])) for unit, pdu in self.liar.held]
        living = {
            line.message
            for line in self.entries()
            if line.state in ("by_hand", *("unknown", "prepared"))
        }
        for serial, data in [*self._sent, *refused, *swallowed]:
            station = self.rack.station(serial)
            before = _money(station.meter)
            station.hand_over(Sealed(data))
            may_live = data in living or self.placed[serial].was_set_back or _opens_any_epoch(data)
            if _moves_credit(data) and not may_live and _money(station.meter) != before:
                raise AuditError(
                    f"meter {serial}: old bytes had an effect when they came again: {data.hex()}"
                )

    def _sell_again(self) -> None:
        """Check that denial has ended: every host can sell to every meter that takes credit."""
        for host in self.hosts:
            for station in self.rack.stations:
                for attempt in range(2):
                    if self._sold_again(station, host, attempt):
                        break

    def _sold_again(self, station: Station, host: Host, attempt: int) -> bool:
        session, journal = self._session(station, host, set_back=True)
        try:
            execute(session, journal, plan(session, journal, MessageKind.CREDIT, 1))
        except RefusedError as error:
            self.log.append(f"host {host.name} at the end: {error}")
        except NotPermittedError as error:
            if "journal renew" not in str(error) or not self._loses_journals or attempt:
                raise AuditError(f"host {host.name} cannot sell any more: {error}") from error
            journal.numbers.renew(self._now())
            return False
        return True


def _delivers(request: bytes) -> bool:
    """Return whether a request delivers a message."""
    return any(
        pdu[:1] == b"\x17" and pdu[5:7] == WINDOWS.message.to_bytes(2, "big")
        for pdu in (request[1:], request[tcp.HEADER_SIZE :])
    )


def _money(meter: Meter) -> tuple[int, int, int]:
    state = meter.state
    return state.account.credit, state.account.debt, state.security.credit_sequence


def _opens_any_epoch(data: bytes) -> bool:
    """Return whether a message is an opening for epoch 0: void in one storage, valid in others."""
    try:
        return SealedMessage.decode(data).epoch == 0
    except MalformedMessageError:
        return False


def _moves_credit(data: bytes) -> bool:
    """Return whether a message would move credit."""
    try:
        kind = SealedMessage.decode(data).kind
    except MalformedMessageError:
        return False
    return kind is not MessageKind.VOID and kind.message_class is MessageClass.CREDIT
