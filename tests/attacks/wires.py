"""Meters, hosts and false replies of the wire attacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import Nvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from meterctl.drivers import Delivery
from meterctl.errors import NoAnswerError
from meterctl.journal import Entry, Journal
from meterctl.key_ring import KeyRing
from meterctl.operations.command import execute_command, plan_command
from meterctl.operations.credit import execute, plan
from meterctl.operations.sealing import credit_message, enter
from meterctl.operations.status import ask_status
from meterctl.session import Session
from protocols.keys import derive_meter_keys
from protocols.quantities import CENT
from protocols.sealed_message import MessageKind
from tests.support.wire import connect

METER, OTHER = "000000000042", "000000000043"
MASTERS = {1: bytes(range(16)), 2: bytes(range(16, 32))}
RING = KeyRing(MASTERS, Path("keys.json"))


def keys_of(serial: str = METER) -> dict[int, Any]:
    return {
        version: derive_meter_keys(master, serial, version) for version, master in MASTERS.items()
    }


def make(nvram: Nvram | None = None, serial: str = METER, **fields: Any) -> Meter:
    known: dict[str, Any] = {"credit": 0, "epoch": 0xE0, **fields}
    return build(MeterDescription(serial_number=serial, keys=keys_of(serial), **known), nvram)


def session_of(meter: Meter, ring: KeyRing = RING, **fields: Any) -> Session:
    return replace(connect(meter, ring=ring)[0], **fields)


def top_up(session: Session, journal: Journal, cents: int = 5000) -> Entry:
    return execute(session, journal, plan(session, journal, MessageKind.CREDIT, cents)).entry


def credit(meter: Meter) -> int:
    return meter.state.account.credit // CENT


def prepared(session: Session, journal: Journal, cents: int = 5000, **proved: int) -> Entry:
    """Seal and journal a top-up without sending it; `proved` overrides values of the status."""
    meter = replace(ask_status(session, journal, session.identify()).require_ours(), **proved)
    return enter(
        journal, session.ring, credit_message(journal, meter, MessageKind.CREDIT, cents, 0), 0
    )


def command(
    session: Session, journal: Journal, kind: MessageKind, parameters: bytes, **how: Any
) -> Any:
    return execute_command(
        session, journal, plan_command(session, journal, kind, parameters, **how)
    )


class Lies:
    """A driver around the meter's own; calls that are not replaced are passed on."""

    def __init__(self, inner: Any, **replaced: Callable[..., Any]) -> None:
        self._inner, self._replaced = inner, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._inner, name)


def lying(session: Session, **replaced: Callable[..., Any]) -> Session:
    return replace(session, driver=Lies(session.driver, **replaced))  # type: ignore[arg-type]


def shows(session: Session, **fields: Any) -> Callable[[Any], Any]:
    """Return a `read` that shows other values of some items."""

    def read(items: Any) -> Any:
        values = dict(session.driver.read(items))
        return {item: fields.get(item.name, value) for item, value in values.items()}

    return read


def after_delivery(session: Session, break_: Callable[[Session], None]) -> Session:
    """Return a session whose deliveries arrive unanswered; then `break_` changes its driver."""
    lied = lying(session)
    replaced = lied.driver._replaced  # type: ignore[attr-defined]

    def deliver(sealed: bytes) -> Delivery:
        session.driver.deliver(sealed)
        break_(lied)
        raise NoAnswerError("no answer")

    replaced["deliver"] = deliver
    replaced["receipt"] = lambda *_: b""
    return lied


def breaks(session: Session, **replaced: Callable[..., Any]) -> None:
    session.driver._replaced.update(replaced)  # type: ignore[attr-defined]


def no_key(session: Session) -> None:
    breaks(session, status=lambda *_: b"")


def silence(session: Session) -> None:
    def status(*_: object) -> bytes:
        raise NoAnswerError("no answer")

    breaks(session, status=status)
