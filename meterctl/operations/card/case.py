"""The case of a card operation: a card as it was read, the journal, the port to its meter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from meterctl.journal import Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.card.presented import CardFiles, PresentedCard
from meterctl.operations.status import ProvedMeter
from meterctl.session import Session
from protocols.card.files import CardIdentity, CreditRecord
from protocols.card.write_back import WriteBack

AskMeter = Callable[[str], ProvedMeter]
"""Returns the state of the meter with a serial number."""


@dataclass(frozen=True, slots=True)
class Case:
    """A card as it was read, with everything else that an operation on it needs."""

    presented: PresentedCard
    journal: Journal
    files: CardFiles
    """The files of the card when the case was opened."""
    session: Session | None = None
    """The port to the card's meter, if there is one."""
    reference: str = ""
    """The sale key; a second sale under it is the first one."""
    payee: str | None = None
    """The meter that --meter names; a card of another one is refused."""
    set_back: bool = False
    """Whether a meter that was set back is accepted (--set-back)."""
    epoch: int | None = None
    """That of the only storage for which credit may be sealed; None: any."""
    ask: AskMeter | None = None
    """Asks the meter on the port; None without a port (`port.py`)."""

    @classmethod
    def read(
        cls,
        presented: PresentedCard,
        journal: Journal,
        session: Session | None = None,
        *,
        reference: str = "",
        payee: str | None = None,
        set_back: bool = False,
        epoch: int | None = None,
        ask: AskMeter | None = None,
    ) -> Case:
        """Read a card for an operation. A write-back that the journal has passed is ignored.

        Raises:
            NotPermittedError: a card of another ring, or a write-back that its meter did not write.
        """
        files = presented.read(journal)
        return cls(presented, journal, files, session, reference, payee, set_back, epoch, ask)

    def read_again(self) -> Case:
        """Return the same case with the present files of the card; raises as `read`."""
        return replace(self, files=self.presented.read(self.journal))

    @property
    def ring(self) -> KeyRing:
        """The key ring of the vending point."""
        return self.presented.ring

    @property
    def serial(self) -> str:
        """The card's serial number, 16 hexadecimal digits."""
        return self.presented.serial

    @property
    def identity(self) -> CardIdentity | None:
        """The meter and the customer of the card; None for a card that is bound to no meter."""
        return self.files.contents.identity

    @property
    def credit(self) -> CreditRecord | None:
        """The current sale on the card."""
        return self.files.contents.credit

    @property
    def back(self) -> WriteBack | None:
        """The write-back on the card, if there is one that proves anything."""
        return self.files.back

    def now(self) -> int:
        """Return the host's clock, s since 1970 UTC."""
        return self.presented.now()

    def audit(self, what: str, *, meter: str = "", amount: int = 0, detail: str = "") -> None:
        """Append a line about this card to the audit log; `amount` in 0.01."""
        self.journal.audit(
            what, self.now(), meter=meter, card=self.serial, amount=amount, detail=detail
        )
