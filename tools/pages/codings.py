"""How numbers on a wire are read: unit, scale, and tables of codes, for several pages."""

from __future__ import annotations

from collections.abc import Mapping

from pages import head, row
from protocols.data_model.codes import codes
from protocols.data_model.items import Item, Windows
from protocols.data_model.kinds import Date, Digits, Fixed, Flags, Hex, Kind, Moment, Optional

OFF = "all ones: off"
UNITS = (
    "A unit `0.01 kWh` says that the number counts hundredths of a kWh. `account_unit` is the unit "
    "of the account, which the item of that name tells. Of a `code` the number is the whole value; "
    "of `bits` each bit that is set adds its word, and no bit is none of them.\n"
)
FRIENDLY_HOURS = (
    "`friendly_hours` holds two windows of local time in four 16-bit minutes of the day. On this "
    "map, in order of addresses: end of window 2, start of window 2, end of window 1, start of "
    "window 1. Start and end that are equal (0 and 0) are no window, no window at all is off; end "
    "1440 is 24:00; a window whose start is after its end goes past midnight.\n"
)


def scaled(decimals: int, unit: str) -> str:
    """Return the value of one unit of a number, such as 0.01 kWh."""
    if not decimals and not unit:
        return "number"
    one = f"0.{'1':0>{decimals}}" if decimals else "1"
    return f"{one} {unit}".strip()


def coding(name: str, kind: Kind, decimals: int | None = None) -> str:
    """Return how the number of a value is read; `decimals` are those of the kind if not given."""
    if codes(kind):
        return "bits" if isinstance(kind, Flags) else "code"
    match kind:
        case Fixed():
            places = kind.decimals if decimals is None else decimals
            return scaled(places, Item(name, kind, "").unit)
        case Optional():
            return f"{coding(name, kind.inner, decimals)}; {OFF}"
        case Moment():
            return "ms since 1970-01-01T00:00:00Z; 0: never"
        case Date():
            return "days since 1970-01-01; 0: off"
        case Digits():
            return f"{kind.count} decimal digits"
        case Hex():
            return f"identifier of {kind.digits} hexadecimal digits"
        case Windows():
            return "minutes of two windows, see Codes"
    raise TypeError(f"{name} has a kind without a coding: {kind}")


def code_tables(named: Mapping[str, Kind]) -> str:
    """Return a table of the codes of each kind that has some, after the names of its values."""
    names: dict[Kind, list[str]] = {}
    for name, kind in named.items():
        if codes(kind):
            names.setdefault(kind, []).append(name)
    return "".join(
        f"\nOf {', '.join(of)}:\n\n"
        + head("bit (value)" if isinstance(kind, Flags) else "code", "word")
        + "".join(row(_number(kind, number), f"`{word}`") for number, word in codes(kind).items())
        for kind, of in names.items()
    )


def _number(kind: Kind, number: int) -> str:
    return f"{number.bit_length() - 1} ({number})" if isinstance(kind, Flags) else str(number)
