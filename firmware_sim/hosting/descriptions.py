"""Meter descriptions from flags, TOML files and key files; the files are read here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from firmware_sim.assembly import DEFAULT_START, MeterDescription
from firmware_sim.clock import LAST_CLOCK
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.loads import read_load
from firmware_sim.hosting.named_files import read_named, read_text
from firmware_sim.metrology.load import OnEnd
from firmware_sim.settings import Settings
from protocols import named_files
from protocols.data_model import items
from protocols.data_model.kinds import Fixed
from protocols.data_model.tariff import Prices, Tariff
from protocols.data_model.words import MeterType
from protocols.errors import ProtocolError, QuantityError
from protocols.keys import MeterKeys
from protocols.quantities import DAY, LEDGER, parse_moment, parse_money, parse_price

_YEARS_OF_TRANSITIONS = 40


@dataclass(frozen=True, slots=True)
class MeterFlags:
    """Flags that describe a meter; None where not given."""

    config: tuple[str, ...] = ()
    unit: int | None = None
    serial_number: str | None = None
    credit: str | None = None
    price: str | None = None
    trip_mode: str | None = None
    load: str | None = None
    unopened: bool = False
    keys: str | None = None
    start: str | None = None
    seed: int | None = None

    def given(self) -> list[str]:
        """Return the given flags that a state file overrides."""
        named = {
            "--serial-number": self.serial_number,
            "--credit": self.credit,
            "--price": self.price,
            "--trip-mode": self.trip_mode,
            "--start": self.start,
            "--unopened": self.unopened or None,
        }
        return [name for name, value in named.items() if value is not None]


@dataclass(frozen=True, slots=True)
class Described:
    """A description, its source, and the text of its load (read again for a resumed meter)."""

    description: MeterDescription
    source: str
    load_text: str
    on_end: OnEnd
    warning: str | None = None
    """A warning about the modes of its key file."""


class KeyFile(NamedTuple):
    """Content of a `meterctl keys export` file: keys by version, serial number of their meter."""

    keys: dict[int, MeterKeys] | None
    serial_number: str
    warning: str | None = None
    """Set where other users may read the file."""


NO_KEY_FILE = KeyFile(None, "")


def describe(flags: MeterFlags, default_start: int = DEFAULT_START) -> list[Described]:
    """Return the meters that flags and files describe; raises HostingError."""
    if flags.unopened and flags.credit is not None:
        raise HostingError("--credit and --unopened: an unopened account has no credit")
    sources = flags.config or ("",)
    if len(sources) > 1 and (flags.unit is not None or flags.serial_number is not None):
        raise HostingError(
            "--unit and --serial-number name one meter; with several --config put them "
            "into the files"
        )
    described = [_describe(source, flags, default_start) for source in sources]
    for name, values in (
        ("serial number", [d.description.serial_number for d in described]),
        ("unit", [d.description.unit for d in described]),
    ):
        if len(set(values)) != len(values):
            raise HostingError(f"two meters have the same {name}: {', '.join(map(str, values))}")
    return described


def _describe(source: str, flags: MeterFlags, default_start: int) -> Described:
    """Describe one meter.

    Values other than plain correct ones are left to the configuration, which explains them.
    """
    plain = None if source else _of_flags(flags, default_start)
    if plain is not None:
        return plain
    overrides: dict[str, object] = {
        name: value
        for name, value in (
            ("unit", flags.unit), ("serial_number", flags.serial_number), ("credit", flags.credit),
            ("trip_mode", flags.trip_mode), ("load", flags.load), ("start", flags.start),
            ("account", "unopened" if flags.unopened else None),
        )
        if value is not None
    }  # fmt: skip
    return _of_configuration(source, overrides, flags.price, flags.keys, default_start)


def describe_keys(
    config: str | None, keys: Mapping[str, object], default_start: int
) -> MeterDescription:
    """Return the meter of a TOML file, or of none, with `keys` over it; `price` is for one rate.

    Raises:
        HostingError: a file that cannot be read, or a key or value that is not allowed.
    """
    overrides = dict(keys)
    price = overrides.pop("price", None)
    if config is None and overrides.keys() <= _PLAIN_KEYS:
        texts = {name: str(value) for name, value in overrides.items() if name != "unit"}
        unit = overrides.get("unit")
        if unit is None or isinstance(unit, int):
            flags = MeterFlags(unit=unit, price=None if price is None else str(price), **texts)  # type: ignore[arg-type]
            plain = _of_flags(flags, default_start)
            if plain is not None:
                return plain.description
    described = _of_configuration(
        config or "", overrides, None if price is None else str(price), None, default_start
    )
    return described.description


def _of_flags(flags: MeterFlags, default_start: int) -> Described | None:
    """Describe a meter without a file; None where a value needs the configuration.

    The configuration is not imported here: its import takes half of the start-up time.
    """
    try:
        unit = (
            Fixed("", 0, 0, low=1, high=247).parse(str(flags.unit)) if flags.unit is not None else 1
        )
        settings, d = Settings(), MeterDescription()
        if flags.trip_mode is not None:
            settings = replace(
                settings, trip_mode=items.BY_NAME["trip_mode"].kind.parse(flags.trip_mode)
            )
        start = parse_moment(flags.start) if flags.start is not None else default_start
        if not 0 <= start < LAST_CLOCK:
            return None
        key_file = read_keys(Path(flags.keys)) if flags.keys else NO_KEY_FILE
        load_text = flags.load if flags.load is not None else "0kW"
        serial_number = d.serial_number
        if flags.serial_number is not None:
            serial_number = items.SERIAL_NUMBER.kind.parse(flags.serial_number)
        description = MeterDescription(
            serial_number=serial_number,
            unit=unit,
            opened=not flags.unopened,
            settings=settings,
            start=start,
            credit=parse_money(flags.credit) if flags.credit is not None else d.credit,
            tariff=Tariff(prices=Prices((parse_price(flags.price),)))
            if flags.price is not None
            else d.tariff,
            load=read_load(load_text, d.phases, start, 0, OnEnd.REPEAT),
            epoch=_drawn_epoch(),
            keys=key_file.keys,
            keys_of=key_file.serial_number,
        )
    except ProtocolError:
        return None
    return Described(description, "", load_text, OnEnd.REPEAT, key_file.warning)


def _drawn_epoch() -> int:
    return 1 + int.from_bytes(os.urandom(4), "big") % 0xFFFF_FFFF


_PLAIN_KEYS = {"unit", "serial_number", "credit", "trip_mode", "load", "start"}


def _of_configuration(
    source: str,
    overrides: dict[str, object],
    price_text: str | None,
    keys_file: str | None,
    default_start: int,
) -> Described:
    from firmware_sim.configuration import ConfigurationError, parse_meter, tariff_of

    where = f"{source}: " if source else ""
    text = read_text(source, "configuration") if source else ""
    try:
        c = parse_meter(text, overrides)
        price = parse_price(price_text) if price_text is not None else None
        tariff = tariff_of(c, price, lambda name: read_text(Path(source).parent / name, "tariff"))
        settings = c.settings()
    except ValueError as error:
        raise HostingError(f"{where}{error}") from error
    except (ConfigurationError, QuantityError) as error:
        raise HostingError("\n".join(where + one for one in str(error).splitlines())) from error
    if c.account == "unopened" and c.credit is not None:
        raise HostingError(f"{where}credit: an unopened account has no credit")
    start = c.start if c.start is not None else default_start
    if not 0 <= start < LAST_CLOCK:
        raise HostingError(f"{where}start: allowed is 1970 to 2099")
    key_file = read_keys(Path(keys_file)) if keys_file else NO_KEY_FILE
    phases = 3 if c.meter_type == MeterType.THREE_PHASE else 1
    on_end = OnEnd(c.load_on_end)
    load_text = c.load
    if source and load_text.lower().endswith(".csv") and "load" not in overrides:
        load_text = str(Path(source).parent / load_text)
    description = MeterDescription(
        serial_number=c.serial_number,
        unit=c.unit,
        meter_type=c.meter_type,
        account_unit=c.account_unit,
        opened=c.account == "open",
        customer_number=c.customer_number,
        credit=20 * LEDGER if c.credit is None else c.credit,
        debt=c.debt,
        settings=settings,
        tariff=tariff,
        load=read_load(load_text, phases, start, 0, on_end),
        start=start,
        epoch=c.epoch if c.epoch is not None else _drawn_epoch(),
        keys=key_file.keys,
        keys_of=key_file.serial_number,
        transitions=_transitions(c.time_zone, start, where),
        phase_summation=c.phase_summation,
        reverse_charged=bool(c.reverse_charged),
        nominal_voltage_mv=c.nominal_voltage_v,
        frequency_mhz=c.frequency_hz,
        profile_days=c.profile_days,
        guarantee=bool(c.guarantee),
        drift=(c.drift_ppm, 1_000_000),
    )
    return Described(description, source, load_text, on_end, key_file.warning)


def with_start(described: Described, start: int) -> Described:
    """Return the same meter with another start."""
    return replace(described, description=replace(described.description, start=start))


def read_keys(path: Path) -> KeyFile:
    """Return the content of a `meterctl keys export` file.

    Raises:
        HostingError: it cannot be read, others may write it, or it is not such a file.
    """
    text, mode = read_named(path, "keys")
    if named_files.others_may_write(mode):
        found = f"other users may write this file (chmod 600 {path})"
        raise HostingError(f"keys {path}: {found}; nothing was changed")
    keys, serial_number = parse_keys(text, path)
    warning = None
    if named_files.others_may_read(mode):
        warning = f"keys {path}: other users may read this file: chmod 600 {path}"
    return KeyFile(keys, serial_number, warning)


def parse_keys(text: str, path: Path) -> tuple[dict[int, MeterKeys], str]:
    """Return the keys by version and the serial number of the text of a key file.

    `path` names the file in errors.

    Raises:
        HostingError: not a key file, or a key ring with masters, which a meter never holds.
    """
    try:
        table = json.loads(text)
        if "masters" in table:
            raise HostingError(
                f"keys {path}: these are masters of a host; export this meter's with "
                f"`meterctl keys export`"
            )
        serial_number = str(table["serial_number"])
        keys = {
            int(row["version"]): MeterKeys(
                int(row["version"]),
                *(bytes.fromhex(row.get(name, "")) for name in ("credit", "command", "card")),
            )
            for row in table["keys"]
        }
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise HostingError(f"keys {path}: it is no file of `meterctl keys export`") from error
    if not keys or any(
        len(k.credit) != 16
        or len(k.command) != 16
        or len(k.card) not in (0, 16)
        or not 0 <= k.version <= 255
        for k in keys.values()
    ):
        raise HostingError(
            f"keys {path}: a meter has at least one version, with two keys of 16 bytes"
        )
    return keys, serial_number


def _transitions(zone_name: str | None, start: int, where: str) -> tuple[tuple[int, int], ...]:
    """Return the offset changes of a zone, to the minute by bisection; the core sees no zone."""
    if zone_name is None:
        return ()
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise HostingError(
            f"{where}time_zone = {zone_name!r}: no such time zone is known here"
        ) from error

    def offset(ms: int) -> int:
        delta = datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone).utcoffset()
        assert delta is not None
        return int(delta.total_seconds()) // 60

    found = [(start - DAY, offset(start))]
    day = start
    for _ in range(_YEARS_OF_TRANSITIONS * 366):
        if offset(day + DAY) != offset(day):
            low, high = day, day + DAY
            while high - low > 60_000:
                middle = (low + high) // 120_000 * 60_000
                low, high = (low, middle) if offset(middle) != offset(low) else (middle, high)
            found.append((high, offset(high)))
        day += DAY
    return tuple(found)
