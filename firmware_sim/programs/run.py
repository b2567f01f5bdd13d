"""`meter-sim run`: meters on wires until told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.assembly import WrongKeysError, build, build_lost, map_of
from firmware_sim.description.files import Described, describe
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.loads import load_for, read_load, zone_of
from firmware_sim.faults.in_force import Faults
from firmware_sim.hosting.cards.slot import insert_file
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.errors import HostingError, NotStoredError
from firmware_sim.hosting.event_loop import event_loop, finish
from firmware_sim.hosting.host import Host
from firmware_sim.hosting.named_files import read_text
from firmware_sim.hosting.notices import say
from firmware_sim.hosting.state_file import FileNvram, open_meter
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.programs.older_values import refused_today
from firmware_sim.programs.ready import print_ready
from firmware_sim.rack.operator import Operator
from firmware_sim.rack.rack import Rack
from firmware_sim.rack.values import values, word
from firmware_sim.requests import SetLoad
from firmware_sim.storage.store import ForeignStorageError, StorageLostError
from firmware_sim.wire_kinds import Wires
from protocols.data_model.items import SETTINGS
from protocols.errors import QuantityError
from protocols.faults import FaultPlan, parse_plan


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of `run` other than those that describe meters."""

    wires: Wires = field(default_factory=dict)
    control: str | None = None
    state: str | None = None
    speed: int = 1000
    as_json: bool = False
    silent_unknown_units: bool = False
    faults: str | None = None
    seed: int | None = None


def run(flags: MeterFlags, options: RunOptions) -> None:
    """Serve until a signal ends it; raises HostingError and MeterStoppedError."""
    described = describe(flags, default_start=int(time.time()) * 1000)
    for warning in dict.fromkeys(each for one in described for each in one.warnings):
        say(warning)
    if "keys" not in flags.values:
        say("no --keys: the published development key is in force; anyone can seal for this meter")
    faults = Faults(_plan(options.faults, options.seed), line_time())
    loop = event_loop()
    devices: list[FileNvram] = []
    host: Host | None = None
    try:
        built = [_build(one, flags, options, devices, len(described), faults) for one in described]
        meters = [
            (one.description.unit, meter) for one, (meter, _) in zip(described, built, strict=True)
        ]
        rack = Rack(meters, options.speed, faults)
        for station, one, (_, rebuild) in zip(rack.stations, described, built, strict=True):
            station.rebuild, station.register_map = rebuild, map_of(one.description)
        operator = Operator(rack, load_for, line_time, insert_file)
        host = Host(rack, operator, loop, options.silent_unknown_units)
        try:
            rack.begin_faults()
        except QuantityError as error:
            raise HostingError(f"faults {options.faults}: {error}") from error
        host.add_wires(options.wires)
        if options.control is not None:
            host.add_control(Path(options.control))
        for _, meter in meters:
            say(_in_force(meter))
        host.serve(lambda: print_ready(host, options.control, options.as_json))
    finally:
        try:
            if host is not None:
                host.close()
        except NotStoredError as error:
            reasons = [device.refusal for device in devices if device.refusal is not None]
            raise NotStoredError("\n".join([str(error), *reasons])) from error
        finally:
            for device in devices:
                device.close()
            finish(loop)


def _plan(path: str | None, seed: int | None) -> FaultPlan:
    """Return the plan of `--faults`; `--seed` wins over the plan's own."""
    if path is None:
        return FaultPlan(seed=seed or 0)
    text = read_text(path, "faults")
    try:
        plan = parse_plan(text)
    except QuantityError as error:
        told = (f"faults {path}: {line}" for line in str(error).splitlines())
        raise HostingError("\n".join(told)) from error
    return plan if seed is None else FaultPlan(plan.rules, seed)


Rebuild = Callable[[], Meter]


def _build(
    one: Described,
    flags: MeterFlags,
    options: RunOptions,
    devices: list[FileNvram],
    count: int,
    faults: Faults,
) -> tuple[Meter, Rebuild | None]:
    """Return a meter, new or from its state file, and its rebuild; a state overrides flags."""
    description = one.description
    if options.state is None:
        try:
            return build(description), None
        except WrongKeysError as error:
            raise HostingError(f"keys {flags.values.get('keys')}: {error}") from error
    path = _state_path(Path(options.state), description, count)
    existed = path.exists()
    try:
        meter, nvram = open_meter(
            path, lambda device: build(description, faults.nvram(device, description.unit))
        )
    except ForeignStorageError as error:
        raise HostingError(f"state file {path}: {error}; nothing was changed") from error
    except WrongKeysError as error:
        raise HostingError(
            f"keys {flags.values.get('keys')}: {error}; nothing was changed"
        ) from error
    except StorageLostError as error:
        say(
            f"state file {path}: {error}; it is left as it is. The meter comes up "
            f"storage_lost and refuses messages; "
            "give it a new state file to end that"
        )
        return build_lost(description), None
    devices.append(nvram)
    version = meter.state.security.key_version
    if meter.authenticator.keys(version) is None:
        raise HostingError(
            f"state file {path}: its meter uses key version {version}; give its --keys. "
            f"Nothing was changed"
        )
    if existed:
        identity = meter.state.identity
        if flags.values.get("serial_number", identity.serial_number) != identity.serial_number:
            say(f"{path} holds meter {identity.serial_number}")
        if ignored := flags.overridden():
            say(f"{path} holds a meter that goes on: {', '.join(ignored)} ignored")
        for value in refused_today(meter.state):
            say(f"{path} holds a value that is refused today and stays until it is set: {value}")
        _give_load(meter, one)

    def rebuild() -> Meter:
        again = build(description, faults.nvram(nvram, description.unit))
        _give_load(again, one)
        return again

    return meter, rebuild


def _give_load(meter: Meter, one: Described) -> None:
    """Give a meter that goes on its described load, as if drawn since the meter began."""
    begun = meter.clock - meter.state.elapsed_ms
    phases = meter.state.identity.phases
    zone = zone_of(meter.state)
    load = read_load(one.load_text, phases, begun, 0, one.on_end, zone)
    reply = meter.handle(SetLoad(load))
    if reply is not None and reply.answer is not None:
        raise HostingError(
            f"the storage of meter {meter.state.identity.serial_number} takes no writes: "
            f"is the disk full? "
            f"Nothing was changed"
        )


def _state_path(path: Path, description: MeterDescription, count: int) -> Path:
    if count == 1 and not path.is_dir():
        return path
    if path.exists() and not path.is_dir():
        raise HostingError(f"state {path}: several meters need a directory; nothing was changed")
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise HostingError(f"state {path}: {error.strerror}") from error
    return path / f"{description.serial_number}.nv"


def _in_force(meter: Meter) -> str:
    shown = values(meter)
    names = [
        "account_unit",
        "account_state",
        "available_credit",
        "price_1",
        *(item.name for item in SETTINGS.values()),
    ]
    words = " ".join(f"{name}={word(shown[name])}" for name in names)
    return f"meter {meter.state.identity.serial_number}: {words}"
