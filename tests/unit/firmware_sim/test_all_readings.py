"""Every item of one meter in use, and every register of the page of the native map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_sim.hal.switch import SwitchDefect
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.readings import GETTERS, read
from firmware_sim.requests import BreakSwitch, Sense
from firmware_sim.settings import Settings
from protocols.data_model import items
from protocols.data_model.items import BY_NAME
from protocols.data_model.kinds import Fixed, Optional
from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff, TariffChange
from protocols.data_model.words import (
    Cause,
    MeterType,
    PhaseSummation,
    ReconnectMode,
    Status,
    SupplyState,
    SwitchPosition,
    Tamper,
    TripMode,
    UnopenedSupply,
)
from protocols.quantities import CENT, DAY, HOUR, KWH, LEDGER, MINUTE, MONEY_LIMIT
from protocols.sealed_message import Answer, MessageKind, Outcome, SwitchAction, encode_number
from tests.support.meters import Host, make
from tests.support.racks import tcp_server

PAGE = Path(__file__).parents[3] / "docs" / "register-map.md"
NEW_YEAR = 1_767_225_600_000
SETTINGS = Settings(
    low_credit_threshold_1=40 * LEDGER,
    low_credit_threshold_2=5 * LEDGER,
    overdraft_limit=21 * LEDGER,
    max_credit=500 * LEDGER,
    reconnect_threshold=3 * LEDGER,
    trip_mode=TripMode.DELAYED,
    reconnect_mode=ReconnectMode.MANUAL,
    trip_delay_minutes=7,
    remote_trip_delay=1,
    power_limit_mw=9_000_001,
    power_limit_delay_s=11,
    overload_reconnect_s=61,
    overload_attempts=4,
    overload_reset_s=3601,
    unopened_supply=UnopenedSupply.DISCONNECTED,
    tamper_trip=int(Tamper.MAGNET),
    standing_charge=35 * CENT,
    debt_instalment=125 * CENT,
    debt_share_percent=20,
    friendly_hours=23 * 60 | (24 * 60 - 1) << 16,
    friendly_weekends=1,
    friendly_holidays=1,
    utc_offset_minutes=90,
    strict_suspension=1,
)
TARIFF = Tariff(
    Seasons(((1, 1, 1), (6, 1, 2))),
    DayTables((((0, 3), (8 * 60, 2)), ((0, 4), (60, 1)))),
    Prices((4001, 5002, 6003, 7004)),
    Steps(
        (KWH, 2 * KWH, 300 * KWH, 400 * KWH, 500 * KWH, 600 * KWH),
        (0, 101, 202, 303, 404, 505, 606),
        True,
        5,
        6,
        4,
        7,
    ),
)


def in_use() -> Meter:
    """Return a meter of 22:00 UTC, 23:30 local, on New Year's Eve, after an hour and 5 minutes."""
    meter = make(
        serial_number="000000000777",
        epoch=0x01020304,
        meter_type=MeterType.THREE_PHASE,
        account_unit=978,
        customer_number="000000001001",
        credit=45 * LEDGER,
        debt=1234 * CENT,
        settings=SETTINGS,
        tariff=TARIFF,
        start=NEW_YEAR - 2 * HOUR,
        phase_summation=PhaseSummation.PER_PHASE,
        reverse_charged=True,
        nominal_voltage_mv=231_000,
        frequency_mhz=50_100,
        phase_energies=True,
        load=Load.constant((1_500_000, -250_000, 500_000), 9_000),
    )
    meter.advance(HOUR)
    host = Host(meter)
    prices = TariffChange(((NEW_YEAR + DAY, Prices((1, 2, 3, 4))),))
    answers = [
        host.send(MessageKind.CREDIT, amount=1250),
        host.send(MessageKind.REFUND, amount=100),
        host.send(MessageKind.DEBT, amount=200),
        host.send(MessageKind.TARIFF, parameters=prices.encode()),
        command(host, MessageKind.SWITCH, SwitchAction.INTERRUPT),
        command(host, MessageKind.MORATORIUM, NEW_YEAR // DAY + 40),
    ]
    assert {answer.outcome for answer in answers} == {Outcome.ACCEPTED}
    meter.handle(Sense(Tamper.COVER, True))
    meter.advance(HOUR + 5 * MINUTE)
    return meter


def command(host: Host, kind: MessageKind, value: int) -> Answer:
    return host.send(kind, parameters=encode_number(kind, value))


VALUES: dict[str, object] = {
    "serial_number": "000000000777",
    "epoch": 16_909_060,
    "meter_type": 1,
    "account_unit": 978,
    "firmware_version": 1,
    "clock": 1_767_222_300_000,
    "elapsed_ms": 3_900_000,
    "energy_import_kwh": 2_166_666,
    "energy_export_kwh": 270_833,
    "energy_total_kwh": 2_437_499,
    "energy_reactive_import_kvarh": 1_049_360,
    "energy_reactive_export_kvarh": 131_167,
    "energy_reactive_total_kvarh": 1_180_527,
    "energy_apparent_kvah": 2_708_331,
    "energy_month_kwh": 2_437_499,
    "energy_year_kwh": 2_437_499,
    "active_power_kw": 1_750_000,
    "reactive_power_kvar": 1_089_718,
    "apparent_power_kva": 2_499_998,
    "power_factor": 7_000,
    "phase_angle_deg": 4_557,
    "frequency_hz": 50_100,
    "voltage_mean_v": 231_000,
    "voltage_line_mean_v": 400_103,
    "current_neutral_a": 7_314,
    "current_mean_a": 3_607,
    "current_sum_a": 10_822,
    "demand_kw": 2_000_000,
    "maximum_demand_kw": 2_000_000,
    "maximum_demand_at": 1_767_219_300_000,
    "account_state": 1,
    "customer_number": "000000001001",
    "available_credit": 511_430_568_705,
    "available_credit_exact": 511_430_568_705,
    "remaining_credit": 511_430_568_705,
    "overdraft": 0,
    "debt": 105_900_000_000,
    "purchase_count": 1,
    "credit_sequence": 3,
    "command_sequence": 3,
    "key_version": 0,
    "key_check_value": 12_035_655,
    "card_serial": 0,
    "illegal_insertions": 0,
    "opening_balance_exact": 450_000_000_000,
    "credited_exact": 100_000_000_000,
    "refunded_exact": 10_000_000_000,
    "settled_exact": 0,
    "consumption_charged_exact": 12_569_431_295,
    "standing_charged_exact": 3_500_000_000,
    "instalments_taken_exact": 12_500_000_000,
    "debt_entered_exact": 143_400_000_000,
    "debt_from_top_ups_exact": 25_000_000_000,
    "cumulative_purchased": 125_000_000_000,
    "phase_summation": 1,
    "reverse_charged": 1,
    "current_rate": 3,
    "current_step": 3,
    "current_price": 6_205,
    "step_period": 1,
    "billing_day": "0506",
    "billing_year": "0407",
    "tariff_activation": 1_767_312_000_000,
    "supply_state": 0,
    "supply_causes": 0,
    "supply_commanded": 1,
    "supply_switch": 1,
    "amount_to_reconnect": 0,
    "low_credit_warning": 0,
    "trip_pending": 4,
    "trip_due": 1_767_222_420_000,
    "guarantee": 0,
    "moratorium_until": 20_494,
    "overload_count": 0,
    "status": 33_034,
    "event_number": 8,
    "utc_offset_minutes": 90,
    "low_credit_threshold_1": 400_000_000_000,
    "low_credit_threshold_2": 50_000_000_000,
    "overdraft_limit": 210_000_000_000,
    "max_credit": 5_000_000_000_000,
    "reconnect_threshold": 30_000_000_000,
    "trip_mode": 2,
    "reconnect_mode": 1,
    "trip_delay_minutes": 7,
    "remote_trip_delay": 1,
    "power_limit_kw": 9_000_001,
    "power_limit_delay_s": 11,
    "overload_reconnect_s": 61,
    "overload_attempts": 4,
    "overload_reset_s": 3_601,
    "unopened_supply": 1,
    "tamper_trip": 4,
    "standing_charge": 3_500_000_000,
    "debt_instalment": 12_500_000_000,
    "debt_share_percent": 20,
    "friendly_hours": 94_307_684,
    "friendly_weekends": 1,
    "strict_suspension": 1,
    "friendly_holidays": 1,
    "energy_rate_1_kwh": 1_000_000,
    "energy_rate_2_kwh": 0,
    "energy_rate_3_kwh": 1_166_666,
    "energy_rate_4_kwh": 0,
    "voltage_l1_v": 231_000,
    "voltage_l2_v": 231_000,
    "voltage_l3_v": 231_000,
    "voltage_l12_v": 400_103,
    "voltage_l23_v": 400_103,
    "voltage_l31_v": 400_103,
    "current_l1_a": 7_215,
    "current_l2_a": -1_202,
    "current_l3_a": 2_405,
    "active_power_l1_kw": 1_500_000,
    "active_power_l2_kw": -250_000,
    "active_power_l3_kw": 500_000,
    "reactive_power_l1_kvar": 726_481,
    "reactive_power_l2_kvar": 121_078,
    "reactive_power_l3_kvar": 242_159,
    "apparent_power_l1_kva": 1_666_666,
    "apparent_power_l2_kva": 277_777,
    "apparent_power_l3_kva": 555_555,
    "power_factor_l1": 9_000,
    "power_factor_l2": 9_000,
    "power_factor_l3": 9_000,
    "phase_angle_l1_deg": 2_584,
    "phase_angle_l2_deg": 2_584,
    "phase_angle_l3_deg": 2_584,
    "energy_import_l1_kwh": 1_625_000,
    "energy_import_l2_kwh": 0,
    "energy_import_l3_kwh": 541_666,
    "energy_export_l1_kwh": 0,
    "energy_export_l2_kwh": 270_833,
    "energy_export_l3_kwh": 0,
    "energy_total_l1_kwh": 1_625_000,
    "energy_total_l2_kwh": 270_833,
    "energy_total_l3_kwh": 541_666,
    "price_1": 4_001,
    "price_2": 5_002,
    "price_3": 6_003,
    "price_4": 7_004,
    "step_limit_1_kwh": 1_000_000,
    "step_limit_2_kwh": 2_000_000,
    "step_limit_3_kwh": 300_000_000,
    "step_limit_4_kwh": 400_000_000,
    "step_limit_5_kwh": 500_000_000,
    "step_limit_6_kwh": 600_000_000,
    "step_addition_1": 0,
    "step_addition_2": 101,
    "step_addition_3": 202,
    "step_addition_4": 303,
    "step_addition_5": 404,
    "step_addition_6": 505,
    "step_addition_7": 606,
}
"""Computed by hand from METER.md: at rate 1 until 22:30 UTC, local midnight, then at rate 3."""


def test_every_item_of_a_meter_in_use() -> None:
    meter = in_use()
    assert {item.name: read(meter, item) for item in GETTERS} == VALUES


SHOWN = """\
serial_number "000000000777"
epoch "01020304"
meter_type "three_phase"
account_unit "EUR"
firmware_version 1
clock "2025-12-31T23:05:00.000Z"
elapsed_ms 3900000
energy_import_kwh 2.166666
energy_export_kwh 0.270833
energy_total_kwh 2.437499
energy_reactive_import_kvarh 1.049360
energy_reactive_export_kvarh 0.131167
energy_reactive_total_kvarh 1.180527
energy_apparent_kvah 2.708331
energy_month_kwh 2.437499
energy_year_kwh 2.437499
active_power_kw 1.750000
reactive_power_kvar 1.089718
apparent_power_kva 2.499998
power_factor 0.7000
phase_angle_deg 45.57
frequency_hz 50.100
voltage_mean_v 231.000
voltage_line_mean_v 400.103
current_neutral_a 7.314
current_mean_a 3.607
current_sum_a 10.822
demand_kw 2.000000
maximum_demand_kw 2.000000
maximum_demand_at "2025-12-31T22:15:00.000Z"
account_state "open"
customer_number "000000001001"
available_credit 51.14
available_credit_exact 51.1430568705
remaining_credit 51.14
overdraft 0.00
debt 10.59
purchase_count 1
credit_sequence 3
command_sequence 3
key_version 0
key_check_value "b7a647"
card_serial "0000000000000000"
illegal_insertions 0
opening_balance_exact 45.0000000000
credited_exact 10.0000000000
refunded_exact 1.0000000000
settled_exact 0.0000000000
consumption_charged_exact 1.2569431295
standing_charged_exact 0.3500000000
instalments_taken_exact 1.2500000000
debt_entered_exact 14.3400000000
debt_from_top_ups_exact 2.5000000000
cumulative_purchased 12.50
phase_summation "per_phase"
reverse_charged true
current_rate 3
current_step 3
current_price 0.6205
step_period "year"
billing_day "0506"
billing_year "0407"
tariff_activation "2026-01-02T00:00:00.000Z"
supply_state "connected"
supply_causes []
supply_commanded "closed"
supply_switch "closed"
amount_to_reconnect 0.00
low_credit_warning false
trip_pending ["remote"]
trip_due "2025-12-31T23:07:00.000Z"
guarantee false
moratorium_until "2026-02-10"
overload_count 0
status ["trip_pending", "moratorium", "cover_open", "tariff_pending"]
event_number 8
utc_offset_minutes 90
low_credit_threshold_1 40.00
low_credit_threshold_2 5.00
overdraft_limit 21.00
max_credit 500.00
reconnect_threshold 3.00
trip_mode "delayed"
reconnect_mode "manual"
trip_delay_minutes 7
remote_trip_delay true
power_limit_kw 9.000001
power_limit_delay_s 11
overload_reconnect_s 61
overload_attempts 4
overload_reset_s 3601
unopened_supply "disconnected"
tamper_trip ["magnet"]
standing_charge 0.35
debt_instalment 1.25
debt_share_percent 20
friendly_hours "23:00-23:59"
friendly_weekends true
strict_suspension true
friendly_holidays true
energy_rate_1_kwh 1.000000
energy_rate_2_kwh 0.000000
energy_rate_3_kwh 1.166666
energy_rate_4_kwh 0.000000
voltage_l1_v 231.000
voltage_l2_v 231.000
voltage_l3_v 231.000
voltage_l12_v 400.103
voltage_l23_v 400.103
voltage_l31_v 400.103
current_l1_a 7.215
current_l2_a -1.202
current_l3_a 2.405
active_power_l1_kw 1.500000
active_power_l2_kw -0.250000
active_power_l3_kw 0.500000
reactive_power_l1_kvar 0.726481
reactive_power_l2_kvar 0.121078
reactive_power_l3_kvar 0.242159
apparent_power_l1_kva 1.666666
apparent_power_l2_kva 0.277777
apparent_power_l3_kva 0.555555
power_factor_l1 0.9000
power_factor_l2 0.9000
power_factor_l3 0.9000
phase_angle_l1_deg 25.84
phase_angle_l2_deg 25.84
phase_angle_l3_deg 25.84
energy_import_l1_kwh 1.625000
energy_import_l2_kwh 0.000000
energy_import_l3_kwh 0.541666
energy_export_l1_kwh 0.000000
energy_export_l2_kwh 0.270833
energy_export_l3_kwh 0.000000
energy_total_l1_kwh 1.625000
energy_total_l2_kwh 0.270833
energy_total_l3_kwh 0.541666
price_1 0.4001
price_2 0.5002
price_3 0.6003
price_4 0.7004
step_limit_1_kwh 1.000000
step_limit_2_kwh 2.000000
step_limit_3_kwh 300.000000
step_limit_4_kwh 400.000000
step_limit_5_kwh 500.000000
step_limit_6_kwh 600.000000
step_addition_1 0.0000
step_addition_2 0.0101
step_addition_3 0.0202
step_addition_4 0.0303
step_addition_5 0.0404
step_addition_6 0.0505
step_addition_7 0.0606
"""


def test_every_item_is_written_in_json_with_its_unit_and_decimals() -> None:
    meter = in_use()
    lines = [f"{item.name} {item.kind.json(read(meter, item))}" for item in GETTERS]
    assert lines == SHOWN.splitlines()


def registers(meter: Meter, first: int, count: int) -> bytes:
    """Return holding registers as a Modbus TCP client reads them."""
    server = tcp_server(Rack([(1, meter)], 0))
    request = b"\0\7\0\0\0\6\1\3" + first.to_bytes(2, "big") + count.to_bytes(2, "big")
    reply = server.receive(request, 0)
    assert reply[:9] == b"\0\7\0\0" + (3 + 2 * count).to_bytes(2, "big") + b"\1\3" + bytes(
        [2 * count]
    )
    return reply[9:]


def of_page(data: bytes, kind: str) -> int | str:
    """Return the value of registers of a type of the page."""
    if kind == "BCD":
        return data.hex()
    assert len(data) == int(kind[1:]) // 8
    return int.from_bytes(data, "big", signed=kind[0] == "i")


def as_shown(name: str, unit: str) -> object:
    """Return the value of an item in the unit of the page, cut towards zero."""
    value, kind = VALUES[name], BY_NAME[name].kind
    if not isinstance(value, int):
        return value
    fixed = kind.inner if isinstance(kind, Optional) else kind
    grain = re.match(r"0\.0*1\b", unit)
    shown = len(grain[0]) - 2 if grain else 0
    held = fixed.decimals if isinstance(fixed, Fixed) else 0
    cut = abs(value) // 10 ** (held - shown)
    return cut if value >= 0 else -cut


def test_every_register_of_the_page_holds_its_item() -> None:
    meter = in_use()
    rows = re.findall(
        r"^\| (\d+) \| (\d+) \| (\w+) \| `(\w+)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE
    )
    seen = set()
    for address, count, kind, name, unit in rows:
        if name not in VALUES:
            continue
        seen.add(name)
        data = registers(meter, int(address), int(count))
        assert of_page(data, kind) == as_shown(name, unit), name
    assert seen == set(VALUES)
    assert registers(meter, 0, 2) == b"PPM1"


@pytest.mark.parametrize(
    ("credit", "saturated"),
    [
        (MONEY_LIMIT, False),
        (MONEY_LIMIT + 1, True),
        (-MONEY_LIMIT, False),
        (-MONEY_LIMIT - 1, True),
    ],
)
def test_money_beyond_the_largest_amount_is_a_status(credit: int, saturated: bool) -> None:
    meter = make(credit=credit, settings=Settings(overdraft_limit=MONEY_LIMIT))
    assert bool(read(meter, items.STATUS) & Status.MONEY_SATURATED) is saturated


def test_purchases_beyond_the_largest_amount_are_a_status() -> None:
    meter = make(credit=0)
    host = Host(meter)
    for amount, saturated in ((99_999_999, False), (1, True)):
        assert host.send(MessageKind.CREDIT, amount=amount).outcome is Outcome.ACCEPTED
        assert bool(read(meter, items.STATUS) & Status.MONEY_SATURATED) is saturated
        refund = {"amount": min(amount, 99_999_999)}
        assert host.send(MessageKind.REFUND, **refund).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("credit", "reconnect", "amount"),
    [
        (-5 * LEDGER, 0, 501),
        (-5 * LEDGER + 1, 0, 500),
        (-5 * LEDGER, 1, 501),
        (-5 * LEDGER, 3 * LEDGER, 800),
        (-5 * LEDGER + 1, 3 * LEDGER, 800),
        (-5 * LEDGER - 1, 3 * LEDGER, 801),
    ],
)
def test_the_amount_to_reconnect_is_the_smallest_that_reconnects(
    credit: int, reconnect: int, amount: int
) -> None:
    meter = make(credit=credit, settings=Settings(reconnect_threshold=reconnect))
    assert read(meter, items.AMOUNT_TO_RECONNECT) == amount * CENT
    host = Host(meter)
    for cents, state in (
        (amount - 1, SupplyState.DISCONNECTED),
        (1, SupplyState.CONNECTED),
    ):
        assert host.send(MessageKind.CREDIT, amount=cents).outcome is Outcome.ACCEPTED
        assert read(meter, items.SUPPLY_STATE) is state
    assert read(meter, items.AMOUNT_TO_RECONNECT) == 0


def test_the_readings_of_a_disconnected_meter() -> None:
    meter = make(credit=-LEDGER, guarantee=False, load=Load.constant((1_000_000,)))
    assert {
        item.name: read(meter, item)
        for item in (
            items.SUPPLY_STATE,
            items.SUPPLY_CAUSES,
            items.SUPPLY_COMMANDED,
            items.SUPPLY_SWITCH,
            items.ACTIVE_POWER,
            items.OVERDRAFT,
            items.REMAINING_CREDIT,
            items.STATUS,
        )
    } == {
        "supply_state": SupplyState.DISCONNECTED,
        "supply_causes": Cause.CREDIT_EXHAUSTED,
        "supply_commanded": SwitchPosition.OPEN,
        "supply_switch": SwitchPosition.OPEN,
        "active_power_kw": 0,
        "overdraft": LEDGER,
        "remaining_credit": 0,
        "status": Status.OVERDRAFT,
    }
    meter.handle(BreakSwitch(SwitchDefect.WELDED))
    assert read(meter, items.SUPPLY_COMMANDED) == SwitchPosition.OPEN
    assert read(meter, items.SUPPLY_SWITCH) == SwitchPosition.CLOSED
    assert read(meter, items.ACTIVE_POWER) == 1_000_000


@pytest.mark.parametrize(
    ("credit", "cents"),
    [
        (-1, 0),
        (-CENT + 1, 0),
        (-CENT, -1),
        (-2 * CENT + 1, -1),
        (1, 0),
        (CENT, 1),
        (2 * CENT - 1, 1),
    ],
)
def test_a_register_of_money_is_cut_towards_zero(credit: int, cents: int) -> None:
    meter = make(credit=credit, settings=Settings(overdraft_limit=LEDGER))
    available_credit = registers(meter, 64, 2)
    assert int.from_bytes(available_credit, "big", signed=True) == cents
