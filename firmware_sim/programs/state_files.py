"""The meters of a run: new ones, and those that go on from their state files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from firmware_sim.assembly import WrongKeysError, build, build_lost, map_of
from firmware_sim.description.files import Described
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.loads import read_load, zone_of
from firmware_sim.faults.in_force import Faults
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.state_file import FileNvram, open_meter
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.programs.older_values import refused_today
from firmware_sim.rack.rack import Rack
from firmware_sim.requests import SetLoad
from firmware_sim.storage.store import ForeignStorageError, StorageLostError

Rebuild = Callable[[], Meter]


class Meters:
    """Makes the meters of a run and holds their storages.

    Args:
        state: the state file, for several meters a directory; None for meters without a storage.
        count: how many meters are described.
        say: prints a text for a person.
    """

    def __init__(
        self,
        flags: MeterFlags,
        state: str | None,
        faults: Faults,
        count: int,
        say: Callable[[str], None],
    ) -> None:
        self._flags, self._state, self._faults = flags, state, faults
        self._count, self._say = count, say
        self._devices: list[FileNvram] = []
        self._resumed: list[Path] = []
        """The state files that held a meter."""

    def rack(self, described: Sequence[Described], speed: int) -> Rack:
        """Return a rack with all meters, and tell which flags their state files override.

        Raises:
            HostingError: keys or a state file cannot be used; nothing was changed.
        """
        built = [self._build(one) for one in described]
        self._tell_resumed()
        units = [one.description.unit for one in described]
        meters = [meter for meter, _ in built]
        rack = Rack(zip(units, meters, strict=True), speed, self._faults)
        for station, one, (_, rebuild) in zip(rack.stations, described, built, strict=True):
            station.rebuild, station.register_map = rebuild, map_of(one.description)
        return rack

    def _build(self, one: Described) -> tuple[Meter, Rebuild | None]:
        """Return a meter, new or from its state file, and its rebuild; a state overrides flags."""
        description = one.description
        if self._state is None:
            try:
                return build(description), None
            except WrongKeysError as error:
                raise HostingError(f"keys {self._flags.values.get('keys')}: {error}") from error
        path = _state_path(Path(self._state), description, self._count)
        existed = path.exists()
        found = self._open(path, description)
        if found is None:
            return build_lost(description), None
        meter, nvram = found
        self._devices.append(nvram)
        version = meter.state.security.key_version
        if meter.authenticator.keys(version) is None:
            raise HostingError(
                f"state file {path}: its meter uses key version {version}; give its --keys. "
                f"Nothing was changed"
            )
        if existed:
            self._resume(path, meter, one)

        def rebuild() -> Meter:
            again = build(description, self._faults.nvram(nvram, description.unit))
            _give_load(again, one)
            return again

        return meter, rebuild

    def _open(self, path: Path, description: MeterDescription) -> tuple[Meter, FileNvram] | None:
        """Return the meter of a state file; None where its content is lost."""
        faults, unit = self._faults, description.unit
        try:
            return open_meter(path, lambda device: build(description, faults.nvram(device, unit)))
        except ForeignStorageError as error:
            raise HostingError(f"state file {path}: {error}; nothing was changed") from error
        except WrongKeysError as error:
            raise HostingError(
                f"keys {self._flags.values.get('keys')}: {error}; nothing was changed"
            ) from error
        except StorageLostError as error:
            self._say(
                f"state file {path}: {error}; it is left as it is. The meter comes up "
                f"storage_lost and refuses messages; "
                "give it a new state file to end that"
            )
            return None

    def _resume(self, path: Path, meter: Meter, one: Described) -> None:
        held, described = meter.state.identity.serial_number, one.description.serial_number
        if held != described and self._count > 1:
            raise HostingError(
                f"state file {path}: it holds meter {held}, not {described}; nothing was changed"
            )
        if held != described and "serial_number" in self._flags.values:
            self._say(f"{path} holds meter {held}")
        self._resumed.append(path)
        for value in refused_today(meter.state):
            self._say(
                f"{path} holds a value that is refused today and stays until it is set: {value}"
            )
        _give_load(meter, one)

    def _tell_resumed(self) -> None:
        """Tell which flags the state files override, once for all meters."""
        ignored = ", ".join(self._flags.overridden())
        if not ignored or not self._resumed:
            return
        if self._count == 1:
            self._say(f"{self._resumed[0]} holds a meter that goes on: {ignored} ignored")
        else:
            self._say(
                f"{self._state} holds {len(self._resumed)} of {self._count} meters, which go on: "
                f"{ignored} ignored for these"
            )

    def refusals(self) -> list[str]:
        """Return why storages refused their last write."""
        return [device.refusal for device in self._devices if device.refusal is not None]

    def close(self) -> None:
        """Close the state files."""
        for device in self._devices:
            device.close()


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
