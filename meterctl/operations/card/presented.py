"""A card presented at a vending point: read, verified, written (METER.md 8).

The contents of a card count as far as they are sealed: the write-back by its meter's card key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Journal
from meterctl.key_ring import KeyRing
from protocols.card.apdu import StatusWord
from protocols.card.files import LogRow
from protocols.card.issuing import read_as_vendor
from protocols.card.keys import CardKeys, derive_card_keys
from protocols.card.terminal import Contents, Exchange, Result, Selected, Terminal, Transmit, drive
from protocols.card.write_back import WriteBack, verify_write_back
from protocols.errors import (
    AuthenticationError,
    CardError,
    CardForgedError,
    CardFormatError,
    CardGoneError,
    CardRefusedError,
)
from protocols.keys import CARD_LABEL, derive_key


@dataclass(frozen=True, slots=True)
class CardFiles:
    """The authenticated files of a card, and its write-back if there is one with a valid seal."""

    contents: Contents
    back: WriteBack | None

    @property
    def slot(self) -> bytes:
        """The bytes of the write-back, empty if there is none."""
        return self.contents.return_slots.newest or b""


class PresentedCard:
    """A card at the vending point. The error of every step says what is unchanged.

    Args:
        transmit: sends a command to the card and returns its response.
        random: returns that many random bytes.
        now: the host's clock, s since 1970 UTC.
    """

    def __init__(
        self,
        transmit: Transmit,
        ring: KeyRing,
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        self._transmit, self.ring, self.now = transmit, ring, now
        self.unchanged = "nothing was changed"
        """End of the error texts, unless a step has its own."""
        self.notices: list[str] = []
        """Notices for the seller; none of them blocks a sale."""
        self.terminal = Terminal(random)
        self._name = "card"
        self.selected: Selected = self.play(self.terminal.select())
        self._name = f"card {self.serial}"

    @property
    def serial(self) -> str:
        """The card's serial number, 16 hexadecimal digits."""
        return self.selected.serial.hex()

    @property
    def keys(self) -> CardKeys:
        """The vendor's keys of this card; raises NotPermittedError if the ring lacks them."""
        if not self.selected.issued:
            raise NotPermittedError(
                f"card {self.serial}: it is blank; meterctl card format writes its keys"
            )
        version = self.selected.vendor_version
        return derive_card_keys(self.ring.master(version), self.selected.serial, version)

    def tell(self, notice: str) -> None:
        """Add a notice for the seller, once."""
        if notice not in self.notices:
            self.notices.append(notice)

    def play(self, exchange: Exchange[Result], unchanged: str = "") -> Result:
        """Run steps that only read; the error of a fault says what is unchanged."""
        unchanged = unchanged or self.unchanged
        try:
            return drive(exchange, self._transmit)
        except CardGoneError as error:
            raise NoAnswerError(f"{self._name}: {error}; {unchanged}") from error
        except CardForgedError as error:
            raise NotPermittedError(
                f"{self._name}: {error}: it is not one of this key ring's, or was "
                f"tampered with; {unchanged}"
            ) from error
        except CardRefusedError as error:
            raise self._refused(error, unchanged) from error
        except CardFormatError as error:
            raise CorruptAnswerError(f"{self._name}: {error}; {unchanged}") from error

    def write(self, exchange: Exchange[Result], left: str) -> Result:
        """Run writing steps; an interruption is an unknown outcome, and `left` says what to do."""
        try:
            return self.play(exchange, left)
        except NoAnswerError as error:
            raise UnknownOutcomeError(str(error)) from error

    def _refused(self, error: CardRefusedError, unchanged: str) -> MeterctlError:
        if error.status == StatusWord.FILE_NOT_FOUND:
            return UsageError(f"this is no prepaid card: {error}; {unchanged}")
        if error.status == StatusWord.AUTHENTICATION_BLOCKED:
            return NotPermittedError(
                f"{self._name}: {error}: too many failed authentications have blocked this key; "
                f"meterctl card format --again "
                f"writes the card's keys again; {unchanged}"
            )
        if error.status & 0xFFF0 == 0x63C0:
            return NotPermittedError(
                f"{self._name}: {error}: its keys are not this ring's, and every attempt "
                f"uses one of its tries: give "
                f"the --keys of its vendor; {unchanged}"
            )
        return CorruptAnswerError(f"{self._name}: {error}; {unchanged}")

    def read(self, journal: Journal | None = None) -> CardFiles:
        """Read all files under the vending key, and verify the write-back.

        Args:
            journal: its key version floor: a write-back under a passed version is reported and
                ignored.

        Raises:
            NotPermittedError: a card of another ring, or a write-back that its meter did not write.
        """
        contents = self.read_contents()
        slot = contents.return_slots.newest
        if slot is None or (journal is not None and self._is_passed(slot, journal)):
            return CardFiles(contents, None)
        return CardFiles(contents, self._write_back(slot, contents))

    def _is_passed(self, slot: bytes, journal: Journal) -> bool:
        try:
            back = WriteBack.decode(slot)
        except CardError:
            return False  # malformed: `_write_back` refuses it
        version, floor = back.key_version, journal.proofs.floor(back.meter_digits)
        if version not in self.ring.masters or self.ring.may_use(version, floor):
            return False
        self.tell(
            f"card {self.serial}: its write-back is sealed under key version {version}, "
            f"which is retired or which the "
            f"meter has passed ({floor}): it proves nothing and is ignored"
        )
        return True

    def read_contents(self) -> Contents:
        """Read all files under the vending key, without verifying the write-back."""
        return self.play(read_as_vendor(self.terminal, self.keys))

    def read_log(self) -> list[LogRow]:
        """Read the card's log, newest first."""
        return self.play(self.terminal.read_log())

    def _write_back(self, slot: bytes, contents: Contents) -> WriteBack:
        try:
            back = WriteBack.decode(slot)
            meter = back.meter_digits
            master = self.ring.master(back.key_version)
            if back.key_version in self.ring.retired:
                raise NotPermittedError(
                    f"card {self.serial}: its write-back is sealed under key version "
                    f"{back.key_version}, which "
                    f"this key ring has retired: it proves nothing; {self.unchanged}"
                )
            verify_write_back(slot, derive_key(master, CARD_LABEL, meter, back.key_version))
        except (CardError, AuthenticationError) as error:
            raise NotPermittedError(
                f"card {self.serial}: its write-back is forged: {error}; {self.unchanged}"
            ) from error
        bound = contents.identity.meter if contents.identity else None
        if back.card_serial != self.selected.serial or meter != bound:
            raise NotPermittedError(
                f"card {self.serial}: its write-back is of card {back.card_serial.hex()} "
                f"and meter {meter}: a cloned "
                f"card; {self.unchanged}",
                serial_number=meter,
            )
        return back
