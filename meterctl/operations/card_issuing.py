"""The use cases of a card that sell nothing: format, replace, service, preset, erase."""

from __future__ import annotations

from contextlib import suppress

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry, EntryState, Journal
from meterctl.operations.card_counter import Counter, Standing
from meterctl.operations.card_rules import (
    ask_meter,
    decoded,
    require_bound,
    require_known,
    require_nothing_open,
    require_nothing_owed,
    require_unbound,
)
from meterctl.operations.card_writing import Bound, bind_and_write, hand_over, write
from meterctl.session import Session
from protocols.card.files import CardType
from protocols.card.issuing import erase, give_keys, give_keys_anew
from protocols.card.keys import derive_card_keys, meter_access_of
from protocols.keys import MessageClass
from protocols.sealed_message import ANY_CUSTOMER, MessageKind, SealedMessage

ERASED = "erased"
"""Outcome of a sale whose card was erased before a write-back came: whether the meter took it is asked of the meter."""


def format_card(counter: Counter, journal: Journal, *, again: bool = False) -> None:
    """Give a blank card the keys of this ring.

    Args:
        again: an issued card gets the keys that it should have once more, what ends their being blocked.

    Raises:
        NotPermittedError: it has keys already, or is not one of this ring's.
    """
    if counter.selected.issued and again:
        _give_keys_anew(counter)
        journal.audit("card_keys_renewed", counter.now(), card=counter.serial)
        return
    if counter.selected.issued:
        raise NotPermittedError(
            f"card {counter.serial}: it is formatted already; --again gives it its keys once more, and leaves what it "
            f"carries. Nothing was changed"
        )
    version = counter.ring.newest
    keys = derive_card_keys(counter.ring.master(version), counter.selected.serial, version)
    counter.write(give_keys(counter.terminal, keys, version), "it may have some of its keys: format it again")
    journal.audit("card_formatted", counter.now(), card=counter.serial)


def _give_keys_anew(counter: Counter) -> None:
    identity = counter.play(counter.terminal.read_identity())
    access = None
    if identity is not None:
        master = counter.ring.master(identity.key_version)
        key = meter_access_of(master, identity.meter, counter.selected.serial, identity.key_version)
        access = key, identity.key_version
    version = counter.selected.vendor_version
    anew = give_keys_anew(counter.terminal, counter.keys, version, access)
    counter.write(anew, "it may have some of its keys: the same command again")


def replace(counter: Counter, journal: Journal, meter: str, session: Session | None = None) -> Entry | None:
    """Give a customer another card in place of a lost one; what the old one carried, this one carries too.

    Both have the very same bytes, so the meter takes them once. Returns the sale that it carries, None where none.

    Raises:
        NotPermittedError: nobody knows the meter's account.
    """
    standing = counter.read()
    identity = standing.contents.identity
    if identity is not None and identity.meter != meter:
        raise NotPermittedError(f"card {counter.serial}: it is bound to meter {identity.meter}; erase it first")
    counter.compare(journal, standing)
    require_known(counter, journal, standing)
    open_entries = journal.open_entries(meter)
    if any(not entry.card for entry in open_entries):
        require_nothing_open(journal, meter)
    last = open_entries[0] if open_entries else journal.newest_confirmed(meter)
    if last is None and session is None:
        raise NotPermittedError(f"meter {meter}: the journal knows no account of it; give --port to ask the meter")
    message = decoded(last.message) if last is not None else None
    if session is not None:
        asked = ask_meter(session, meter)
        bound = Bound(meter, asked.customer_number, asked.account_unit, asked.key_version)
    elif message is not None:
        bound = Bound(meter, message.customer_number, message.account_unit, message.key_version)
    else:
        raise NotPermittedError(f"meter {meter}: the journal does not know its customer; give --port to ask the meter")
    sealed = last.message if last is not None and last.kind in ("open", "credit") else b""
    opening = bool(sealed) and last is not None and last.kind == "open"
    kind = CardType.OPEN if opening else CardType.REPLACEMENT
    require_nothing_owed(counter, journal, meter)
    entry = journal.move_to_card(open_entries[0], counter.serial, counter.now()) if open_entries else None
    left = "the card may be bound or not: the same command again"
    hand_over(counter, left, lambda: bind_and_write(counter, kind, sealed, bound, None))
    journal.audit("card_replaced", counter.now(), meter=meter, card=counter.serial,
                  amount=entry.amount if entry else 0)  # fmt: skip
    return entry


def service(counter: Counter, journal: Journal, meter: str, key_version: int | None = None) -> None:
    """Make a card that brings back how a meter stands, and carries nothing."""
    standing = counter.read()
    require_unbound(counter, standing)
    require_known(counter, journal, standing)
    require_nothing_owed(counter, journal, "")
    bound = Bound(meter, ANY_CUSTOMER, 0, counter.ring.newest if key_version is None else key_version)
    left = "the card may be bound or not: erase it, and give the same command again"
    hand_over(counter, left, lambda: bind_and_write(counter, CardType.SERVICE, b"", bound, None))
    journal.audit("service_card", counter.now(), meter=meter, card=counter.serial)


def preset(
    counter: Counter, journal: Journal, commands: list[tuple[MessageKind, bytes]], session: Session | None = None
) -> list[SealedMessage]:
    """Put sealed commands on a card that is bound; one without credit becomes a preset card.

    Raises:
        NotPermittedError: neither write-back nor meter says where the commands' sequence stands.
    """
    standing = counter.read()
    identity = require_bound(counter, standing)
    untaken = _untaken_commands(standing)
    if untaken:
        counter.notices.append(f"card {counter.serial}: {untaken} commands that its meter has not taken are replaced")
    messages, sealed = [], []
    if session is not None:
        asked = ask_meter(session, identity.meter)
        epoch, last, unit, customer, version = (
            asked.epoch, asked.command_sequence, asked.account_unit, asked.customer_number, asked.key_version,
        )  # fmt: skip
    elif standing.back is not None:
        back = standing.back
        epoch, last, unit, customer, version = (
            back.epoch, back.command_sequence, back.account_unit, back.customer_digits, back.meter_key_version,
        )  # fmt: skip
    else:
        raise NotPermittedError(
            f"card {counter.serial}: the meter has not written back, so nobody knows its commands' sequence; insert "
            f"the card first (presets go on it before the next sale), or give --port. Nothing was changed"
        )
    keys = counter.ring.meter_keys(identity.meter, version)
    for number, (kind, parameters) in enumerate(commands, last + 1):
        message = SealedMessage(
            kind, identity.meter, epoch, number, 0, unit, customer, max(counter.now(), 0), 0, parameters, version
        )
        messages.append(message)
        sealed.append(message.seal(keys.key(MessageClass.COMMAND)))
    unchanged = "the card carries no commands now: preset it again"
    counter.write(counter.terminal.write_parameters(tuple(sealed)), unchanged)
    credit = standing.contents.credit
    if credit is None or not credit.message:
        write(counter, CardType.PRESET, b"")
    journal.audit("card_preset", counter.now(), meter=identity.meter, card=counter.serial,
                  detail=" ".join(kind.word for kind, _ in commands))  # fmt: skip
    return messages


def erase_card(counter: Counter, journal: Journal, *, unknown_sale: bool = False) -> list[Entry]:
    """Take a card back. A sale that it carries and that no write-back proves stays open until its meter is asked.

    Args:
        unknown_sale: erase even unconsumed credit that this journal does not know; what it was is audited.

    Raises:
        NotPermittedError: it carries such credit.
    """
    standing = Standing(counter.read_contents(), None)
    touched: list[Entry] = []
    with suppress(NotPermittedError):  # what cannot be believed settles nothing; a mismatch is in the audit
        standing = counter.read()
        touched += counter.compare(journal, standing)
    try:
        require_known(counter, journal, standing)
    except NotPermittedError as error:
        if not unknown_sale:
            raise
        journal.audit("unknown_sale_erased", counter.now(), card=counter.serial, detail=str(error))
    for entry in journal.entries():
        if entry.state is EntryState.ON_CARD and entry.card == counter.serial:
            touched.append(journal.settle(entry, EntryState.UNKNOWN, ERASED, counter.now()))
    counter.write(erase(counter.terminal, counter.keys), "it may be erased in part: erase it again")
    journal.audit("card_erased", counter.now(), card=counter.serial)
    return touched


def _untaken_commands(standing: Standing) -> int:
    """Return how many commands a card carries that its meter has not answered."""
    taken = standing.back.command_sequence if standing.back is not None else 0
    messages = [decoded(sealed) for sealed in standing.contents.parameters]
    return sum(message is not None and message.sequence > taken for message in messages)
