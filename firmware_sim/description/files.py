"""Meter descriptions from flags, keywords and TOML files; the files are read here."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmware_sim.clock import LAST_CLOCK, Transitions, instant_of
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.key_files import NO_KEY_FILE, KeyFile, read_keys
from firmware_sim.description.keys import (
    FILE_READERS,
    FLAGS,
    KEYS,
    KEYWORD_READERS,
    LOAD,
    LOAD_KIND,
    LOAD_ON_END,
    REGISTER_MAP,
    SETTINGS,
)
from firmware_sim.description.kinds import FileOrText, MapName
from firmware_sim.description.loads import allowed_instead, outside_warning, read_load
from firmware_sim.description.maps import map_of_every_meter, maps_of_units
from firmware_sim.description.mistakes import Mistakes
from firmware_sim.description.named_parts import register_map_of, tariff_of
from firmware_sim.description.zones import transitions
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_text
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.metrology.load import Load, OnEnd
from firmware_sim.metrology.load_zone import Zone
from firmware_sim.settings import Settings
from protocols.errors import QuantityError
from protocols.quantities import LocalMoment
from protocols.toml_text import parse_toml
from protocols.toml_values import ConfigurationError, TableOrFile, read_all

LAST_UNIT, LAST_SERIAL_NUMBER = 247, 10**12 - 1


@dataclass(frozen=True, slots=True)
class Described:
    """A description, and the text of its load (read again for a resumed meter)."""

    description: MeterDescription
    load_text: str
    on_end: OnEnd
    key_warning: str | None = None
    """A warning about the modes of its key file."""
    load_warning: str | None = None
    """A warning that no row of its load is for the present."""
    source: str = ""
    """Its TOML file, empty without one."""
    of_file: tuple[str, ...] = ()
    """The keys whose values are those of the file."""

    @property
    def warnings(self) -> list[str]:
        """The warnings that there are."""
        return [each for each in (self.key_warning, self.load_warning) if each is not None]


def describe(flags: MeterFlags, default_start: int = DEFAULT_START) -> list[Described]:
    """Return the meters that flags and files describe.

    Raises:
        HostingError: each mistake in the flags and all files has a line.
    """
    described = _meters(flags, default_start)
    maps = maps_of_units(flags.maps, [one.description.unit for one in described])
    return [
        replace(one, description=replace(one.description, register_map=found))
        if (found := maps.get(one.description.unit)) is not None
        else one
        for one in described
    ]


def _meters(flags: MeterFlags, default_start: int) -> list[Described]:
    """Return the meters as `describe`, without the maps of single units."""
    given = dict(flags.values)
    everywhere = map_of_every_meter(flags.maps)
    if everywhere is not None:
        given[REGISTER_MAP.name] = everywhere
    if "account" in given and "credit" in given:
        raise HostingError("--credit and --unopened: an unopened account has no credit")
    if flags.count is not None and flags.config:
        raise HostingError("--count and --config: a file describes one meter; give one of them")
    sources = flags.config or ("",)
    if len(sources) > 1 and ("unit" in given or "serial_number" in given):
        raise HostingError(
            "--unit and --serial-number name one meter; with several --config put them "
            "into the files"
        )
    described, told = [], []
    for source in sources:
        try:
            described.append(_describe(source, given, default_start, _options()))
        except HostingError as error:
            told += str(error).splitlines()
    if told:
        raise HostingError("\n".join(dict.fromkeys(told)))  # flags are wrong once, not once a file
    if flags.count is not None:
        return _counted(described[0], flags)
    for name, values in (
        ("serial number", [d.description.serial_number for d in described]),
        ("unit", [d.description.unit for d in described]),
    ):
        if len(set(values)) != len(values):
            raise HostingError(f"two meters have the same {name}: {', '.join(map(str, values))}")
    return described


def describe_keys(
    config: str | None, keys: Mapping[str, object], default_start: int
) -> MeterDescription:
    """Return the meter of a TOML file, or of none, with `keys` over it.

    A warning about its load is a UserWarning of Python.

    Raises:
        HostingError: a file that cannot be read, or keys or values that are not allowed.
    """
    described = described_by_keys(config, keys, default_start)
    if described.load_warning is not None:
        warnings.warn(described.load_warning, stacklevel=2)
    return described.description


def described_by_keys(
    config: str | None, keys: Mapping[str, object], default_start: int
) -> Described:
    """Return the meter of `describe_keys` with its warnings; raises HostingError."""
    return _describe(config or "", keys, default_start, {})


def _options() -> dict[str, str]:
    """Return the options of keys that have one."""
    return {**{key.name: key.option for key in FLAGS}, REGISTER_MAP.name: "--map"}


def beside(path: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return the values of keys in a file `path`; the files that they name are found beside it."""
    folder, found = Path(path).parent, dict(values)
    for key in KEYS:
        text = found.get(key.name)
        if (
            isinstance(text, str)
            and isinstance(key.kind, FileOrText | MapName | TableOrFile)
            and key.kind.names_file(text)
        ):
            found[key.name] = str(folder / text)
    return found


def _counted(first: Described, flags: MeterFlags) -> list[Described]:
    """Return meters that are like the first, each with its own serial number, unit and epoch."""
    count = flags.count or 0
    serial_number, unit = int(first.description.serial_number), first.description.unit
    room = min(LAST_UNIT - unit, LAST_SERIAL_NUMBER - serial_number) + 1
    is_unit = LAST_UNIT - unit < room
    last = f"unit is {LAST_UNIT}" if is_unit else f"serial number is {LAST_SERIAL_NUMBER}"
    if not 1 <= count <= room:
        raise HostingError(
            f"--count {count}: from serial number {first.description.serial_number} and unit "
            f"{unit} on, allowed is 1 to {room}; the last {last}"
        )
    return [first] + [
        replace(
            first,
            description=replace(
                first.description,
                serial_number=f"{serial_number + number:012d}",
                unit=unit + number,
                epoch=_drawn_epoch(),
            ),
        )
        for number in range(1, count)
    ]


def _drawn_epoch() -> int:
    return 1 + int.from_bytes(os.urandom(4), "big") % 0xFFFF_FFFF


def _describe(
    source: str, given: Mapping[str, object], default_start: int, options: Mapping[str, str]
) -> Described:
    text = read_text(source, "configuration") if source else ""
    mistakes = Mistakes(source, text, given, options)
    values = _read(source, text, given, mistakes)
    key_file = NO_KEY_FILE
    if values.get("keys"):
        try:
            key_file = read_keys(Path(values["keys"]))
        except HostingError as error:
            mistakes.add(error)
    description = _description(values, key_file, default_start, mistakes)
    load_text, on_end = (values.get(key.name, key.default) for key in (LOAD, LOAD_ON_END))
    load: Load | None = None
    try:
        zone = Zone(description.settings.utc_offset_minutes, description.transitions)
        load = read_load(load_text, description.phases, description.start, 0, on_end, zone)
    except HostingError as error:
        if LOAD_KIND.names_file(load_text):
            mistakes.add(error)
        else:
            mistakes.add(ConfigurationError(f"load = {load_text!r}: {allowed_instead(load_text)}"))
    mistakes.end()
    return Described(
        replace(description, load=load),
        load_text,
        on_end,
        key_file.warning,
        outside_warning(load_text, load, description.start),
        source,
        tuple(name for name in values if name not in given),
    )


def _read(
    source: str, text: str, given: Mapping[str, object], mistakes: Mistakes
) -> dict[str, Any]:
    """Return the values of the keys that a file and `given` hold; `given` wins.

    Raises:
        HostingError: the file is not TOML.
    """
    try:
        table = parse_toml(text) if text else {}
    except QuantityError as error:
        raise HostingError(f"{source}: {error}") from error
    replaced = {*given, *(_OTHER_LOCAL_TIME[name] for name in _OTHER_LOCAL_TIME if name in given)}
    of_file = beside(source, {name: table[name] for name in table if name not in replaced})
    if source and "tariff" in given:  # as in the file, beside it
        given = {**given, **beside(source, {"tariff": given["tariff"]})}
    try:
        return read_all((FILE_READERS, of_file), (KEYWORD_READERS, given))
    except ConfigurationError as error:
        mistakes.add(error)
        return dict(error.values)


_OTHER_LOCAL_TIME = {"time_zone": "utc_offset_minutes", "utc_offset_minutes": "time_zone"}
"""Two keys that say the local time: one of them given over a file replaces the other in it."""


def _description(
    values: Mapping[str, Any], key_file: KeyFile, default_start: int, mistakes: Mistakes
) -> MeterDescription:
    """Return the description without its load; what does not agree is added to the mistakes."""
    set_attributes = {key.attribute: values[key.name] for key in KEYS if key.name in values}
    settings = Settings(
        **{
            name.removeprefix(SETTINGS): value
            for name, value in set_attributes.items()
            if name.startswith(SETTINGS)
        }
    )
    fields = {
        name: value
        for name, value in set_attributes.items()
        if name and not name.startswith(SETTINGS)
    }
    changes = _transitions(values.get("time_zone"), mistakes)
    fields["start"] = _start(fields.get("start", default_start), settings, changes, mistakes)
    fields.setdefault("epoch", _drawn_epoch())
    for found in _disagreements(values, settings):
        mistakes.add(ConfigurationError(found))
    return MeterDescription(
        **fields,
        settings=settings,
        tariff=tariff_of(values, mistakes),
        register_map=register_map_of(values, mistakes),
        keys=key_file.keys,
        keys_of=key_file.serial_number,
        transitions=changes,
    )


def _disagreements(values: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Yield what no meter can have, each beginning with its key."""
    for problem in settings.problems():
        yield problem.text
    if "time_zone" in values and "utc_offset_minutes" in values:
        yield "utc_offset_minutes: a meter with a time_zone has no offset of its own; write one"
    if values.get("account") is False and "credit" in values:
        yield "credit: an unopened account has no credit"


def _start(
    moment: int | LocalMoment, settings: Settings, changes: Transitions, mistakes: Mistakes
) -> int:
    """Return the clock at a moment, which is local time of the meter without an offset."""
    start: int | None
    if isinstance(moment, LocalMoment):
        start = instant_of(moment.ms, settings.utc_offset_minutes, changes)
        if start is None:
            mistakes.add(
                ConfigurationError(
                    f"start = {moment}: the meter's local time skips this hour; write another "
                    f"moment, or an offset after it"
                )
            )
            return DEFAULT_START
    else:
        start = moment
    if not 0 <= start < LAST_CLOCK:
        mistakes.add(ConfigurationError("start: allowed is 1970 to 2099"))
        return DEFAULT_START
    return start


def _transitions(zone: str | None, mistakes: Mistakes) -> Transitions:
    if zone is None:
        return ()
    try:
        return transitions(zone)
    except ConfigurationError as error:
        mistakes.add(error)
        return ()
