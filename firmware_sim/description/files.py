"""Meter descriptions from flags, keywords and TOML files; the files are read here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmware_sim.clock import LAST_CLOCK, Transitions, instant_of
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.key_files import NO_KEY_FILE, KeyFile, read_keys
from firmware_sim.description.keys import (
    FILE_READERS,
    KEYS,
    KEYWORD_READERS,
    LOAD,
    LOAD_ON_END,
    SETTINGS,
)
from firmware_sim.description.kinds import FileOrText
from firmware_sim.description.loads import read_load
from firmware_sim.description.tariffs import parse_tariff, tariff_in_force
from firmware_sim.description.toml import ConfigurationError, TableOrFile, read_all
from firmware_sim.description.zones import transitions
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.named_files import read_text
from firmware_sim.meter_description import DEFAULT_START, MeterDescription
from firmware_sim.metrology.load import OnEnd
from firmware_sim.settings import Settings
from protocols.data_model.tariff import Tariff
from protocols.errors import QuantityError
from protocols.quantities import LocalMoment
from protocols.toml_text import parse_toml


@dataclass(frozen=True, slots=True)
class Described:
    """A description, and the text of its load (read again for a resumed meter)."""

    description: MeterDescription
    load_text: str
    on_end: OnEnd
    warning: str | None = None
    """A warning about the modes of its key file."""


def describe(flags: MeterFlags, default_start: int = DEFAULT_START) -> list[Described]:
    """Return the meters that flags and files describe; raises HostingError."""
    given = flags.values
    if "account" in given and "credit" in given:
        raise HostingError("--credit and --unopened: an unopened account has no credit")
    sources = flags.config or ("",)
    if len(sources) > 1 and ("unit" in given or "serial_number" in given):
        raise HostingError(
            "--unit and --serial-number name one meter; with several --config put them "
            "into the files"
        )
    described = [_describe(source, given, default_start) for source in sources]
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

    Raises:
        HostingError: a file that cannot be read, or a key or value that is not allowed.
    """
    return _describe(config or "", keys, default_start).description


def beside(path: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return the values of keys in a file `path`; the files that they name are found beside it."""
    folder, found = Path(path).parent, dict(values)
    for key in KEYS:
        text = found.get(key.name)
        if (
            isinstance(text, str)
            and isinstance(key.kind, FileOrText | TableOrFile)
            and key.kind.names_file(text)
        ):
            found[key.name] = str(folder / text)
    return found


def _describe(source: str, given: Mapping[str, object], default_start: int) -> Described:
    try:
        values = _read(source, given)
        key_file = read_keys(Path(values["keys"])) if values.get("keys") else NO_KEY_FILE
        description = _description(values, key_file, default_start)
    except (ConfigurationError, QuantityError) as error:
        where = f"{source}: " if source else ""
        raise HostingError("\n".join(where + one for one in str(error).splitlines())) from error
    load_text, on_end = (values.get(key.name, key.default) for key in (LOAD, LOAD_ON_END))
    load = read_load(load_text, description.phases, description.start, 0, on_end)
    return Described(replace(description, load=load), load_text, on_end, key_file.warning)


def _read(source: str, given: Mapping[str, object]) -> dict[str, Any]:
    """Return the values of the keys that a file and `given` hold; `given` wins."""
    if not source:
        return read_all((KEYWORD_READERS, given))
    table = parse_toml(read_text(source, "configuration"))
    of_file = beside(source, {name: table[name] for name in table if name not in given})
    if "tariff" in given:  # as in the file, beside it
        given = {**given, **beside(source, {"tariff": given["tariff"]})}
    return read_all((FILE_READERS, of_file), (KEYWORD_READERS, given))


def _description(
    values: Mapping[str, Any], key_file: KeyFile, default_start: int
) -> MeterDescription:
    """Return the description without its load; raises ConfigurationError."""
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
    tariff = _tariff(values)
    if found := settings.problem():
        raise ConfigurationError(found)
    if values.get("account") is False and "credit" in values:
        raise ConfigurationError("credit: an unopened account has no credit")
    zone = values.get("time_zone")
    changes = transitions(zone) if zone is not None else ()
    fields["start"] = _start(fields.get("start", default_start), settings, changes)
    fields.setdefault("epoch", 1 + int.from_bytes(os.urandom(4), "big") % 0xFFFF_FFFF)
    return MeterDescription(
        **fields,
        settings=settings,
        tariff=tariff,
        keys=key_file.keys,
        keys_of=key_file.serial_number,
        transitions=changes,
    )


def _start(moment: int | LocalMoment, settings: Settings, changes: Transitions) -> int:
    """Return the clock at a moment, which is local time of the meter without an offset."""
    start: int | None
    if isinstance(moment, LocalMoment):
        start = instant_of(moment.ms, settings.utc_offset_minutes, changes)
        if start is None:
            raise ConfigurationError(
                f"start = {moment}: the meter's local time skips this hour; write another moment, "
                f"or an offset after it"
            )
    else:
        start = moment
    if not 0 <= start < LAST_CLOCK:
        raise ConfigurationError("start: allowed is 1970 to 2099")
    return start


def _tariff(values: Mapping[str, Any]) -> Tariff:
    given = values.get("tariff", {})
    if isinstance(given, str):
        given = parse_tariff(read_text(given, "tariff"))
    unit = values.get("account_unit", MeterDescription().account_unit)
    return tariff_in_force(given, values.get("price"), unit)
