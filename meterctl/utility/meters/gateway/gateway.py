"""The gateway: one journal, one key ring, one clock, for all wires and cards of the desk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import Journal
from meterctl.key_ring import KeyRing, development_ring, load_ring
from meterctl.transports import Transport
from meterctl.transports.wires import is_desk, open_transport
from meterctl.utility.meters.gateway.cards import Cards, OpenCard, open_card, ring_for_card
from meterctl.utility.meters.gateway.clocks import REAL_TIME, Clocks
from meterctl.utility.meters.gateway.outcomes import Outcome, outcome_of
from meterctl.utility.meters.gateway.shared_locks import shared_locks
from meterctl.utility.meters.gateway.wire import Wire

TIMEOUT_MS = 1_000
"""Time-out of one try on a wire; a request is tried three times."""
PATIENCE_S = 2.0
"""How long a wire that went away is waited for: an order that is not carried out is tried later."""


def open_port(url: str) -> Transport:
    """Open the wire of a port; raises UsageError or NoAnswerError."""
    return open_transport(url, patience_s=PATIENCE_S)


class Gateway:
    """Opens wires and cards, and reads the journal. Its methods may be called by any thread.

    Args:
        journal: the file of the journal, made here if there is none; `is_new` tells it.
        keys: the file of the key ring; None is the published development key, for wires and
            cards of this machine alone.
        clocks: the desk's clock, and the machine's.
        timeout_ms: of one try on a wire.
        open_wire: opens the transport of a port.
        open_card: powers a card.

    Raises:
        UsageError: the journal or the key ring cannot be used.
        NotPermittedError: others may write the key ring.
    """

    def __init__(
        self,
        journal: Path,
        keys: Path | None = None,
        clocks: Clocks = REAL_TIME,
        *,
        timeout_ms: int = TIMEOUT_MS,
        open_wire: Callable[[str], Transport] = open_port,
        open_card: OpenCard = open_card,
    ) -> None:
        self.journal_path, self.keys_path, self.clocks = journal, keys, clocks
        self.timeout_ms, self._open_wire, self._open_card = timeout_ms, open_wire, open_card
        self.ring: KeyRing = development_ring() if keys is None else load_ring(keys)
        self.is_new = not journal.exists()
        """Whether this gateway made the journal."""
        with self.journal() as opened:
            self.journal_number = opened.numbers.current
            """The number under which new messages are sealed. A live order belongs to the journal
            that sealed it: the desk keeps this number beside the order."""

    @contextmanager
    def journal(self, *, reading: bool = False) -> Iterator[Journal]:
        """Open the journal for this thread.

        Raises:
            UsageError: it cannot be used; for `reading` also where there is none.
        """
        if reading and not self.journal_path.exists():
            raise UsageError(
                f"journal {self.journal_path}: there is no such file any more; what became of its "
                f"sales is not known, and nothing is concluded"
            )
        opened = Journal(self.journal_path, now=self.now(), reading=reading)
        opened.locks = shared_locks(self.journal_path)
        try:
            yield opened
        finally:
            opened.close()

    def now(self) -> int:
        """Return the desk's clock, s since 1970 UTC."""
        return self.clocks.now_ms() // 1000

    @property
    def cards(self) -> Cards:
        """The cards of a counter; for any thread, one card at a time in a reader."""
        return Cards(self.journal, partial(ring_for_card, self.ring), self.now, self._open_card)

    def find(self, key: str) -> Outcome:
        """Return what the journal has of a key; no wire is needed, and nothing is changed.

        This decides what became of an order whose worker died. `ABSENT` is said only by a journal
        that was read.

        Raises:
            UsageError: the journal is gone or cannot be read: nothing may be concluded.
        """
        with self.journal(reading=True) as opened:
            return outcome_of(opened, key)

    @contextmanager
    def wire(self, url: str) -> Iterator[Wire]:
        """Hold a port. It is opened by the first call that needs it, so that a port that is not
        there is a `Problem` of each order; at the end it is closed.

        Raises:
            UsageError: the journal cannot be used.
            NotPermittedError: the port leads elsewhere, and there is no key ring.
        """
        if not is_missing_file(url):
            require_ring(self.ring, url)
        with self.journal() as opened:
            wire = Wire(
                url,
                opened,
                self.ring,
                self.clocks,
                self.timeout_ms,
                lambda: self._opened(url),
            )
            try:
                yield wire
            finally:
                wire.release()

    def _opened(self, url: str) -> Transport:
        """Open a port, and see again where it leads: its file may be another one now."""
        transport = self._open_wire(url)
        try:
            require_ring(self.ring, url)
        except NotPermittedError:
            transport.close()
            raise
        return transport


def require_ring(ring: KeyRing, url: str) -> None:
    """Refuse the published development key on a port that leads to another machine.

    Raises:
        NotPermittedError: there is no key ring, and the port is not of this machine.
    """
    if ring.is_development and url and not is_desk(url):
        raise NotPermittedError(
            f"port {url}: the published development key is for local ports only (ptys, "
            f"loopback). Give the desk a key ring. Nothing was sent"
        )


def is_missing_file(url: str) -> bool:
    """Return whether a port is a file that is not there, which opening it tells."""
    return "://" not in url and not os.path.exists(url.partition("?")[0])
