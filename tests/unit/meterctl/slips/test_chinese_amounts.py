"""Amounts in Chinese numerals, against the rule's own examples and a second way to make them."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from meterctl.slips.chinese_amounts import chinese_amount

LAST = 99_999_999
"""999,999.99, the largest amount of a message."""


def by_substitution(cents: int) -> str:
    """Write every digit with its place, then shorten the text by patterns."""
    text = "".join(
        "零壹贰叁肆伍陆柒捌玖"[int(digit)] + place
        for digit, place in zip(f"{cents:09d}", "佰拾万仟佰拾元角分", strict=True)
    )
    yuan, _, part = text.partition("元")
    ends_with_zero = yuan.endswith("零")
    yuan = re.sub("零+", "零", re.sub("零[仟佰拾]", "零", yuan)).replace("零万", "万")
    yuan = re.sub("^万?零?", "", yuan).removesuffix("零")
    part = part.replace("零分", "").replace("零角", "零")
    if yuan and ends_with_zero and part[:1] not in ("", "零"):
        part = "零" + part
    if not yuan:
        part = part.removeprefix("零")
    if part == "零":
        part = ""
    text = f"{yuan}元{part}" if yuan or not part else part
    return ("零元" if text == "元" else text) + ("" if text.endswith("分") else "整")


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (140950, "壹仟肆佰零玖元伍角整"),
        (600714, "陆仟零柒元壹角肆分"),
        (168032, "壹仟陆佰捌拾元零叁角贰分"),
        (10700053, "壹拾万柒仟元零伍角叁分"),
        (1640902, "壹万陆仟肆佰零玖元零贰分"),
        (32504, "叁佰贰拾伍元零肆分"),
        (5000, "伍拾元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (0, "零元整"),
        (LAST, "玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ],
)
def test_examples_of_the_rule(cents: int, text: str) -> None:
    assert chinese_amount(cents) == text


def test_amounts_over_the_whole_range_are_those_of_a_second_way() -> None:
    whole = range(0, LAST + 1, 100)[::61]
    for cents in chain(range(1, 20_000), whole, range(1, LAST, 4_999), range(LAST - 999, LAST + 1)):
        assert chinese_amount(cents) == by_substitution(cents), cents
