"""The story: the household opens its account by card, consumes its credit, and buys again.

The meter is a process of its own on a virtual serial port, and every figure is read over the wire.
The control socket is used only for actions without a wire command: the card, the button, the speed.
All credit is sold on the card at the vending point.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from meterctl.demo.books import exact_instant, missing_events, print_books
from meterctl.demo.household import Agreement
from meterctl.demo.processes import running_meter
from meterctl.demo.vending_point import VendingPoint
from meterctl.demo.watched_meter import StepPrinter, WatchedMeter
from meterctl.drivers.modbus import ModbusDriver
from meterctl.errors import RefusedError, UsageError
from meterctl.journal import Journal
from meterctl.key_ring import development_ring
from meterctl.session import Session
from meterctl.transports.wires import monotonic_ms, open_transport, wall_seconds
from protocols.card.files import CardType
from protocols.data_model import items
from protocols.data_model.words import Cause, SupplyState
from protocols.quantities import CENT, MWH_IN_MW_MS, parse_money, parse_price

RUNS_FOR_MS = 18_000
"""Wall time for the consumption; the speed follows from credit, price and load."""


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
        running_meter(Path(folder), agreement.toml()) as control,
    ):
        transport = open_transport(str(Path(folder) / "meter.tty"))
        journal = Journal(Path(folder) / "journal.sqlite")
        try:
            driver = ModbusDriver(transport, 1, 1000, monotonic_ms)
            session = Session(driver, development_ring(), wall_seconds, monotonic_ms)
            meter = WatchedMeter(session, control, StepPrinter(out))
            vending_point = VendingPoint(Path(folder) / "card.img", journal, out)
            return _play(meter, agreement, vending_point, speed)
        finally:
            journal.close()
            transport.close()


def _play(
    meter: WatchedMeter, agreement: Agreement, vending_point: VendingPoint, speed: int | None
) -> int:
    vending_point.sell(agreement.credit // CENT)
    meter.insert(vending_point.card)
    values = meter.session.driver.read(
        [items.CLOCK, items.ACTIVE_POWER, items.AVAILABLE_CREDIT, items.SUPPLY_STATE]
    )
    power = values[items.ACTIVE_POWER]
    if power <= 0:
        raise UsageError(f"demo: the load {agreement.load} is zero, so no event would occur")
    if speed is None:
        energy = agreement.credit * 5 // 4 // agreement.price
        speed = min(max(energy * MWH_IN_MW_MS // power // RUNS_FOR_MS, 1), 100_000)
    meter.show.line(
        "start",
        values[items.CLOCK],
        values[items.AVAILABLE_CREDIT],
        SupplyState(values[items.SUPPLY_STATE]),
        f"price {agreement.price / 10_000:.4f}, load {agreement.load}, {speed} x",
    )
    meter.control("speed", str(speed))
    meter.until("supply_disconnected", cause=Cause.CREDIT_EXHAUSTED)
    exact = exact_instant(meter, agreement)
    meter.control("speed", "0")
    vending_point.sell(agreement.credit // CENT)
    meter.insert(vending_point.card)
    meter.until("card_accepted", type=CardType.PURCHASE)
    proved = vending_point.reconcile()
    balanced = print_books(meter)
    missing = missing_events(meter.show.seen)
    for name in missing:
        meter.show.out(f"missing: {name}")
    return 0 if balanced and exact and proved and not missing else RefusedError.exit_code
