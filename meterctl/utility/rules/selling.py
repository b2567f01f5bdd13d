"""What is looked at before money is taken for a sale, and what the meter will make of it.

Amounts are in 0.01, what a meter proved in exact units (1e-10).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from unicodedata import is_normalized

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from protocols.data_model.words import CREDIT_CAUSES, Cause, cause_words
from protocols.quantities import CENT, MONEY_LIMIT, format_money

LARGEST_AMOUNT = MONEY_LIMIT // CENT
MOST_KEY_CHARACTERS = 64
"""Longest key of a sale in a journal."""
UNREAD = "unread"
"""Why nothing is sold to a meter whose epoch was ended: its new storage is read first."""
_ENDED_BY_CREDIT = frozenset(cause_words(CREDIT_CAUSES))
_ENDED_BY_OPENING = frozenset(cause_words(Cause.ACCOUNT))


@dataclass(frozen=True, slots=True)
class ProvedCredit:
    """Credit and debt of a meter as they were proved last, and why its supply is open, if it is."""

    credit: int
    debt: int
    causes: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """The items of an agreement's terms that decide about a sale; None: no such limit (0.01)."""

    max_credit: int | None
    reconnect_threshold: int
    debt_share_percent: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a meter will make of an amount, exact units; its receipt decides."""

    to_debt: int
    to_overdraft: int
    to_credit: int
    credit_after: int
    supply_returns: bool
    """The supply is open for lack of credit alone, and the credit will reach its threshold."""


def expected(
    amount: int, proved: ProvedCredit, terms: SaleTerms, *, opens: bool = False
) -> Expected:
    """Return what a meter will make of an amount: overdraft, then the debt's share, then credit.

    METER.md 4: to_overdraft = min(A, overdraft); to_debt = min(debt, A - to_overdraft, the share of
    A in percent).

    Args:
        opens: it is the first sale, which opens the meter's account too.
    """
    exact = amount * UNITS_IN_AMOUNT
    to_overdraft = min(exact, max(0, -proved.credit))
    share = exact * terms.debt_share_percent // 100
    to_debt = min(max(0, proved.debt), exact - to_overdraft, share)
    credit_after = proved.credit + exact - to_debt
    ended = _ENDED_BY_CREDIT | _ENDED_BY_OPENING if opens else _ENDED_BY_CREDIT
    causes = frozenset(proved.causes)
    reached = credit_after > 0 and credit_after >= terms.reconnect_threshold * UNITS_IN_AMOUNT
    return Expected(
        to_debt,
        to_overdraft,
        exact - to_overdraft - to_debt,
        credit_after,
        bool(causes) and causes <= ended and reached,
    )


def require_served(serial: str, stopped: str | None, unchanged: str) -> None:
    """Refuse an order of credit to a meter that is stopped.

    Args:
        stopped: why: `UNREAD`, or the rule of a finding; None: it is served.
        unchanged: ends the text, such as "no money was taken".

    Raises:
        Refused: it is stopped.
    """
    if stopped is not None:
        raise Refused("meter_stopped", f"{stopped_text(serial, stopped)}; {unchanged}")


def stopped_text(serial: str, stopped: str) -> str:
    """Return why nothing is sold to a meter."""
    if stopped == UNREAD:
        why = f"has a new storage that was not read yet: `desk reading take {serial}` comes first"
    else:
        why = f"is stopped ({stopped}): two persons look at it first"
    return f"meter {serial} {why}"


@dataclass(frozen=True, slots=True)
class CardAtCounter:
    """A card that lies before a sale: its serial number, and the meter it is bound to.

    `meter` is empty for an unbound card; `is_blank`: it has no keys yet.
    """

    serial: str
    meter: str
    is_blank: bool = False
    is_service: bool = False


def require_fitting_card(card: CardAtCounter, meter: str, agreement: str, *, opens: bool) -> None:
    """Refuse a card on which a sale cannot be written.

    Args:
        meter: serial number of the meter of the sale.
        agreement: number of its agreement.
        opens: the sale opens the meter's account, which binds the card.

    Raises:
        Refused: codes `card_blank`, `card_service`, `card_of_another`, `card_bound` and
            `card_unbound`.
    """
    binds = f"`desk card issue {agreement}`"
    if card.is_blank:
        code, found = "card_blank", f"is blank: {binds} makes it ready"
    elif card.is_service:
        code, found = "card_service", "is a service card and carries no credit"
    elif card.meter not in ("", meter):
        code, found = "card_of_another", f"is of meter {card.meter}, the sale is for meter {meter}"
    elif card.meter and opens:
        code = "card_bound"
        found = f"is bound to meter {meter}, which has no account yet: `desk card erase` frees it"
    elif not card.meter and not opens:
        code, found = "card_unbound", f"is bound to no meter: {binds} binds it to meter {meter}"
    else:
        return
    raise Refused(code, f"card {card.serial} {found}; no money was taken")


def require_sale_key(key: str) -> None:
    """Refuse a key that no journal takes; raises Invalid."""
    if (
        not 1 <= len(key) <= MOST_KEY_CHARACTERS
        or not key.isprintable()
        or key != key.strip()
        or not is_normalized("NFC", key)
    ):
        raise Invalid(
            "sale_key",
            f"key {key!r}: a sale's key has 1 to {MOST_KEY_CHARACTERS} printable characters, "
            "composed (NFC), without blanks at its ends; no money was taken",
        )


def require_amount(amount: int, lowest: int) -> None:
    """Refuse an amount that is below the lowest one, or that no meter takes; raises Invalid."""
    if not lowest <= amount <= LARGEST_AMOUNT:
        raise Invalid(
            "amount",
            f"{shown(amount)} is not sold: {shown(lowest)} to {shown(LARGEST_AMOUNT)} are; "
            "no money was taken",
        )


def require_room(amount: int, waiting: int, proved: ProvedCredit, terms: SaleTerms) -> None:
    """Refuse an amount with which the meter's credit would pass its limit.

    Args:
        waiting: what was sold before for the meter and is not proved yet.

    Raises:
        Refused: code `max_credit`.
    """
    most = terms.max_credit if terms.max_credit is not None else LARGEST_AMOUNT
    after = expected(amount + waiting, proved, terms).credit_after
    if after > most * UNITS_IN_AMOUNT:
        before = f"{format_money(proved.credit)} in the meter"
        if waiting:
            before += f", {shown(waiting)} on the way"
        raise Refused(
            "max_credit",
            f"the credit would be {format_money(after)} ({before}), above max_credit "
            f"{shown(most)}; no money was taken",
        )


def shown(amount: int) -> str:
    """Write an amount, such as 50.00."""
    return format_money(amount * CENT)
