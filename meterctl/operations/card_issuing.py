"""Card operations without a sale: format, replace, service, preset, erase."""

from __future__ import annotations

from contextlib import suppress

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.card_rules import (
    AskMeter,
    decoded,
    require_bound,
    require_known,
    require_named,
    require_nothing_owed,
    require_unbound,
    with_port,
)
from meterctl.operations.card_sales import where_it_stands
from meterctl.operations.card_writing import (
    Bound,
    Planned,
    bind_and_write,
    bound_to,
    handing_over,
    write,
)
from meterctl.operations.presented_card import CardFiles, PresentedCard
from meterctl.operations.sealing import (
    command_message,
    host_second,
    on_card_text,
    require_key_version,
    require_nothing_open,
)
from meterctl.operations.status import ProvedMeter
from meterctl.session import Session
from protocols.card.apdu import StatusWord
from protocols.card.files import CardType
from protocols.card.issuing import erase, give_keys, rewrite_keys
from protocols.card.keys import KeyReference, derive_card_keys, meter_access_of
from protocols.errors import CardRefusedError
from protocols.keys import MessageClass
from protocols.quantities import CENT, format_money
from protocols.sealed_message import ANY_CUSTOMER, MessageKind, SealedMessage


def plan_format(
    presented: PresentedCard, journal: Journal, *, again: bool = False
) -> Planned[None]:
    """Plan to write the keys of this ring to a blank card.

    Args:
        again: write its keys to an issued card again, which unblocks them.

    Raises:
        NotPermittedError: it has keys already, or is not one of this ring's.
    """
    if presented.selected.issued and again:
        return Planned("write its keys again", lambda: _rewrite_keys(presented, journal))
    if presented.selected.issued:
        raise NotPermittedError(
            f"card {presented.serial}: it is formatted already; --again writes its keys "
            f"again and keeps its contents. Nothing was changed"
        )
    if journal.has_audited("card_formatted", presented.serial):
        presented.tell(
            f"card {presented.serial}: this journal has formatted a card of this serial number "
            f"before; it cannot distinguish the two cards"
        )
    version = presented.ring.newest
    keys = derive_card_keys(presented.ring.master(version), presented.selected.serial, version)

    def carry_out() -> None:
        presented.write(
            give_keys(presented.terminal, keys, version),
            "it may have some of its keys: format it again",
        )
        journal.audit("card_formatted", presented.now(), card=presented.serial)

    return Planned("write its keys", carry_out)


def _rewrite_keys(presented: PresentedCard, journal: Journal) -> None:
    identity = presented.play(presented.terminal.read_identity())
    access = None
    if identity is not None:
        master = presented.ring.master(identity.key_version)
        key = meter_access_of(
            master, identity.meter, presented.selected.serial, identity.key_version
        )
        access = key, identity.key_version
    version = presented.selected.vendor_version
    keys = presented.keys
    try:
        presented.play(presented.terminal.authenticate(KeyReference.ISSUING, keys.issuing))
    except NotPermittedError as error:
        refused = error.__cause__
        if (
            isinstance(refused, CardRefusedError)
            and refused.status == StatusWord.AUTHENTICATION_BLOCKED
        ):
            raise NotPermittedError(
                f"card {presented.serial}: its issuing key is blocked, so it takes no keys any "
                f"more; `card replace` issues another card to its customer. Nothing was changed"
            ) from error
        raise
    writing = rewrite_keys(presented.terminal, keys, version, access)
    presented.write(writing, "it may have some of its keys: the same command again")
    journal.audit("card_keys_renewed", presented.now(), card=presented.serial)


def plan_replacement(
    presented: PresentedCard, journal: Journal, meter: str, session: Session | None = None
) -> Planned[Entry | None]:
    """Plan a card in place of a customer's lost one, with the sale that the lost one carries.

    Both cards carry identical bytes, so the meter accepts them once. A sale that is settled is not
    carried by a card again.

    Raises:
        NotPermittedError: the meter's account is not known.
    """

    def plan(ask: AskMeter | None) -> Planned[Entry | None]:
        return _plan_replacement(presented, journal, meter, ask(meter) if ask is not None else None)

    return plan(None) if session is None else with_port(session, journal, plan)


def _plan_replacement(
    presented: PresentedCard, journal: Journal, meter: str, asked: ProvedMeter | None
) -> Planned[Entry | None]:
    card_files = presented.read(journal)
    identity = card_files.contents.identity
    if identity is not None and identity.meter != meter:
        raise NotPermittedError(
            f"card {presented.serial}: it is bound to meter {identity.meter}; erase it first"
        )
    presented.compare(journal, card_files)
    require_known(presented, journal, card_files)
    require_nothing_owed(presented, journal, meter)
    living = [e for e in journal.open_entries(meter) if asked is None or e.lives_in(asked.epoch)]
    if any(not entry.card for entry in living):
        require_nothing_open(journal, meter)
    carried = living[-1] if living else None
    last = carried or journal.newest_confirmed(meter)
    message = last.sealed if last is not None else None
    issued_at = max(presented.now(), journal.last_time(meter) + 1)
    if asked is not None:
        bound = Bound(
            meter,
            asked.customer_number,
            asked.account_unit,
            asked.sealing_version,
            host_second(issued_at),
        )
    elif message is not None:
        bound = bound_to(message, issued_at)
    else:
        raise NotPermittedError(
            f"meter {meter}: the journal knows no account of it; give --port to ask the meter"
        )
    opens = carried is not None and carried.kind == MessageKind.OPEN.word
    sealed = carried.message if carried is not None else b""
    if (
        carried is None
        and last is not None
        and last.kind == MessageKind.CREDIT.word
        and not last.is_former
    ):
        sealed = last.message  # accepted before: the meter answers it with its receipt
    kind = CardType.OPEN if opens else CardType.REPLACEMENT
    with_it = (
        f" with {format_money(carried.amount * CENT)} (journal entry {carried.id})"
        if carried
        else ""
    )

    def carry_out() -> Entry | None:
        entry = (
            journal.move_to_card(carried, presented.serial, presented.now())
            if carried is not None
            else None
        )
        with handing_over(presented, "the card may be bound or not: the same command again"):
            bind_and_write(presented, journal, kind, sealed, bound, None)
            journal.audit(
                "card_replaced",
                presented.now(),
                meter=meter,
                card=presented.serial,
                amount=entry.amount if entry else 0,
            )
        return entry

    return Planned(
        f"customer {bound.customer}, meter {meter}: {kind.word} card{with_it}", carry_out
    )


def plan_service(presented: PresentedCard, journal: Journal, meter: str) -> Planned[None]:
    """Plan a service card: it carries no credit and brings back the state of a meter."""
    card_files = presented.read(journal)
    require_unbound(presented, card_files)
    require_known(presented, journal, card_files)
    require_nothing_owed(presented, journal, "")
    bound = Bound(meter, ANY_CUSTOMER, 0, presented.ring.newest, host_second(presented.now()))

    def carry_out() -> None:
        with handing_over(
            presented, "the card may be bound or not: erase it, and give the same command again"
        ):
            bind_and_write(presented, journal, CardType.SERVICE, b"", bound, None)
            journal.audit("service_card", presented.now(), meter=meter, card=presented.serial)

    return Planned(f"service card of meter {meter}", carry_out)


def plan_preset(
    presented: PresentedCard,
    journal: Journal,
    commands: list[tuple[MessageKind, bytes]],
    session: Session | None = None,
    payee: str | None = None,
) -> Planned[list[SealedMessage]]:
    """Plan sealed commands on a bound card; a purchase card without credit becomes a preset card.

    They have no expiry, since weeks may pass before the card is inserted; so none of them moves the
    switch (METER.md 8).

    Raises:
        NotPermittedError: neither write-back, journal nor meter proves the command sequence.
    """
    if any(kind is MessageKind.SWITCH for kind, _ in commands):
        raise NotPermittedError(
            "a card carries no switch command: it would never expire; nothing was changed"
        )

    def plan(ask: AskMeter | None) -> Planned[list[SealedMessage]]:
        return _plan_preset(presented, journal, commands, payee, ask)

    return plan(None) if session is None else with_port(session, journal, plan)


def _where(presented: PresentedCard, journal: Journal, card_files: CardFiles) -> ProvedMeter:
    """Return the meter's proved state, from a proof that names its command sequence too."""
    newest = journal.proofs.newest(require_bound(presented, card_files).meter)
    if card_files.back is None and (newest is None or not newest.proof):
        raise NotPermittedError(
            f"card {presented.serial}: the meter has not written back, so its command sequence "
            f"is not known; insert the card first (write presets before the next sale), or give "
            f"--port. Nothing was changed"
        )
    return where_it_stands(presented, journal, card_files)


def _plan_preset(
    presented: PresentedCard,
    journal: Journal,
    commands: list[tuple[MessageKind, bytes]],
    payee: str | None,
    ask: AskMeter | None,
) -> Planned[list[SealedMessage]]:
    card_files = presented.read(journal)
    identity = require_bound(presented, card_files)
    require_named(presented, identity.meter, payee)
    presented.compare(journal, card_files)
    untaken = _untaken_commands(card_files)
    if untaken:
        presented.tell(
            f"card {presented.serial}: {untaken} commands that its meter has not taken are replaced"
        )
    meter = ask(identity.meter) if ask is not None else _where(presented, journal, card_files)
    require_key_version(journal, meter)
    words = " ".join(kind.word for kind, _ in commands)

    def carry_out() -> list[SealedMessage]:
        messages = [
            command_message(
                journal.numbers.draw_origin(), meter, kind, parameters, presented.now(), ahead=ahead
            )
            for ahead, (kind, parameters) in enumerate(commands, 1)
        ]
        key = presented.ring.meter_keys(identity.meter, meter.sealing_version).key(
            MessageClass.COMMAND
        )
        sealed = tuple(message.seal(key) for message in messages)
        presented.write(
            presented.terminal.write_parameters(sealed),
            "the card carries no commands now: preset it again",
        )
        credit = card_files.contents.credit
        still_binds = credit is not None and credit.card_type in (
            CardType.OPEN,
            CardType.REPLACEMENT,
        )
        if credit is None or not (credit.message or still_binds):
            write(presented, journal, CardType.PRESET, b"")
        journal.audit(
            "card_preset",
            presented.now(),
            meter=identity.meter,
            card=presented.serial,
            detail=words,
        )
        return messages

    return Planned(
        f"customer {identity.customer}, meter {identity.meter}: preset {words}", carry_out
    )


def plan_erasure(
    presented: PresentedCard, journal: Journal, *, unknown_sale: bool = False
) -> Planned[list[Entry]]:
    """Plan to erase a card. A sale on it without a proving write-back stays open for the meter.

    Args:
        unknown_sale: erase unconsumed credit too that this journal did not sell; it is audited.

    Raises:
        NotPermittedError: it carries such credit.
    """
    card_files = CardFiles(presented.read_contents(), None)
    touched: list[Entry] = []
    with suppress(
        NotPermittedError
    ):  # an invalid write-back settles nothing; a mismatch is audited
        proved = presented.read(journal)
        touched += presented.compare(journal, proved)
        card_files = proved
    strange = ""
    try:
        require_known(presented, journal, card_files)
    except NotPermittedError as error:
        if not unknown_sale:
            raise
        strange = str(error)
    mine = [
        entry for entry in journal.carried(presented.serial) if entry.state is EntryState.ON_CARD
    ]

    def carry_out() -> list[Entry]:
        with handing_over(presented, "it may be erased in part: erase it again"):
            if strange:
                journal.audit(
                    "unknown_sale_erased", presented.now(), card=presented.serial, detail=strange
                )
            for entry in mine:
                touched.append(journal.settle(entry, EntryEvent.CARD_ERASED, presented.now()))
            presented.write(erase(presented.terminal, presented.keys), presented.unchanged)
            amount = sum(entry.amount for entry in mine)
            meter = mine[0].meter if mine else ""
            journal.audit(
                "card_erased", presented.now(), meter=meter, card=presented.serial, amount=amount
            )
        return touched

    carries = (
        ", ".join(on_card_text(entry) for entry in mine) or strange or "no unconsumed credit on it"
    )
    return Planned(f"erase it ({carries})", carry_out)


def _untaken_commands(card_files: CardFiles) -> int:
    """Return the number of commands on a card that its meter has not answered."""
    taken = card_files.back.command_sequence if card_files.back is not None else 0
    messages = [decoded(sealed) for sealed in card_files.contents.parameters]
    return sum(message is not None and message.sequence > taken for message in messages)
