"""The demo: a household buys credit on a card, consumes it, and buys again.

The meter is a process of its own on a virtual serial port, and every figure is read over the wire.
The control socket is used only for actions without a wire command: the card, the button, the speed.
All credit is sold on the card at the vending point.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from meterctl.card_readers.image import create_image, open_image
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import MeterctlError, RefusedError, UsageError
from meterctl.journal import EntryState, Journal
from meterctl.key_ring import development_ring
from meterctl.operations.card_issuing import plan_format
from meterctl.operations.card_sales import open_account, sell
from meterctl.operations.presented_card import PresentedCard
from meterctl.session import Session
from meterctl.transports.wires import monotonic_ms, open_transport, wall_seconds
from protocols.card.files import CardType
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.tables import EVENTS, Event
from protocols.data_model.words import Cause, SupplyState, SwitchedBy, cause_words
from protocols.quantities import (
    CENT,
    MWH_IN_MW_MS,
    format_moment,
    format_money,
    parse_money,
    parse_price,
)

RUNS_FOR_MS = 18_000
"""Wall time for the consumption; the speed follows from credit, price and load."""
LIMIT_MS = 50_000
"""Wall time after which the demo fails."""
POLL_S = 0.1
START = "2026-01-05T05:00:00Z"
"""A Monday morning in winter, an hour before the household wakes."""

SERIAL_NUMBER, CUSTOMER = "000000000001", "000000001001"
CARD_SERIAL = bytes.fromhex("0011223344556677")

EXPECTED: tuple[tuple[str, dict[str, int]], ...] = (
    ("account_opened", {}),
    ("card_accepted", {"type": CardType.OPEN}),
    ("low_credit_warning", {}),
    ("supply_disconnected", {"cause": Cause.CREDIT_REMINDER}),
    ("supply_connected", {"by": SwitchedBy.BUTTON}),
    ("supply_disconnected", {"cause": Cause.CREDIT_EXHAUSTED}),
    ("credit_accepted", {}),
    ("supply_connected", {"by": SwitchedBy.AUTOMATIC}),
    ("card_accepted", {"type": CardType.PURCHASE}),
)
_STANDING = (
    items.CLOCK,
    items.AVAILABLE_CREDIT_EXACT,
    items.SUPPLY_STATE,
    items.SUPPLY_CAUSES,
    items.EVENT_NUMBER,
)
_CREDIT_SIDE: tuple[tuple[str, int, Item], ...] = (
    ("opening", 1, items.OPENING_BALANCE),
    ("credited", 1, items.CREDITED),
    ("refunded", -1, items.REFUNDED),
    ("settled", -1, items.SETTLED),
    ("consumption", -1, items.CONSUMPTION_CHARGED),
    ("standing", -1, items.STANDING_CHARGED),
    ("instalments", -1, items.INSTALMENTS_TAKEN),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The customer's purchase agreement, derived from the opening credit, in ledger units."""

    credit: int
    price: int
    load: str

    def part(self, eighths: int) -> int:
        """Return this many eighths of the opening credit, in whole cents."""
        return self.credit * eighths // 8 // CENT * CENT

    def toml(self) -> str:
        """Return the meter's description in TOML."""
        lines = {
            "account": "unopened",
            "load": self.load,
            "start": START,
            "serial_number": SERIAL_NUMBER,
            "low_credit_threshold_1": format_money(self.part(5)),
            "low_credit_threshold_2": format_money(self.part(3)),
            "overdraft_limit": format_money(self.part(2)),
        }
        body = "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
        return f'{body}\n[tariff]\nprices = ["{self.price // 10000}.{self.price % 10000:04d}"]\n'


@dataclass(slots=True)
class StepPrinter:
    """Prints steps and stores the events that were read."""

    out: Callable[[str], None]
    seen: list[Event] = field(default_factory=list)

    def line(self, name: str, at: int, credit: int, state: SupplyState, remark: str) -> None:
        """Print one step: its name, the meter's own time, credit and switch."""
        switch = state.name.lower().replace("_", " ")
        self.out(
            f"{name:<13} {format_moment(at)[:19]}Z  credit {format_money(credit):>8}  "
            f"{switch:<23} {remark}".rstrip()
        )


class VendingPoint:
    """The vending point: the customer's card, its key ring and its journal."""

    def __init__(self, card: Path, journal: Journal, out: Callable[[str], None]) -> None:
        self.card, self.journal, self._out = card, journal, out
        create_image(card, CARD_SERIAL)
        with self._presented() as presented:
            plan_format(presented, journal).carry_out()

    def sell(self, cents: int) -> None:
        """Sell credit on the card; the first sale opens the account."""
        with self._presented() as presented:
            if self.journal.entries():
                entry = sell(presented, self.journal, cents).entry
            else:
                entry = open_account(
                    presented, self.journal, SERIAL_NUMBER, CUSTOMER, cents, 156
                ).entry
        self._out(
            f"{'vending point':<13} card {entry.card} bought: "
            f"{format_money(entry.amount * CENT)}, sequence "
            f"{entry.sequence}, sealed for meter {entry.meter}"
        )

    def reconcile(self) -> bool:
        """Read the write-back and return whether the journal agrees with the meter to the cent."""
        with self._presented() as presented:
            card_files = presented.read()
            back = card_files.back
            if back is None:
                return False
            presented.compare(self.journal, card_files)
        confirmed = [
            entry for entry in self.journal.entries() if entry.state is EntryState.CONFIRMED
        ]
        total = sum(entry.amount for entry in confirmed)
        agreed = len(confirmed) == len(self.journal.entries()) and total * CENT == back.cumulative
        self._out(
            f"{'write-back':<13} the card brought back: purchases "
            f"{format_money(back.cumulative)} in all; the journal "
            f"has sold {format_money(total * CENT)}, {'proved' if agreed else 'NOT proved'}"
        )
        return agreed

    @contextmanager
    def _presented(self) -> Iterator[PresentedCard]:
        with open_image(self.card) as port:
            yield PresentedCard(port.transmit, development_ring(), os.urandom, wall_seconds)


class Stage:
    """The running meter: the session on its wire, and its control socket."""

    def __init__(self, session: Session, control: Callable[..., str], show: StepPrinter) -> None:
        self.session, self.control, self.show = session, control, show
        self._deadline = monotonic_ms() + LIMIT_MS

    def poll(self) -> tuple[int, SupplyState, Cause, list[Event]]:
        """Read the state of the meter and its new events."""
        if monotonic_ms() > self._deadline:
            raise RefusedError(
                f"demo: the expected events did not occur within {LIMIT_MS // 1000} s"
            )
        values = self.session.driver.read(_STANDING)
        new: list[Event] = []
        while len(self.show.seen) + len(new) < values[items.EVENT_NUMBER]:
            rows, _ = self.session.driver.rows(EVENTS, len(self.show.seen) + len(new) + 1)
            if not rows:
                raise RefusedError("demo: the meter's event number exceeds the events it returns")
            new += rows
        self.show.seen += new
        return (
            values[items.AVAILABLE_CREDIT_EXACT],
            SupplyState(values[items.SUPPLY_STATE]),
            Cause(values[items.SUPPLY_CAUSES]),
            new,
        )

    def until(self, name: str, **details: int) -> None:
        """Show events up to one with these details; press the button at each reminder trip."""
        while True:
            credit, state, causes, new = self.poll()
            found = False
            for event in new:
                self._tell(event, credit, state)
                held = {key: value for key, (_, value) in event.details().items()}
                found = found or (
                    event.name == name and all(held.get(k) == v for k, v in details.items())
                )
            if found:
                return
            if causes == Cause.CREDIT_REMINDER:
                self.show.line("button", self._clock(), credit, state, "the customer presses it")
                self.control("button")
            time.sleep(POLL_S)  # noqa: TID251 - the demo is watched by people, in wall time

    def _clock(self) -> int:
        return int(self.session.driver.read([items.CLOCK])[items.CLOCK])

    def _tell(self, event: Event, credit: int, state: SupplyState) -> None:
        details = {key: value for key, (_, value) in event.details().items()}
        if event.name == "low_credit_warning":
            remark = f"the lamp is lit: credit reached {format_money(details['threshold'])}"
            self.show.line("warning", event.at, credit, state, remark)
        elif event.name == "supply_disconnected":
            remark = f"cause {', '.join(cause_words(Cause(details['cause'])))}"
            self.show.line("disconnected", event.at, credit, state, remark)
        elif event.name == "supply_connected":
            self.show.line(
                "connected", event.at, credit, state, f"by {SwitchedBy(details['by']).name.lower()}"
            )

    def insert(self, card: Path) -> None:
        """Insert the card; raises RefusedError if the meter refuses it."""
        told = json.loads(self.control("card", "insert", str(card)))
        if told["error"] is not None:
            raise RefusedError(f"demo: the meter shows {told['display']} ({told['error_name']})")
        values = self.session.driver.read([items.CLOCK, items.AVAILABLE_CREDIT, items.SUPPLY_STATE])
        self.show.line(
            "card",
            values[items.CLOCK],
            values[items.AVAILABLE_CREDIT],
            SupplyState(values[items.SUPPLY_STATE]),
            f"inserted, {told['outcome'].replace('_', ' ')}: the display shows {told['display']}",
        )


def run_demo(
    price: str, load: str, credit: str, speed: int | None, out: Callable[[str], None] = print
) -> int:
    """Run the demo; return 0 only if all expected events occurred and the books balance exactly.

    Raises:
        UsageError: a price, load or credit without which no event would occur.
        RefusedError: an expected event did not occur.
    """
    agreement = Agreement(parse_money(credit), parse_price(price), load)
    if agreement.part(2) <= 0 or agreement.price == 0:
        raise UsageError("demo: a credit of at least 0.08 and a price above 0 are needed")
    with (
        tempfile.TemporaryDirectory(prefix="meterctl-demo-") as folder,
        _meter(Path(folder), agreement) as control,
    ):
        transport = open_transport(str(Path(folder) / "meter.tty"))
        journal = Journal(Path(folder) / "journal.sqlite")
        try:
            driver = ModbusDriver(transport, 1, 1000, monotonic_ms)
            stage = Stage(
                Session(driver, development_ring(), wall_seconds, monotonic_ms),
                control,
                StepPrinter(out),
            )
            return _play(
                stage, agreement, VendingPoint(Path(folder) / "card.img", journal, out), speed
            )
        finally:
            journal.close()
            transport.close()


def _play(
    stage: Stage, agreement: Agreement, vending_point: VendingPoint, speed: int | None
) -> int:
    vending_point.sell(agreement.credit // CENT)
    stage.insert(vending_point.card)
    values = stage.session.driver.read(
        [items.CLOCK, items.ACTIVE_POWER, items.AVAILABLE_CREDIT, items.SUPPLY_STATE]
    )
    power = values[items.ACTIVE_POWER]
    if power <= 0:
        raise UsageError(f"demo: the load {agreement.load} is zero, so no event would occur")
    if speed is None:
        energy = agreement.credit * 5 // 4 // agreement.price
        speed = min(max(energy * MWH_IN_MW_MS // power // RUNS_FOR_MS, 1), 100_000)
    stage.show.line(
        "start",
        values[items.CLOCK],
        values[items.AVAILABLE_CREDIT],
        SupplyState(values[items.SUPPLY_STATE]),
        f"price {agreement.price / 10_000:.4f}, load {agreement.load}, {speed} x",
    )
    stage.control("speed", str(speed))
    stage.until("supply_disconnected", cause=Cause.CREDIT_EXHAUSTED)
    exact = _exact_instant(stage, agreement)
    stage.control("speed", "0")
    vending_point.sell(agreement.credit // CENT)
    stage.insert(vending_point.card)
    stage.until("card_accepted", type=CardType.PURCHASE)
    proved = vending_point.reconcile()
    balanced = _books(stage)
    missing = _missing(stage.show.seen)
    for name in missing:
        stage.show.out(f"missing: {name}")
    return 0 if balanced and exact and proved and not missing else RefusedError.exit_code


def _exact_instant(stage: Stage, agreement: Agreement) -> bool:
    """Show that the supply opened at the exact mWh: the first one at or below the limit."""
    values = stage.session.driver.read(
        [items.AVAILABLE_CREDIT_EXACT, items.ENERGY_IMPORT, items.OVERDRAFT_LIMIT]
    )
    credit, limit = values[items.AVAILABLE_CREDIT_EXACT], values[items.OVERDRAFT_LIMIT]
    exact: bool = credit <= -limit < credit + agreement.price
    opened = [event for event in stage.show.seen if event.name == "supply_disconnected"][-1]
    stage.show.out(
        f"{'exact':<13} opened at {format_moment(opened.at)} after "
        f"{values[items.ENERGY_IMPORT]:,} mWh: credit "
        f"{format_money(credit, 10)} is {'the first' if exact else 'NOT the first'} at "
        f"or below {format_money(-limit)}"
    )
    return exact


def _books(stage: Stage) -> bool:
    """Print the books of METER.md 6 from the wire; return whether they balance to the last unit."""
    wanted = [item for *_, item in _CREDIT_SIDE]
    values = stage.session.driver.read(
        [
            *wanted,
            items.AVAILABLE_CREDIT_EXACT,
            items.DEBT,
            items.DEBT_ENTERED,
            items.DEBT_FROM_TOP_UPS,
        ]
    )
    credit = values[items.AVAILABLE_CREDIT_EXACT]
    total = sum(sign * values[item] for _, sign, item in _CREDIT_SIDE)
    debt = (
        values[items.DEBT_ENTERED]
        - values[items.DEBT_FROM_TOP_UPS]
        - values[items.INSTALMENTS_TAKEN]
    )
    terms = " ".join(
        f"{'+' if sign > 0 else '-'} {name} {format_money(values[item], 10)}"
        for name, sign, item in _CREDIT_SIDE
    )
    balanced: bool = credit == total and values[items.DEBT] // CENT == debt // CENT
    stage.show.out(f"books: credit {format_money(credit, 10)} = {terms.removeprefix('+ ')}")
    stage.show.out(
        "books: "
        f"{'balanced to the last unit' if balanced else f'OUT OF BALANCE by {credit - total}'}"
    )
    return balanced


def _missing(seen: list[Event]) -> list[str]:
    """Return the expected events that were not seen, in their order."""
    left = iter(seen)
    return [
        name for name, details in EXPECTED if not any(_is(event, name, details) for event in left)
    ]


def _is(event: Event, name: str, details: dict[str, int]) -> bool:
    held = {key: value for key, (_, value) in event.details().items()}
    return event.name == name and all(held.get(key) == value for key, value in details.items())


@contextmanager
def _meter(folder: Path, agreement: Agreement) -> Iterator[Callable[..., str]]:
    """Run `meter-sim` on a port in `folder`; yields a function that sends it a control command."""
    program = shutil.which("meter-sim", path=str(Path(sys.executable).parent)) or shutil.which(
        "meter-sim"
    )
    if program is None:
        raise UsageError("demo: meter-sim is not installed together with meterctl")
    (folder / "meter.toml").write_text(agreement.toml())
    socket = str(folder / "meter.sock")
    command = [
        program,
        "run",
        "--config",
        str(folder / "meter.toml"),
        "--modbus-rtu",
        str(folder / "meter.tty"),
        "--control",
        socket,
        "--speed",
        "0",
        "--json",
    ]
    with (folder / "meter.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)

    def control(*words: str) -> str:
        done = subprocess.run(
            [program, "control", socket, *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise MeterctlError(f"demo: meter-sim control {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise UsageError(
                f"demo: the meter did not start: {(folder / 'meter.log').read_text().strip()}"
            )
        yield control
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
