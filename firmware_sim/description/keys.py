"""The one table of keys that describe a meter.

TOML files, the flags of `run` and `simulate`, keywords of fixtures, the `[meter]` of a scenario,
`meter-sim new` and the message about the flags that a state file overrides derive from it. A new
key is one row here, and the attribute of `MeterDescription` that it sets. Defaults stand there.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from firmware_sim.description.kinds import (
    CREDIT,
    DEBT,
    EPOCH,
    MAP,
    MOMENT,
    PRICE,
    SWITCH,
    TEXT,
    FileOrText,
)
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import OnEnd
from firmware_sim.settings import attribute
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.kinds import Fixed
from protocols.data_model.words import MeterType, PhaseSummation, choice
from protocols.modbus.named_maps import NATIVE
from protocols.tariff_file import TARIFF_KEYS, read_tariff
from protocols.toml_values import TableOrFile, TextKind, Words, reader_of

SETTINGS = "settings."
"""Begin of the attribute of a key that is a setting."""


@dataclass(frozen=True, slots=True)
class Flag:
    """An option of the commands that describe a meter.

    `placeholder` is the word for its argument, `default` what the help shows, `words` what a shell
    completes. `option` is made of the key's name where it is empty. A flag with a `value` has no
    argument: it stands for that value.
    """

    help: str
    placeholder: str = ""
    default: str = ""
    option: str = ""
    value: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its kind reads a text, or a table of TOML, and writes the text of the default.

    `attribute` is that of `MeterDescription`; it is empty where `files.py` makes another attribute
    of the value. A key that is not `in_file` is a flag and a keyword only.
    """

    name: str
    kind: TextKind | TableOrFile
    default: Any
    attribute: str
    meaning: str
    flag: Flag | None = None
    in_file: bool = True

    @property
    def option(self) -> str:
        """The option of its flag."""
        assert self.flag is not None
        return self.flag.option or "--" + self.name.replace("_", "-")


_NEW_METER = MeterDescription()


def _key(
    name: str,
    kind: TextKind | TableOrFile,
    attribute: str,
    meaning: str,
    flag: Flag | None = None,
) -> Key:
    return Key(name, kind, attrgetter(attribute)(_NEW_METER), attribute, meaning, flag)


def _item(item: Item, attribute: str, flag: Flag | None = None) -> Key:
    return _key(item.name, item.kind, attribute, item.meaning, flag)


def _bounded(unit: str, decimals: int, low: int, high: int) -> Fixed:
    return Fixed(unit, decimals, decimals, low=low, high=high)


_SETTING_FLAGS = {
    items.LOW_CREDIT_1: Flag("Warn at this credit, such as 10.00.", "AMOUNT", "off"),
    items.LOW_CREDIT_2: Flag(
        "Open the supply at this credit until the button is pressed, such as 5.00.",
        "AMOUNT",
        "off",
    ),
    items.OVERDRAFT_LIMIT: Flag(
        "Debt at which only credit restores the supply, such as 20.00.",
        "AMOUNT",
        "0.00",
    ),
    items.TRIP_MODE: Flag(
        "How the meter trips: in two stages with a reminder, directly, or after a delay.",
        "MODE",
        "two_stage",
    ),
}

LOAD_KIND = FileOrText(".csv")

# fmt: off
LOAD = Key("load", LOAD_KIND, "0kW", "", "A power, FILE.csv or household.",
           Flag("What is drawn: a power such as 2kW or -1.5kW, a CSV file of time,power_w, or "
                "household for a year of a real one.", "LOAD", "0kW", words=("household",)))
LOAD_ON_END = Key("load_on_end", Words({each.value: each for each in OnEnd}), OnEnd.REPEAT, "",
                  "After the last row of a file: hold, repeat or zero.")
REGISTER_MAP = Key("map", MAP, NATIVE, "",
                   "Register map on Modbus: a shipped one, or a file.")
KEYS: tuple[Key, ...] = (
    _key("unit", _bounded("", 0, 1, 247), "unit", "Unit number on the wires, 1 to 247.",
         Flag("Unit number on the wires, 1 to 247.", "N", "1")),
    _item(items.SERIAL_NUMBER, "serial_number",
          Flag("Serial number of the meter, 12 digits.", "SERIAL", "000000000001")),
    _key("meter_type", choice(MeterType), "meter_type", "single_phase or three_phase."),
    _item(items.ACCOUNT_UNIT, "account_unit"),
    _item(items.CUSTOMER_NUMBER, "customer_number"),
    _key("credit", CREDIT, "credit", "Opening balance of a new meter.",
         Flag("Credit of a new meter at the beginning, such as 50.00.", "AMOUNT", "20.00")),
    _key("debt", DEBT, "debt", "Old debt of a new meter."),
    Key("price", PRICE, None, "", "Price per kWh of a one-rate tariff.",
        Flag("Price of a kWh at all hours, such as 0.5283.", "PRICE", "0.5283"),
        in_file=False),
    Key("tariff", TableOrFile(TARIFF_KEYS, read_tariff), {}, "",
        "The tariff, or the TOML file that holds it."),
    *(_item(item, SETTINGS + attribute(item), _SETTING_FLAGS.get(item))
      for item in items.SETTINGS.values()),
    LOAD,
    LOAD_ON_END,
    _key("account", Words({"open": True, "unopened": False}), "opened", "open or unopened.",
         Flag("The account of the meter is not open yet; there is no credit.", option="--unopened",
              value="unopened")),
    Key("keys", FileOrText(""), None, "", "The meter's own keys, from `meterctl keys export`.",
        Flag("File with the meter's own keys, made by `meterctl keys export`.", "FILE",
             "the published test key"), in_file=False),
    _key("start", MOMENT, "start", "Where the clock begins, local without an offset; `run`: now.",
         Flag("Where the meter's clock begins, such as 2026-01-01T00:00:00Z; local time of the "
              "meter without an offset.", "MOMENT",
              "now for run, the beginning of 2026 for simulate")),
    _key("epoch", EPOCH, "epoch", "Of the storage; drawn at random where it is left out."),
    Key("time_zone", TEXT, None, "", "Local time with daylight saving, such as Europe/Berlin."),
    _key("phase_summation", choice(PhaseSummation), "phase_summation",
         "How phase powers are summed."),
    _key("reverse_charged", SWITCH, "reverse_charged", "Export is charged too."),
    _key("nominal_voltage_v", _bounded("V", 3, 1000, 1_000_000), "nominal_voltage_mv",
         "Voltage of a phase."),
    _key("frequency_hz", _bounded("Hz", 3, 1000, 500_000), "frequency_mhz", "Frequency."),
    _key("profile_days", _bounded("", 0, 1, 366), "profile_days", "Days of the load profile."),
    _key("drift_ppm", _bounded("ppm", 0, -100_000, 100_000), "drift_ppm", "Drift of the clock."),
    _key("phase_energies", SWITCH, "phase_energies",
         "Energies of each phase, reactive and apparent energy are kept."),
    _key("guarantee", SWITCH, "guarantee", "Power guarantee."),
    REGISTER_MAP,
    _key("unsafe_writes", SWITCH, "unsafe_writes",
         "Plain writes of its map are executed: anyone on the wire can credit, set and switch it.",
         Flag("Execute the plain writes of the register map, which no key authenticates: anyone "
              "on the wire can credit, set and switch the meter.",
              option="--unsafe-writes", value="on")),
)
# fmt: on
OF_DESCRIPTION = frozenset(
    {"unit", "load", "load_on_end", "keys", "map", "phase_energies", "unsafe_writes"}
)
"""Keys that a state file never overrides (DESIGN.md 5.1); it overrides all others.

One that has energies of phases goes on keeping them; without them they begin where they are asked.
"""
FLAGS = tuple(key for key in KEYS if key.flag is not None)
KEYWORD_READERS = {key.name: reader_of(key.kind) for key in KEYS}
FILE_READERS = {key.name: KEYWORD_READERS[key.name] for key in KEYS if key.in_file}
