"""Limits are always read back: the value in force may differ from the meter's answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from firmware_sim.settings import Settings
from meterctl.errors import NoAnswerError, RefusedError
from meterctl.journal import NOWHERE, Journal
from meterctl.operations.command import plan_command
from meterctl.operations.limits import Change, encode_settings, parse_settings, set_limits
from protocols.quantities import LEDGER
from protocols.sealed_message import MessageKind
from tests.support.meters import Host, make
from tests.support.wire import connect


def change(word: str) -> list[tuple[object, object]]:
    """Set one limit on a new meter; return (before, after) of each setting."""
    meter = make()
    session, _ = connect(meter)
    wanted = parse_settings([word])
    journal = Journal(NOWHERE)
    command = plan_command(session, journal, MessageKind.LIMITS, encode_settings(wanted))
    inner = session.driver.deliver

    def deliver(sealed: bytes) -> object:
        delivery = inner(sealed)
        if word == "max_credit=30.00":
            Host(meter).send(
                MessageKind.LIMITS, parameters=encode_settings(parse_settings(["max_credit=99.00"]))
            )
        return delivery

    session.driver.deliver = deliver  # type: ignore[method-assign, assignment]
    return [(c.before, c.after) for c in set_limits(session, journal, command, wanted)]


def test_what_was_set_is_read_back() -> None:
    assert change("overdraft_limit=3.00") == [(0, 3 * LEDGER)]


def test_a_meter_that_has_something_else_is_found_out() -> None:
    with pytest.raises(RefusedError, match="read back max_credit is not as asked"):
        change("max_credit=30.00")


PAIR = ("max_credit=30.00", "reconnect_threshold=50.00")


def refused(meanwhile: str = "", words: Sequence[str] = PAIR, **description: object) -> str:
    """Return the error of limits that a meter refuses, while another host may set one."""
    meter = make(**description)
    session, _ = connect(meter)
    wanted = parse_settings(words)
    journal = Journal(NOWHERE)
    command = plan_command(session, journal, MessageKind.LIMITS, encode_settings(wanted))
    inner = session.driver.deliver

    def deliver(sealed: bytes) -> object:
        delivery = inner(sealed)
        if meanwhile:
            parameters = encode_settings(parse_settings([meanwhile]))
            Host(meter).send(MessageKind.LIMITS, parameters=parameters)
        return delivery

    session.driver.deliver = deliver  # type: ignore[method-assign, assignment]
    with pytest.raises(RefusedError) as caught:
        set_limits(session, journal, command, wanted)
    assert caught.value.outcome == "out_of_range"
    return str(caught.value)


def test_after_a_refusal_the_error_says_what_was_read_back() -> None:
    assert "read back, nothing has changed" in refused()
    assert "CHANGED" not in refused()
    assert "read back, max_credit CHANGED all the same" in refused("max_credit=99.00")


def test_a_refusal_says_which_pair_is_wrong_and_what_is_allowed() -> None:
    told = refused()
    assert (
        "out_of_range (reconnect_threshold 50.00 + 0.01 is above max_credit 30.00: no top" in told
    )
    assert "allowed is a max_credit of at least 0.01 more than reconnect_threshold, or off)" in told


def test_a_refusal_names_a_pair_with_a_setting_that_stands() -> None:
    assert "low_credit_threshold_1 is below low_credit_threshold_2 (1.00 < 5.00)" in refused(
        words=("low_credit_threshold_1=1.00",),
        settings=Settings(low_credit_threshold_2=5 * LEDGER),
    )


def test_a_refused_offset_says_that_the_meter_has_a_time_zone() -> None:
    told = refused(words=("utc_offset_minutes=480",), transitions=((0, 60),))
    assert "out_of_range (utc_offset_minutes is not set on a meter that has a time zone)" in told
    assert "read back, nothing has changed" in told


def without_reading_back(*words: str) -> list[Change]:
    """Set limits on a new meter that does not answer after the command."""
    meter = make()
    session, _ = connect(meter)
    wanted = parse_settings(words)
    journal = Journal(NOWHERE)
    command = plan_command(session, journal, MessageKind.LIMITS, encode_settings(wanted))
    answers = iter((session.driver.read(wanted),))

    def read(_: object) -> object:
        for answer in answers:
            return answer
        raise NoAnswerError("silence")

    session.driver.read = read  # type: ignore[method-assign, assignment]
    return set_limits(session, journal, command, wanted)


def test_accepted_limits_that_cannot_be_read_back_are_accepted() -> None:
    assert without_reading_back("overdraft_limit=3.00") == []


def test_refused_limits_that_cannot_be_read_back_are_refused() -> None:
    with pytest.raises(RefusedError, match="reading back was not answered: silence") as caught:
        without_reading_back("max_credit=30.00", "reconnect_threshold=50.00")
    assert caught.value.outcome == "out_of_range"
