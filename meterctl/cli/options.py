"""What all commands share: the common options, and the session and journal that they make."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from meterctl.card_readers import CardPort
from meterctl.errors import NotPermittedError, UsageError
from meterctl.key_ring import KeyRing, development_ring, load_ring
from meterctl.named_files import read_named
from meterctl.session import Session

if TYPE_CHECKING:
    from meterctl.journal import Journal
    from meterctl.operations.card_counter import Counter
    from protocols.card.terminal import Transmit


CARD_SECONDS = 3.0
"""How long a card in a reader may take for one response, where --timeout does not give it longer."""


@dataclass(frozen=True, slots=True)
class Options:
    """The common options, as given."""

    port: str | None
    protocol: str
    unit: int
    keys: Path | None
    journal: Path | None
    timeout_ms: int
    json: bool
    trace: bool
    yes: bool
    dry_run: bool
    development_key: bool
    said: set[str] = field(default_factory=set, compare=False, repr=False)
    """Warnings that were printed: each is printed once."""

    @contextlib.contextmanager
    def session(self, *, seals: bool = False) -> Iterator[Session]:
        """Open the port; with `seals`, for a command that seals messages, the key ring is looked at first.

        Raises:
            UsageError: no port, or one that cannot be used.
            NotPermittedError: the published key on a port that is not of this desk.
        """
        from meterctl.drivers.modbus import ModbusDriver
        from meterctl.transports.wires import monotonic_ms, open_transport, wall_seconds

        if self.port is None:
            raise UsageError("no port: give --port PATH or tcp://HOST:PORT, or set METERCTL_PORT")
        transport = open_transport(self.port)
        try:
            ring = self.ring(seals=seals)
            trace = _print_frame if self.trace else None
            driver = ModbusDriver(transport, self.unit, self.timeout_ms, monotonic_ms, trace)
            yield Session(driver, ring, wall_seconds, monotonic_ms)
        finally:
            transport.close()

    @contextlib.contextmanager
    def session_if(self) -> Iterator[Session | None]:
        """Open the port where one is given; None where none is."""
        if self.port is None:
            yield None
            return
        with self.session(seals=True) as session:
            yield session

    @contextlib.contextmanager
    def card_port(self, file: Path | None, reader: str | None) -> Iterator[CardPort]:
        """Give power to the card of a file, or of a PC/SC reader; with --trace its APDUs are shown by name.

        Raises:
            UsageError: neither or both are given, or it cannot be used.
            NoAnswerError: no card is in the reader.
        """
        if file is not None and reader is not None:
            raise UsageError("give --file or --reader, not both; nothing was changed")
        if file is not None:
            from meterctl.card_readers.image import open_image

            opened = open_image(file)
        else:
            from meterctl.card_readers.pcsc import open_reader, reader_names

            if reader is None and not reader_names():
                raise UsageError("no PC/SC reader is connected: give a simulated card with --file; nothing was changed")
            opened = open_reader(reader, max(CARD_SECONDS, self.timeout_ms / 1000))
        with opened as port:
            yield CardPort(port.name, _traced(port.transmit), port.is_desk) if self.trace else port

    def card_ring(self, port: CardPort) -> KeyRing:
        """Return the key ring for a card; the published key is for simulated cards only."""
        if self.keys is not None:
            return self._loaded_ring(self.keys)
        if not port.is_desk and not self.development_key:
            raise NotPermittedError(
                f"reader {port.name}: the published development key is for simulated cards only. Give --keys FILE, or "
                f"--development-key to use it all the same. Nothing was changed"
            )
        say("no --keys: the published development key is in force")
        return development_ring()

    @contextlib.contextmanager
    def counter(self, file: Path | None, reader: str | None) -> Iterator[Counter]:
        """Put the card of --file or --reader on the counter; what it has to tell is said at the end."""
        from meterctl.operations.card_counter import Counter
        from meterctl.transports.wires import wall_seconds

        with self.card_port(file, reader) as port:
            counter = Counter(port.transmit, self.card_ring(port), os.urandom, wall_seconds)
            try:
                yield counter
            finally:
                for notice in counter.notices:
                    say(notice)

    def ring(self, *, seals: bool) -> KeyRing:
        """Return the key ring; without one the published key, which is refused where it could do harm."""
        from meterctl.transports.wires import is_desk

        if self.keys is not None:
            return self._loaded_ring(self.keys)
        if seals:
            if not self.development_key and not is_desk(self.port or ""):
                raise NotPermittedError(
                    f"port {self.port}: the published development key is for this desk only (ptys, loopback). "
                    f"Give --keys FILE, or --development-key to use it all the same. Nothing was sent"
                )
            say("no --keys: the published development key is in force")
        return development_ring()

    def _loaded_ring(self, path: Path) -> KeyRing:
        ring = load_ring(path)
        if ring.warning is not None and ring.warning not in self.said:
            self.said.add(ring.warning)
            say(ring.warning)
        return ring

    @contextlib.contextmanager
    def open_journal(self) -> Iterator[Journal]:
        """Open the journal; a new one is told, and in a dry run nothing that is written into it stands."""
        from meterctl.journal import NOWHERE, Journal, default_path

        path = self.journal or default_path()
        journal = Journal(NOWHERE if self.dry_run and not path.exists() else path)
        if self.dry_run:
            journal.rehearse()
        elif journal.is_new:
            say(f"journal {path}: new")
        try:
            yield journal
        finally:
            journal.close()

    @contextlib.contextmanager
    def carrying_out(self, what: str) -> Iterator[None]:
        """Around what must not be left without a word: an interrupt in it is an unknown outcome, one after it waits.

        Raises:
            UnknownOutcomeError: somebody interrupted it.
        """
        from meterctl.errors import UnknownOutcomeError

        try:
            yield
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # what was done is told, however impatient somebody is
        except KeyboardInterrupt as error:
            raise UnknownOutcomeError(
                f"{what}: interrupted; it may have been done or not: meterctl journal list --open says what is open"
            ) from error

    def rehearses(self, text: str) -> bool:
        """Return True for --dry-run, after saying what would be done."""
        if self.dry_run:
            say(f"dry run, nothing is sent or written: {text}")
        return self.dry_run

    def confirm(self, question: str) -> bool:
        """Return True to go on: with --yes, or when a person says so; False for --dry-run, after showing it.

        Raises:
            UsageError: nobody can be asked.
        """
        if self.rehearses(question):
            return False
        if self.yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"{question}: give --yes, there is no terminal to ask on. Nothing was sent")
        if not typer.confirm(f"{question}?", err=True):
            raise UsageError("not confirmed; nothing was sent")
        return True


def options(context: typer.Context) -> Options:
    """Return the common options of a command."""
    found = context.find_object(Options)
    assert found is not None
    return found


def say(text: str) -> None:
    """Tell a person something, on stderr."""
    print(text, file=sys.stderr)


def text_of(path: Path) -> str:
    """Return the text of a file; raises UsageError, which does not name it."""
    return read_named(path).text


def _traced(transmit: Transmit) -> Transmit:
    from protocols.card.trace import command_line, response_line

    def touch(command: bytes) -> bytes:
        say(command_line(command))
        response = transmit(command)
        say(response_line(response))
        return response

    return touch


def _print_frame(direction: str, data: bytes) -> None:
    say(f"{direction} {data.hex(' ')}")
