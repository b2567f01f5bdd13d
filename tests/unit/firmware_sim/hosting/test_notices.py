"""Notices about connections: the first at once, then at most one line in ten seconds."""

from __future__ import annotations

from firmware_sim.hosting.notices import QUIET_S, ConnectionEvent, ConnectionNotices
from tests.support.loops import SteppedLoop

CLOSED, REFUSED = ConnectionEvent.CLOSED, ConnectionEvent.REFUSED


def test_what_follows_the_first_notice_is_told_in_one_line_with_counts() -> None:
    loop, said = SteppedLoop(), list[str]()
    notices = ConnectionNotices(loop.as_loop, said.append)
    for event in (CLOSED, CLOSED, REFUSED, CLOSED):
        notices.add(event)
    assert said == [f"meter-sim: connections {CLOSED.value}: 1"]
    assert loop.waits_s == [QUIET_S]
    loop.expire()
    assert said[1:] == [f"meter-sim: connections {CLOSED.value}: 2; {REFUSED.value}: 1"]
    loop.expire()
    assert len(said) == 2, "nothing happened since"
    assert loop.waits_s == []
    notices.add(REFUSED)
    assert said[2:] == [f"meter-sim: connections {REFUSED.value}: 1"]


def test_after_the_end_nothing_is_told() -> None:
    loop, said = SteppedLoop(), list[str]()
    notices = ConnectionNotices(loop.as_loop, said.append)
    notices.add(CLOSED)
    notices.add(CLOSED)
    notices.end()
    loop.expire()
    assert len(said) == 1
