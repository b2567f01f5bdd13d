"""Operations of the API: keys, versions, rights, amounts, lists, and what their answers look like."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.desk_api import Script, script_of
from tests.support.desk_pages import Pages

SALE = {"agreement": "A1", "amount": "50.00"}


@pytest.fixture
def vendor(pages: Pages) -> Script:
    """A vendor with an open shift."""
    return script_of(pages, "v1")


def _problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_a_sale_is_taken_with_amounts_as_texts_and_its_delivery_begins(
    pages: Pages, vendor: Script
) -> None:
    pages.counter.terms()
    pages.counter.read(0)
    answer = vendor.post("/sales", SALE, key="K1")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["sale"], told["amount"], told["owed"], told["state"]) == (
        "S1", "50.00", "0.00", "taken",
    )  # fmt: skip
    assert told["taken_at"] == "2026-09-21T22:13:20.000+08:00"
    assert (told["replayed"], pages.delivery.begun) == (False, [1])


def test_the_same_key_answers_again_and_says_so(pages: Pages, vendor: Script) -> None:
    pages.counter.terms()
    pages.counter.read(0)
    first = vendor.post("/sales", SALE, key="K1").json()
    again = vendor.post("/sales", SALE, key="K1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == {**first, "replayed": True}
    _problem(vendor.post("/sales", {**SALE, "amount": "60.00"}, key="K1"), 422, "key_reused")
