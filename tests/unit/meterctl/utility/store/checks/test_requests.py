"""A request, its answer and its audit say the same; one that is rewritten alone is found."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from meterctl.utility.model.money import PaymentChannel
from meterctl.utility.services import payments, sales
from meterctl.utility.store.checks.requests import requests_answered
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_days import without_triggers


def _audited(values: str, action: str) -> str:
    return f"UPDATE audit SET after_values = '{values}' WHERE action = '{action}'"


def _answered(values: str, key: str) -> str:
    return f"UPDATE request SET answer = '{values}' WHERE key = '{key}'"


TAMPERED = {
    "the person of an audit": "UPDATE audit SET staff_id = NULL WHERE key = 'K2'",
    "the instant of an audit": "UPDATE audit SET at_ms = at_ms + 1 WHERE key = 'K1'",
    "an audit that is gone": "DELETE FROM audit WHERE key = 'K2'",
    "the amount in a sale's audit": _audited('{"state": "taken", "amount": 1}', "sell"),
    "the amount in a payment's audit": _audited('{"amount": 1}', "pay"),
    "the answer of a sale": _answered("{}", "K1"),
    "the answer of a payment": _answered('{"payment": "P2", "amount": 1}', "K2"),
    "an answer that is no number": _answered('{"payment": "P2", "amount": "x"}', "K2"),
    "the amount of a sale": "UPDATE sale SET amount = 1",
    "the amount of a payment": "UPDATE payment SET amount = 1 WHERE purpose = 'bills'",
    "the number of a receipt": "UPDATE receipt SET number = 12 WHERE number = 1",
}


@BOTH_ENGINES
def test_what_was_rewritten_of_a_request_is_found(counter: Counter) -> None:
    counter.terms()
    vendor, cash = counter.world.vendor, PaymentChannel.CASH
    counter.ask(vendor, sales.take, key="K1", agreement="A1", amount=10_00)
    counter.ask(vendor, payments.pay, key="K2", agreement="A1", amount=5_00, channel=cash)
    with counter.database.reading() as session:
        sound = requests_answered(session)
    assert (sound.count, sound.violations) == (2, ())
    without_triggers(counter.database)
    found = {}
    for name, statement in TAMPERED.items():
        with counter.database.engine.connect() as connection, connection.begin() as transaction:
            assert connection.execute(text(statement)).rowcount
            with Session(connection) as session:
                found[name] = bool(requests_answered(session).broken)
            transaction.rollback()
    assert found == dict.fromkeys(TAMPERED, True)
