"""What is told of consumption over a wire that lies is right, or an error: never a part of it."""

from __future__ import annotations

from random import Random

import pytest

from meterctl.errors import CorruptAnswerError, NoAnswerError
from meterctl.operations.load_profile import Gap, Interval, read_profile
from meterctl.operations.snapshots import read_registers
from meterctl.operations.time_span import Span
from meterctl.session import Session
from protocols.quantities import HOUR
from tests.support.days import Days
from tests.support.wire import connect

HONEST = 3
"""Exchanges before the first lie: contact, and probes of the line."""


class Liar:
    """Loses, repeats and delays frames, and flips bits where a checksum can find them."""

    def __init__(self, random: Random, probability: float, flips: bool) -> None:
        self.random, self.probability, self.flips = random, probability, flips
        self.late = b""

    def __call__(self, exchange: int, direction: str, data: bytes) -> bytes:
        """Return what arrives of a frame."""
        lie = self.random.random() / self.probability
        if exchange <= HONEST or lie >= 4:
            out, self.late = self.late + data if direction == "reply" else data, b""
            return out
        if direction == "request":
            return b"" if lie < 1 else data
        out, self.late = self.late, b""
        if lie < 1:
            self.late = data  # it comes before the next reply
            return out
        if lie < 2:
            return out
        if lie < 3:
            return out + data + data
        if not self.flips:
            return out + data
        place = self.random.randrange(len(data))
        flipped = data[place] ^ 1 << self.random.randrange(8)
        return out + data[:place] + bytes([flipped]) + data[place + 1 :]


def eventful() -> Days:
    days = Days("2026-03-20T00:00:00Z")
    days.run(40)
    days.cut(3)
    days.run(30)
    days.set_clock(-7 * HOUR)
    days.run(30)
    days.set_clock(9 * HOUR + 77)
    days.run(50)
    return days


def told(session: Session, clock: int) -> object:
    """Return a whole profile, a part of it, and the registers."""
    part = Span(clock - 60 * HOUR, clock - 40 * HOUR)
    spans = [shown(read_profile(session.driver, span).parts(span)) for span in (Span(), part)]
    registers = read_registers(session.driver)
    return spans, registers.daily, registers.present


def shown(parts: object) -> list[object]:
    return [
        (one.number, one.begin, one.end, one.record) if isinstance(one, Interval) else one
        for one in parts  # type: ignore[attr-defined]
        if isinstance(one, Interval | Gap)
    ]


@pytest.mark.parametrize("framed", [False, True], ids=["rtu", "tcp"])
def test_it_is_right_or_an_error(framed: bool) -> None:
    days = eventful()
    truth = told(connect(days.meter)[0], days.clock)
    right = 0
    for seed in range(8):
        liar = Liar(Random(f"reports/{seed}"), 0.01 * (1 + seed % 4), flips=not framed)
        session, _ = connect(days.meter, liar, framed=framed)
        try:
            found = told(session, days.clock)
        except (NoAnswerError, CorruptAnswerError):
            continue
        assert found == truth, f"seed {seed}"
        right += 1
    assert right >= 3
