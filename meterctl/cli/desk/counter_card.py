"""The card of a sale at the counter, looked at before money is taken for it."""

from __future__ import annotations

import os

from meterctl.cli.desk.signed_in import SignedIn
from meterctl.errors import MeterctlError, UsageError
from meterctl.utility.meters.gateway import CardPlace, require_card
from meterctl.utility.meters.run_now import is_reader_served
from meterctl.utility.model.evidence import Request


def place_of_card(card: str | None, reader: str | None, unchanged: str) -> str | None:
    """Return where the card of a sale lies, None for a sale by wire; raises UsageError."""
    if card is not None and reader is not None:
        raise UsageError(f"give one of --card and --reader; {unchanged}")
    return os.path.abspath(card) if card else reader


def require_card_of_sale(desk: SignedIn, place: str | None, unchanged: str) -> None:
    """See that a sale can be written before it is taken: its card is there and can be opened.

    A reader that a living worker serves is left to it. A command that was done before under its
    key is told again, whatever became of the card.

    Raises:
        UsageError: there is no such file or reader, or it holds no prepaid card.
        NoAnswerError: there is no card in the reader.
        NotPermittedError: the card is blank, or of other keys.
    """
    if place is None or _was_done(desk) or is_reader_served(desk.database, place):
        return
    try:
        require_card(CardPlace(place), desk.given.common.keys)
    except MeterctlError as error:
        cause = str(error).removesuffix("; nothing was changed")
        raise type(error)(f"{cause}; {unchanged}") from error


def _was_done(desk: SignedIn) -> bool:
    """Return whether the key that was given was used before."""
    key = desk.given.given_key
    if key is None:
        return False
    with desk.reading() as session:
        return session.get(Request, key) is not None
