"""A session reads the identity that a meter shows; by default it asks no user and does not wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from firmware_sim.settings import Settings
from meterctl.errors import CorruptAnswerError, NoAnswerError
from meterctl.session import MeterIdentity, Session, answer_no, no_pause
from protocols.data_model import items
from protocols.data_model.items import Item
from protocols.data_model.words import AccountState
from protocols.keys import development_keys
from protocols.quantities import LEDGER
from protocols.sealed_message import MessageKind
from tests.support.meters import Host, make
from tests.support.wire import connect

SERIAL = "000000000042"


class ChangingDriver:
    """A driver whose registers show one item with another value."""

    def __init__(self, session: Session, item: Item, value: object) -> None:
        self._driver, self._item, self._value = session.driver, item, value

    def read(self, wanted: Iterable[Item]) -> Mapping[Item, Any]:
        return {**self._driver.read(wanted), self._item: self._value}


def test_an_identity_is_what_the_meter_shows() -> None:
    meter = make(
        serial_number=SERIAL,
        epoch=0xE0,
        customer_number="000000001001",
        credit=5 * LEDGER,
        settings=Settings(utc_offset_minutes=60),
    )
    Host(meter).send(MessageKind.CREDIT, amount=100)
    keys = development_keys(SERIAL)
    assert connect(meter)[0].identify() == MeterIdentity(
        serial_number=SERIAL,
        epoch=0xE0,
        account_unit=156,
        customer_number="000000001001",
        account_state=AccountState.OPEN,
        credit_sequence=1,
        command_sequence=0,
        key_version=0,
        key_check_value=keys.check_value,
        clock=1_767_225_600_000,
        utc_offset_minutes=60,
        available_credit=6 * LEDGER,
        status=0,
    )


def test_an_account_state_that_is_not_defined_is_a_corrupt_answer() -> None:
    session, _ = connect(make(serial_number=SERIAL))
    driver = ChangingDriver(session, items.ACCOUNT_STATE, 7)
    changed = Session(driver, session.ring, session.now, session.ticks)  # type: ignore[arg-type]
    with pytest.raises(CorruptAnswerError, match=f"{SERIAL}: account state 7"):
        changed.identify()


def test_silence_is_no_answer() -> None:
    session, transport = connect(make(), fault=lambda *_: b"")
    with pytest.raises(NoAnswerError):
        session.identify()
    assert transport.exchanges > 1, "a read is repeated"


def test_reading_the_identity_changes_nothing_at_the_meter() -> None:
    meter = make()
    before = meter.state.clone()
    connect(meter)[0].identify()
    assert meter.state == before


def test_a_session_by_default_asks_no_user_and_does_not_wait() -> None:
    session, _ = connect(make())
    assert session.ask is answer_no
    assert session.pause is no_pause
    assert not session.ask("is this the right one")
    session.pause(10**9)
    assert (session.port, session.payee, session.set_back) == ("", None, False)
    assert len(session.random(8)) == 8
