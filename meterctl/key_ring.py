"""The host's key ring: masters by version in a file of mode 600 (METER.md 7).

The keys of a meter are derived from a master.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from meterctl.errors import NotPermittedError, UsageError
from meterctl.named_files import read_named
from protocols import named_files
from protocols.errors import QuantityError
from protocols.keys import (
    DEVELOPMENT_KEY_VERSION,
    DEVELOPMENT_MASTER,
    KEY_SIZE,
    MeterKeys,
    derive,
    derive_meter_keys,
)
from protocols.quantities import CENT, format_money, parse_money

FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """The name of a key ring and its limit of sales per UTC day, in 0.01; None is no limit."""

    ring: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Masters by key version; `path` is None for the published development key."""

    masters: dict[int, bytes] = field(repr=False)
    path: Path | None = None
    daily_limit: int | None = None
    """Limit of sales per UTC day, in 0.01; None is no limit."""
    retired: frozenset[int] = frozenset()
    """Key versions that neither seal nor prove any more."""
    warning: str | None = None
    """A warning about the ring's file for the user."""

    @property
    def is_development(self) -> bool:
        """Whether this is the published development key."""
        return self.path is None

    @property
    def name(self) -> str:
        """Eight hexadecimal digits that identify the ring without revealing its masters."""
        oldest = min(self.masters)  # a ring keeps its name when it gets another master
        return hashlib.sha256(derive(self.masters[oldest], "ring", bytes([oldest]))).hexdigest()[:8]

    def limit(self) -> DailyLimit:
        """Return the daily limit in the form that the journal checks."""
        return DailyLimit(self.name, self.daily_limit)

    def master(self, version: int) -> bytes:
        """Return a master; raises NotPermittedError if the ring has none of that version."""
        master = self.masters.get(version)
        if master is None:
            held = ", ".join(map(str, sorted(self.masters))) or "none"
            hint = " (no --keys was given)" if self.path is None else ""
            if version == DEVELOPMENT_KEY_VERSION and self.path is not None:
                hint = " (version 0 is the published development key: leave --keys out)"
            raise NotPermittedError(
                f"key version {version} is needed; {self.path or 'the development key'} "
                f"has {held}{hint}. "
                f"Nothing was sent"
            )
        return master

    @property
    def newest(self) -> int:
        """The newest version that the ring has and that is not retired."""
        return max(version for version in self.masters if version not in self.retired)

    def may_use(self, version: int, floor: int) -> bool:
        """Return whether a version may seal and prove: held, not retired, not below the floor.

        The floor does not apply to the published development key.
        """
        return (
            version in self.masters
            and version not in self.retired
            and (self.is_development or version >= floor)
        )

    def usable(self, floor: int) -> list[int]:
        """Return the versions that may be used, newest first."""
        return [
            version
            for version in sorted(self.masters, reverse=True)
            if self.may_use(version, floor)
        ]

    def meter_keys(self, serial_number: str, version: int) -> MeterKeys:
        """Return a meter's keys of one version; raises NotPermittedError as `master` does."""
        return derive_meter_keys(self.master(version), serial_number, version)


def development_ring() -> KeyRing:
    """Return the ring of the published development key."""
    return KeyRing({DEVELOPMENT_KEY_VERSION: DEVELOPMENT_MASTER})


def load_ring(path: Path) -> KeyRing:
    """Return the ring of a file; its `warning` is set if other users may read the file.

    Raises:
        UsageError: it cannot be read, or is no key ring.
        NotPermittedError: other users may write it, and so choose the keys that seal credit.
    """
    try:
        text, mode = read_named(path)
    except UsageError as error:
        raise UsageError(f"keys {path}: {error}; nothing was sent") from error
    if named_files.others_may_write(mode):
        found = f"other users may write this file (chmod 600 {path})"
        raise NotPermittedError(f"keys {path}: {found}. Nothing was sent")
    ring = parse_ring(text, path)
    if named_files.others_may_read(mode):
        warning = f"keys {path}: other users may read this file: chmod 600 {path}"
        return replace(ring, warning=warning)
    return ring


def parse_ring(text: str, path: Path) -> KeyRing:
    """Return the ring in the text of the file `path`; raises UsageError."""
    try:
        table = json.loads(text)
        masters = {int(version): bytes.fromhex(text) for version, text in table["masters"].items()}
        retired = frozenset(int(version) for version in table.get("retired", ()))
        limit = table.get("daily_limit")
        daily_limit = None if limit is None else parse_money(limit) // CENT
    except QuantityError as error:
        raise UsageError(f"keys {path}: daily_limit: {error}") from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise UsageError(
            f"keys {path}: it is no key ring; `meterctl keys init --out FILE` makes one"
        ) from error
    if not masters or any(len(m) != KEY_SIZE or not 0 <= v <= 255 for v, m in masters.items()):
        raise UsageError(f"keys {path}: a ring has masters of {KEY_SIZE} bytes, versions 0 to 255")
    return KeyRing(masters, path, daily_limit, retired)


def with_retired(ring: KeyRing, version: int) -> KeyRing:
    """Return a ring with one more version retired.

    Raises:
        UsageError: the ring has no such version, or no other one that may be used.
    """
    if version not in ring.masters:
        held = ", ".join(map(str, sorted(ring.masters)))
        raise UsageError(
            f"keys {ring.path}: it has no version {version}, but {held}; nothing was changed"
        )
    retired = ring.retired | {version}
    if retired >= set(ring.masters):
        raise UsageError(
            f"keys {ring.path}: version {version} is the last one that may be used; "
            f"nothing was changed"
        )
    return replace(ring, retired=retired)


def write_ring(ring: KeyRing) -> None:
    """Replace a ring's file by this ring, all or nothing; raises UsageError."""
    assert ring.path is not None
    draft = ring.path.with_name(f".{ring.path.name}.{os.getpid()}")
    table: dict[str, object] = {
        "masters": {str(v): m.hex() for v, m in sorted(ring.masters.items())}
    }
    if ring.daily_limit is not None:
        table["daily_limit"] = format_money(ring.daily_limit * CENT)
    if ring.retired:
        table["retired"] = sorted(ring.retired)
    _write_secret(draft, table)
    try:
        os.replace(draft, ring.path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"keys {ring.path}: {error.strerror}; nothing was changed") from error


def create_ring(path: Path, daily_limit: int | None = None) -> KeyRing:
    """Create a ring with a master from the operating system; never overwrites a file."""
    master = os.urandom(KEY_SIZE)
    table: dict[str, object] = {"masters": {str(FIRST_VERSION): master.hex()}}
    if daily_limit is not None:
        table["daily_limit"] = format_money(daily_limit * CENT)
    _write_secret(path, table)
    return KeyRing({FIRST_VERSION: master}, path, daily_limit)


def export_keys(ring: KeyRing, serial_number: str, path: Path) -> list[MeterKeys]:
    """Write the derived keys of one meter for `meter-sim run --keys`.

    Masters and retired versions are not written. A new meter starts with the lowest version that it
    is given.
    """
    versions = sorted(version for version in ring.masters if version not in ring.retired)
    keys = [ring.meter_keys(serial_number, version) for version in versions]
    rows = [
        {
            "version": k.version,
            "credit": k.credit.hex(),
            "command": k.command.hex(),
            "card": k.card.hex(),
        }
        for k in keys
    ]
    _write_secret(path, {"serial_number": serial_number, "keys": rows})
    return keys


def _write_secret(path: Path, table: dict[str, object]) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise UsageError(
            f"{path}: it exists and is never overwritten; nothing was changed"
        ) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; nothing was changed") from error
    with os.fdopen(file, "w") as out:
        json.dump(table, out, indent=1)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
