"""What the settings of a meter must hold, alone and beside each other (METER.md 4: OUT_OF_RANGE).

One rule for all that set them: a sealed `limits` command by wire or card, and a description. The
host explains a refusal with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from protocols.data_model.items import (
    LOW_CREDIT_1,
    LOW_CREDIT_2,
    MAX_CREDIT,
    RECONNECT_THRESHOLD,
    SETTINGS,
    Item,
    settable,
)
from protocols.quantities import CENT, MONEY_LIMIT, format_money

PAIRED = (LOW_CREDIT_1, LOW_CREDIT_2, MAX_CREDIT, RECONNECT_THRESHOLD)
"""Settings that must agree with each other."""


class LimitProblem(NamedTuple):
    """Why values are refused: the text names them and what is allowed."""

    items: frozenset[Item]
    text: str


def limit_problems(values: Mapping[Item, Any]) -> list[LimitProblem]:
    """Return every value and pair that is not allowed; items without a value are not checked."""
    found = [
        LimitProblem(
            frozenset({item}),
            f"{item.name} = {_text(item, values[item])}: allowed is {settable(item).allowed()}",
        )
        for item in SETTINGS.values()
        if item in values and not settable(item).holds(values[item])
    ]
    wrong = {item for problem in found for item in problem.items}
    return found + [problem for problem in _pairs(values) if not problem.items & wrong]


def _pairs(values: Mapping[Item, Any]) -> Iterator[LimitProblem]:
    one, two = values.get(LOW_CREDIT_1), values.get(LOW_CREDIT_2)
    if one is not None and two is not None and one < two:
        yield LimitProblem(
            frozenset({LOW_CREDIT_1, LOW_CREDIT_2}),
            f"low_credit_threshold_1 is below low_credit_threshold_2 ({format_money(one)} < "
            f"{format_money(two)}): allowed is the same or more",
        )
    threshold, highest = values.get(RECONNECT_THRESHOLD), values.get(MAX_CREDIT)
    if threshold is None:
        return
    # a top-up is whole cents, so it may have to pass the threshold by almost 0.01
    if threshold + CENT > (MONEY_LIMIT if highest is None else highest):
        reason = (
            f"allowed is at most {format_money(MONEY_LIMIT - CENT)}"
            if highest is None
            else "allowed is a max_credit of at least 0.01 more than reconnect_threshold, or off"
        )
        yield LimitProblem(
            frozenset({RECONNECT_THRESHOLD, MAX_CREDIT}),
            f"reconnect_threshold {format_money(threshold)} + 0.01 is above max_credit "
            f"{MAX_CREDIT.kind.text(highest)}: no top-up could reconnect; {reason}",
        )


def _text(item: Item, value: Any) -> str:
    return item.kind.text(value) if value is None or isinstance(value, int) else repr(value)
