"""Sales by wire for tests: a meter of a known key ring, and sales whose answers are lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from firmware_sim.meter import Meter
from meterctl.errors import NoAnswerError, UnknownOutcomeError
from meterctl.journal import Entry, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.credit import execute, plan
from meterctl.operations.entry_results import Settled
from meterctl.session import Session
from protocols.keys import derive_meter_keys
from protocols.quantities import CENT
from protocols.sealed_message import MessageKind
from protocols.sealed_status import StatusQuestion
from tests.support.meters import make
from tests.support.setup import METER
from tests.support.wire import connect

MASTERS = {1: bytes(range(16)), 2: bytes(range(16, 32))}
RING = KeyRing(MASTERS, Path("keys.json"))


def meter_of(**description: Any) -> Meter:
    keys = {version: derive_meter_keys(MASTERS[version], METER, version) for version in MASTERS}
    return make(serial_number=METER, keys=keys, **{"epoch": 0xE0, "credit": 0, **description})


def session_of(meter: Meter, **changed: Any) -> Session:
    return replace(connect(meter, ring=RING)[0], **changed)


def sold(
    session: Session,
    journal: Journal,
    cents: int = 5000,
    kind: MessageKind = MessageKind.CREDIT,
    customer: str | None = None,
    reference: str = "",
) -> Settled:
    return execute(
        session, journal, plan(session, journal, kind, cents, customer, reference=reference)
    )


def credit(meter: Meter) -> int:
    return meter.state.account.credit // CENT


class SilentDriver:
    """A driver whose messages reach the meter, and nothing is heard of them afterwards."""

    def __init__(self, session: Session) -> None:
        self._driver, self._delivered = session.driver, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def deliver(self, sealed: bytes) -> NoReturn:
        self._delivered = True
        self._driver.deliver(sealed)
        raise NoAnswerError("silence")

    def receipt(self, *_: object) -> NoReturn:
        raise NoAnswerError("silence")

    def status(self, question: StatusQuestion) -> bytes:
        if self._delivered:
            raise NoAnswerError("silence")
        return self._driver.status(question)


def begun(meter: Meter, journal: Journal, reference: str = "") -> Entry:
    """Return the open entry of a top-up of 50.00 that the meter accepted without an answer."""
    silent = SilentDriver(session_of(meter))
    with pytest.raises(UnknownOutcomeError):
        sold(session_of(meter, driver=silent), journal, reference=reference)
    (entry,) = journal.open_entries(METER)
    return entry
