"""The curve of an agreement's credit, with its purchases, as a small SVG that needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterctl.utility.rules.calendar import local_date, midnight
from meterctl.utility.rules.money import UNITS_IN_AMOUNT
from protocols.quantities import CENT, DAY, format_money

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 12, 14, 34
"""Room around the curve for the labels of the axes."""
_MARKS_X, _MARKS_Y = 5, 4
"""Labels of an axis at most; of the dates one more."""


class CreditPoint(NamedTuple):
    """A credit that was proved, in exact units, at an instant in ms.

    `bought` is the amount of a purchase (0.01), 0 where the credit was read; `to_debt` is what of
    it paid old debt (exact).
    """

    at: int
    credit: int
    bought: int = 0
    to_debt: int = 0


class _Frame(NamedTuple):
    """What the axes show: instants, and credit in exact units."""

    first: int
    last: int
    lowest: int
    highest: int
    step: int
    """Credit between two labels; `lowest` and `highest` are multiples of it."""

    def x(self, at: int) -> int:
        """Return where an instant lies."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (at - self.first) // (self.last - self.first)

    def y(self, credit: int) -> int:
        """Return where a credit lies."""
        height = HEIGHT - _TOP - _BOTTOM
        return _TOP + height * (self.highest - credit) // (self.highest - self.lowest)


def curve_svg(points: Sequence[CreditPoint], zone: ZoneInfo, *, chinese: bool = False) -> str:
    """Return the curve of credit over time, with a mark for each purchase; the same for the same.

    Without points it says that there are none.

    Args:
        points: in the order of their instants.
        zone: makes the dates of the axis.
        chinese: its words.
    """
    title = "余额与购电" if chinese else "Credit and purchases"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'aria-labelledby="curve-title curve-desc" font-family="sans-serif" font-size="12">'
        f'<title id="curve-title">{title}</title>'
        f'<desc id="curve-desc">{escape(_told(points, zone, chinese=chinese))}</desc>'
    )
    if not points:
        none = "无抄表数据" if chinese else "nothing was read yet"
        return f'{head}<text x="{_LEFT}" y="{HEIGHT // 2}">{none}</text></svg>'
    frame = _frame(points)
    line = " ".join(_steps(points, frame))
    bought = "".join(
        f'<circle cx="{frame.x(each.at)}" cy="{frame.y(each.credit)}" r="4" fill="#1f6f54">'
        f"<title>{local_date(each.at, zone)} +{_amount(each.bought * UNITS_IN_AMOUNT)}</title>"
        f"</circle>"
        for each in points
        if each.bought
    )
    return (
        f"{head}{_axes(frame, zone, chinese=chinese)}"
        f'<polyline points="{line}" fill="none" stroke="#3b5b92" stroke-width="2"/>{bought}</svg>'
    )


def _steps(points: Sequence[CreditPoint], frame: _Frame) -> list[str]:
    """Return the corners of the curve: at a purchase it rises at once."""
    corners: list[str] = []
    for each in points:
        if each.bought and corners:
            before = each.credit - each.bought * UNITS_IN_AMOUNT + each.to_debt
            corners.append(
                f"{frame.x(each.at)},{frame.y(min(max(before, frame.lowest), each.credit))}"
            )
        corners.append(f"{frame.x(each.at)},{frame.y(each.credit)}")
    return corners


def _frame(points: Sequence[CreditPoint]) -> _Frame:
    """Return what the axes show: all points and zero, whole steps of credit."""
    step = _step(points)
    lowest = min(0, *(each.credit for each in points)) // step * step
    highest = -(-max(0, *(each.credit for each in points)) // step) * step
    first, last = points[0].at, points[-1].at
    return _Frame(first, max(last, first + DAY), lowest, max(highest, lowest + step), step)


def _step(points: Sequence[CreditPoint]) -> int:
    """Return the credit between two labels: 1, 2 or 5 times a power of ten of 1.00."""
    span = max(0, *(each.credit for each in points)) - min(0, *(each.credit for each in points))
    step = 100 * UNITS_IN_AMOUNT
    factors = (2, 5, 10)
    while True:
        for factor in (1, *factors):
            if span <= step * factor * _MARKS_Y:
                return step * factor
        step *= factors[-1]


def _axes(frame: _Frame, zone: ZoneInfo, *, chinese: bool) -> str:
    """Return both axes with their labels, and a line at zero."""
    right, low = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for credit in range(frame.lowest, frame.highest + 1, frame.step):
        y = frame.y(credit)
        parts.append(
            f'<line x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_amount(credit)}</text>'
        )
    for at in _dates(frame, zone):
        parts.append(
            f'<text x="{frame.x(at)}" y="{low + 16}" text-anchor="middle">'
            f"{local_date(at, zone).isoformat()[5:]}</text>"
        )
    zero = frame.y(0)
    label = "元" if chinese else "CNY"
    date_label = "日期" if chinese else "date"
    return (
        f'{"".join(parts)}<line x1="{_LEFT}" y1="{zero}" x2="{right}" y2="{zero}" stroke="#555"/>'
        f'<text x="4" y="{HEIGHT - 4}">{label}</text>'
        f'<text x="{right}" y="{HEIGHT - 4}" text-anchor="end">{date_label}</text>'
    )


def _dates(frame: _Frame, zone: ZoneInfo) -> list[int]:
    """Return the beginnings of some dates, in equal steps."""
    first = local_date(frame.first, zone)
    days = (local_date(frame.last, zone) - first).days
    step = max(1, -(-days // _MARKS_X))
    found = [midnight(first + timedelta(days=n), zone) for n in range(0, days + 1, step)]
    return [at for at in found if frame.first <= at <= frame.last] or [frame.first]


def _told(points: Sequence[CreditPoint], zone: ZoneInfo, *, chinese: bool) -> str:
    """Return the curve in words, for those who do not see it."""
    if not points:
        return "无数据" if chinese else "no data"
    first, last = points[0], points[-1]
    bought = [each for each in points if each.bought]
    total = _amount(sum(each.bought for each in bought) * UNITS_IN_AMOUNT)
    span = f"{local_date(first.at, zone)}", f"{local_date(last.at, zone)}"
    if chinese:
        return (
            f"{span[0]}余额{_amount(first.credit)}元，{span[1]}余额{_amount(last.credit)}元；"
            f"购电{len(bought)}次，共{total}元"
        )
    return (
        f"{_amount(first.credit)} CNY on {span[0]}, {_amount(last.credit)} CNY on {span[1]}; "
        f"{len(bought)} purchases, {total} CNY together"
    )


def _amount(exact: int) -> str:
    return format_money(exact // UNITS_IN_AMOUNT * CENT)
