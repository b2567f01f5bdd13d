"""The calendar of a meter in any zone: against a scan of every minute, and over power cuts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.assembly import build
from firmware_sim.description.zones import transitions
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.records.ring import BILLING_RING, DAILY_RING
from firmware_sim.requests import SetLoad
from firmware_sim.settings import Settings
from protocols.control import CutPower, ReturnPower
from protocols.data_model.tables import Freeze
from protocols.data_model.tariff import DayTables, Part, Prices, Steps, Tariff, TariffChange
from protocols.quantities import CENT, DAY, HOUR, KWH, LEDGER, MINUTE, SECOND
from protocols.sealed_message import MessageKind, Outcome, encode_number
from tests.support.meters import Host, events
from tests.support.reference_calendar import BillingDates, scan

ZONES = (
    "Africa/Cairo",
    "America/Asuncion",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
)
OFFSETS = (-720, -210, 0, 345, 840)
YEARS = (1990 - 1970) * 365 * DAY, (2090 - 1970) * 365 * DAY
UNLIMITED = 900_000 * LEDGER
STANDING = 35 * CENT
EVENTS = ("billing_period_ended", "tariff_activated", "moratorium_ended")


@dataclass(frozen=True)
class Story:
    """A meter, its commands at the start, and a time without load or without power."""

    zone: str | int
    start: int
    begin_ms: int
    end_ms: int
    last_ms: int
    steps: Steps
    parts: tuple[tuple[int, Part], ...] = ()
    moratorium: int = 0
    drift_ppm: int = 0

    def meter(self) -> Meter:
        """Return the meter at its start, with its commands accepted."""
        named = isinstance(self.zone, str)
        meter = build(
            MeterDescription(
                settings=Settings(
                    overdraft_limit=UNLIMITED,
                    standing_charge=STANDING,
                    debt_instalment=3 * CENT,
                    utc_offset_minutes=0 if isinstance(self.zone, str) else self.zone,
                ),
                debt=LEDGER,
                load=Load.constant((2 * KWH,)),
                tariff=Tariff(
                    day_tables=DayTables((((0, 1), (150, 2), (1320, 3)),)),
                    prices=Prices((3_000, 5_283, 9_000)),
                    steps=self.steps,
                ),
                transitions=transitions(str(self.zone)) if named else (),
                start=self.start,
                drift_ppm=self.drift_ppm,
            )
        )
        host = Host(meter)
        if self.parts:
            change = TariffChange(self.parts).encode()
            assert host.send(MessageKind.TARIFF, parameters=change).outcome is Outcome.ACCEPTED
        if self.moratorium:
            days = encode_number(MessageKind.MORATORIUM, self.moratorium)
            assert host.send(MessageKind.MORATORIUM, parameters=days).outcome is Outcome.ACCEPTED
        return meter


def without_load(story: Story) -> Meter:
    """Return the meter after the story, powered all the time."""
    meter = story.meter()
    meter.advance(story.begin_ms)
    meter.handle(SetLoad(Load.constant((0,))))
    meter.advance(story.end_ms)
    meter.handle(SetLoad(Load.constant((2 * KWH,))))
    meter.advance(story.last_ms)
    return meter


def without_power(story: Story) -> Meter:
    """Return the meter after the story, with a power cut."""
    meter = story.meter()
    meter.advance(story.begin_ms)
    meter.handle(CutPower())
    meter.advance(story.end_ms)
    meter.handle(ReturnPower())
    meter.advance(story.last_ms)
    return meter


def stamps(meter: Meter, ring: int) -> list[int]:
    """Return the clocks of the kept freezes of a ring, oldest first."""
    return [Freeze.unpack(row).at for row in meter.rings[ring].newest(1000)][::-1]


def shown(meter: Meter) -> dict[str, object]:
    """Return all that the calendar and the books of a meter show."""
    state = meter.state
    return {
        "daily freezes": list(meter.rings[DAILY_RING].newest(1000)),
        "billing freezes": list(meter.rings[BILLING_RING].newest(1000)),
        "events": [
            (one.name, one.at, one.elapsed_ms, one.a, one.b)
            for one in events(meter)
            if one.name in EVENTS
        ],
        "registers": state.registers,
        "account": state.account,
        "calendar": state.calendar,
        "tariff": (state.tariff, state.pending),
        "supply": (state.supply.moratorium, state.supply.moratorium_until),
    }


def near_change(zone: str | int, draw: Random) -> int:
    """Return a day and a second shortly before an offset change of a zone, or of any time."""
    low, high = YEARS
    changes = (
        [at for at, _ in transitions(zone) if low < at < high] if isinstance(zone, str) else []
    )
    at = draw.choice(changes or [draw.randrange(low, high)])
    return at - draw.randrange(20 * DAY) - draw.choice((0, 0, draw.randrange(MINUTE)))


def some_steps(draw: Random) -> Steps:
    return Steps(
        (5 * KWH, 50 * KWH),
        (0, 1_000, 2_000),
        draw.random() < 0.4,
        draw.randrange(1, 29),
        draw.choice((0, 0, 1, 2, 3, 23)),
        draw.randrange(1, 13),
        draw.randrange(1, 29),
    )


def some_story(seed: int) -> Story:
    draw = Random(seed)
    zone = draw.choice((*ZONES, *ZONES, *OFFSETS))
    start = near_change(zone, draw)
    begin = draw.randrange(2 * DAY)
    length = draw.choice(
        (draw.randrange(3 * HOUR), draw.randrange(3 * DAY), draw.randrange(70 * DAY))
    )
    last = begin + length + draw.randrange(3 * DAY)

    def moment() -> int:
        return (start + draw.randrange(last)) // SECOND * SECOND

    parts: list[tuple[int, Part]] = [
        (moment(), part)
        for part in (some_steps(draw), Prices((1, 2, 30_000)), DayTables((((90, 2), (1380, 1)),)))
        if draw.random() < 0.5
    ]
    moratorium = draw.choice((0, (start + draw.randrange(last)) // DAY + 2))
    drift = draw.choice((0, 0, 70_000, -90_000))
    return Story(
        zone, start, begin, begin + length, last, some_steps(draw), tuple(parts), moratorium, drift
    )


@settings(deadline=None, max_examples=60, database=None)
@given(st.integers(0, 1 << 32).map(some_story))
def test_a_time_without_power_is_a_time_without_load(story: Story) -> None:
    assert shown(without_power(story)) == shown(without_load(story))


@pytest.mark.parametrize("seed", range(12))
def test_dates_and_periods_begin_at_the_first_minute_of_their_local_time(seed: int) -> None:
    story = some_story(seed)
    draw = Random(seed)
    steps = some_steps(draw)
    activation = (story.start + story.last_ms // 2) // MINUTE * MINUTE
    story = replace(story, drift_ppm=0, moratorium=0, parts=((activation, steps),))
    zone = (
        ZoneInfo(story.zone)
        if isinstance(story.zone, str)
        else timezone(timedelta(minutes=story.zone))
    )
    wanted = scan(
        story.start,
        story.start + story.last_ms,
        zone,
        billing_dates(story.steps),
        {activation: billing_dates(steps)},
    )
    for meter in (without_load(story), without_power(story)):
        assert stamps(meter, DAILY_RING) == wanted.midnights[-62:]
        assert stamps(meter, BILLING_RING) == wanted.billing_ends[-12:]
        assert meter.state.account.standing == len(wanted.midnights) * STANDING
        ended = [one.at for one in events(meter) if one.name == "billing_period_ended"]
        assert ended == wanted.billing_ends
        if wanted.year_ends == []:
            assert meter.state.registers.year_mwh == meter.state.registers.import_mwh


def billing_dates(steps: Steps) -> BillingDates:
    return BillingDates(steps.billing_day, steps.billing_hour, steps.year_month, steps.year_day)
