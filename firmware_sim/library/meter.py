"""A meter of this process on real ports: a thread serves its wires, the caller moves its time.

    with PrepaidMeter(credit="20.00") as meter:
        meter.load("3kW")
        meter.advance("2h")
        assert meter.value("supply_state") == "connected"

Every call returns when its effect holds, so a caller never has to wait. docs/library.md is the page
of it; the fixtures of the pytest plugin give the same meters.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from firmware_sim.assembly import WrongKeysError, rack_of
from firmware_sim.description.loads import load_for
from firmware_sim.errors import (
    CommandFailedError,
    HostingError,
    QuantityError,
)
from firmware_sim.hosting.cards.card_file import open_card
from firmware_sim.hosting.cards.slot import insert, insert_file
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.host import Host
from firmware_sim.library.boundary import Boundary
from firmware_sim.library.keywords import describe
from firmware_sim.library.orders import deliver
from firmware_sim.library.records import MeterRecords
from firmware_sim.library.thread import LoopThread, thread_of
from firmware_sim.library.words import (
    Address,
    FileName,
    address,
    card_of,
    exchanges,
    file_name,
    written,
)
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.rack.errors import POWER_FAILED
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import Value, to_json
from firmware_sim.readings import utc_offset_minutes
from firmware_sim.vending import Vending, parse_order
from firmware_sim.wire_kinds import MODBUS_TCP
from protocols.card.applet import Card
from protocols.control import BeginFault, Command, Stop, parse_command, parse_speed
from protocols.faults import parse_rule
from protocols.quantities import CENT, parse_money

__tracebackhide__ = True  # pytest shows the line of the test, and what the error says

FRAMES_KEPT = 40
EVENTS_SHOWN = 20
FREE_PORT = "127.0.0.1:0"

Result = TypeVar("Result")


class PrepaidMeter(MeterRecords):
    """One meter on a virtual serial port and a TCP port of its own, from here to `close`.

    `port` is the path of its serial port, `tcp` is (host, port), `frames` are the last ones on its
    lines: "->" to the meter, "<-" from it.

    Args:
        config: a TOML file that describes the meter (`meter-sim new FILE` writes one), or a
            description made in Python.
        modbus_rtu: the serial port, as `meter-sim run --modbus-rtu` takes it; by default a new
            virtual port.
        modbus_tcp: HOST:PORT, or (host, port) as `tcp` is; port 0 takes a free one.
        speed: of meter time to wall time; 0: it stands and is moved with `advance`.
        seed: of the faults.
        thread: a thread that serves several meters; by default one of its own.
        keys: the keys of a meter's TOML over those of `config`, such as credit="20.00", unit=2,
            overdraft_limit="3.00", besides `price` and `keys`. None is as if it was not given.

    Raises:
        HostingError: a key or value that is not allowed, a file or a port that cannot be used.
    """

    def __init__(
        self,
        config: FileName | MeterDescription | None = None,
        *,
        modbus_rtu: FileName | None = None,
        modbus_tcp: Address = FREE_PORT,
        speed: object = 0,
        seed: int = 0,
        thread: LoopThread | None = None,
        **keys: object,
    ) -> None:
        with Boundary(), ExitStack() as opened:
            description = describe(config, keys)
            thousandths = parse_speed(written(speed))
            self.unit, self.serial_number = description.unit, description.serial_number
            self.frames: deque[tuple[str, bytes]] = deque(maxlen=FRAMES_KEPT)
            self._vending = Vending()
            self._sold = 0
            """Sequence of the newest card that was bought."""
            if modbus_rtu is None:
                folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="prepaid-meter-"))
                modbus_rtu = Path(folder) / f"{self.serial_number}.tty"
            if thread is None:
                thread = LoopThread()
                opened.callback(thread.end)
            self._thread = thread = thread_of(thread)
            self._host = thread.call(lambda: self._made(description, thousandths, seed))
            opened.callback(self._close)
            serial, network = file_name("modbus_rtu", modbus_rtu), address(modbus_tcp)
            thread.call(lambda: self._open(serial, network))
            thread.close_at_end(self.close)
            opened.callback(thread.forget, self.close)
            self._closed = False
            self._opened = opened.pop_all()

    def _made(self, description: MeterDescription, speed: int, seed: int) -> Host:
        try:
            rack = rack_of(description, speed, seed)
        except WrongKeysError as error:
            raise HostingError(str(error)) from error
        host = Host(rack, Operator(rack, load_for, line_time, insert_file), self._thread.loop)
        host.tap = lambda direction, data: self.frames.append((direction, data))
        return host

    def _open(self, modbus_rtu: str, modbus_tcp: str) -> None:
        host = self._host
        host.add_serial(modbus_rtu)
        host.add_tcp(modbus_tcp)
        host.begin()
        self.port = modbus_rtu.partition("?")[0]
        name, _, port = host.names(MODBUS_TCP)[0].rpartition(":")
        self.tcp = (name.strip("[]"), int(port))

    @property
    def _station(self) -> Station:
        return self._host.rack.stations[0]

    @property
    def _meter(self) -> Meter:
        return self._station.meter

    def _do(self, work: Callable[[], Result]) -> Result:
        """Do something on the thread of the wires; a failed storage is raised here as well."""
        with Boundary():
            if self._closed:
                raise HostingError(f"meter {self.serial_number} is closed")
            result = self._thread.call(work)
            if self._host.failure is not None:
                raise self._host.failure
        return result

    def _read(self, work: Callable[[Meter], Result]) -> Result:
        return self._do(lambda: work(self._station.present(line_time())))

    # ---- commands

    def command(self, *words: object) -> dict[str, Any]:
        """Execute a command of `meter-sim control`; return its result as JSON would show it.

        Raises:
            QuantityError: no such command, or `stop`, which is for a program of its own.
        """
        with Boundary():
            command = parse_command([written(word) for word in words])
            if isinstance(command, Stop):
                raise QuantityError(
                    "'stop' ends a `meter-sim run`; a meter of this program ends with close()"
                )
        return _as_json(self._command(command))

    def _command(self, command: Command) -> Mapping[str, Value]:
        def execute() -> Mapping[str, Value]:
            try:
                return self._host.operator.execute(command)
            finally:
                self._host.after_command()  # a command that failed may have moved time

        return self._do(execute)

    def advance(self, duration: str) -> None:
        """Move meter time forward, such as "2h" or "15m"; events on the way have their instants."""
        self.command("advance", duration)

    def load(self, text: str) -> None:
        """Change the load from now on: "3kW", "-1.5kW", a CSV file or "household".

        A UserWarning says if no row of the file is for the meter's clock.
        """
        result = self.command("load", text)
        if "warning" in result:
            warnings.warn(str(result["warning"]), stacklevel=2)

    def button(self) -> None:
        """Press the button."""
        self.command("button")

    def buy_card(self, amount: object, card: Card | None = None) -> Card:
        """Buy credit at a vending point, such as "30.00", on a new card or on one bought before.

        The first card of an unopened meter opens its account, and a new card for a meter that knows
        another one is its replacement. Like a top-up it carries the meter's next sequence; put it
        in with `insert` before the next.
        """
        with Boundary():
            cents = parse_money(written(amount)) // CENT
            old = None if card is None else card_of(card)
        return self._do(lambda: self._buy(cents, old))

    def _buy(self, cents: int, card: Card | None) -> Card:
        following = self._meter.state.security.credit_sequence + 1
        if self._sold == following:
            raise QuantityError("a card was bought and not inserted yet: insert it first")
        bought = self._vending.buy_card(self._meter, cents, card, os.urandom)
        self._sold = following
        return bought

    def insert(self, card: Card | FileName, pull_after: int | None = None) -> dict[str, Any]:
        """Put a card, or one in a file, into the slot, perhaps pull it after so many exchanges.

        Returns what `control` would print; amounts are exact.
        """
        with Boundary():
            pulled = exchanges(pull_after)
            if isinstance(card, str | os.PathLike):
                with open_card(Path(card)) as found:
                    return self.insert(found, pulled)
            given = card_of(card)
        return _as_json(self._do(lambda: insert(self._station, given, pulled)))

    def power(self, turn: str) -> None:
        """Cut or return the meter's own supply: "cut" or "return"."""
        self.command("power", turn)

    def restart(self, *, killed: bool = False) -> None:
        """Restart the meter from its storage, as a stop and a start of `meter-sim run --state`.

        Load, switch, phases and faults stay, and the ports stay open. A meter that was `killed`
        saves nothing before: metering and its charge since the last save (at most 15 minutes of
        meter time) are gone, and no acknowledged message is.

        Raises:
            CommandFailedError: the storage refused the save, and the meter was not restarted; or
                its power failed in the middle of the save, and it restarted from what was stored.
            MeterStoppedError: the save failed to flush.
        """
        self._do(lambda: self._restart(killed))

    def _restart(self, killed: bool) -> None:
        station = self._station
        station.present(line_time())
        station.require_running()
        if not killed:
            saved = station.save()
            station.require_running()
            if saved is None:
                raise CommandFailedError(f"{POWER_FAILED}, at the instant of its last save")
            if not saved:
                raise CommandFailedError(
                    "the storage refused the save; the meter was not restarted"
                )
        station.restart()
        self._host.after_command()

    def cover(self, turn: str) -> None:
        """Open or close the meter cover: "open" or "close"."""
        self.command("cover", turn)

    def inject(self, fault: str, **options: object) -> None:
        """Put a fault in force (docs/faults.md), such as inject("reply_late", value="300ms").

        `from` and `for` are written from_ and for_.
        """
        texts = {name.rstrip("_"): written(value) for name, value in options.items()}
        with Boundary():
            rule = parse_rule(written(fault), texts)
        self._command(BeginFault(rule))

    def heal(self, fault: str | None = None) -> None:
        """End every fault of a name, or all of them."""
        self.command("fault", *((fault, "off") if fault else ("off",)))

    def order(self, *words: object) -> None:
        """Seal an order with the meter's own keys and deliver it: order("debt", "10.00").

        Raises:
            RefusedError: the meter refused it; `outcome` is the reason.
            CommandFailedError: no answer: the meter is without power, so it was not carried out, or
                its power failed during the write, and `purchases` shows whether it was.
        """
        texts = [written(word) for word in words]
        with Boundary():
            wanted = parse_order(texts[0].split() if len(texts) == 1 else texts)
        self._do(lambda: deliver(self._station, self._vending, wanted, " ".join(texts)))

    def topup(self, amount: object) -> None:
        """Top up, such as "50.00", as a vending point would; raises as `order`."""
        self.order("topup", amount)

    # ---- report and end

    def report(self) -> str:
        """Return values, last events and last frames as text, for a test that failed."""
        values = self.values()
        names = ("clock", "available_credit", "supply_state", "supply_causes", "energy_import_kwh")
        lines = [self._named()]
        lines += [f"  {name} = {values[name]}" for name in names]
        lines.append("last events:")
        offset_at = partial(utc_offset_minutes, self._meter)
        for event in self.events()[-EVENTS_SHOWN:]:
            details = " ".join(
                f"{name}={text}" for name, text in event.detail_fragments(offset_at).items()
            )
            lines.append(
                f"  {event.number:>4}  {event.elapsed_ms:>12} ms  {event.name}  {details}".rstrip()
            )
        lines.append("last frames (-> to the meter, <- from it):")
        lines += [f"  {direction} {data.hex(' ')}" for direction, data in self.frames]
        return "\n".join(lines)

    def close(self) -> None:
        """Close its ports, and its thread if it has one; again does nothing.

        Raises:
            HostingError: its storage refused the last save; all was closed.
        """
        if not self._closed:
            self._closed = True
            with Boundary():
                self._opened.close()

    def _close(self) -> None:
        self._thread.call(self._host.close)

    def _named(self) -> str:
        return (
            f"meter {self.serial_number} unit {self.unit} on {self.port} and "
            f"{self.tcp[0]}:{self.tcp[1]}"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._named()}{', closed' if self._closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _as_json(result: Mapping[str, Value]) -> dict[str, Any]:
    """Return values as JSON would show them: lists, whole numbers, and Decimal for the others."""
    shown: dict[str, Any] = json.loads(to_json(result), parse_float=Decimal)
    return shown
