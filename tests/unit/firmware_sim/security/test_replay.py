"""Sequences, journal rows and suspension of a meter's security state (METER.md 7)."""

from __future__ import annotations

import pytest

from firmware_sim.security.replay import (
    ATTACK_FAILURES,
    ATTACK_WINDOW_MS,
    JOURNALS_KEPT,
    JournalRow,
    Security,
)
from protocols.data_model.words import Carrier
from protocols.keys import MessageClass
from protocols.sealed_message import Origin

WIRE, OTHER = list(Carrier)[:2]


def failing(times: int, at_ms: int = 0, step_ms: int = 1) -> Security:
    security = Security()
    for number in range(times):
        security.fail(WIRE, at_ms + number * step_ms)
    return security


def remembering(journals: int) -> Security:
    """Return a state with a message of each of some journals, with rising sequences."""
    security = Security()
    for number in range(1, journals + 1):
        security.remember(Origin(number, number * 10), number, bytes((number,) * 16), number)
    return security


def test_the_two_classes_have_two_sequences() -> None:
    security = Security()
    security.take(MessageClass.CREDIT, 7)
    assert security.last(MessageClass.CREDIT) == 7
    assert security.last(MessageClass.COMMAND) == 0
    security.take(MessageClass.COMMAND, 9)
    assert (security.last(MessageClass.CREDIT), security.last(MessageClass.COMMAND)) == (7, 9)


def test_a_journal_has_one_row_of_its_last_message() -> None:
    security = Security()
    security.remember(Origin(5, 1), 1, bytes.fromhex("0102030405"), 100)
    security.remember(Origin(5, 2), 2, bytes.fromhex("a1a2a3a4a5"), 200)
    assert security.journals == (JournalRow(5, 2, 2, "a1a2a3a4"),)
    assert security.last_of(5) == security.journals[0]
    assert (security.last_code, security.last_at) == ("a1a2a3a4", 200)
    assert security.last_of(6) is None


def test_journal_0_has_no_row_and_makes_none_forgotten() -> None:
    security = remembering(JOURNALS_KEPT)
    rows = security.journals
    security.remember(Origin(0, 3), 17, bytes(16), 300)
    assert security.journals == rows
    assert security.forgotten == 0
    assert (security.last_code, security.last_at) == ("00000000", 300)


def test_the_journal_whose_message_is_oldest_gives_way_and_is_forgotten() -> None:
    security = remembering(JOURNALS_KEPT + 1)
    assert len(security.journals) == JOURNALS_KEPT
    assert security.last_of(1) is None
    assert security.last_of(2) is not None
    assert security.forgotten == 1


def test_a_journal_that_sells_again_is_not_the_oldest() -> None:
    security = remembering(JOURNALS_KEPT)
    security.remember(Origin(1, 5), 17, bytes(16), 17)
    security.remember(Origin(99, 5), 18, bytes(16), 18)
    assert security.last_of(1) is not None
    assert security.last_of(2) is None
    assert security.forgotten == 2


@pytest.mark.parametrize(("failures", "suspended"), [(4, False), (5, True), (6, True)])
def test_five_failures_suspend_a_carrier(failures: int, suspended: bool) -> None:
    security = failing(failures)
    assert security.suspended(WIRE, failures) is suspended
    assert security.attacked(failures) is suspended


def test_the_fifth_failure_says_that_the_carrier_is_suspended() -> None:
    security = failing(ATTACK_FAILURES - 2)
    assert [security.fail(WIRE, 10), security.fail(WIRE, 11)] == [False, True]


def test_the_wire_does_not_stop_the_card() -> None:
    assert not failing(ATTACK_FAILURES).suspended(OTHER, 5)


def test_a_suspension_ends_when_the_window_has_passed_since_the_first_failure() -> None:
    security = failing(ATTACK_FAILURES, at_ms=1_000)
    end = 1_000 + ATTACK_WINDOW_MS
    assert security.suspended(WIRE, end - 1)
    assert not security.suspended(WIRE, end)
    assert not security.attacked(end)


def test_failures_further_apart_than_the_window_do_not_add_up() -> None:
    security = failing(20, step_ms=ATTACK_WINDOW_MS // 4 + 1)
    assert len(security.failures[WIRE]) == 4
    assert not security.suspended(WIRE, 20 * ATTACK_WINDOW_MS)


def test_a_genuine_message_ends_the_suspension_of_its_carrier_only() -> None:
    security = failing(ATTACK_FAILURES)
    for number in range(ATTACK_FAILURES):
        security.fail(OTHER, number)
    security.forgive(WIRE)
    assert not security.suspended(WIRE, 5)
    assert security.suspended(OTHER, 5)
    assert security.attacked(5)
