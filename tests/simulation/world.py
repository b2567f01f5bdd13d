"""One simulated world from one seed: meters, a lying line, hosts with journals, a workload, crashes, and an auditor.

Everything is the product's own, both sides; replaced are only the byte pipe, the meters' byte device and the clocks.
Nothing sleeps, and the same seed gives the same world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from firmware_sim.assembly import MeterDescription, build
from firmware_sim.faults import Faults
from firmware_sim.hal.nvram import PowerCutError, SimulatedNvram
from firmware_sim.insertions import CardSession
from firmware_sim.line import Line
from firmware_sim.meter import Meter, MeterStoppedError
from firmware_sim.metrology.load import Load, split
from firmware_sim.rack import CommandFailedError, Rack, RackStation, show
from firmware_sim.records.ring import PURCHASE_RING
from firmware_sim.requests import PresentCard, Reply, Request, Sealed
from firmware_sim.servers.modbus.server import ModbusRtuServer, ModbusTcpServer
from firmware_sim.settings import Settings
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import MeterctlError, NotPermittedError
from meterctl.journal import Journal
from meterctl.key_ring import development_ring
from meterctl.operations.card_counter import Counter
from meterctl.operations.card_issuing import plan_format, plan_replacement
from meterctl.operations.card_sales import sell
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import execute, plan, resolve, withdraw_cards
from meterctl.operations.limits import encode_settings, parse_settings, set_limits
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.card.memory import make_blank
from protocols.control import Advance, BeginFault, parse_command
from protocols.data_model.items import ITEMS
from protocols.data_model.tables import PURCHASES, Purchase
from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.words import MeterType
from protocols.errors import CardGoneError, MalformedMessageError
from protocols.faults import FaultPlan, FaultRule, Way
from protocols.keys import MessageClass, bcd, development_keys
from protocols.quantities import CENT, DAY, HOUR, LEDGER, MINUTE, SECOND, parse_power
from protocols.sealed_message import MessageKind, Outcome, SealedMessage, SwitchAction, encode_number
from tests.simulation.auditor import AuditError, Auditor, JournalLine, MeterFacts
from tests.support.wire import PipeTransport

HOST_EPOCH_S = 1_767_225_600
TIMEOUT_MS = 1000
SETTLES_WITHIN_MS = 10 * MINUTE
"""Line time in which everything is settled once the faults have ended."""
STEPS = (10, 30)
LEVELS = ("off", "2.00", "5.00")


class HostCrashError(BaseException):
    """The host's process died: nothing of it goes on, and no handler of its own runs."""


class CrashingPipe(PipeTransport):
    """A pipe whose host may die at any send or receive, and whose line may hang up and return."""

    def __init__(self, make_line: Callable[[], Line], framed: bool) -> None:
        super().__init__(make_line(), framed=framed)
        self._make_line = make_line
        self.dies_in: int | None = None

    def send(self, data: bytes) -> None:
        """Send, on a new line where the old one hung up and has returned."""
        self._perhaps_die()
        if self.line.closed and self.now_us >= (self.line.returns_at or 0):
            self.new_line()
        super().send(data)
        self._perhaps_die()

    def new_line(self) -> None:
        """Plug in anew: nothing of the old line is on its way any more."""
        self.discard_input()
        self.line = self._make_line()

    def receive(self, timeout_ms: int) -> bytes:
        """Receive, or die before anything of it is known."""
        data = super().receive(timeout_ms)
        self._perhaps_die()
        return data

    def _perhaps_die(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                self.dies_in = None
                raise HostCrashError


@dataclass(slots=True)
class Placed:
    """A meter, its byte device, and its customer's card."""

    description: MeterDescription
    device: SimulatedNvram
    last: Mapping[str, Any]
    chip: SimulatedNvram = field(default_factory=SimulatedNvram)


class CardContacts:
    """A card's contacts: it may be pulled after some commands, lose its power in a write, or its host may die."""

    def __init__(self, card: Card, rng: Random, host_dies: bool) -> None:
        self.card = card
        self.left = rng.choice((None, None, rng.randint(0, 30)))
        self.dies_in = rng.randint(1, 30) if host_dies else None

    def __call__(self, command: bytes) -> bytes:
        """Bring a command to the card."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                raise HostCrashError
        if self.left is not None:
            if self.left <= 0:
                raise CardGoneError("the card was pulled")
            self.left -= 1
        try:
            return self.card.apdu(command)
        except PowerCutError:
            self.left = 0
            raise CardGoneError("the card lost its power") from None


class World:
    """All of it. `run` plays the seed and raises AuditError, or whatever else went wrong."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.rng = Random(f"simulate/{seed}")
        self.log: list[str] = []
        self.top_ups = self.crashes = self.delivered = self.carried = 0
        self.random = Random(f"cards/{seed}").randbytes
        self._shown: dict[int, tuple[Meter, int, Mapping[str, Any]]] = {}
        self._sent: list[tuple[str, bytes]] = []
        self._watched = self._watched_class()
        self.faults = Faults(FaultPlan((), seed))
        count = self.rng.choice((1, 1, 1, 2, 3))
        descriptions = [self._description(unit) for unit in range(1, count + 1)]
        keys = {d.serial_number: development_keys(d.serial_number) for d in descriptions}
        self.hosts = self.rng.choice((1, 1, 2))
        self.auditor = Auditor(
            [MeterFacts(d.serial_number, d.tariff.prices.prices[0], keys[d.serial_number]) for d in descriptions],
            shared_journal=self.hosts == 1,
        )
        self.placed: dict[str, Placed] = {}
        stations = []
        for description in descriptions:
            placed = self.placed[description.serial_number] = Placed(description, SimulatedNvram(), {})
            meter = self._make(placed)
            placed.last = self.snapshot(meter)
            self.auditor.started(description.serial_number, placed.last)
            stations.append((description.unit, meter))
        self.rack = Rack(stations, self.rng.choice((0, 1000, 60_000)), self._load, self.faults)
        for station in self.rack.stations:
            station.rebuild = self._rebuilder(self.placed[station.meter.state.identity.serial_number])
        self.rack.begin_faults()
        framed = self.rng.random() < 0.3
        server = ModbusTcpServer if framed else ModbusRtuServer
        self.pipe = CrashingPipe(lambda: Line(server(self.rack), faults=self.faults), framed)
        self.journals = [Journal(folder / f"host{host}.sqlite") for host in range(self.hosts)]

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
        return MeterDescription(
            serial_number=f"{self.seed % 10**9:09d}{unit:03d}", unit=unit, credit=rng.randrange(0, 4000) * CENT,
            meter_type=rng.choice((MeterType.SINGLE_PHASE, MeterType.THREE_PHASE)), debt=maybe(0, 0, 20 * LEDGER),
            settings=settings, tariff=Tariff(prices=Prices((rng.randrange(1, 20_000),))),
            epoch=rng.randrange(1, 1 << 32),
        )  # fmt: skip

    def _make(self, placed: Placed) -> Meter:
        unit = placed.description.unit
        faulty = self.faults.nvram(placed.device, unit)
        meter = build(placed.description, faulty)
        meter.__class__ = self._watched
        return meter

    def _rebuilder(self, placed: Placed) -> Callable[[], Meter]:
        def rebuild() -> Meter:
            meter = self._make(placed)
            self.crashes += 1
            now = self.snapshot(meter)
            self.log.append(f"meter {placed.description.serial_number} started anew")
            self.auditor.restarted(placed.description.serial_number, placed.last, now)
            placed.last = now
            return meter

        return rebuild

    def _watched_class(self) -> type[Meter]:
        world = self

        class Watched(Meter):
            """A meter whose sealed messages the auditor sees."""

            __slots__ = ()

            def handle(self, request: Request) -> Reply | None:
                if isinstance(request, PresentCard):
                    return world.present_card(self, request, super().handle)
                if not isinstance(request, Sealed):
                    return super().handle(request)
                return world.deliver(self, request, super().handle)

        return Watched

    def deliver(self, meter: Meter, request: Sealed, handle: Callable[[Request], Reply | None]) -> Reply | None:
        """Let a sealed message reach a meter under the auditor's eyes."""
        serial = meter.state.identity.serial_number
        before = self.step(meter)
        self.delivered += 1
        try:
            reply = handle(request)
        except (PowerCutError, MeterStoppedError):
            self._sent.append((serial, request.data))
            self.auditor.delivered(serial, request.data, None, before, before)
            raise
        if reply is None or reply.answer is None:
            return reply
        self._sent.append((serial, request.data))
        after = self.snapshot(meter)
        self.log.append(f"meter {serial}: {reply.answer.outcome.name} to sequence {reply.answer.sequence}")
        self.auditor.delivered(serial, request.data, reply.answer.outcome.name, before, after)
        self.placed[serial].last = after
        return reply

    def present_card(
        self, meter: Meter, request: PresentCard, handle: Callable[[Request], Reply | None]
    ) -> Reply | None:
        """Let a card's sale reach a meter under the auditor's eyes; what is not accepted is a touch like the button."""
        serial, data = meter.state.identity.serial_number, request.credit.message
        before = self.step(meter)
        is_new = bool(data) and SealedMessage.decode(data).sequence > meter.state.security.credit_sequence
        try:
            reply = handle(request)
        except (PowerCutError, MeterStoppedError):
            if is_new:  # a card that was taken before can die again and again without being a possibility
                self.auditor.delivered(serial, data, None, before, before)
            raise
        finally:
            self._sent.append((serial, data))
        outcome = reply.insertion.outcome if reply is not None and reply.insertion is not None else None
        self.log.append(f"meter {serial}: card, {reply.insertion if reply else None}")
        if outcome is not Outcome.ACCEPTED:
            self.step(meter)
            return reply
        self.carried += 1
        after = self.snapshot(meter)
        self.auditor.delivered(serial, data, outcome.name, before, after)
        self.placed[serial].last = after
        return reply

    def snapshot(self, meter: Meter) -> Mapping[str, Any]:
        """Return what the meter's items are; the same object while the meter has not changed."""
        known = self._shown.get(id(meter))
        if known is not None and known[0] is meter and known[1] == meter.revision:
            return known[2]
        rows = meter.rings[PURCHASE_RING].newest(PURCHASES.depth)
        shown: dict[str, Any] = {**show(meter), "purchases": [Purchase.unpack(row).fragments() for row in rows]}
        self._shown[id(meter)] = (meter, meter.revision, shown)
        return shown

    def step(self, meter: Meter) -> Mapping[str, Any]:
        """Show the auditor how a meter stands now."""
        placed = self.placed[meter.state.identity.serial_number]
        now = self.snapshot(meter)
        if now is not placed.last:
            self.auditor.stepped(meter.state.identity.serial_number, placed.last, now)
            placed.last = now
        return now

    def look(self) -> None:
        """Bring everybody to the present, and let the auditor look at all meters and journals."""
        self._everyone()
        for station in self.rack.stations:
            self.step(station.meter)
        self.auditor.journal(self.entries())

    def entries(self) -> list[JournalLine]:
        """Return the union of the hosts' journals."""
        return [
            JournalLine(e.meter, e.epoch, e.sequence, e.kind, e.amount, e.state.value, e.message)
            for journal in self.journals
            for e in journal.entries()
        ]

    # ---- the play

    def run(self) -> None:
        """Play the workload under faults, end the faults, settle, and close the books."""
        for station in self.rack.stations:
            self._issue_card(station)
        for rule in self._rules():
            self._command_fault(rule)
        for _ in range(self.rng.randint(*STEPS)):
            self.log.append(self._act())
            self.look()
        self._settle()

    def _rules(self) -> list[FaultRule]:
        """Return some faults, each rare enough that something still gets through."""
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
            FaultRule("brown_out", begins=rng.randrange(5 * HOUR), lasts=rng.choice((SECOND, 2 * HOUR))),
            FaultRule("magnet", begins=HOUR, lasts=HOUR),
            FaultRule("clock_step", value=rng.choice((-DAY, -HOUR, HOUR, 2 * DAY)), begins=rng.randrange(9 * HOUR)),
            FaultRule("reverse_flow", begins=HOUR, lasts=5 * HOUR),
            FaultRule("lost_phase", lasts=3 * HOUR),
            FaultRule("clock_drift", value=rng.choice((-500, 500)), lasts=30 * HOUR),
        ]
        return rng.sample(possible, rng.randint(0, 6))

    def _command_fault(self, rule: FaultRule) -> None:
        try:
            self.rack.execute(BeginFault(rule), self.pipe.now_us)
        except MeterStoppedError:
            self._revive()
        self.log.append(f"fault {rule.name} {' '.join(rule.words())}")
        self.look()

    def _act(self) -> str:
        actions: tuple[tuple[int, Callable[[], str]], ...] = (
            (6, self._time), (7, self._top_up), (2, self._refund), (1, self._debt), (2, self._read), (3, self._limits),
            (3, self._switch), (1, self._guarantee), (1, self._clock), (2, self._change_load), (2, self._button),
            (1, self._cover), (1, self._power), (3, self._sell_card), (4, self._insert_card), (5, self._errand),
            (3, self._resolve), (2, self._crash_meter), (1, self._withdraw),
        )  # fmt: skip
        weights, choices = zip(*actions, strict=True)
        act = self.rng.choices(choices, weights)[0]
        if self.rng.random() < 0.12:
            self.pipe.dies_in = self.rng.randint(1, 30)
        try:
            return act()
        except HostCrashError:
            self._host_starts_anew()
            return f"{act.__name__}: the host died"
        except MeterctlError as error:
            return f"{act.__name__}: {type(error).__name__} {error}"
        except CommandFailedError as error:
            return f"{act.__name__}: {error}"
        except MeterStoppedError:
            return f"{act.__name__}: the meter stopped"
        finally:
            self.pipe.dies_in = None

    def _host_starts_anew(self) -> None:
        self.pipe.discard_input()
        for index, journal in enumerate(self.journals):
            journal.close()
            self.journals[index] = Journal(journal.path)

    def _everyone(self) -> None:
        """Bring all meters to the present; one whose flush fails on the way is started anew."""
        while True:
            try:
                self.rack.everyone(self.pipe.now_us)
            except MeterStoppedError:
                self._revive()
            else:
                self._revive()
                return

    def _revive(self) -> None:
        """A meter whose flush failed is a process that ended; whoever watches it starts it anew."""
        for station in self.rack.stations:
            if station.meter.stopped:
                self._cycle(station)

    def _cycle(self, station: RackStation) -> None:
        placed = self.placed[station.meter.state.identity.serial_number]
        placed.device = placed.device.power_cycle(lambda _: self.rng.random() < 0.5)
        self.rack.power_lost(station, self.pipe.now_us)

    # ---- actions

    def _station(self) -> RackStation:
        return self.rng.choice(self.rack.stations)

    def _session(self, station: RackStation, host: int | None = None) -> tuple[Session, Journal]:
        driver = ModbusDriver(self.pipe, station.unit, TIMEOUT_MS, self.pipe.clock)
        host = self.rng.randrange(self.hosts) if host is None else host
        # Two hosts with one clock would seal the same bytes for the same amount in the same second.
        now = lambda: HOST_EPOCH_S + host * 3 * 10**7 + self.pipe.now_us // 1_000_000  # noqa: E731
        return Session(driver, development_ring(), now, self.pipe.clock), self.journals[host]

    def _command(self, *words: str) -> None:
        self.look()
        self.rack.execute(parse_command(words), self.pipe.now_us, self._station().meter.state.identity.serial_number)

    def _time(self) -> str:
        duration = self.rng.choice((1, 777, SECOND, MINUTE, HOUR, 7 * HOUR, DAY, 3 * DAY))
        self.look()
        self.rack.execute(Advance(duration), self.pipe.now_us)
        return f"advance {duration} ms"

    def _bring(self, kind: MessageKind, amount: int) -> str:
        session, journal = self._session(self._station())
        settled = execute(session, journal, plan(session, journal, kind, amount))
        return f"{kind.word} {amount}: sequence {settled.entry.sequence} {settled.entry.state.value}"

    def _top_up(self) -> str:
        self.top_ups += 1
        return self._bring(MessageKind.CREDIT, self.rng.choice((1, 500, 2000, self.rng.randrange(1, 9000))))

    def _refund(self) -> str:
        return self._bring(MessageKind.REFUND, self.rng.randrange(1, 3000))

    def _debt(self) -> str:
        return self._bring(MessageKind.DEBT, self.rng.randrange(1, 1500))

    def _read(self) -> str:
        session, _ = self._session(self._station())
        session.driver.read(self.rng.sample(ITEMS, 5))
        return "read"

    def _limits(self) -> str:
        word = self.rng.choice((
            f"low_credit_threshold_1={self.rng.choice(LEVELS)}", f"overdraft_limit={self.rng.choice(('0.00', '4.00'))}",
            f"max_credit={self.rng.choice(('off', '60.00', '500.00'))}",
            f"trip_delay_minutes={self.rng.choice((0, 3))}",
            f"trip_mode={self.rng.choice(('two_stage', 'direct', 'delayed'))}",
            f"debt_share_percent={self.rng.choice((0, 50))}",
        ))  # fmt: skip
        session, _ = self._session(self._station())
        wanted = parse_settings([word])
        meter, message = plan_command(session, MessageKind.LIMITS, encode_settings(wanted))
        set_limits(session, meter, message, wanted)
        return f"limits {word}"

    def _send_command(self, kind: MessageKind, value: int) -> str:
        session, _ = self._session(self._station())
        meter, message = plan_command(session, kind, encode_number(kind, value))
        execute_command(session, meter, message)
        return f"{kind.word} {value}"

    def _switch(self) -> str:
        return self._send_command(MessageKind.SWITCH, self.rng.choice(list(SwitchAction)))

    def _guarantee(self) -> str:
        return self._send_command(MessageKind.GUARANTEE, self.rng.randrange(2))

    def _clock(self) -> str:
        clock = self._station().meter.clock
        return self._send_command(MessageKind.CLOCK, clock + self.rng.choice((-DAY, -HOUR, 0, HOUR, 2 * DAY)))

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
        return f"resolve: {[(r.entry.sequence, r.entry.state.value) for r in resolve(session, journal)]}"

    # ---- cards: the vending point is the first host's, its contacts are not the line's

    def _counter(self, placed: Placed, contacts: CardContacts) -> Counter:
        contacts.card.power_on()
        return Counter(contacts, development_ring(), self.random, lambda: HOST_EPOCH_S + self.pipe.now_us // 1_000_000)

    def _card(self, placed: Placed) -> Card:
        """Return the customer's card, as its memory was left; the first time it is issued and bound."""
        if not placed.chip.data:
            make_blank(placed.chip, bcd(placed.description.serial_number) + b"\x00\x01")  # type: ignore[arg-type]
            card = Card(placed.chip, self.random)  # type: ignore[arg-type]
            plan_format(self._counter(placed, CardContacts(card, Random(0), False)), self.journals[0]).carry_out()
        placed.chip = SimulatedNvram(bytes(placed.chip.data))
        return Card(placed.chip, self.random)  # type: ignore[arg-type]

    def _sell_card(self) -> str:
        station = self._station()
        placed = self.placed[station.meter.state.identity.serial_number]
        card = self._card(placed)
        contacts = CardContacts(card, self.rng, self.rng.random() < 0.1)
        placed.chip.cut_after = self.rng.choice((None, None, None, self.rng.randrange(30_000)))
        session = self._session(station, 0)[0] if self.rng.random() < 0.3 else None
        counter = self._counter(placed, contacts)
        cents = self.rng.choice((1, 700, 700, self.rng.randrange(1, 5000)))
        try:
            sold = sell(counter, self.journals[0], cents, session)
        except NotPermittedError as error:
            if any(word in str(error) for word in ("set back", "has taken", "forged", "cloned", "tampered")):
                raise AuditError(f"a sound meter and card were accused: {error}") from error
            raise
        self.top_ups += not sold.finished
        return f"sold {cents} on a card: entry {sold.entry.id}, finished {sold.finished}"

    def _errand(self) -> str:
        """Buy, and go straight home with the card."""
        return f"{self._sell_card()}; {self._insert_card()}"

    def _issue_card(self, station: RackStation) -> None:
        placed = self.placed[station.meter.state.identity.serial_number]
        counter = self._counter(placed, CardContacts(self._card(placed), Random(0), False))
        session = self._session(station, 0)[0]
        plan_replacement(counter, self.journals[0], placed.description.serial_number, session).carry_out()

    def _insert_card(self) -> str:
        station = self._station()
        astray = self.rng.random() < 0.1
        owner = self.placed[(self._station() if astray else station).meter.state.identity.serial_number]
        card = self._card(owner)
        self.look()
        contacts = CardContacts(card, self.rng, False)
        owner.chip.cut_after = self.rng.choice((None, None, None, self.rng.randrange(30_000)))
        told = CardSession(self.rack, station, self.random).play(card.power_on(), contacts, self.pipe.now_us)
        return f"card inserted: {told.insertion if told else 'the power went'}"

    def _withdraw(self) -> str:
        session, _ = self._session(self._station(), 0)
        return f"withdrawn: {withdraw_cards(session, self.journals[0], erased_only=False).entries}"

    def _bring_cards_home(self) -> None:
        """Insert every card in its meter, read it at the counter, and void what was sold and never taken."""
        for station in self.rack.stations:
            placed = self.placed[station.meter.state.identity.serial_number]
            session = self._session(station, 0)[0]
            card = self._card(placed)
            CardSession(self.rack, station, self.random).play(card.power_on(), card.apdu, self.pipe.now_us)
            counter = self._counter(placed, CardContacts(self._card(placed), Random(0), False))
            back = counter.read().back
            if back is not None:
                counter.settle(self.journals[0], back)
                counter.hold_against(self.journals[0], back)
            self.look()
            withdraw_cards(session, self.journals[0], erased_only=False)
            self.look()

    def _crash_meter(self) -> str:
        self.look()
        self._cycle(self._station())
        return "meter killed"

    def _load(self, text: str, meter: Meter) -> Load:
        phases = 3 if meter.state.identity.meter_type == MeterType.THREE_PHASE else 1
        return Load.constant(split(parse_power(text), phases))

    # ---- the end

    def _settle(self) -> None:
        """End the faults; then everything is settled within the stated time, and old bytes are dead."""
        self.rack.execute(parse_command(["fault", "off"]), self.pipe.now_us)
        self.rack.execute(parse_command(["power", "return"]), self.pipe.now_us)
        self.faults.storage_rests = True
        self.look()
        self.pipe.new_line()
        began = self.pipe.clock()
        self._bring_cards_home()
        for journal in self.journals:
            for station in self.rack.stations:
                session, _ = self._session(station)
                for resolved in resolve(session, journal):
                    self.log.append(f"settled: {resolved.entry.sequence} {resolved.entry.state.value} {resolved.error}")
                self.look()
        took = self.pipe.clock() - began
        if took > SETTLES_WITHIN_MS:
            raise AuditError(f"it took {took} ms to settle after the faults had ended")
        by_serial = {s.meter.state.identity.serial_number: s.meter for s in self.rack.stations}
        self.auditor.finish({serial: self.snapshot(meter) for serial, meter in by_serial.items()}, self.entries())
        self._replay(by_serial)

    def _replay(self, meters: Mapping[str, Meter]) -> None:
        """Deliver every credit message once more: nothing of it has an effect."""
        for serial, data in list(self._sent):
            if _moves_credit(data):
                before = _money(meters[serial])
                meters[serial].handle(Sealed(data))
                if _money(meters[serial]) != before:
                    raise AuditError(f"meter {serial}: old bytes had an effect when they came again: {data.hex()}")


def _money(meter: Meter) -> tuple[int, int, int]:
    state = meter.state
    return state.account.credit, state.account.debt, state.security.credit_sequence


def _moves_credit(data: bytes) -> bool:
    """Say whether some bytes are a message that would move credit."""
    try:
        kind = SealedMessage.decode(data).kind
    except MalformedMessageError:
        return False
    return kind is not MessageKind.VOID and kind.message_class is MessageClass.CREDIT
