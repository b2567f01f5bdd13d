"""The curve of credit: well-formed, labelled, told in words, the same for the same points."""

from __future__ import annotations

from xml.dom import minidom
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from meterctl.utility.services.curves import HEIGHT, WIDTH, CreditPoint, curve_svg
from protocols.quantities import CENT, DAY
from tests.support.desk_world import NOON

ZONE = ZoneInfo("Asia/Shanghai")
POINTS = (
    CreditPoint(NOON - 20 * DAY, 80_00 * CENT),
    CreditPoint(NOON - 15 * DAY, 12_50 * CENT),
    CreditPoint(NOON - 14 * DAY, 52_50 * CENT, 50_00, 10_00 * CENT),
    CreditPoint(NOON, -8_20 * CENT),
)


def test_a_curve_has_its_axes_and_is_told_in_words() -> None:
    drawn = curve_svg(POINTS, ZONE)
    assert "80.00 CNY on 2026-09-01, -8.20 CNY on 2026-09-21; 1 purchases, 50.00 CNY" in drawn
    for label in ("-50.00", "0.00", "50.00", "100.00", "CNY", "date", "09-05"):
        assert f">{label}</text>" in drawn
    assert drawn.count("<circle") == 1
    assert "script" not in drawn
    chinese = curve_svg(POINTS, ZONE, chinese=True)
    assert "购电1次，共50.00元" in chinese
    assert drawn == curve_svg(POINTS, ZONE)


def test_a_curve_without_points_says_so() -> None:
    assert "nothing was read yet" in curve_svg((), ZONE)
    assert "无抄表数据" in curve_svg((), ZONE, chinese=True)


@given(
    st.lists(
        st.builds(
            CreditPoint,
            st.integers(NOON - 400 * DAY, NOON),
            st.integers(-1_000_000_00 * CENT, 1_000_000_00 * CENT),
            st.integers(0, 1_000_000_00),
        ),
        max_size=20,
    )
)
def test_every_curve_is_well_formed_and_within_its_frame(points: list[CreditPoint]) -> None:
    drawn = minidom.parseString(curve_svg(sorted(points), ZONE))
    for line in drawn.getElementsByTagName("polyline"):
        for corner in line.getAttribute("points").split():
            x, y = map(int, corner.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert len(drawn.getElementsByTagName("text")) <= 16
