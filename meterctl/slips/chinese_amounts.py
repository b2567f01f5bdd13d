"""Amounts of money in Chinese numerals, as on cheques: 人民币大写. Pure."""

from __future__ import annotations

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUP = 10_000
_ZERO = _DIGITS[0]


def chinese_amount(cents: int) -> str:
    """Return an amount from 0.00 to 99,999,999.99 yuan in numerals, such as 伍拾元整 for 50.00.

    By the rules for cheques (支付结算办法, annex 1): zeros in a row are one 零,
    an amount without 分 ends with 整, and 零 stands before the 角 where the yuan end with 0.
    """
    yuan, (jiao, fen) = cents // 100, divmod(cents % 100, 10)
    text = f"{_whole(yuan)}元" if yuan or not cents else ""
    if jiao:
        text += f"{_ZERO if yuan and not yuan % 10 else ''}{_DIGITS[jiao]}角"
    if not fen:
        return f"{text}整"
    return f"{text}{_ZERO if yuan and not jiao else ''}{_DIGITS[fen]}分"


def _whole(number: int) -> str:
    """Return a whole number below 100,000,000 in numerals."""
    high, low = divmod(number, _GROUP)
    if not high:
        return _group(low)
    if not low:
        return f"{_group(high)}万"
    return f"{_group(high)}万{_ZERO if low < _GROUP // 10 else ''}{_group(low)}"


def _group(number: int) -> str:
    """Return a number below 10,000 in numerals, without a leading 零 unless it is 0."""
    digits = [int(digit) for digit in str(number)]
    text, skipped = "", False
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if not digit:
            skipped = True
            continue
        text += f"{_ZERO if skipped else ''}{_DIGITS[digit]}{_PLACES[place]}"
        skipped = False
    return text or _ZERO
