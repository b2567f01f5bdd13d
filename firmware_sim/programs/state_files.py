"""The meters of a run: new ones, and those that go on from their state files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from firmware_sim.assembly import WrongKeysError, build, build_lost, map_of
from firmware_sim.description.files import Described
from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.keys import OF_DESCRIPTION
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
        self._made: list[FileNvram] = []
        """The state files that this start made."""
        self._made_directory: Path | None = None
        self._resumed: list[tuple[Path, Described]] = []
        """The state files that held a meter, and how it was described."""

    def rack(self, described: Sequence[Described], speed: int) -> Rack:
        """Return a rack with all meters; tell which flags and keys their state files override.

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
        path = self._path(self._state, description)
        existed = path.exists()
        found = self._open(path, description)
        if found is None:
            return build_lost(description), None
        meter, nvram = found
        self._devices.append(nvram)
        if not existed:
            self._made.append(nvram)
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
        if held != described and (self._count > 1 or "serial_number" in one.of_file):
            raise HostingError(
                f"state file {path}: it holds meter {held}, not {described}; nothing was changed"
            )
        if held != described and "serial_number" in self._flags.values:
            self._say(f"{path} holds meter {held}, not {described}")
        self._resumed.append((path, one))
        for value in refused_today(meter.state):
            self._say(
                f"{path} holds a value that is refused today and stays until it is set: {value}"
            )
        _give_load(meter, one)

    def _tell_resumed(self) -> None:
        """Tell which flags and which keys of files the state files override, once for all."""
        described = [one for _, one in self._resumed]
        ignored = ", ".join([*self._flags.overridden(), *_overridden_keys(described)])
        if not ignored or not self._resumed:
            return
        if self._count == 1:
            path, _ = self._resumed[0]
            self._say(f"{path} holds a meter that goes on: {ignored} ignored")
        else:
            self._say(
                f"{self._state} holds {len(self._resumed)} of {self._count} meters, which go on: "
                f"{ignored} ignored for these"
            )

    def refusals(self) -> list[str]:
        """Return why storages refused their last write."""
        return [device.refusal for device in self._devices if device.refusal is not None]

    def close(self, *, keep_new: bool = True) -> None:
        """Close the state files; remove those that this start made unless it keeps them."""
        for device in self._devices:
            if device in self._made and not keep_new:
                device.remove()
            device.close()
        if self._made_directory is not None and not keep_new:
            with contextlib.suppress(OSError):  # another program put a file into it
                self._made_directory.rmdir()

    def _path(self, state: str, description: MeterDescription) -> Path:
        """Return the path of a meter's state file; the directory of several is made."""
        path = Path(state)
        is_directory = self._count > 1 or state.endswith("/") or path.is_dir()
        if not is_directory:
            return path
        if path.exists() and not path.is_dir():
            reason = "several meters need a directory" if self._count > 1 else "it is no directory"
            raise HostingError(f"state {path}: {reason}; nothing was changed")
        if not path.exists():
            try:
                path.mkdir()
            except OSError as error:
                raise HostingError(
                    f"state {path}: {error.strerror}; nothing was changed"
                ) from error
            self._made_directory = path
        return path / f"{description.serial_number}.nv"


def _overridden_keys(described: Sequence[Described]) -> list[str]:
    """Return the keys of files that state files override; the last one names the file."""
    names = dict.fromkeys(name for one in described for name in one.of_file)
    # a serial number in a file is that of the state file, or it was refused
    ignored = [name for name in names if name not in {*OF_DESCRIPTION, "serial_number"}]
    if not ignored:
        return []
    sources = {one.source for one in described if one.of_file}
    where = sources.pop() if len(sources) == 1 else "their files"
    return [*ignored[:-1], f"{ignored[-1]} of {where}"]


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
