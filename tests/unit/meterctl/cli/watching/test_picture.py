"""The picture of a watch: what it shows, and that it fits every screen."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.settings import Settings
from meterctl.cli.watching.facts import power_rows, price_words, supply_words
from meterctl.cli.watching.picture import picture
from meterctl.cli.watching.screen import events_shown
from meterctl.cli.watching.values import wanted_items
from meterctl.cli.watching.views import WatchView
from meterctl.errors import CorruptAnswerError, NoAnswerError
from meterctl.operations.meter_watch import MeterWatch, Plan
from meterctl.operations.observations import AnsweringMeter, Failure, OtherMeter, Reading
from meterctl.operations.watching import Pace, watch
from protocols.control import Sense
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import Cause, MeterType, Tamper
from protocols.quantities import LEDGER
from tests.support.meters import make
from tests.support.watched import BEGAN_MS, FakeMeter, VirtualTime
from tests.support.wire import connect

PORT = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A9K3X2-if00-port0"
SIZES = [(80, 24), (40, 24), (40, 10), (60, 7), (120, 50), (200, 60), (39, 3), (10, 1)]


def rows(view: WatchView, width: int = 80, height: int = 24, **how: Any) -> list[str]:
    """Return the picture as text."""
    encoding, now_ms = how.get("encoding", "utf-8"), how.get("now_ms", 0)
    return [line.plain for line in picture(view, width, height, encoding, now_ms)]


def seen_of(
    meter: Meter, rounds: int = 3, named: tuple[Item, ...] = (), past_events: int = 6
) -> WatchView:
    """Return the view of a native meter after some readings; one event comes after the first."""
    session, _ = connect(meter, framed=True)
    time = VirtualTime()
    plan = Plan.of(session.driver, wanted_items(named, past_events=past_events))
    watched = MeterWatch(1, lambda: session.driver, plan)
    view = WatchView.of(PORT, 1000, plan.shown, named, [1])
    for seen in watch([watched], Pace(1000, rounds), time.host):
        view.take(seen)
        if time.ms == 0:
            meter.handle(Sense(Tamper.COVER, True))
    return view


def loaded(**fields: Any) -> Meter:
    """Return a three-phase meter with 3 kW."""
    load = Load.constant((1_000_000, 1_000_000, 1_000_000))
    return make(meter_type=MeterType.THREE_PHASE, load=load, **fields)


@pytest.fixture(scope="module")
def view() -> WatchView:
    return seen_of(loaded(debt=5 * LEDGER, settings=Settings(low_credit_threshold_1=30 * LEDGER)))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_fits_every_screen(view: WatchView, width: int, height: int, encoding: str) -> None:
    shown = rows(view, width, height, encoding=encoding)
    assert len(shown) <= height
    assert max(map(len, shown)) <= width
    "".join(shown).encode(encoding)


@pytest.mark.parametrize("width", [80, 40])
def test_a_screen_of_24_lines_has_all_that_a_technician_watches(
    view: WatchView, width: int
) -> None:
    text = " ".join(" ".join(rows(view, width)).split())
    for fact in (
        "meter 000000000001",
        "connected",
        "20.00 CNY",
        "0.52 days left at the present",
        "3.000000 kW",
        "L2 1.000000 kW 230.000 V",
        "● pulse",
        "● warning",
        "○ trip",
        "open debt 5.00 CNY",
        "low_credit_warning",
        "cover_opened",
        "█",
        "3 readings",
        "Ctrl-C ends",
    ):
        assert fact in text, fact


def test_what_matters_is_left_on_a_low_screen(view: WatchView) -> None:
    text = " ".join(rows(view, 80, 6))
    for fact in ("meter 000000000001", "connected", "20.00 CNY", "3.000000 kW"):
        assert fact in text
    assert "price" not in text


def test_a_larger_screen_has_a_higher_course_of_the_load(view: WatchView) -> None:
    assert sum("█" in row for row in rows(view, 80, 50)) > sum("█" in row for row in rows(view))


def test_a_narrow_screen_of_24_lines_has_clock_and_price_rather_than_the_display(
    view: WatchView,
) -> None:
    text = " ".join(" ".join(rows(view, 40)).split())
    for fact in ("clock 2026-01-01 00:00:00Z 2s behind", "price 0.5283 CNY per kWh"):
        assert fact in text
    assert "credit CNY" not in text, "its digits are those of the credit"
    assert "credit CNY" in " ".join(rows(view, 40, 40))


def test_credit_supply_power_and_clock_are_left_on_a_low_narrow_screen(view: WatchView) -> None:
    names = {row[:10].strip() for row in rows(view, 40, 13)}
    assert {"supply", "clock", "credit", "power"} <= names


def test_a_long_event_goes_on_behind_its_number(view: WatchView) -> None:
    shown = rows(view, 40, 40)
    first = next(number for number, row in enumerate(shown) if row.startswith("    1  "))
    assert shown[first + 1 : first + 3] == [
        " " * 7 + "low_credit_warning",
        " " * 7 + "threshold=30.00",
    ]


def test_a_high_screen_is_full_of_the_events_before_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "60")
    assert events_shown(3) == 8, "several meters have few events each"
    meter = make()
    for number in range(100):
        meter.handle(Sense(Tamper.COVER, number % 2 == 0))
    shown = rows(seen_of(meter, past_events=events_shown(1)), 200, 60)
    assert len(shown) == 60
    assert sum("cover_" in row for row in shown) > 30


def test_a_map_with_causes_and_prices_alone_shows_them() -> None:
    time = VirtualTime()
    values: dict[Item, Any] = {items.SUPPLY_CAUSES: Cause.REMOTE, items.AVAILABLE_CREDIT: LEDGER}
    meter = FakeMeter(time, {**values, items.PRICES[0]: 5283, items.PRICES[1]: 0})
    wanted = wanted_items((), past_events=1)
    shown = Plan.of(meter, wanted).shown
    told = {items.SUPPLY_CAUSES: Cause.REMOTE, items.PRICES[0]: 5283, items.PRICES[1]: 0}
    assert {*told} <= {*shown}
    assert supply_words(told) == [("remote", "red")]
    assert supply_words({items.SUPPLY_CAUSES: 0}) == [("no open cause", "")]
    assert supply_words({items.SUPPLY_CAUSES: None}) == []
    assert [word for word, _ in price_words(told)] == [
        "rate 1: 0.5283",
        "rate 2: 0.0000",
        "per kWh",
    ]
    meter.values[items.CURRENT_PRICE] = 5283
    assert not {*items.PRICES} & {*Plan.of(meter, wanted).shown}, "the price in force is enough"


def test_the_display_shows_the_credit_in_large_digits(view: WatchView) -> None:
    shown = rows(view)
    top = next(number for number, row in enumerate(shown) if "credit CNY" in row)
    digits = [row[1:31].rstrip() for row in shown[top + 1 : top + 4]]
    assert ["".join(row.split()) for row in digits] == ["____", "_|||||||", "|_|_|.|_||_|"]


def test_a_silence_is_told_with_its_begin_and_the_age_of_the_values(view: WatchView) -> None:
    silent = seen_of(loaded())
    at = BEGAN_MS + 5_000
    silent.take(Failure(1, at, BEGAN_MS + 2_000, NoAnswerError("no answer within 1000 ms")))
    lines = picture(silent, 80, 24, "utf-8", BEGAN_MS + 47_000)
    text = "\n".join(line.plain for line in lines)
    assert "no answer since 00:00:02Z, 45s" in text
    assert "the values are of 00:00:02Z, 45s old" in text
    (credit,) = (line for line in lines if line.plain.startswith("credit"))
    assert "dim" in {str(span.style) for span in credit.spans}
    assert "1 failed" in text


WRONG_MAP = CorruptAnswerError(
    f"{PORT} unit 3: the device that answers is no meter with the native map: name its map with "
    f"--map, or find it by `meterctl scan`"
)


@pytest.mark.parametrize("units", [[1], [1, 2]])
@pytest.mark.parametrize("width", [80, 40])
def test_a_meter_with_another_map_is_told_with_what_to_do(units: list[int], width: int) -> None:
    view = WatchView.of(PORT, 1000, (), (), units)
    view.take(Failure(1, BEGAN_MS, BEGAN_MS, WRONG_MAP))
    text = " ".join(" ".join(rows(view, width, now_ms=BEGAN_MS)).split())
    assert "corrupt since 00:00:00Z" in text
    assert "name its map with --map, or find it by `meterctl scan`" in text
    assert max(map(len, rows(view, width))) <= width


def test_another_meter_is_named_and_begins_without_the_load_of_the_one_before() -> None:
    view = seen_of(loaded())
    meter = view.meters[1]
    assert meter.reading is not None
    other = AnsweringMeter("000000000002", 7)
    view.take(OtherMeter(1, BEGAN_MS, meter.reading.meter, other))
    assert (meter.load.low, len(meter.events)) == (None, 0)
    shown = " ".join(rows(view))
    assert "20.00" not in shown
    view.take(Reading(1, BEGAN_MS, 0, other, {items.ACTIVE_POWER: 1}, frozenset(), lambda _: 0))
    text = " ".join(rows(view))
    assert "another meter since 00:00:00Z: meter 000000000002" in text
    assert "before it was meter 000000000001" in text


def test_a_map_without_an_account_shows_what_it_has_and_nothing_else() -> None:
    time = VirtualTime()
    values = {items.ACTIVE_POWER: 1_500_000, items.ENERGY_IMPORT: 7_000_000}
    meter = FakeMeter(time, {**values, items.VOLTAGES[0]: 230_000})
    plan = Plan.of(meter, wanted_items((), past_events=6))
    watched = MeterWatch(1, meter.open, plan)
    view = WatchView.of(PORT, 1000, plan.shown, (), [1])
    for seen in watch([watched], Pace(1000, 2), time.host):
        view.take(seen)
    shown = rows(view)
    assert any("import kWh" in row for row in shown)
    names = {row[:10].strip() for row in shown}
    assert names.isdisjoint({"credit", "price", "warnings", "lamps", "account", "clock", "supply"})
    assert not any(row.split()[-1:] == ["-"] for row in shown)


def test_a_map_without_power_per_phase_shows_voltage_and_current() -> None:
    first = {items.VOLTAGES[0]: 230_000, items.CURRENTS[0]: 4_348}
    for power in ({items.ACTIVE_POWER: 1_000_000}, {items.POWER_FACTOR: 10_000}, {}):
        ((_, words),) = power_rows({**power, **first})
        told = [word for word, _ in words]
        assert [word for word in told if word.endswith((" V", " A"))] == ["230.000 V", "4.348 A"]
        assert len(told) == len(power) + 2


def test_named_items_are_a_list_with_the_course_of_the_first(view: WatchView) -> None:
    named = (items.VOLTAGES[0], items.SUPPLY_CAUSES, items.STEP_LIMITS[0])
    shown = rows(seen_of(loaded(), named=named), 40)
    assert "voltage_l1_v      230.000 V" in shown
    assert "supply_causes     none" in shown
    assert "step_limit_1_kwh  off" in shown
    assert any(row.startswith("course    ███") for row in shown)
    assert not any("events" in row for row in shown)


def test_several_meters_have_a_line_each_and_the_silent_one_too() -> None:
    time = VirtualTime()
    meters = [FakeMeter(time, {items.ACTIVE_POWER: 1_000_000 * n}) for n in (1, 2, 3)]
    meters[2].silent()
    plan = Plan.of(meters[0], wanted_items((), past_events=6))
    watched = [MeterWatch(unit, meter.open, plan) for unit, meter in enumerate(meters, 1)]
    view = WatchView.of(PORT, 1000, plan.shown, (), [1, 2, 3])
    for seen in watch(watched, Pace(1000, 12), time.host):
        view.take(seen)
    for width in (80, 40):
        text = rows(view, width, now_ms=BEGAN_MS + 10_000)
        assert any(row.startswith("unit 2") and "2.000000 kW" in row for row in text)
        assert any(row.startswith("unit 3") and "no answer since 00:00:00Z" in row for row in text)
        assert max(map(len, text)) <= width
    assert "1 more: the screen is too low" in rows(view, 80, 5)
