"""desk card present|issue|replace|erase."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from meterctl.cli.desk.counter_card import execution_of, place_of_card
from meterctl.cli.desk.desk_gateway import gateway_of
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import print_done
from meterctl.cli.desk.sell import AgreementArgument, CardOption, ReaderOption
from meterctl.cli.desk.shared_options import ReasonOption
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.output import say
from meterctl.errors import MeterctlError, UsageError
from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.meters.counter_cards import bind_card, erase_card, prepare_card
from meterctl.utility.meters.gateway import (
    CardDone,
    CardPlace,
    CardSeen,
    Consumption,
    Presented,
    Problem,
    see_card,
)
from meterctl.utility.meters.readers import finish_card, present_card
from meterctl.utility.model.evidence import Request
from meterctl.utility.rules.rights import Action
from meterctl.utility.services import cards
from meterctl.utility.store.rights import require_anywhere
from protocols.command_line import Argument, Context, Option, Program

_card = Program("The cards of customers, where no worker serves the reader.")
CardArgument = Annotated[
    str, Argument(metavar="CARD", help="The card's file, or the reader in which it lies.")
]
UNCHANGED = "nothing was changed"
_DONE = {
    Action.CARD_ISSUE: "issued",
    Action.CARD_REPLACE: "replaced",
    Action.CARD_ERASE: "erased",
}


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_card, name="card")


@_card.command("present")
def present(
    context: Context,
    card: CardArgument,
) -> None:
    """Read a card, and book what its write-back proves.

    A sale that was interrupted while it was written on it is written whole. `work --reader` does
    the same with every card that is inserted.
    """
    given = desk_options(context)
    if given.dry_run:
        raise Invalid("dry_run", "what a card proves stands: this command has no dry run")
    with signed_in(given) as desk:
        require_anywhere(desk.actor, Action.SALE_RESOLVE)
        gateway = gateway_of(desk)
        place = _place(card)
        execution = execution_of(desk, gateway)
        presented = present_card(execution, place)
        if not presented.card:
            raise _no_card(card, place, presented)
        finish_card(execution, place, presented)
        for notice in presented.notices:
            say(notice)
        values = {
            "card": presented.card,
            "meter": presented.meter or None,
            "customer": presented.customer or None,
            "consumption": presented.consumption.value,
            "settled": [outcome.key for outcome in presented.settled],
            "problem": presented.problem.value,
            "cause": presented.cause,
        }
        settled = ", ".join(outcome.key for outcome in presented.settled)
        message = f"card {presented.card}: its sale is {presented.consumption.value}"
        print_done(
            given, desk.record(values), f"{message}{'; settled ' if settled else ''}{settled}"
        )


@_card.command("issue")
def issue(
    context: Context,
    agreement: AgreementArgument,
    card: CardOption = None,
    reader: ReaderOption = None,
) -> None:
    """Make a card for the meter of an agreement: keys on a blank one, bound to the meter.

    For a meter whose account is not open yet the card gets its keys alone: its first sale,
    `sell --card`, opens the account and binds it. The same command again finishes what was
    interrupted.
    """
    _make(context, Action.CARD_ISSUE, agreement, card, reader, "")


@_card.command("replace")
def replace(
    context: Context,
    agreement: AgreementArgument,
    card: CardOption = None,
    reader: ReaderOption = None,
    reason: ReasonOption = "",
) -> None:
    """Make a card in place of a lost or broken one, with the sale that lies unused on that.

    Both carry the same bytes, which the meter takes once. The old card is sold no more on.
    """
    _make(context, Action.CARD_REPLACE, agreement, card, reader, reason)


@_card.command("erase")
def erase(
    context: Context,
    card: CardArgument,
    with_sale: Annotated[
        bool,
        Option(
            "--with-sale",
            help="Also where a sale lies unused on it: that is unknown then, and its meter is "
            "asked.",
        ),
    ] = False,
    reason: ReasonOption = "",
) -> None:
    """Erase a card; what its write-back proves is booked before."""
    given = desk_options(context)
    place = _place(card)
    with signed_in(given) as desk:
        require_anywhere(desk.actor, Action.CARD_ERASE)
        if _told_before(desk):
            return
        seen = _seen(place, given.common.keys)
        if not given.dry_run:
            execution = execution_of(desk, gateway_of(desk))
            presented = present_card(execution, place)
            unused = presented.consumption is Consumption.UNCONSUMED
            if unused and presented.sale is not None and not with_sale:
                raise Refused(
                    "unused_sale",
                    f"card {seen.card}: sale {presented.sale.key} lies unused on it; --with-sale "
                    "erases it too. Nothing was changed",
                )
        body = {"card": seen.card, "meter": seen.meter, "reader": place.reader, "reason": reason}
        desk.ask("card erase", body, lambda work: cards.decide_erasure(work, **body))
        if given.dry_run:
            print_done(given, {}, f"card {seen.card} would be erased")
            return
        done = erase_card(execution, place)
        _end(desk, Action.CARD_ERASE, seen.meter, done)


def _make(
    context: Context,
    action: Action,
    agreement: str,
    card: str | None,
    reader: str | None,
    reason: str,
) -> None:
    """Make a card for the meter of an agreement."""
    given = desk_options(context)
    named = place_of_card(card, reader, UNCHANGED)
    if named is None:
        raise UsageError(f"give --card or --reader; {UNCHANGED}")
    place, words = CardPlace(named), action.value.replace("_", " ")
    with signed_in(given) as desk:
        require_anywhere(desk.actor, action)
        if _told_before(desk):
            return
        seen = _seen(place, given.common.keys)
        body = {"agreement": agreement, "reader": named, "reason": reason}
        answer = desk.ask(words, body, lambda work: cards.decide(work, action=action, **body))
        meter, opens = answer.values["meter"], answer.values["opens"]
        if seen.meter not in ("", meter):
            raise Refused(
                "card_of_another",
                f"card {seen.card} is of meter {seen.meter}: `desk card erase` frees it; "
                f"{UNCHANGED}",
            )
        if given.dry_run:
            print_done(given, {}, f"card {seen.card} would be made for meter {meter}")
            return
        execution = execution_of(desk, gateway_of(desk))
        issued = execution.gateway.cards.issued(meter)
        if action is Action.CARD_ISSUE and issued not in ("", seen.card):
            raise Refused(
                "card_in_use",
                f"meter {meter} has card {issued}: `desk card replace` makes another one in its "
                f"place; {UNCHANGED}",
            )
        make = prepare_card(execution, place, seen) if opens else None
        _end(desk, action, meter, make or bind_card(execution, place, seen, meter))


def _told_before(desk: SignedIn) -> bool:
    """Print the first answer of the key that was given; False where the key is new."""
    key = desk.given.given_key
    if key is None or desk.given.dry_run:
        return False
    with desk.reading() as session:
        first = session.get(Request, _key_of_card(key))
    if first is None or first.staff_id != desk.actor.staff_id:
        return False
    _print(desk, first.answer, replayed=True)
    return True


def _end(desk: SignedIn, action: Action, meter: str, done: CardDone) -> None:
    """Store and print the outcome of a card; raises Refused where it was not done."""
    for notice in done.notices:
        say(notice)
    if not done.is_done:
        raise Refused("card", f"{done.cause}; the same command with --key {desk.given.key} goes on")
    body: dict[str, Any] = {
        "meter": meter,
        "card": done.card,
        "sales": [outcome.key for outcome in done.outcomes if outcome.key],
    }
    answer = desk.ask(
        f"{action} done",
        body,
        lambda work: cards.record(work, action=action, **body),
        key=_key_of_card(desk.given.key),
    )
    _print(desk, {**answer.values, "state": _DONE[action]}, replayed=False)


def _print(desk: SignedIn, told: Mapping[str, Any], *, replayed: bool) -> None:
    state = told.get("state", "done")
    meter = f", meter {told['meter']}" if told["meter"] else ""
    sales = f"; sale {', '.join(told['sales'])} goes with it" if told["sales"] else ""
    values = {**told, "state": state, "replayed": replayed}
    message = f"card {told['card']}{meter}: {state}{sales}"
    print_done(desk.given, desk.record(values), message)


def _key_of_card(key: str) -> str:
    """Return the key of the request that stores the outcome of a card."""
    return f"{key}/card"


def _place(card: str) -> CardPlace:
    return CardPlace(os.path.abspath(card) if os.path.exists(card) else card)


def _seen(place: CardPlace, keys: Path | None) -> CardSeen:
    """Return the card at a place; a file that is not there names what makes one."""
    if place.is_file and not os.path.exists(place.reader):
        raise UsageError(
            f"{place.reader}: there is no such card; `meterctl card format --file "
            f"{place.reader} --card-serial HEX` makes a simulated one; {UNCHANGED}"
        )
    return see_card(place, keys)


def _no_card(named: str, place: CardPlace, presented: Presented) -> MeterctlError:
    """Return the error of a place where no card could be read."""
    cause = presented.cause or f"{named}: there is no card"
    if presented.problem is not Problem.LOCAL:
        return Refused("card", cause)
    if not place.is_file:
        return UsageError(f"{named}: there is no such file, and as the name of a reader: {cause}")
    return UsageError(cause)
