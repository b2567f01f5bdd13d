"""A card presented at a vending point: read, verified, compared with the journal (METER.md 8).

The contents of a card count as far as they are sealed: the write-back by its meter's card key, the
enclosed receipt by its credit key. Credit is sold only on a card that agrees with the journal.
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
from meterctl.journal import Entry, EntryState, Journal, SeenWriteBack
from meterctl.journal.entries import CONSEQUENCES, SALES
from meterctl.key_ring import KeyRing
from meterctl.operations.conclusions import Proofs, conclude
from meterctl.operations.receipts import verified_receipt
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
from protocols.keys import CARD_LABEL, MessageClass, derive_key
from protocols.quantities import CENT, format_money
from protocols.sealed_message import Outcome, Receipt


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
        self.set_back = False
        """Whether a meter that was set back is accepted (--set-back)."""
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
                f"card; {self.unchanged}"
            )
        return back

    # ---- comparison with the journal

    def compare(self, journal: Journal, card_files: CardFiles) -> list[Entry]:
        """Settle the entries that a write-back proves, and compare its meter with the journal.

        Returns:
            The settled entries.

        Raises:
            NotPermittedError: the meter and the journal do not agree.
        """
        if card_files.back is None:
            return []
        settled = self.settle(journal, card_files.back)
        self.hold_against(journal, card_files)
        return settled

    def settle(self, journal: Journal, back: WriteBack) -> list[Entry]:
        """Settle and return the journal entries of the card's meter that the write-back proves.

        Raises:
            NotPermittedError: it is sealed under a key version below the floor, so it proves
                nothing.
        """
        floor = journal.proofs.floor(back.meter_digits)
        if not self.ring.may_use(back.key_version, floor):
            raise NotPermittedError(
                f"card {self.serial}: its write-back is sealed under key version "
                f"{back.key_version}, meter "
                f"{back.meter_digits} has passed it ({floor}): it proves nothing; {self.unchanged}"
            )
        receipt = self._receipt(journal, back)
        entries = [e for e in journal.provable_entries(back.meter_digits) if e.lives_in(back.epoch)]
        settled = [self._settle(journal, entry, back, receipt) for entry in entries]
        ended = [entry for entry in settled if entry is not None]
        for entry in ended:
            if entry.state is EntryState.REFUSED and entry.amount:
                self._report_never_taken(journal, entry)
        return ended

    def _report_never_taken(self, journal: Journal, entry: Entry) -> None:
        """Report and audit the consequence of a message that its meter never accepted."""
        amount = format_money(entry.amount * CENT)
        _, consequence = CONSEQUENCES.get(entry.kind, ("", "was not settled"))
        self.tell(
            f"journal entry {entry.id}: the meter never took its {entry.kind} of "
            f"{amount} and never will "
            f"({entry.outcome}): {amount} {consequence}"
        )
        journal.audit(
            "owed" if entry.kind in SALES else "not_taken",
            self.now(),
            meter=entry.meter,
            card=entry.card,
            amount=entry.amount,
            detail=f"entry {entry.id} {entry.outcome}",
        )

    def _settle(
        self, journal: Journal, entry: Entry, back: WriteBack, receipt: Receipt | None
    ) -> Entry | None:
        """Write the conclusion about an entry; return the entry if it changed, else None."""
        conclusion = conclude(entry, Proofs(receipt, back=back, voids=journal.void_codes(entry)))
        if conclusion is None:
            return None
        mine = receipt is not None and receipt.code == entry.code
        after = journal.settle(
            entry,
            conclusion.event,
            self.now(),
            receipt=back.receipt if mine else b"",
            epoch=conclusion.epoch,
        )
        return after if (after.state, after.outcome) != (entry.state, entry.outcome) else None

    def _receipt(self, journal: Journal, back: WriteBack) -> Receipt | None:
        """Return the enclosed receipt if its own seal is valid, after recording its proof."""
        receipt = verified_receipt(
            self.ring, journal, back.receipt, back.meter_digits, MessageClass.CREDIT
        )
        if receipt is None or receipt.epoch != back.epoch:
            return None
        journal.proofs.note_receipt(receipt, back.receipt)
        return receipt

    def hold_against(self, journal: Journal, card_files: CardFiles) -> None:
        """Compare a meter's totals with the journal, and store them.

        A write-back answers the sale on the card, so it must include all sales that were proved
        before; and the totals of one card never decrease. Transfers that this journal does not hold
        are reported and audited, but do not block a sale: they are sealed with this ring's keys, by
        another journal.

        Raises:
            NotPermittedError: a meter that was set back, or impossible totals; named and audited.
        """
        back = card_files.back
        if back is None:
            return
        problem = self._mismatch(journal, back)
        if problem is not None:
            self._served_knowingly(journal, back, problem)
        self._tell_unknown(journal, back)
        self._tell_commands(back)
        journal.write_backs.keep(
            back.meter_digits, back.epoch, self.serial, _seen(back), self.now()
        )
        journal.proofs.note_write_back(back, card_files.slot)

    def _served_knowingly(self, journal: Journal, back: WriteBack, problem: str) -> None:
        """Refuse a meter that was set back; with --set-back reset its proved state."""
        text = f"card {self.serial}, meter {back.meter_digits}: {problem}"
        what = "set_back_served" if self.set_back else "mismatch"
        journal.audit(what, self.now(), meter=back.meter_digits, card=self.serial, detail=problem)
        if not self.set_back:
            raise NotPermittedError(f"{text}; nothing was sold. --set-back serves it knowingly")
        self.tell(f"{text}; served knowingly")
        journal.proofs.begin_again(back.meter_digits, back.epoch, journal.last_id())

    def _tell_unknown(self, journal: Journal, back: WriteBack) -> None:
        """Report transfers that only the meter holds, not this journal; audit new ones."""
        taken, total = _taken(journal, back)
        strange = back.credit_sequence - len(taken)
        proved = journal.proofs.of(back.meter_digits).get(back.epoch)
        if not strange or (
            proved is not None and proved.begun_after
        ):  # transfers from before a known set-back do not count
            return
        text = (
            f"it has taken {strange} transfers that this journal does not know, "
            f"{format_money(back.cumulative - total * CENT)} in all: another journal "
            f"with these keys sold them"
        )
        self.tell(f"meter {back.meter_digits}: {text}")
        last = journal.write_backs.last(back.meter_digits, back.epoch, self.serial)
        if last is None or last.credit_sequence < back.credit_sequence:
            journal.audit(
                "unknown_credit", self.now(), meter=back.meter_digits, card=self.serial, detail=text
            )

    def _tell_commands(self, back: WriteBack) -> None:
        if back.command_outcome and not Outcome(back.command_outcome).applied:
            outcome = Outcome(back.command_outcome).name.lower()
            self.tell(
                f"meter {back.meter_digits}: it did not take the commands of this card: {outcome}"
            )

    def _mismatch(self, journal: Journal, back: WriteBack) -> str | None:
        revived = self._revived(journal, back)
        if revived is not None:
            return revived
        known = journal.confirmed(back.meter_digits, back.epoch)
        proved = journal.last_sequence(back.meter_digits, back.epoch)
        sequences = [*(entry.sequence for entry in known), proved]
        before = max(
            (sequence for sequence in sequences if sequence < back.answered_sequence), default=0
        )
        if back.credit_sequence < before:
            return (
                f"it stands at sequence {back.credit_sequence}, sequence {before} was proved "
                f"earlier: it was set back"
            )
        last = journal.write_backs.last(back.meter_digits, back.epoch, self.serial)
        now = _seen(back)
        if last is not None:
            for name, old, new in zip(
                ("sequence", "purchases", "energy", "time"), _parts(last), _parts(now), strict=True
            ):
                if new < old:
                    return (
                        f"its {name} went back from {old} to {new}: it was set back, or the "
                        f"card is cloned"
                    )
        taken, total = _taken(journal, back)
        complete = len(taken) == back.credit_sequence  # each proved sequence occurs once
        if total > now.cumulative or (complete and total != now.cumulative):
            return (
                f"it has taken {format_money(back.cumulative)} in all, the journal has sold it "
                f"{format_money(total * CENT)}"
            )
        return None

    def _revived(self, journal: Journal, back: WriteBack) -> str | None:
        """Return a text if the meter accepted a sale that was void or accepted in another epoch."""
        if not back.outcome or not Outcome(back.outcome).applied:
            return None
        entry = journal.find_sale(back.meter_digits, back.answered_sequence, back.answered_code)
        if entry is None:
            return None
        text = f"it has taken {format_money(entry.amount * CENT)} (journal entry {entry.id})"
        if entry.state is EntryState.REFUSED:
            return f"{text}, which was {entry.outcome}: its storage was set back or replaced"
        if entry.state is EntryState.CONFIRMED and not entry.lives_in(back.epoch):
            return (
                f"{text} once more: it had taken it in epoch {entry.epoch:08x}, before its "
                f"storage was replaced"
            )
        return None


def _taken(journal: Journal, back: WriteBack) -> tuple[list[Entry], int]:
    """Return the proved entries up to a write-back's credit sequence, and their sum in 0.01."""
    taken = [
        e
        for e in journal.confirmed(back.meter_digits, back.epoch)
        if e.sequence <= back.credit_sequence
    ]
    return taken, sum(entry.amount for entry in taken if entry.kind in ("open", "credit"))


def _seen(back: WriteBack) -> SeenWriteBack:
    return SeenWriteBack(
        back.credit_sequence, back.cumulative // CENT, back.energy_mwh, back.elapsed_ms
    )


def _parts(seen: SeenWriteBack) -> tuple[int, ...]:
    return seen.credit_sequence, seen.cumulative, seen.energy, seen.elapsed_ms
