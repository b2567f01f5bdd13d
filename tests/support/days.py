"""Meters that have run for some days, with power cuts and a set clock."""

from __future__ import annotations

from firmware_sim.description.zones import transitions
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.requests import CutPower, ReturnPower
from protocols.quantities import HOUR, LEDGER, parse_moment
from protocols.sealed_message import MessageKind, Outcome, encode_clock
from tests.support.meters import Host, make

FAR = 2**31
"""An expiry that no test reaches, s of elapsed time."""


class Days:
    """A meter of half a kilowatt in Berlin, whose time a test moves."""

    def __init__(self, start: str = "2026-03-20T10:07:00Z", **fields: object) -> None:
        described = {
            "start": parse_moment(start),
            "transitions": transitions("Europe/Berlin"),
            "load": Load.constant((500_000,)),
            "credit": 500 * LEDGER,
        }
        self.meter: Meter = make(**(described | fields))  # type: ignore[arg-type]
        self.host = Host(self.meter)

    @property
    def clock(self) -> int:
        """The meter's clock."""
        return self.meter.clock

    def run(self, hours: float) -> None:
        """Let time pass."""
        self.meter.advance(self.meter.state.elapsed_ms + int(hours * HOUR))

    def cut(self, hours: float) -> None:
        """Take the power away for a time."""
        self.meter.handle(CutPower())
        self.run(hours)
        self.meter.handle(ReturnPower())

    def set_clock(self, by: int) -> None:
        """Set the clock forward or back by some ms."""
        answer = self.host.send(
            MessageKind.CLOCK, parameters=encode_clock(self.clock + by), expires_at=FAR
        )
        assert answer.outcome is Outcome.ACCEPTED
