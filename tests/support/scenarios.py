"""Random short scenarios of every mode and inhibitor, drawn from a seeded generator."""

from __future__ import annotations

from random import Random

from tests.support.reference_meter import Scenario, Settings

UNIT = 10**10
CENT = 10**8
MINUTE = 60_000
DAY = 86_400_000
SOME_DATE = 20_454  # 2026-01-01, a Thursday


def draw(rng: Random) -> Scenario:
    """Return a scenario of at most 30 s with many level crossings, edges and refusals."""
    phases = rng.choice((1, 1, 3))
    duration = rng.choice((4_000, 12_000, 30_000))
    start = _start(rng, duration)
    scale = rng.choice((2_345_000, 60_000_000, 900_000_000))
    load = tuple(
        (at, tuple(_power(rng, scale) for _ in range(phases)))
        for at in (0, *sorted(rng.sample(range(1, duration), rng.randrange(4))))
    )
    settings = _settings(rng, start, scale)
    actions = tuple(
        (at, *_action(rng, phases, scale, start))
        for at in sorted(rng.choices(range(duration), k=rng.randrange(9)))
    )
    return Scenario(duration, start, load, actions, settings)


def _start(rng: Random, duration: int) -> int:
    """Return a start shortly before an edge: midnight, a month's end, a window's edge."""
    date = SOME_DATE + rng.choice((0, 1, 2, 30, 58, 364))
    edge = rng.choice((DAY, 12 * 60 * MINUTE, 6 * 60 * MINUTE, 30 * MINUTE))
    return date * DAY + edge - rng.randrange(1, duration + 2_000)


def _power(rng: Random, scale: int) -> int:
    return rng.choice((0, scale, scale // 3, rng.randrange(scale), -rng.randrange(scale)))


def _settings(rng: Random, start: int, scale: int) -> Settings:
    two = rng.choice((None, 0, 2 * UNIT, 5 * UNIT))
    one = rng.choice((None, 10 * UNIT, 5 * UNIT))
    rates = rng.choice((1, 2, 3))
    minutes = sorted(rng.sample((0, 30, 360, 361, 720, 1080, 1439), rng.randrange(1, 4)))
    limits = tuple(sorted(rng.sample(range(1, 4_000), rng.randrange(0, 4))))
    price = rng.choice((5_283, 0, 99_999_999, 10_000_000))
    window = rng.choice(((), ((1320, 360),), ((0, 30), (720, 721)), ((360, 720),)))
    account = rng.choice(("open",) * 7 + ("unopened",))
    credit = rng.choice((0, 12 * UNIT, 6 * UNIT, rng.randrange(30 * UNIT), 20 * UNIT, 3))
    return Settings(
        account=account,
        credit=credit if account == "open" else 0,
        trip_mode=rng.choice(("two_stage", "two_stage", "direct", "delayed")),
        reconnect_mode=rng.choice(("automatic", "manual")),
        low_credit_threshold_1=one if one is None or two is None or one >= two else two,
        low_credit_threshold_2=two,
        overdraft_limit=rng.choice((0, 0, 20 * UNIT, UNIT)),
        max_credit=rng.choice((None, 50 * UNIT)),
        reconnect_threshold=rng.choice((0, 8 * UNIT, UNIT)),
        trip_delay_minutes=rng.choice((0, 0, 1)),
        remote_trip_delay=rng.choice((False, True)),
        power_limit_mw=rng.choice((None, None, scale // 2, 0)),
        power_limit_delay_s=rng.choice((0, 1, 2)),
        overload_reconnect_s=rng.choice((1, 2)),
        overload_attempts=rng.choice((0, 1, 2)),
        overload_reset_s=rng.choice((1, 5, 3600)),
        unopened_supply=rng.choice(("connected", "disconnected")),
        tamper_trip=frozenset(rng.sample(("cover", "terminal_cover", "magnet"), rng.randrange(3))),
        phase_summation=rng.choice(("arithmetic", "per_phase")),
        reverse_charged=rng.choice((False, False, True)),
        prices=tuple(max(0, price - 700 * n) for n in range(rates)),
        day_table=tuple((minute, rng.randrange(rates)) for minute in minutes),
        step_limits_mwh=limits,
        step_additions=(0, *(rng.randrange(100_000) for _ in limits)),
        step_period=rng.choice(("month", "year")),
        billing_day=rng.choice(((1, 0), (2, 0), (1, 6))),
        billing_year=rng.choice(((1, 1), (3, 1))),
        standing_charge=rng.choice((0, 30 * UNIT, 35 * CENT)),
        debt=rng.choice((0, 40 * UNIT)),
        debt_instalment=rng.choice((0, 3 * UNIT)),
        debt_share_percent=rng.choice((0, 33, 100)),
        utc_offset_minutes=rng.choice((0, 0, 480, -30)),
        friendly_hours=window,
        friendly_weekends=rng.choice((False, False, True)),
        holidays=rng.choice(((), (start // DAY + 1,))),
        guarantee=rng.choice((False, False, False, True)),
    )


def _action(rng: Random, phases: int, scale: int, start: int) -> tuple[str, object]:
    date = start // DAY
    name = rng.choice(
        (
            "load",
            "topup",
            "topup",
            "topup",
            "refund",
            "debt",
            "open",
            "close",
            "button",
            "button",
            "interrupt",
            "permit",
            "direct",
            "guarantee",
            "moratorium",
            "cover",
            "terminal_cover",
            "magnet",
            "clear_tamper",
            "limits",
            "limits",
            "power_cut",
            "power_return",
            "power_return",
            "weld",
        )
    )
    flag = rng.choice((True, False))
    arguments: dict[str, object] = {
        "load": tuple(_power(rng, scale) for _ in range(phases)),
        "topup": rng.choice((1, 300, 2_500, 6_000)),
        "refund": rng.choice((100, 700)),
        "debt": 1_000,
        "open": rng.choice((0, 500)),
        "guarantee": flag,
        "moratorium": rng.choice((None, date, date + 1, date + 2)),
        "limits": _limits(rng),
    }
    toggles = ("cover", "terminal_cover", "magnet", "weld")
    return name, arguments.get(name, flag if name in toggles else None)


def _limits(rng: Random) -> dict[str, object]:
    choices: dict[str, object] = {
        "trip_mode": rng.choice(("two_stage", "direct", "delayed")),
        "reconnect_mode": rng.choice(("automatic", "manual")),
        "low_credit_threshold_2": rng.choice((None, UNIT, 7 * UNIT)),
        "overdraft_limit": rng.choice((0, 10 * UNIT)),
        "reconnect_threshold": rng.choice((0, 60 * UNIT)),
        "trip_delay_minutes": rng.choice((0, 1)),
        "power_limit_mw": rng.choice((None, 1_000_000)),
    }
    return {name: choices[name] for name in rng.sample(sorted(choices), rng.randrange(1, 4))}
