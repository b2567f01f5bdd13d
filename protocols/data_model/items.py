"""Every scalar that a meter shows or takes, declared once (DESIGN.md 3.1).

`name` is the JSON key, the CLI name and the TOML key, unit included. Only a sealed `limits` command
sets an item, by its `setting` number; items without a number cannot be set. Wires only place items:
see `protocols/modbus/native_map.py`. `firmware_sim/readings.py` reads their values from the
meter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from protocols.data_model.kinds import (
    APPARENT_ENERGY,
    COUNT,
    ENERGY,
    MONEY,
    MONEY_EXACT,
    POWER,
    PRICE,
    REACTIVE_ENERGY,
    Boolean,
    Date,
    Digits,
    Fixed,
    Hex,
    Kind,
    Moment,
    Optional,
    SettableKind,
)
from protocols.data_model.words import (
    AccountState,
    Cause,
    MeterType,
    PhaseSummation,
    ReconnectMode,
    Status,
    StepPeriod,
    SupplyState,
    SwitchPosition,
    Tamper,
    TripMode,
    UnopenedSupply,
    account_unit_text,
    choice,
    flags,
    parse_account_unit,
)
from protocols.errors import QuantityError
from protocols.quantities import LEDGER_DECIMALS, MONEY_LIMIT

MONEY_UNIT = "account_unit"
"""The unit of money: the item that names it."""
_UNITS = {"_ms": "ms", "_minutes": "min"}
"""End of an item's name -> the unit of a count."""


@dataclass(frozen=True, slots=True)
class Item:
    """One scalar: name, kind, meaning, and its DL/T 645 or IEC term.

    `live` items change with the passing of time; the others only by an event or a message.
    `phases` is the number of phases that a meter needs to have the value; it is absent from a meter
    with fewer.
    """

    name: str
    kind: Kind
    meaning: str
    term: str = ""
    setting: int = 0
    live: bool = False
    phases: int = 1

    @property
    def kept_on_request(self) -> bool:
        """Whether a meter counts it only where its map or its description asks for it."""
        return isinstance(self.kind, Optional) and self.kind.inner.wraps

    @property
    def unit(self) -> str:
        """The unit of its values, empty without one; money is in the unit of the account."""
        inner = self.kind.inner if isinstance(self.kind, Optional) else self.kind
        if isinstance(inner, Fixed) and inner.decimals == LEDGER_DECIMALS:
            return MONEY_UNIT
        if inner == PRICE:
            return f"{MONEY_UNIT} per kWh"
        named = inner.unit if isinstance(inner, Fixed) else ""
        return named or next((u for end, u in _UNITS.items() if self.name.endswith(end)), "")

    @property
    def allowed(self) -> str:
        """The values that may be set, empty for an item that cannot be set."""
        return cast(SettableKind, self.kind).allowed() if self.setting else ""


@dataclass(frozen=True, slots=True)
class AccountUnit:
    """The unit of the account: an ISO 4217 currency or the kWh."""

    def text(self, value: int) -> str:
        return account_unit_text(value)

    def json(self, value: int) -> str:
        return json.dumps(account_unit_text(value))

    def parse(self, text: str) -> int:
        number = parse_account_unit(text)
        if number is None:
            raise QuantityError(
                f"{text!r} is not an account unit: a currency (CNY, EUR, 156) or kWh"
            )
        return number


@dataclass(frozen=True, slots=True)
class Windows:
    """Up to two daily windows of local time, "22:00-06:00,12:00-13:00".

    A window begins at 00:00 to 23:59 and ends at another time; 24:00 is the end of the day, so
    00:00-24:00 is the whole day. Held as four 16-bit minutes of the day; 0 and 0 is no window.
    """

    def pairs(self, value: int) -> list[tuple[int, int]]:
        """Return (from, to) minutes of the day; from > to wraps at midnight; no equal pairs.

        A state of an older build may hold equal hours: they are no window.
        """
        words = [value >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
        return [(a, b) for a, b in ((words[0], words[1]), (words[2], words[3])) if a != b]

    def pack(self, pairs: list[tuple[int, int]]) -> int:
        return sum((start | end << 16) << 32 * i for i, (start, end) in enumerate(pairs))

    def text(self, value: int) -> str:
        return ",".join(f"{_hhmm(a)}-{_hhmm(b)}" for a, b in self.pairs(value)) or "off"

    def json(self, value: int) -> str:
        return json.dumps(self.text(value))

    def parse(self, text: str) -> int:
        if text.strip().lower() == "off":
            return 0
        pairs = []
        for word in text.split(","):
            start, dash, end = word.strip().partition("-")
            if not dash:
                raise QuantityError(f"{word!r} is not a window: write 22:00-06:00")
            pairs.append((_minutes(start), 1440 if end.strip() == "24:00" else _minutes(end)))
            if pairs[-1][0] == pairs[-1][1]:
                raise QuantityError(
                    f"{word!r} begins and ends at the same time: "
                    f"write 00:00-24:00 for the whole day, or off"
                )
        value = self.pack(pairs[:2])
        if len(pairs) > 2 or not self.holds(value):
            raise QuantityError(f"{text!r} is not {self.allowed()}")
        return value

    def holds(self, value: int) -> bool:
        words = [value >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
        return 0 <= value < 1 << 64 and all(
            start < 1440 and end <= 1440 and (start != end or not end)
            for start, end in (words[:2], words[2:])
        )

    def allowed(self) -> str:
        return (
            "off or at most two windows such as 22:00-06:00,12:00-13:00; "
            "00:00-24:00 is the whole day"
        )


def _hhmm(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _minutes(text: str) -> int:
    hour, colon, minute = text.strip().partition(":")
    digits = (
        (hour + minute).isascii()
        and hour.isdigit()
        and minute.isdigit()
        and len(hour + minute) <= 4
    )
    if not (colon and digits and int(hour) < 24 and int(minute) < 60):
        raise QuantityError(f"{text!r} is not a time of day: write 22:00")
    return int(hour) * 60 + int(minute)


_LIMIT = Fixed("", LEDGER_DECIMALS, 2, grain=2, low=0, high=MONEY_LIMIT)
_OFF_OR_LIMIT = Optional(_LIMIT)
_OFF_OR_POWER = Optional(Fixed("kW", 6, 6, low=0, high=10**12))
_SECONDS = Fixed("s", 0, 0, low=0, high=86_400)

SERIAL_NUMBER = Item("serial_number", Digits(12), "Serial number of the meter, 12 digits.", "表号")
EPOCH = Item("epoch", Hex(8), "Drawn when the storage was formatted; journals are keyed by it.")
METER_TYPE = Item("meter_type", choice(MeterType), "Wiring: single phase or three phases.")
ACCOUNT_UNIT = Item(
    "account_unit", AccountUnit(), "Unit of the account: a currency, or the kWh itself."
)
FIRMWARE_VERSION = Item("firmware_version", COUNT, "Version of the simulated firmware.")

CLOCK = Item("clock", Moment(), "The meter's clock.", "日期时间", live=True)
UTC_OFFSET = Item(
    "utc_offset_minutes",
    Fixed("min", 0, 0, low=-840, high=840),
    "Local time is clock plus this.",
    setting=22,
)
ELAPSED = Item("elapsed_ms", COUNT, "Meter time since its start; never set.", live=True)

ENERGY_IMPORT = Item(
    "energy_import_kwh", ENERGY, "Import active energy, total.", "正向有功总电能", live=True
)
ENERGY_EXPORT = Item(
    "energy_export_kwh", ENERGY, "Export active energy, total.", "反向有功总电能", live=True
)
ENERGY_TOTAL = Item(
    "energy_total_kwh",
    ENERGY,
    "Active energy, import plus export.",
    "组合有功总电能",
    live=True,
)
ENERGY_RATES = tuple(
    Item(
        f"energy_rate_{n}_kwh",
        ENERGY,
        f"Import active energy at rate {n}.",
        f"正向有功费率{n}电能",
        live=True,
    )
    for n in range(1, 5)
)
ENERGY_MONTH = Item(
    "energy_month_kwh",
    ENERGY,
    "Charged energy of this billing period.",
    "当前结算周期用电量",
    live=True,
)
ENERGY_YEAR = Item(
    "energy_year_kwh",
    ENERGY,
    "Charged energy of this billing year.",
    "当前年结算周期用电量",
    live=True,
)

_LETTERS = "ABC"
_COUNTED = Optional(ENERGY, "not_kept")
_COUNTED_REACTIVE = Optional(REACTIVE_ENERGY, "not_kept")


def _of_phases(
    name: str, kind: Kind, meaning: str, term: str = "", *, live: bool = False
) -> tuple[Item, ...]:
    """Return an item of each phase: {n} is its number, {letter} its letter in DL/T 645."""
    return tuple(
        Item(
            name.format(n=n),
            kind,
            meaning.format(n=n),
            term.format(letter=_LETTERS[n - 1]),
            live=live,
            phases=n,
        )
        for n in (1, 2, 3)
    )


ENERGY_IMPORTS = _of_phases(
    "energy_import_l{n}_kwh",
    _COUNTED,
    "Import active energy of phase {n}, since the meter keeps it.",
    "{letter}相正向有功电能",
    live=True,
)
ENERGY_EXPORTS = _of_phases(
    "energy_export_l{n}_kwh",
    _COUNTED,
    "Export active energy of phase {n}, since the meter keeps it.",
    "{letter}相反向有功电能",
    live=True,
)
ENERGY_TOTALS = _of_phases(
    "energy_total_l{n}_kwh",
    _COUNTED,
    "Active energy of phase {n}, import plus export, since the meter keeps it.",
    live=True,
)
REACTIVE_IMPORT = Item(
    "energy_reactive_import_kvarh",
    _COUNTED_REACTIVE,
    "Reactive energy (inductive) while active power is imported, since the meter keeps it.",
    live=True,
)
REACTIVE_EXPORT = Item(
    "energy_reactive_export_kvarh",
    _COUNTED_REACTIVE,
    "Reactive energy (inductive) while active power is exported, since the meter keeps it.",
    live=True,
)
REACTIVE_TOTAL = Item(
    "energy_reactive_total_kvarh",
    _COUNTED_REACTIVE,
    "Reactive energy, import plus export, since the meter keeps it.",
    live=True,
)
APPARENT_TOTAL = Item(
    "energy_apparent_kvah",
    Optional(APPARENT_ENERGY, "not_kept"),
    "Apparent energy of both directions, since the meter keeps it.",
    live=True,
)

VOLTAGES = _of_phases("voltage_l{n}_v", Fixed("V", 3, 3), "Voltage of phase {n}.", "{letter}相电压")
LINE_VOLTAGES = tuple(
    Item(
        f"voltage_l{first}{second}_v",
        Fixed("V", 3, 3),
        f"Voltage between phases {first} and {second}.",
        f"{_LETTERS[first - 1]}{_LETTERS[second - 1]}线电压",
        phases=max(first, second),
    )
    for first, second in ((1, 2), (2, 3), (3, 1))
)
VOLTAGE_MEAN = Item("voltage_mean_v", Fixed("V", 3, 3), "Mean voltage of the meter's phases.")
LINE_VOLTAGE_MEAN = Item(
    "voltage_line_mean_v", Fixed("V", 3, 3), "Mean of the three voltages between phases.", phases=3
)
CURRENTS = _of_phases("current_l{n}_a", Fixed("A", 3, 3), "Current of phase {n}.", "{letter}相电流")
CURRENT_NEUTRAL = Item(
    "current_neutral_a",
    Fixed("A", 3, 3),
    "Current of the neutral: the sum of the phase currents as vectors, without a sign.",
    "零线电流",
)
CURRENT_MEAN = Item(
    "current_mean_a", Fixed("A", 3, 3), "Mean current of the meter's phases, signs left out."
)
CURRENT_SUM = Item(
    "current_sum_a", Fixed("A", 3, 3), "Sum of the currents of all phases, signs left out."
)
ACTIVE_POWER = Item(
    "active_power_kw", POWER, "Active power, total; negative is export.", "瞬时总有功功率"
)
ACTIVE_POWERS = _of_phases(
    "active_power_l{n}_kw", POWER, "Active power of phase {n}.", "瞬时{letter}相有功功率"
)
REACTIVE_POWER = Item(
    "reactive_power_kvar", Fixed("kvar", 6, 6), "Reactive power, total.", "瞬时总无功功率"
)
REACTIVE_POWERS = _of_phases(
    "reactive_power_l{n}_kvar",
    Fixed("kvar", 6, 6),
    "Reactive power of phase {n}, inductive.",
    "瞬时{letter}相无功功率",
)
APPARENT_POWER = Item(
    "apparent_power_kva", Fixed("kVA", 6, 6), "Apparent power, total.", "瞬时总视在功率"
)
APPARENT_POWERS = _of_phases(
    "apparent_power_l{n}_kva",
    Fixed("kVA", 6, 6),
    "Apparent power of phase {n}.",
    "瞬时{letter}相视在功率",
)
POWER_FACTOR = Item("power_factor", Fixed("", 4, 4), "Power factor, total.", "总功率因数")
POWER_FACTORS = _of_phases(
    "power_factor_l{n}",
    Fixed("", 4, 4),
    "Power factor of phase {n}; 1 without load.",
    "{letter}相功率因数",
)
PHASE_ANGLE = Item(
    "phase_angle_deg",
    Fixed("deg", 2, 2),
    "Angle of the total power factor; positive: the current lags (inductive).",
)
PHASE_ANGLES = _of_phases(
    "phase_angle_l{n}_deg",
    Fixed("deg", 2, 2),
    "Angle between voltage and current of phase {n}; positive: the current lags (inductive).",
    "{letter}相相角",
)
FREQUENCY = Item("frequency_hz", Fixed("Hz", 3, 3), "Supply frequency.", "电网频率")
DEMAND = Item("demand_kw", POWER, "Mean import power of the last completed profile period.")
MAXIMUM_DEMAND = Item(
    "maximum_demand_kw", POWER, "Highest mean import power of a profile period.", "最大需量"
)
MAXIMUM_DEMAND_AT = Item("maximum_demand_at", Moment(), "End of the period of the maximum demand.")

ACCOUNT_STATE = Item("account_state", choice(AccountState), "Unopened, open or closed.", "开户状态")
CUSTOMER_NUMBER = Item("customer_number", Digits(12), "Customer number of the account.", "客户编号")
AVAILABLE_CREDIT = Item(
    "available_credit", MONEY, "Credit left; negative in overdraft.", "剩余金额", live=True
)
AVAILABLE_CREDIT_EXACT = Item(
    "available_credit_exact", MONEY_EXACT, "Credit left, to the last unit.", live=True
)
REMAINING_CREDIT = Item(
    "remaining_credit", MONEY, "Positive part of the credit.", "剩余金额", live=True
)
OVERDRAFT = Item("overdraft", MONEY, "Negative part of the credit.", "透支金额", live=True)
DEBT = Item("debt", MONEY, "Debt left.")
PURCHASE_COUNT = Item("purchase_count", COUNT, "Accepted opens and credits.", "购电次数")
CREDIT_SEQUENCE = Item("credit_sequence", COUNT, "Last sequence of the credit class.")
COMMAND_SEQUENCE = Item("command_sequence", COUNT, "Last sequence of the command class.")
KEY_VERSION = Item("key_version", COUNT, "Version of the current keys.")
KEY_CHECK_VALUE = Item("key_check_value", Hex(6), "Check value of the current keys, 3 bytes.")

CARD_SERIAL = Item(
    "card_serial",
    Hex(16),
    "Serial of the card that is bound to the account; 0 is none.",
    "卡序列号",
)
ILLEGAL_INSERTIONS = Item(
    "illegal_insertions",
    COUNT,
    "Insertions of foreign or forged cards or cards of another meter.",
    "非法卡插入次数",
)

OPENING_BALANCE = Item("opening_balance_exact", MONEY_EXACT, "Books: credit at the start.")
CREDITED = Item("credited_exact", MONEY_EXACT, "Books: accepted top-ups less their part for debt.")
REFUNDED = Item("refunded_exact", MONEY_EXACT, "Books: refunds.", "退费金额")
SETTLED = Item("settled_exact", MONEY_EXACT, "Books: balance paid out when accounts were closed.")
CONSUMPTION_CHARGED = Item(
    "consumption_charged_exact", MONEY_EXACT, "Books: charged for energy.", live=True
)
STANDING_CHARGED = Item("standing_charged_exact", MONEY_EXACT, "Books: standing charges.")
INSTALMENTS_TAKEN = Item(
    "instalments_taken_exact", MONEY_EXACT, "Books: debt instalments taken from credit."
)
DEBT_ENTERED = Item("debt_entered_exact", MONEY_EXACT, "Books: debt entered.")
DEBT_FROM_TOP_UPS = Item(
    "debt_from_top_ups_exact", MONEY_EXACT, "Books: debt recovered from top-ups."
)
CUMULATIVE_PURCHASED = Item(
    "cumulative_purchased", MONEY, "Sum of all accepted opens and credits.", "累计购电金额"
)

LOW_CREDIT_1 = Item(
    "low_credit_threshold_1", _OFF_OR_LIMIT, "At or below: warning.", "报警金额1", setting=1
)
LOW_CREDIT_2 = Item(
    "low_credit_threshold_2", _OFF_OR_LIMIT, "At or below: reminder trip.", "报警金额2", setting=2
)
OVERDRAFT_LIMIT = Item(
    "overdraft_limit", _LIMIT, "Overdraft at which credit is exhausted.", "透支金额限值", setting=3
)
MAX_CREDIT = Item(
    "max_credit",
    _OFF_OR_LIMIT,
    "A top-up that would exceed it is refused.",
    "囤积金额限值",
    setting=4,
)
RECONNECT_THRESHOLD = Item(
    "reconnect_threshold", _LIMIT, "Exhaustion ends at or above it.", "合闸允许金额限值", setting=5
)
TRIP_MODE = Item("trip_mode", choice(TripMode), "Way of tripping.", setting=6)
RECONNECT_MODE = Item("reconnect_mode", choice(ReconnectMode), "How the switch closes.", setting=7)
TRIP_DELAY = Item(
    "trip_delay_minutes",
    Fixed("min", 0, 0, low=0, high=9999),
    "Trip delay.",
    "跳闸延时时间",
    setting=8,
)
REMOTE_TRIP_DELAY = Item(
    "remote_trip_delay", Boolean(), "Remote interrupts take the trip delay too.", setting=9
)
POWER_LIMIT = Item(
    "power_limit_kw", _OFF_OR_POWER, "Import above it is an overload.", "功率限值", setting=10
)
POWER_LIMIT_DELAY = Item(
    "power_limit_delay_s", _SECONDS, "Overload time before the trip.", setting=11
)
OVERLOAD_RECONNECT = Item(
    "overload_reconnect_s",
    Fixed("s", 0, 0, low=1, high=86_400),
    "Time after which the switch recloses.",
    setting=12,
)
OVERLOAD_ATTEMPTS = Item(
    "overload_attempts",
    Fixed("", 0, 0, low=0, high=255),
    "Reclosings before the button is needed.",
    setting=13,
)
OVERLOAD_RESET = Item(
    "overload_reset_s",
    _SECONDS,
    "Time without overload after which the attempts restart at 0.",
    setting=14,
)
UNOPENED_SUPPLY = Item(
    "unopened_supply", choice(UnopenedSupply), "Supply without an open account.", setting=15
)
TAMPER_TRIP = Item("tamper_trip", flags(Tamper), "Sensors that trip.", setting=16)
STANDING_CHARGE = Item("standing_charge", _LIMIT, "Charged once a local date.", setting=17)
DEBT_INSTALMENT = Item(
    "debt_instalment", _LIMIT, "Taken from credit once a local date.", setting=18
)
DEBT_SHARE = Item(
    "debt_share_percent",
    Fixed("%", 0, 0, low=0, high=100),
    "Share of a top-up for debt.",
    setting=19,
)
FRIENDLY_HOURS = Item(
    "friendly_hours", Windows(), "Local hours in which credit does not trip.", setting=20
)
FRIENDLY_WEEKENDS = Item(
    "friendly_weekends", Boolean(), "Credit does not trip on weekends.", setting=21
)
STRICT_SUSPENSION = Item(
    "strict_suspension", Boolean(), "A suspension refuses genuine messages too.", setting=23
)
FRIENDLY_HOLIDAYS = Item(
    "friendly_holidays", Boolean(), "Credit does not trip on the tariff's holidays.", setting=24
)

PHASE_SUMMATION = Item(
    "phase_summation", choice(PhaseSummation), "How phases make import and export."
)
REVERSE_CHARGED = Item("reverse_charged", Boolean(), "Export is charged too.")
CURRENT_RATE = Item("current_rate", COUNT, "Rate in force, from 1.", "当前费率")
CURRENT_STEP = Item("current_step", COUNT, "Step in force, from 1.", "当前阶梯", live=True)
CURRENT_PRICE = Item(
    "current_price", PRICE, "Price of the next milliwatt-hour.", "当前电价", live=True
)
PRICES = tuple(
    Item(f"price_{n}", PRICE, f"Price of rate {n}.", f"费率{n}电价") for n in range(1, 5)
)
_STEP_ENERGY = Fixed("kWh", 6, 6)
"""Energy of a tariff: no counter, so it does not wrap."""
STEP_LIMITS = tuple(
    Item(f"step_limit_{n}_kwh", Optional(_STEP_ENERGY), f"End of step {n}.", f"第{n}阶梯值")
    for n in range(1, 7)
)
STEP_ADDITIONS = tuple(
    Item(f"step_addition_{n}", PRICE, f"Addition of step {n} to the price.", f"阶梯电价{n}")
    for n in range(1, 8)
)
STEP_PERIOD = Item("step_period", choice(StepPeriod), "Consumption over which steps count.")
BILLING_DAY = Item("billing_day", Digits(4), "DDhh at which the billing period ends.", "结算日")
BILLING_YEAR = Item("billing_year", Digits(4), "MMDD at which the billing year begins.", "年结算日")
TARIFF_ACTIVATION = Item(
    "tariff_activation",
    Moment(),
    "Next activation of a part of the pending tariff.",
    "费率电价切换时间",
)

SUPPLY_STATE = Item(
    "supply_state",
    choice(SupplyState),
    "Connected, ready for reconnection or disconnected.",
    "继电器状态",
)
SUPPLY_CAUSES = Item("supply_causes", flags(Cause), "Causes that keep the supply open.")
SUPPLY_COMMANDED = Item(
    "supply_commanded",
    choice(SwitchPosition),
    "Commanded position of the switch.",
    "继电器命令状态",
)
SUPPLY_SWITCH = Item(
    "supply_switch", choice(SwitchPosition), "Real position of the switch.", "继电器状态"
)
AMOUNT_TO_RECONNECT = Item(
    "amount_to_reconnect", MONEY, "Top-up that would end the exhaustion; 0 where none is needed."
)
LOW_CREDIT_WARNING = Item("low_credit_warning", Boolean(), "The warning lamp.", "预跳闸报警")
TRIP_PENDING = Item("trip_pending", flags(Cause), "Causes whose trip delay is running.")
TRIP_DUE = Item("trip_due", Moment(), "When the pending trip is due, by the clock.")
GUARANTEE = Item("guarantee", Boolean(), "Power guarantee.", "保电")
MORATORIUM = Item(
    "moratorium_until", Date(), "No disconnection for credit before this local date.", "欠费不停供"
)
OVERLOAD_COUNT = Item("overload_count", COUNT, "Overload trips that count towards the attempts.")
STATUS = Item("status", flags(Status), "Status bits.", "电表运行状态字")
EVENT_NUMBER = Item("event_number", COUNT, "Number of the newest event.")

ITEMS: tuple[Item, ...] = tuple(
    part
    for entry in list(globals().values())
    for part in (entry if isinstance(entry, tuple) else (entry,))
    if isinstance(part, Item)
)
"""Every item, in the order of this module."""


def settable(item: Item) -> SettableKind:
    """Return the kind of an item that has a setting number."""
    return cast(SettableKind, item.kind)


BY_NAME: dict[str, Item] = {item.name: item for item in ITEMS}
SETTINGS: dict[int, Item] = {item.setting: item for item in ITEMS if item.setting}
"""Items of a `SettableKind` by their setting number in a sealed `limits` command."""
