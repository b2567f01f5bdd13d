"""A tariff is set once, read back and compared; a wire that lies changes neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from meterctl.drivers import Delivery
from meterctl.errors import (
    MeterctlError,
    NoAnswerError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.operations.local_time import Offsets
from meterctl.operations.tariff.file import parse_tariff_file
from meterctl.operations.tariff.sets import TariffSets, read_sets
from meterctl.operations.tariff.setting import (
    PartReadBack,
    asked_text,
    changed_parts,
    set_tariff,
)
from meterctl.operations.tariff.values import toml_of
from protocols.data_model.tariff import Prices, Steps, Tariff, TariffSet
from protocols.data_model.words import ENERGY_ACCOUNT
from protocols.quantities import DAY, HOUR, SECOND, LocalMoment
from tests.support.wire import Fault
from tests.unit.meterctl.operations.tariff.lines import TariffLine

PRICES = 'prices = ["0.7000", "0.3000"]\n'
NIGHT = 'day_tables = [{ entries = ["08:00 1", "20:00 2"] }]\n'
START = 1_767_225_600_000
TOMORROW = LocalMoment(START + DAY)
IN_KWH = {"account_unit": ENERGY_ACCOUNT, "tariff": Tariff(prices=Prices((10_000,)))}


def test_a_part_at_once_is_in_force_and_a_later_one_waits() -> None:
    line = TariffLine()
    assert line.set(PRICES) == [PartReadBack("prices", TariffSet.CURRENT, 0)]
    assert line.set(NIGHT, TOMORROW) == [PartReadBack("day_tables", TariffSet.PENDING, TOMORROW.ms)]
    sets = read_sets(line.session.driver)
    assert sets.current == Tariff(prices=Prices((7000, 3000)))
    line.meter.advance(DAY)
    assert not read_sets(line.session.driver).pending
    assert line.executed == 2


def test_each_part_has_its_own_activation() -> None:
    line = TariffLine()
    line.set(f'activation = {{ prices = "2026-01-02" }}\n{PRICES}step_period = "year"')
    sets = read_sets(line.session.driver)
    assert sets.current.steps == Steps(yearly=True)
    assert list(sets.pending) == ["prices"]


def test_a_later_part_that_changes_nothing_undoes_no_change_that_is_made_until_then() -> None:
    line = TariffLine()
    whole = toml_of(read_sets(line.session.driver).current)
    (back,) = line.set(whole.replace("0.5283", "0.7000"), TOMORROW)
    assert back == PartReadBack("prices", TariffSet.PENDING, TOMORROW.ms)
    line.set('step_period = "year"')
    line.meter.advance(DAY)
    sets = read_sets(line.session.driver)
    assert (sets.current.steps, sets.pending) == (Steps(yearly=True), {})
    assert sets.current.prices == Prices((7000,))


def test_a_later_part_that_is_as_now_is_sent_where_another_one_waits() -> None:
    line = TariffLine()
    line.set(PRICES, TOMORROW)
    now = toml_of(read_sets(line.session.driver).current)
    (back,) = line.set(now, TOMORROW)
    assert back == PartReadBack("prices", TariffSet.PENDING, TOMORROW.ms)
    line.meter.advance(DAY)
    assert read_sets(line.session.driver).current.prices == Prices((5283,))


def test_local_time_is_that_of_the_meter() -> None:
    zone = ((0, 60), (START + 90 * DAY, 120))
    line = TariffLine(transitions=zone)
    (back,) = line.set(PRICES, LocalMoment(START + 100 * DAY))
    assert back.activation == START + 100 * DAY - 2 * HOUR


def test_local_time_that_is_skipped_is_refused_before_anything_is_sent() -> None:
    line = TariffLine(transitions=((0, 60), (START + 90 * DAY, 120)))
    with pytest.raises(RefusedError, match=r"hour that its zone skips.*nothing was sent"):
        line.plan(PRICES, LocalMoment(START + 90 * DAY + HOUR))
    assert line.deliveries == 0


@pytest.mark.parametrize(
    ("text", "description", "told"),
    [
        (NIGHT, {}, "the day tables of the file have rate 2, and the meter has 1 price"),
        (PRICES, IN_KWH, "fixed price 1.0000"),
    ],
)
def test_parts_that_no_meter_takes_are_refused_before_anything_is_sent(
    text: str, description: dict[str, Any], told: str
) -> None:
    line = TariffLine(**description)
    with pytest.raises(RefusedError, match=r"nothing was sent") as caught:
        line.plan(text)
    assert told in str(caught.value)
    assert (caught.value.outcome, caught.value.serial_number) == ("out_of_range", "000000000001")
    assert line.deliveries == 0


def test_a_meter_that_has_the_tariff_already_has_nothing_to_change() -> None:
    line = TariffLine()
    line.set(PRICES)
    assert not line.plan(PRICES).changes
    assert not line.plan(PRICES, TOMORROW).changes
    line.set(NIGHT, TOMORROW)
    assert not line.plan(NIGHT, TOMORROW).changes
    assert line.plan(NIGHT).changes


def test_an_activation_that_is_past_applies_at_once() -> None:
    line = TariffLine()
    planned = line.plan(PRICES, LocalMoment(START - DAY))
    assert planned.past() == ["prices"]
    assert asked_text(planned) == "prices at once"
    assert set_tariff(line.session, line.journal, planned) == [
        PartReadBack("prices", TariffSet.CURRENT, 0)
    ]
    assert line.plan(NIGHT, TOMORROW).past() == line.plan(NIGHT).past() == []


def test_what_is_asked_names_each_moment_and_each_pending_part_that_is_replaced() -> None:
    line = TariffLine()
    line.set(PRICES, TOMORROW)
    planned = line.plan(f'activation = {{ steps = "2026-03-01" }}\n{PRICES}step_period = "year"')
    assert asked_text(planned) == (
        "prices at once; steps from 2026-03-01T00:00:00Z; "
        "replaces the pending prices of 2026-01-02T00:00:00Z"
    )
    assert planned.last_set() == Tariff(prices=Prices((7000, 3000)), steps=Steps(yearly=True))


def test_a_map_that_shows_no_tariff_sets_none() -> None:
    line = TariffLine()
    line.session.driver.has_tariff = lambda: False  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="could not be compared nor read back; nothing was sent"):
        line.plan(PRICES)


# ---- refusals, and what another host does meanwhile


def test_a_refusal_says_that_nothing_has_changed_and_why() -> None:
    line = TariffLine()
    line.set(PRICES)
    planned = line.plan(NIGHT)
    line.by_another('prices = ["0.7000"]')
    with pytest.raises(RefusedError) as caught:
        set_tariff(line.session, line.journal, planned)
    assert caught.value.outcome in ("out_of_range", "sequence_old", "sequence_conflict")
    assert "out_of_range (the day tables of the file have rate 2, and the meter has 1" in str(
        caught.value
    )
    assert "read back, prices CHANGED all the same" in str(caught.value)


def test_after_a_refusal_without_a_change_nothing_has_changed() -> None:
    line = TariffLine(**IN_KWH)
    planned = line.plan('step_period = "year"')
    bad = replace(planned, command=replace(planned.command, parameters=_encoded(PRICES)))
    with pytest.raises(RefusedError, match=r"out_of_range.*read back, nothing has changed"):
        set_tariff(line.session, line.journal, bad)


def _encoded(text: str) -> bytes:
    return parse_tariff_file(text).change().encode()


def test_a_meter_that_has_another_tariff_afterwards_is_found_out() -> None:
    line = TariffLine()
    planned = line.plan(PRICES)

    def another(delivery: Delivery) -> Delivery:
        line.by_another("prices = [1]")
        return delivery

    line.change = another
    with pytest.raises(RefusedError, match="accepted, but read back prices is not as asked"):
        set_tariff(line.session, line.journal, planned)


def test_an_activation_that_falls_due_meanwhile_is_no_change_of_a_refusal() -> None:
    waits = {"prices": (5, Prices((1,)))}
    before = TariffSets(Tariff(), waits, 0, Offsets(((0, 0),)))
    now = replace(before, current=Tariff(prices=Prices((1,))), pending={}, clock=5)
    assert changed_parts(before, before) == []
    assert changed_parts(before, now) == []
    assert changed_parts(before, replace(now, clock=4)) == ["prices"]
    other = replace(now, current=Tariff(steps=Steps(yearly=True)))
    assert changed_parts(before, other) == ["prices", "steps"]


def test_an_activation_that_falls_due_before_reading_back_is_in_force() -> None:
    line = TariffLine()
    planned = line.plan(PRICES, LocalMoment(START + SECOND))

    def later(delivery: Delivery) -> Delivery:
        line.meter.advance(2 * SECOND)
        return delivery

    line.change = later
    assert set_tariff(line.session, line.journal, planned) == [
        PartReadBack("prices", TariffSet.CURRENT, 0)
    ]


def test_under_a_clock_that_is_not_valid_a_part_waits_for_its_moment() -> None:
    line = TariffLine()
    line.meter.state.clock.valid = False
    line.meter.revision += 1
    planned = line.plan(PRICES, LocalMoment(START - DAY))
    assert not planned.has_valid_clock
    assert asked_text(planned) == "prices from 2025-12-31T00:00:00Z"
    (back,) = set_tariff(line.session, line.journal, planned)
    assert back.found_in is TariffSet.PENDING


# ---- wires that lose and change


def silent_reading(line: TariffLine) -> None:
    def tariff(_: object) -> object:
        raise NoAnswerError("silence")

    line.session.driver.tariff = tariff  # type: ignore[method-assign, assignment]


def test_an_accepted_tariff_that_cannot_be_read_back_is_accepted() -> None:
    line = TariffLine()
    planned = line.plan(PRICES)
    silent_reading(line)
    assert set_tariff(line.session, line.journal, planned) == []
    assert line.executed == 1


def test_a_refused_tariff_that_cannot_be_read_back_is_refused() -> None:
    line = TariffLine(**IN_KWH)
    planned = line.plan('step_period = "year"')
    bad = replace(planned, command=replace(planned.command, parameters=_encoded(PRICES)))
    silent_reading(line)
    with pytest.raises(RefusedError, match="reading back was not answered: silence"):
        set_tariff(line.session, line.journal, bad)


def test_without_any_answer_the_outcome_is_unknown() -> None:
    line = TariffLine()
    planned = line.plan(PRICES)

    def lost(_: Delivery) -> Delivery:
        raise NoAnswerError("silence")

    line.change = lost
    line.session.driver.receipt = lambda *_: b""  # type: ignore[method-assign]
    with pytest.raises(UnknownOutcomeError, match="Read the meter"):
        set_tariff(line.session, line.journal, planned)
    assert line.executed == 1


def test_a_lost_reply_does_not_set_it_twice() -> None:
    line = TariffLine()
    planned = line.plan(PRICES)
    lost = iter((True,))

    def lose(delivery: Delivery) -> Delivery:
        if next(lost, False):
            raise NoAnswerError("silence")
        return delivery

    line.change = lose
    assert set_tariff(line.session, line.journal, planned)
    assert line.executed == 1


def lying(seed: int) -> Fault:
    """Return a wire that flips, loses and repeats bytes and replies."""
    random = Random(seed)

    def fault(_: int, direction: str, data: bytes) -> bytes:
        draw = random.random()
        if draw < 0.06:
            return b""
        if draw < 0.12:
            at = random.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
        if draw < 0.15 and direction == "reply":
            return data + data
        return data

    return fault


def test_over_a_wire_that_lies_it_is_set_once_or_the_outcome_is_told() -> None:
    """Seeds of the line; what is told is never contradicted by the meter."""
    told: Counter[str] = Counter()
    for seed in range(30):
        line = TariffLine(lying(seed))
        word, executed = outcome(line)
        told[word] += 1
        assert line.executed in executed, (seed, word)
        assert (line.meter.state.tariff == Tariff()) == (line.executed == 0), (seed, word)
    assert told["done"] > 12, told


def outcome(line: TariffLine) -> tuple[str, Sequence[int]]:
    """Set a tariff; return what was told, and how often a meter may have executed it then."""
    try:
        return ("done" if line.set(PRICES) else "unread"), [1]
    except UnknownOutcomeError:
        return "unknown", [0, 1]
    except MeterctlError as error:
        return type(error).__name__, [0]
