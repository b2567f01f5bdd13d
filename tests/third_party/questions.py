"""What clients are asked, by map: addresses and names as the manuals and the clients have them.

Nothing here is taken from our maps; a wrong address in one of them is a wrong value here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

FLOAT_STEP = Fraction(1, 1 << 23)
"""Relative distance of two numbers of type f32."""
KILO = Fraction(1, 1000)
"""Value of 1 W, var, VA, Wh or varh in the units of our items."""
PERCENT = Fraction(1, 100)


class Question(NamedTuple):
    """What a client is asked, the item that it should return, and the item's value of a 1.

    The wire may hold a magnitude, or the magnitude with the sign of another item. A client may
    take 0 for absent.
    """

    asked: tuple[Any, ...]
    item: str
    scale: Fraction = Fraction(1)
    magnitude: bool = False
    sign_of: str = ""
    absent_at_zero: bool = False

    def agrees(self, read: Any, state: Mapping[str, Any]) -> bool:
        """Return whether a value that was read is that of a state.

        A pair is a value and its step. A whole number is less than one step from the item, a float
        of 32 bits is the item's neighbour, as far as the client prints it.
        """
        wanted = self.wanted(state)
        if isinstance(wanted, str):
            return bool(read == wanted)
        if read is None:
            return self.absent_at_zero and wanted == 0
        is_float = self.asked[-1] == "f32" or self.asked[0] in SDM_MODELS
        value, step = read if isinstance(read, Sequence) else (read, 0 if is_float else 1)
        difference = abs(Fraction(value) * self.scale - wanted)
        allowed = Fraction(step) * self.scale
        if is_float:
            allowed += abs(wanted) * FLOAT_STEP + last_decimal(state[self.item])
        return difference < allowed or not difference

    def wanted(self, state: Mapping[str, Any]) -> Fraction | str:
        """Return what the wire should hold, in the item's unit: 0 of a phase that is absent."""
        value = state[self.item]
        if isinstance(value, str):
            return value
        number = Fraction(str(value or 0))
        if self.sign_of:
            return -abs(number) if state[self.sign_of] < 0 else abs(number)
        return abs(number) if self.magnitude else number


def last_decimal(value: Any) -> Fraction:
    """Return the value of the last decimal that a state shows: floats hold more of them."""
    return Fraction(1, 10 ** len(str(value).partition(".")[2])) if value else Fraction(0)


SDM_MODELS = ("SDM120", "SDM630")

# The native map: the same values in holding and input registers.
_NATIVE = (
    (66, "u32", "remaining_credit", 2),
    (64, "s32", "available_credit", 2),
    (96, "u32", "energy_import_kwh", 2),
    (96, "s32", "energy_import_kwh", 2),
    (98, "s32", "energy_export_kwh", 2),
    (112, "u64", "energy_import_kwh", 6),
    (116, "s64", "energy_export_kwh", 6),
    (144, "s32", "voltage_l1_v", 3),
    (146, "s32", "voltage_l2_v", 3),
    (148, "u32", "voltage_l3_v", 3),
    (150, "s32", "current_l1_a", 3),
    (152, "s32", "current_l2_a", 3),
    (154, "s32", "current_l3_a", 3),
    (156, "s64", "active_power_kw", 6),
    (160, "s64", "active_power_l1_kw", 6),
    (164, "s64", "active_power_l2_kw", 6),
    (168, "s64", "active_power_l3_kw", 6),
    (172, "s64", "reactive_power_kvar", 6),
    (176, "s64", "apparent_power_kva", 6),
    (180, "u16", "power_factor", 4),
    (181, "u16", "frequency_hz", 2),
    (14, "s16", "utc_offset_minutes", 0),
    (15, "u64", "elapsed_ms", 0),
)
NATIVE = tuple(
    Question((area, address, kind), item, Fraction(1, 10**decimals))
    for address, kind, item, decimals in _NATIVE
    for area in ("holding", "input")
)


class _Float(NamedTuple):
    """A value of an Eastron meter: its address, its name in sdm_modbus, and the item."""

    address: int
    name: str
    item: str
    scale: Fraction = Fraction(1)
    magnitude: bool = False
    sign_of: str = ""

    def by_address(self) -> Question:
        """Return the question to a client that knows no map."""
        return Question(("input", self.address, "f32"), *self[2:])

    def by_name(self, model: str) -> Question:
        """Return the question to sdm_modbus."""
        return Question((model, self.name), *self[2:])


def _of_each(
    address: int, name: str, item: str, scale: Fraction = Fraction(1), step: int = 2
) -> tuple[_Float, ...]:
    """Return the values of three phases."""
    return tuple(
        _Float(address + step * (n - 1), name.format(n=n), item.format(n=n), scale)
        for n in (1, 2, 3)
    )


_SDM630 = (
    *_of_each(0x00, "l{n}_voltage", "voltage_l{n}_v"),
    *(one._replace(magnitude=True) for one in _of_each(0x06, "l{n}_current", "current_l{n}_a")),
    *_of_each(0x0C, "l{n}_power_active", "active_power_l{n}_kw", KILO),
    *_of_each(0x12, "l{n}_power_apparent", "apparent_power_l{n}_kva", KILO),
    *_of_each(0x18, "l{n}_power_reactive", "reactive_power_l{n}_kvar", KILO),
    *(
        one._replace(sign_of=f"active_power_l{n}_kw")
        for n, one in enumerate(_of_each(0x1E, "l{n}_power_factor", "power_factor_l{n}"), 1)
    ),
    *_of_each(0x24, "l{n}_phase_angle", "phase_angle_l{n}_deg"),
    _Float(0x2A, "voltage_ln", "voltage_mean_v"),
    _Float(0x2E, "current_ln", "current_mean_a"),
    _Float(0x30, "total_line_current", "current_sum_a"),
    _Float(0x34, "total_power_active", "active_power_kw", KILO),
    _Float(0x38, "total_power_apparent", "apparent_power_kva", KILO),
    _Float(0x3C, "total_power_reactive", "reactive_power_kvar", KILO),
    _Float(0x3E, "total_power_factor", "power_factor", sign_of="active_power_kw"),
    _Float(0x42, "total_phase_angle", "phase_angle_deg"),
    _Float(0x46, "frequency", "frequency_hz"),
    _Float(0x48, "import_energy_active", "energy_import_kwh"),
    _Float(0x4A, "export_energy_active", "energy_export_kwh"),
    _Float(0x4C, "import_energy_reactive", "energy_reactive_import_kvarh"),
    _Float(0x4E, "export_energy_reactive", "energy_reactive_export_kvarh"),
    _Float(0x50, "total_energy_apparent", "energy_apparent_kvah"),
    _Float(0x54, "total_import_demand_power_active", "demand_kw", KILO),
    _Float(0xC8, "l12_voltage", "voltage_l12_v"),
    _Float(0xCA, "l23_voltage", "voltage_l23_v"),
    _Float(0xCC, "l31_voltage", "voltage_l31_v"),
    _Float(0xCE, "voltage_ll", "voltage_line_mean_v"),
    _Float(0xE0, "neutral_current", "current_neutral_a"),
    _Float(0x156, "total_energy_active", "energy_total_kwh"),
    _Float(0x158, "total_energy_reactive", "energy_reactive_total_kvarh"),
    *_of_each(0x15A, "l{n}_import_energy_active", "energy_import_l{n}_kwh"),
    *_of_each(0x160, "l{n}_export_energy_active", "energy_export_l{n}_kwh"),
    *_of_each(0x166, "l{n}_energy_active", "energy_total_l{n}_kwh"),
)
SDM630 = tuple(one.by_address() for one in _SDM630)
SDM630_BY_NAME = tuple(one.by_name("SDM630") for one in _SDM630)
_SDM120 = (
    _Float(0x00, "voltage", "voltage_l1_v"),
    _Float(0x06, "current", "current_l1_a", magnitude=True),
    _Float(0x0C, "power_active", "active_power_l1_kw", KILO),
    _Float(0x12, "power_apparent", "apparent_power_l1_kva", KILO),
    _Float(0x18, "power_reactive", "reactive_power_l1_kvar", KILO),
    _Float(0x1E, "power_factor", "power_factor_l1", sign_of="active_power_l1_kw"),
    _Float(0x24, "phase_angle", "phase_angle_l1_deg"),
    _Float(0x46, "frequency", "frequency_hz"),
    _Float(0x48, "import_energy_active", "energy_import_kwh"),
    _Float(0x4A, "export_energy_active", "energy_export_kwh"),
    _Float(0x4C, "import_energy_reactive", "energy_reactive_import_kvarh"),
    _Float(0x4E, "export_energy_reactive", "energy_reactive_export_kvarh"),
    _Float(0x54, "total_demand_power_active", "demand_kw", KILO),
    _Float(0x56, "maximum_total_demand_power_active", "maximum_demand_kw", KILO),
    _Float(0x156, "total_energy_active", "energy_total_kwh"),
    _Float(0x158, "total_energy_reactive", "energy_reactive_total_kvarh"),
)
SDM120 = tuple(one.by_address() for one in _SDM120)
SDM120_BY_NAME = tuple(one.by_name("SDM120") for one in _SDM120)


def _floats(area: str, rows: Sequence[tuple[Any, ...]]) -> tuple[Question, ...]:
    return tuple(Question((area, address, "f32"), *rest) for address, *rest in rows)


TENTH, HUNDREDTH, THOUSANDTH = Fraction(1, 10), Fraction(1, 100), Fraction(1, 1000)
_ONE = Fraction(1)
DDSU666 = _floats(
    "holding",
    (
        (0x2000, "voltage_l1_v"),
        (0x2002, "current_l1_a", _ONE, True),
        (0x2004, "active_power_l1_kw"),
        (0x2006, "reactive_power_l1_kvar"),
        (0x200A, "power_factor_l1"),
        (0x200E, "frequency_hz"),
        (0x4000, "energy_import_kwh"),
        (0x400A, "energy_export_kwh"),
    ),
)
DTSU666 = _floats(
    "holding",
    (
        (0x2000, "voltage_l12_v", TENTH),
        (0x2002, "voltage_l23_v", TENTH),
        (0x2004, "voltage_l31_v", TENTH),
        *((0x2004 + 2 * n, f"voltage_l{n}_v", TENTH) for n in (1, 2, 3)),
        *((0x200A + 2 * n, f"current_l{n}_a", THOUSANDTH, True) for n in (1, 2, 3)),
        (0x2012, "active_power_kw", KILO / 10),
        *((0x2012 + 2 * n, f"active_power_l{n}_kw", KILO / 10) for n in (1, 2, 3)),
        (0x201A, "reactive_power_kvar", KILO / 10),
        (0x202A, "power_factor", THOUSANDTH),
        (0x2044, "frequency_hz", HUNDREDTH),
        (0x101E, "energy_import_kwh"),
        (0x1028, "energy_export_kwh"),
    ),
)
ACREL = (
    Question(("holding", 0x00, "u32"), "energy_import_kwh", HUNDREDTH),
    Question(("holding", 0x00, "s32"), "energy_import_kwh", HUNDREDTH),
    Question(("holding", 0x0B, "u16"), "voltage_l1_v", TENTH),
    Question(("holding", 0x0C, "u16"), "current_l1_a", HUNDREDTH, True),
    Question(("holding", 0x0D, "s16"), "active_power_l1_kw", THOUSANDTH),
    Question(("holding", 0x4E, "u16"), "purchase_count"),
    Question(("holding", 0x4F, "s32"), "available_credit", HUNDREDTH),
)


def _sunspec(model: int, phases: int) -> tuple[Question, ...]:
    """Return the points of a meter model of SunSpec that the meter has."""

    def point(name: str, item: str, scale: Fraction = Fraction(1), **more: Any) -> Question:
        return Question((f"{model}.{name}",), item, scale, **more)

    def total_and_phases(
        total: str, phase: str, item: str, of_phase: str, scale: Fraction
    ) -> list[Question]:
        each = [(f"{phase}{'ABC'[n - 1]}", of_phase.format(n=n)) for n in range(1, phases + 1)]
        return [point(name, one, scale) for name, one in ((total, item), *each)]

    factors = [("PF", "power_factor", "active_power_kw")] + [
        (f"PFph{'ABC'[n - 1]}", f"power_factor_l{n}", f"active_power_l{n}_kw")
        for n in range(1, phases + 1)
    ]
    energies = [
        *total_and_phases(
            "TotWhExp", "TotWhExpPh", "energy_export_kwh", "energy_export_l{n}_kwh", KILO
        ),
        *total_and_phases(
            "TotWhImp", "TotWhImpPh", "energy_import_kwh", "energy_import_l{n}_kwh", KILO
        ),
        point("TotVArhImpQ1", "energy_reactive_import_kvarh", KILO),
        point("TotVArhImpQ2", "energy_reactive_export_kvarh", KILO),
    ]
    currents = total_and_phases("A", "Aph", "current_sum_a", "current_l{n}_a", _ONE)
    lines = (
        ("PPV", "voltage_line_mean_v"),
        ("PhVphAB", "voltage_l12_v"),
        ("PhVphBC", "voltage_l23_v"),
        ("PhVphCA", "voltage_l31_v"),
    )
    return (
        Question(("1.SN",), "serial_number"),
        *(current._replace(magnitude=True) for current in currents),
        *total_and_phases("PhV", "PhVph", "voltage_mean_v", "voltage_l{n}_v", _ONE),
        *(point(name, item) for name, item in lines if phases == 3),
        point("Hz", "frequency_hz"),
        *total_and_phases("W", "Wph", "active_power_kw", "active_power_l{n}_kw", KILO),
        *total_and_phases("VA", "VAph", "apparent_power_kva", "apparent_power_l{n}_kva", KILO),
        *total_and_phases("VAR", "VARph", "reactive_power_kvar", "reactive_power_l{n}_kvar", KILO),
        *(point(name, item, PERCENT, sign_of=sign) for name, item, sign in factors),
        *(energy._replace(absent_at_zero=True) for energy in energies),
    )


SUNSPEC_201 = _sunspec(201, 1)
SUNSPEC_203 = _sunspec(203, 3)
