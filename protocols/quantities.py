"""Integers with units, and the grammar in which people write them: 2kW, 17h, 50.00.

Command lines, TOML, the control socket and the fixtures all parse here. Every value is a whole
number:

    power    milliwatt
    energy   milliwatt-hour
    time     millisecond
    money    ledger unit, 1e-10 of the account unit (DESIGN.md 3.3)
    price    1e-4 account unit per kWh

so that energy times price is a whole number of ledger units, without rounding.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from protocols.errors import QuantityError

LEDGER_DECIMALS = 10
LEDGER: int = 10**LEDGER_DECIMALS
"""Ledger units in one account unit."""
CENT = LEDGER // 100
"""Ledger units in 0.01 account unit, the resolution of amounts on every wire."""
MONEY_LIMIT = 99_999_999 * CENT
"""999,999.99: no balance, limit or amount may exceed it (METER.md 4)."""
KWH = 1_000_000
"""Milliwatt-hours in one kilowatt-hour."""
MWH_IN_MW_MS = 3_600_000
"""Milliwatt-milliseconds in one milliwatt-hour."""
ENERGY_WRAP = 1_000_000 * KWH
"""On the wire energy wraps at 1,000,000.00 kWh (METER.md 3)."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_NUMBER = re.compile(r"([+-]?)([0-9]{1,30})(?:\.([0-9]{1,30}))?")
_DURATION = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,15}))?(ms|min|s|m|h|d)")
_DURATION_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}
_POWER = re.compile(
    r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*(mW|[Ww]|[kK][Ww])"
)  # MW is a megawatt, not allowed
_POWER_DECIMALS = {"mw": 0, "w": 3, "kw": 6}
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.(\d{1,3}))?)?)(Z|[+-]\d\d:?\d\d)?)?",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_fixed(text: str, decimals: int, what: str = "a number") -> int:
    """Return the number in `text` as a whole number of 10**-decimals units.

    Raises:
        QuantityError: exponents, surplus decimals, group separators or anything else.
    """
    whole, _, part = text.partition(".")
    if (
        len(text) <= 30
        and text.isascii()
        and whole.isdigit()
        and len(part) <= decimals
        and (part.isdigit() or text == whole)
    ):
        return int(whole + part.ljust(decimals, "0"))  # the fast path of nearly all texts
    match = _NUMBER.fullmatch(text.strip())
    if not match:
        hint = f"; write a point: {text.strip().replace(',', '.')}" if _has_comma(text) else ""
        raise QuantityError(
            f"{text!r} is not {what}: digits with at most {decimals} decimals are allowed{hint}"
        )
    sign, whole, part = match[1], match[2], match[3] or ""
    if len(part) > decimals:
        raise QuantityError(f"{text!r} has more than {decimals} decimals")
    value: int = int(whole + part.ljust(decimals, "0"))
    return -value if sign == "-" else value


def _has_comma(text: str) -> bool:
    """Return whether a number has a decimal comma; 1,000 may as well be a thousand."""
    whole, comma, part = text.strip().partition(",")
    is_group = len(part) == 3 and whole.lstrip("+-0") != ""
    return bool(comma) and _NUMBER.fullmatch(f"{whole}.{part}") is not None and not is_group


def format_fixed(value: int, decimals: int, shown: int) -> str:
    """Write `value` (10**-decimals units) with `shown` decimals, cut towards zero; never "-0"."""
    scale: int = 10 ** (decimals - shown)
    whole, part = divmod(abs(value) // scale, 10**shown)
    sign = "-" if value < 0 and (whole or part) else ""
    return f"{sign}{whole}.{part:0{shown}d}" if shown else f"{sign}{whole}"


def parse_money(text: str) -> int:
    """Return ledger units from an amount with at most two decimals, such as "50.00"."""
    return parse_fixed(text, 2, "an amount of money") * CENT


def parse_amount(text: str, *, zero: bool = False) -> int:
    """Return an amount to be sold, such as "50.00", in 0.01; `zero` allows an amount of 0.00."""
    amount = parse_money(text)
    if not (0 if zero else CENT) <= amount <= MONEY_LIMIT:
        raise QuantityError(
            f"amount {text}: allowed is {'0.00' if zero else '0.01'} to {format_money(MONEY_LIMIT)}"
        )
    return amount // CENT


def format_money(ledger: int, shown: int = 2) -> str:
    """Write ledger units as an amount, cut towards zero."""
    return format_fixed(ledger, LEDGER_DECIMALS, shown)


def parse_price(text: str) -> int:
    """Return a price in 1e-4 account unit per kWh; prices are not negative."""
    value = parse_fixed(text, 4, "a price per kWh")
    if value < 0:
        raise QuantityError(f"{text!r} is negative: a price is 0 or more")
    return value


MAX_POWER = 10**12
"""Of one load, mW: 1 GW."""


def parse_power(text: str) -> int:
    """Return milliwatts from "2kW", "350W" or "-1.5kW"; the unit is required."""
    match = _POWER.fullmatch(text.strip())
    if not match:
        raise QuantityError(f"{text!r} is not a power: write it as 2kW, 350W or -1.5kW")
    value = parse_fixed(match[1], _POWER_DECIMALS[match[2].lower()], "a power")
    if abs(value) > MAX_POWER:
        raise QuantityError(f"{text!r} is out of range: at most 1000000kW")
    return value


def parse_duration(text: str) -> int:
    """Return milliseconds from "17h", "1h30m", "2.5s" or "10ms"; the unit is required.

    Raises:
        QuantityError: no unit, a negative duration, or a fraction of a millisecond.
    """
    position, total, source = 0, 0, text.strip()
    while position < len(source):
        match = _DURATION.match(source, position)
        if not match:
            break
        unit, part = _DURATION_UNITS[match[3]], match[2] or ""
        fraction, rest = divmod(int(part or "0") * unit, 10 ** len(part))
        if rest:
            raise QuantityError(f"{text!r} is finer than a millisecond")
        total += int(match[1]) * unit + fraction
        position = match.end()
    if position == 0 or position < len(source):
        raise QuantityError(
            f"{text!r} is not a duration: write it as 17h, 30m, 90s, 500ms, 5d or 1h30m"
        )
    return total


def format_duration(milliseconds: int) -> str:
    """Write a duration in the grammar of `parse_duration`, largest units first."""
    parts, rest = [], milliseconds
    for name, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


class LocalMoment(NamedTuple):
    """A moment without an offset: ms since 1970 by a calendar whose offset is not known here."""

    ms: int

    def __str__(self) -> str:
        return format_moment(self.ms).removesuffix("Z")


def parse_written_moment(text: str) -> int | LocalMoment:
    """Return milliseconds since 1970 UTC from ISO 8601, or a local moment without an offset."""
    match = _MOMENT.fullmatch(text.strip())
    if not match:
        raise QuantityError(
            f"{text!r} is not a date and time: write 2026-01-31T08:00:00Z, "
            f"2026-01-31T08:00 or 2026-01-31"
        )
    zone = "" if match[4] in (None, "Z") else match[4]
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}{zone}")
        since = moment - (_EPOCH if zone else _EPOCH.replace(tzinfo=None))
    except (ValueError, OverflowError) as error:
        is_offset = bool(zone) and not (zone[1:3] < "24" and zone[-2:] < "60")
        reason = "an offset is at most 23:59" if is_offset else error
        raise QuantityError(f"{text!r} is not a date and time: {reason}") from error
    milliseconds = since // timedelta(milliseconds=1)
    return LocalMoment(milliseconds) if match[4] is None else milliseconds


def parse_moment(text: str, utc_offset_minutes: int = 0) -> int:
    """Return milliseconds since 1970 UTC from ISO 8601.

    Without an offset it is local time of `utc_offset_minutes`.
    """
    moment = parse_written_moment(text)
    if isinstance(moment, LocalMoment):
        return moment.ms - utc_offset_minutes * MINUTE
    return moment


def format_moment(milliseconds: int, utc_offset_minutes: int = 0) -> str:
    """Write milliseconds since 1970 UTC as ISO 8601 with milliseconds and offset ("Z" for 0)."""
    try:
        moment = (_EPOCH + timedelta(milliseconds=milliseconds)).astimezone(
            timezone(timedelta(minutes=utc_offset_minutes))
        )
    except (OverflowError, ValueError):
        return f"@{milliseconds}"
    text = moment.isoformat(timespec="milliseconds")
    return text[:-6] + "Z" if utc_offset_minutes == 0 else text


def parse_date(text: str) -> int:
    """Return a civil date as days since 1970-01-01."""
    try:
        moment = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise QuantityError(f"{text!r} is not a date: write it as 2026-01-31") from error
    return (moment - _EPOCH).days


def format_date(days: int) -> str:
    """Write days since 1970-01-01 as an ISO date."""
    try:
        return (_EPOCH + timedelta(days=days)).strftime("%Y-%m-%d")
    except OverflowError:
        return f"@{days}d"
