"""The settings of the desk: limits and deadlines that a law, or the company, may change.

Each has a type, a default with the date from which it holds, and the clause that it comes from.
Founding writes the defaults as rows; a value that changes is a new row with its own date, never a
change of this table (UTILITY 2). A legal setting is changed by two persons.

How sure a clause is, is said in UTILITY 12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from meterctl.utility.errors import Invalid
from protocols.errors import QuantityError
from protocols.quantities import CENT, format_money, parse_amount
from protocols.suggestions import did_you_mean

FROM_THE_FIRST = date(1996, 9, 1)
"""The regulation on the supply and use of power took effect (电力供应与使用条例)."""
ANY_CLASS = ""
"""Stands for all classes of customers."""


class SettingType(StrEnum):
    """What a setting's value is; every value is a whole number."""

    AMOUNT = "amount"
    """Money, 0.01 CNY; people write 20000.00."""
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """A setting: its type, its default and where that comes from."""

    code: str
    type: SettingType
    default: int
    lowest: int
    highest: int
    meaning: str
    source: str
    is_legal: bool = False
    from_on: date = FROM_THE_FIRST


_AMOUNT_LIMIT = 99_999_999

CASH_LIMIT = SettingDefinition(
    "cash_limit", SettingType.AMOUNT, 20_000_00, 0, _AMOUNT_LIMIT,
    "Highest unbanked cash of a shift, without its float.", "company rule (UTILITY 6, S4)",
)  # fmt: skip
TILL_DIFFERENCE = SettingDefinition(
    "till_difference", SettingType.AMOUNT, 10_00, 0, _AMOUNT_LIMIT,
    "A counted till that differs by more makes a task.", "company rule (UTILITY 6, S4)",
)  # fmt: skip
LOWEST_SALE = SettingDefinition(
    "lowest_sale", SettingType.AMOUNT, 1_00, 1, _AMOUNT_LIMIT,
    "Lowest amount of a sale that is paid.", "company rule (UTILITY 5)",
)  # fmt: skip
CARD_OLD = SettingDefinition(
    "card_old", SettingType.DAYS, 60, 1, 3660,
    "A sale that lies on its card for longer makes a task.", "company rule (UTILITY 5)",
)  # fmt: skip
BILL_DUE = SettingDefinition(
    "bill_due", SettingType.DAYS, 15, 1, 366,
    "Days from a bill's issue to the date on which it is due.",
    "供电营业规则 1996 (UTILITY 12, F5: in force unsure)", is_legal=True,
)  # fmt: skip
APPROVAL_DUE = SettingDefinition(
    "approval_due", SettingType.DAYS, 2, 0, 366,
    "Days in which a proposal is to be approved or refused.", "company rule",
)  # fmt: skip
SLIP_DUE = SettingDefinition(
    "slip_due", SettingType.DAYS, 3, 0, 366,
    "Days in which a person visits a meter that a slip names.", "company rule (UTILITY 6, S15)",
)  # fmt: skip
SUSPENSE_OLD = SettingDefinition(
    "suspense_old", SettingType.DAYS, 3, 0, 366,
    "Money at a bank without an owner, or on one side of the books, for longer makes a task.",
    "company rule (UTILITY 6, S9)",
)  # fmt: skip
DEBIT_AGAIN = SettingDefinition(
    "debit_again", SettingType.DAYS, 3, 0, 366,
    "Days after which a bank is asked again for a debit that bounced.",
    "company rule (UTILITY 6, S9)",
)  # fmt: skip

SETTINGS: Mapping[str, SettingDefinition] = {
    setting.code: setting
    for setting in (
        CASH_LIMIT,
        TILL_DIFFERENCE,
        LOWEST_SALE,
        CARD_OLD,
        BILL_DUE,
        APPROVAL_DUE,
        SLIP_DUE,
        SUSPENSE_OLD,
        DEBIT_AGAIN,
    )
}


def setting(code: str) -> SettingDefinition:
    """Return a setting by its code; raises Invalid for an unknown one."""
    found = SETTINGS.get(code)
    if found is None:
        hint = did_you_mean(code, SETTINGS, f"settings are {', '.join(SETTINGS)}")
        raise Invalid("setting", f"there is no setting {code!r}; {hint}")
    return found


def parse_value(definition: SettingDefinition, text: str) -> int:
    """Return a setting's value from text; raises Invalid for one that it may not have."""
    try:
        match definition.type:
            case SettingType.AMOUNT:
                value = parse_amount(text, zero=True)
            case SettingType.DAYS:
                value = _days(text)
    except QuantityError as error:
        raise Invalid("setting_value", f"{definition.code}: {error}") from error
    if not definition.lowest <= value <= definition.highest:
        raise Invalid(
            "setting_value",
            f"{definition.code} {text}: allowed is {shown_value(definition, definition.lowest)} to "
            f"{shown_value(definition, definition.highest)}",
        )
    return value


def _days(text: str) -> int:
    """Return a number of days from "15" or "15d"; raises QuantityError."""
    number = text.strip().removesuffix("d")
    if not (number.isascii() and number.isdigit() and len(number) <= 5):
        raise QuantityError(f"{text!r} is not a number of days")
    return int(number)


def shown_value(definition: SettingDefinition, value: int) -> str:
    """Return a setting's value as people write it."""
    match definition.type:
        case SettingType.AMOUNT:
            return format_money(value * CENT)
        case SettingType.DAYS:
            return str(value)
