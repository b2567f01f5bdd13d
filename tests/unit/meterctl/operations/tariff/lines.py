"""A meter whose tariff is set over a line that a test may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware_sim.meter import Meter
from meterctl.drivers import Delivery
from meterctl.journal import NOWHERE, Journal
from meterctl.operations.tariff.file import parse_tariff_file
from meterctl.operations.tariff.setting import PartReadBack, PlannedTariff, plan_tariff, set_tariff
from meterctl.session import Session
from protocols.quantities import LocalMoment
from protocols.sealed_message import MessageKind
from tests.support.meters import Host, event_names, make
from tests.support.wire import Fault, connect


class TariffLine:
    """One meter, a session on it, a journal; it counts deliveries and can change each."""

    def __init__(self, fault: Fault | None = None, **description: Any) -> None:
        self.meter: Meter = make(**description)
        self.session: Session = connect(self.meter, fault, framed=fault is None)[0]
        self.journal = Journal(NOWHERE)
        self.deliveries = 0
        self.change: Callable[[Delivery], Delivery] = lambda delivery: delivery
        self._deliver = self.session.driver.deliver
        self.session.driver.deliver = self._delivery  # type: ignore[method-assign]

    def _delivery(self, sealed: bytes) -> Delivery:
        self.deliveries += 1
        return self.change(self._deliver(sealed))

    def plan(self, text: str, activation: int | LocalMoment | None = None) -> PlannedTariff:
        """Plan the command of a tariff file."""
        return plan_tariff(self.session, self.journal, parse_tariff_file(text).change(activation))

    def set(self, text: str, activation: int | LocalMoment | None = None) -> list[PartReadBack]:
        """Set a tariff file."""
        return set_tariff(self.session, self.journal, self.plan(text, activation))

    def by_another(self, text: str) -> None:
        """Let another host set a tariff file."""
        parameters = parse_tariff_file(text).change().encode()
        Host(self.meter).send(MessageKind.TARIFF, parameters=parameters)

    @property
    def executed(self) -> int:
        """How many tariff commands the meter has executed."""
        return event_names(self.meter).count("tariff_set")
