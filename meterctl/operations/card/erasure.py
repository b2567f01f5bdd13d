"""Erasing a card. A sale on it without a proving write-back stays open for its meter."""

from __future__ import annotations

from contextlib import suppress

from meterctl.errors import NotPermittedError
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.presented import CardFiles, PresentedCard
from meterctl.operations.card.rules import require_known
from meterctl.operations.card.writing import handing_over
from meterctl.operations.sealing import on_card_text
from protocols.card.issuing import erase


def plan_erasure(
    presented: PresentedCard, journal: Journal, *, unknown_sale: bool = False
) -> Planned[list[Entry]]:
    """Plan to erase a card; a write-back that proves nothing is no obstacle.

    Args:
        unknown_sale: erase unconsumed credit too that this journal did not sell; it is audited.

    Returns:
        The plan; carried out, it returns the entries that were settled or left open.

    Raises:
        NotPermittedError: the card carries such credit.
    """
    case = Case(presented, journal, CardFiles(presented.read_contents(), None))
    settled: list[Entry] = []
    with suppress(NotPermittedError):  # an invalid write-back settles nothing
        proved = case.read_again()
        settled = compare(proved)  # a mismatch is audited
        case = proved
    strange = ""
    try:
        require_known(case)
    except NotPermittedError as error:
        if not unknown_sale:
            raise
        strange = str(error)
    mine = [entry for entry in journal.carried(case.serial) if entry.state is EntryState.ON_CARD]
    carries = (
        ", ".join(on_card_text(entry) for entry in mine) or strange or "no unconsumed credit on it"
    )
    return Planned(f"erase it ({carries})", lambda: [*settled, *_erase(case, mine, strange)])


def _erase(case: Case, mine: list[Entry], strange: str) -> list[Entry]:
    """Erase a card and return its sales, which stay open; `strange` is the unknown credit on it."""
    with handing_over(case, "it may be erased in part: erase it again"):
        if strange:
            case.audit("unknown_sale_erased", detail=strange)
        left = [case.journal.settle(entry, EntryEvent.CARD_ERASED, case.now()) for entry in mine]
        presented = case.presented
        presented.write(erase(presented.terminal, presented.keys), presented.unchanged)
        amount = sum(entry.amount for entry in mine)
        case.audit("card_erased", meter=mine[0].meter if mine else "", amount=amount)
    return left
