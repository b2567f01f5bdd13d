"""Options common to all commands, and the session and journal made from them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meterctl.cli.arguments import serial_number
from meterctl.cli.interruption import EarlyInterruptError
from meterctl.cli.output import print_json, result_fragments, say
from meterctl.drivers.chosen_driver import driver_of, named_map
from meterctl.drivers.table import DriverKind, modbus
from meterctl.errors import NotPermittedError, UsageError
from meterctl.key_ring import KeyRing, development_ring, load_ring
from meterctl.session import Session
from meterctl.transports import Transport
from meterctl.transports.held_wire import HeldWire
from protocols.command_line import Abort, Context, confirm

if TYPE_CHECKING:
    from meterctl.card_readers import CardPort
    from meterctl.drivers import Reader
    from meterctl.journal import Journal
    from meterctl.named_maps import GivenMaps
    from meterctl.operations.card.presented import PresentedCard
    from meterctl.transports import Notice
    from protocols.modbus.register_map import RegisterMap

_NO_PORT = "no port: give --port PATH or tcp://HOST:PORT, or set METERCTL_PORT"
_DEVELOPMENT_KEY = "no --keys: the published development key is in force"


@dataclass(frozen=True, slots=True)
class Options:
    """The common options as given."""

    port: str | None
    driver: DriverKind
    unit: int
    keys: Path | None
    journal: Path | None
    timeout_ms: int
    json: bool
    trace: bool
    yes: bool
    dry_run: bool
    development_key: bool
    map_name: str | None = None
    wire: HeldWire | None = field(default=None, compare=False, repr=False)
    """The wire of a shell, None for a command on its own."""
    maps: GivenMaps | None = None
    """The maps of all units, where --map names them; `map_name` is that of this unit."""
    _said: set[str] = field(default_factory=set, compare=False, repr=False)
    """Texts that were printed; each is printed once."""
    _due: set[str] = field(default_factory=set, compare=False, repr=False)
    """Notices for a person, to be printed before the question or at the end."""

    @contextlib.contextmanager
    def session(
        self, *, seals: bool = False, payee: str | None = None, set_back: bool = False
    ) -> Iterator[Session]:
        """Open the port; with `seals` key ring and map are checked for a command that seals.

        Args:
            payee: the text of --meter.
            set_back: whether a meter that was set back is accepted.

        Raises:
            UsageError: no port or map, or one that cannot be used.
            NotPermittedError: the published development key on a port that is not local.
        """
        from meterctl.transports import PATIENCE_S
        from meterctl.transports.wires import (
            monotonic_ms,
            open_transport,
            pause_ms,
            wall_milliseconds,
            wall_seconds,
        )

        if self.port is None:
            raise UsageError(_NO_PORT)
        named = serial_number(payee)
        driver_kind = driver_of(self.driver, self.map_name, seals=seals)
        patience_s = PATIENCE_S * min(self.timeout_ms, 1000) / 1000
        with self._opened(partial(open_transport, self.port, say, patience_s)) as transport:
            ring = self.ring(seals=seals)
            trace = print_frame if self.trace else None
            driver = driver_kind.open(transport, self.unit, self.timeout_ms, monotonic_ms, trace)
            yield Session(
                driver,
                ring,
                wall_seconds,
                monotonic_ms,
                pause_ms,
                os.urandom,
                self._ask,
                self._port_name(),
                named,
                set_back,
                wall_milliseconds,
            )
            self._say_due()

    @contextlib.contextmanager
    def _opened(self, open_it: Callable[[], Transport]) -> Iterator[Transport]:
        """Yield the transport of --port; it is closed behind a command that is not in a shell."""
        if self.wire is not None:
            assert self.port is not None
            with self.wire.opened(self.port, self.timeout_ms, open_it) as transport:
                yield transport
            return
        transport = open_it()
        try:
            yield transport
        finally:
            transport.close()

    def release_port(self) -> None:
        """Close the port that a shell holds: for a command that opens ports on its own."""
        if self.wire is not None:
            self.wire.release()

    @contextlib.contextmanager
    def session_if(
        self, payee: str | None = None, set_back: bool = False
    ) -> Iterator[Session | None]:
        """Open the port if one is given, else yield None."""
        if self.port is None:
            yield None
            return
        with self.session(seals=True, payee=payee, set_back=set_back) as session:
            yield session

    @contextlib.contextmanager
    def readers(
        self, units: Sequence[int], notice: Notice
    ) -> Iterator[Mapping[int, Callable[[], Reader]]]:
        """Open the port for a command that lasts; yield what opens a reader of each unit.

        Args:
            notice: is told when the port goes away, and when it is back.

        Raises:
            UsageError, NoAnswerError: no port or map, or one that cannot be used.
        """
        from meterctl.transports.short_waits import open_patiently
        from meterctl.transports.wires import monotonic_ms

        if self.port is None:
            raise UsageError(_NO_PORT)
        kind = driver_of(self.driver, self.map_name, seals=False)
        self.release_port()
        transport = open_patiently(self.port, notice, self.timeout_ms)
        trace = print_frame if self.trace else None
        try:
            yield {
                unit: partial(kind.open, transport, unit, self.timeout_ms, monotonic_ms, trace)
                for unit in units
            }
        finally:
            transport.close()

    def register_map(self) -> RegisterMap | None:
        """Return the register map of --map, None without it; raises UsageError."""
        return named_map(self.map_name)

    def frame_kind(self) -> DriverKind:
        """Return the driver whose decoder names registers by every --map; raises UsageError."""
        otherwise = self.map_name if self.maps is None else self.maps.otherwise
        by_unit = {} if self.maps is None else self.maps.by_unit
        if otherwise is None and not by_unit:
            return self.driver
        from meterctl.named_maps import read_map  # most commands name no map

        unit_maps = {unit: read_map(named) for unit, named in by_unit.items()}
        return modbus(None if otherwise is None else read_map(otherwise), otherwise, unit_maps)

    def _port_name(self) -> str:
        """Return the name under which the journal stores the meter of this port."""
        assert self.port is not None
        parts = urlsplit(self.port)
        if parts.scheme:
            where = (
                f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or ''}{parts.path}"
            )
        else:
            where = os.path.abspath(self.port.partition("?")[0])
        return f"{where} {self.driver.name} unit {self.unit}"

    def _ask(self, question: str) -> bool:
        """Ask the user at a terminal; False without a terminal, with --yes or in a dry run."""
        if self.yes or self.dry_run or not _has_terminal():
            return False
        return _confirm(question)

    def card_ring(self, port: CardPort) -> KeyRing:
        """Return the key ring for a card; the published key is for simulated cards only."""
        if self.keys is not None:
            return self._loaded_ring(self.keys)
        if not port.is_desk and not self.development_key:
            raise NotPermittedError(
                f"reader {port.name}: the published development key is for simulated "
                f"cards only. Give --keys FILE, or "
                f"--development-key to use it all the same. Nothing was changed"
            )
        self._due.add(_DEVELOPMENT_KEY)
        return development_ring()

    @contextlib.contextmanager
    def presented(self, file: Path | None, reader: str | None) -> Iterator[PresentedCard]:
        """Open the card of --file or --reader; its notices are printed at the end."""
        from meterctl.cli.card_ports import card_port
        from meterctl.operations.card.presented import PresentedCard
        from meterctl.transports.wires import wall_seconds

        with card_port(file, reader, self.timeout_ms, is_traced=self.trace) as port:
            presented = PresentedCard(port.transmit, self.card_ring(port), os.urandom, wall_seconds)
            try:
                yield presented
                self._say_due()
            finally:
                for notice in presented.notices:
                    say(notice)

    def ring(self, *, seals: bool) -> KeyRing:
        """Return the key ring; by default the published key, refused on non-local ports."""
        from meterctl.transports.wires import is_desk

        if self.keys is not None:
            return self._loaded_ring(self.keys)
        if seals:
            if not self.development_key and not is_desk(self.port or ""):
                raise NotPermittedError(
                    f"port {self.port}: the published development key is for local ports "
                    f"only (ptys, loopback). "
                    f"Give --keys FILE, or --development-key to use it all the same. "
                    f"Nothing was sent"
                )
            self._due.add(_DEVELOPMENT_KEY)
        return development_ring()

    def _loaded_ring(self, path: Path) -> KeyRing:
        ring = load_ring(path)
        if ring.warning is not None:
            self._say_once(ring.warning)
        return ring

    def _say_once(self, text: str) -> None:
        said = self._said if self.wire is None else self.wire.said
        if text not in said:
            said.add(text)
            say(text)

    def _say_due(self) -> None:
        """Print the notices that are due, at a terminal: a usage error before came without them."""
        for notice in sorted(self._due):
            if sys.stderr is not None and sys.stderr.isatty():
                self._say_once(notice)

    @property
    def journal_path(self) -> Path:
        """The file of the journal, in a dry run too."""
        from meterctl.journal import default_path

        return self.journal or default_path()

    @property
    def own_files(self) -> list[Path]:
        """The files that no output may take the place of: keys, journal, what belongs to it."""
        path = self.journal_path
        beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal", ".lock")]
        return [*([self.keys] if self.keys is not None else []), path, *beside]

    @contextlib.contextmanager
    def open_journal(
        self, *, reading: bool = False, exists: bool = False, looks: bool = False
    ) -> Iterator[Journal]:
        """Open the journal; a new one is reported, and a dry run keeps no write.

        Args:
            reading: for a command that only looks: it makes no file and changes none.
            exists: for a command that has nothing to do without a journal.
            looks: for a command that looks at something else, and at the journal if there is one.

        Raises:
            UsageError: there is none, for `reading` and `exists`; for `looks` where it was named.
        """
        from meterctl.journal import Journal
        from meterctl.transports.wires import wall_seconds

        path = self.journal_path
        is_missing = not path.exists()
        if is_missing and (reading or exists or (looks and self.journal is not None)):
            raise UsageError(
                f"journal {path}: there is no such file; nothing was sold with it. "
                f"--journal FILE names another"
            )
        rehearsal = (self.dry_run and not reading) or (looks and is_missing)
        journal = Journal(path, now=wall_seconds(), rehearsal=rehearsal, reading=reading)
        if journal.is_new:
            say(f"journal {path}: {'there is no such file yet' if rehearsal else 'new'}")
        try:
            yield journal
        finally:
            for notice in journal.notices:
                say(f"meterctl: {notice}")
            journal.close()

    def rehearses(
        self, text: str, meter: str | None = None, *, last: bool = True, entry: int | None = None
    ) -> bool:
        """Return whether this is a dry run, after printing the planned action.

        Args:
            meter: the serial number, for the object that ends a command with --json.
            last: whether the command ends with it.
            entry: the number of the journal entry that it is about, for the object.
        """
        if self.dry_run:
            say(f"dry run, nothing is sent or written: {text}")
            if self.json and last:
                print_json(
                    result_fragments(serial_number=meter, entry=entry, message=text, planned=True)
                )
        return self.dry_run

    def confirm(self, question: str, meter: str | None = None, *, last: bool = True) -> bool:
        """Return True to go on: with --yes, or if the user confirms; False in a dry run.

        Raises:
            UsageError: there is no terminal, or the user did not confirm.
            EarlyInterruptError: the user ended the prompt instead of answering.
        """
        if self.rehearses(question, meter, last=last):
            return False
        self._say_due()
        if self.yes:
            return True
        if not _has_terminal():
            raise UsageError(
                f"{question}: give --yes, there is no terminal to ask on. Nothing was sent",
                serial_number=meter,
            )
        if not _confirm(question, meter):
            raise UsageError("not confirmed; nothing was sent", serial_number=meter)
        return True


def options(context: Context) -> Options:
    """Return the common options of a command."""
    found = context.find_object(Options)
    assert found is not None
    return found


def _has_terminal() -> bool:
    return (
        sys.stdin is not None
        and sys.stdin.isatty()
        and sys.stderr is not None
        and sys.stderr.isatty()
    )


def _confirm(question: str, meter: str | None = None) -> bool:
    """Ask the user; a prompt that is ended instead of answered (Ctrl-C, Ctrl-D) is an interrupt."""
    try:
        return confirm(f"{question}?", err=True)
    except Abort as error:
        raise EarlyInterruptError("interrupted; nothing was sent", meter) from error


def print_frame(direction: str, data: bytes) -> None:
    """Show bytes of the wire, for --trace."""
    say(f"{direction} {data.hex(' ')}")
