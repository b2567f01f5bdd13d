"""The figures of the story."""

from __future__ import annotations

import pytest

from meterctl.utility.story.plan import SMALL, WHOLE, Plan
from meterctl.utility.story.scenes.selling import ordinary


def test_the_whole_story_has_200_meters_at_four_stations_and_60_sales() -> None:
    homes = list(WHOLE.homes())
    assert (len(homes), len(WHOLE.station_codes), WHOLE.sales) == (200, 4, 60)
    assert len({home.unit for home in homes}) == len(homes)


@pytest.mark.parametrize("plan", [WHOLE, SMALL])
def test_each_station_has_homes_for_what_happens_there(plan: Plan) -> None:
    assert any(home.is_workshop for home in plan.homes())
    for station in plan.station_codes:
        homes = [home for home in plan.homes() if home.station == station]
        by_card = [home for home in homes if home.buys_by_card]
        assert (len(homes), len(by_card)) == (plan.meters, plan.cards)
        assert all(home.is_new for home in by_card)
        first_buyers = sum(home.is_new for home in homes) - len(by_card)
        assert len(ordinary(plan, station)) >= plan.wire_sales - first_buyers
