"""Requests of a meter and their results: a field that is not given says nothing."""

from __future__ import annotations

from firmware_sim.requests import CardFailed, Insertion, PresentCard, Reply, refused_by_storage
from protocols.card.files import CardIdentity, CardType, CreditRecord
from protocols.data_model.insertion import InsertionError
from protocols.sealed_message import Answer, Outcome


def test_a_field_that_is_not_given_says_nothing() -> None:
    assert Insertion() == Insertion(None, None, False, b"", None, None)
    assert Reply() == Reply(None, b"", None, b"")
    error = InsertionError.FILE_FORMAT
    assert CardFailed(error) == CardFailed(error, bytes(8), False)
    identity = CardIdentity("000000000042", "000000001001", 1)
    card = (bytes(8), identity, CreditRecord(CardType.PURCHASE, 1), True)
    assert PresentCard(*card) == PresentCard(*card, ())


def test_a_result_keeps_what_it_says_when_that_of_the_commands_is_added() -> None:
    first = Insertion(None, Outcome.ACCEPTED, True, b"receipt", None, 7)
    both = first.with_commands(InsertionError.FILE_FORMAT, Outcome.EXPIRED)
    assert both == Insertion(
        InsertionError.FILE_FORMAT, Outcome.ACCEPTED, True, b"receipt", Outcome.EXPIRED, 7
    )


def test_only_the_answer_of_a_storage_fault_is_a_refusal_by_the_storage() -> None:
    for outcome in Outcome:
        refused = refused_by_storage(Reply(Answer(outcome)))
        assert refused is (outcome is Outcome.STORAGE_FAULT)
    assert refused_by_storage(Reply()) is False
    assert refused_by_storage(None) is False
