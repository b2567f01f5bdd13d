"""What no client of ours sends: each operation refuses it as a problem, and nothing is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import func, select

from meterctl.utility.model.evidence import Audit
from meterctl.utility.web.api.operations import Change, Look, Operation
from meterctl.utility.web.api.tables import OPERATIONS
from tests.support.desk_api import API, Script, problem_of
from tests.support.desk_pages import Pages

ALL: tuple[Operation, ...] = tuple(each for table in OPERATIONS.values() for each in table)
CHANGES = tuple(each for each in ALL if isinstance(each, Change))
LOOKS = tuple(each for each in ALL if isinstance(each, Look))
HOSTILE_NAMES = (
    "\x00", "S999999999999999999", "9" * 30, "é" * 201, "'; DROP TABLE sale; --", "٣",
)  # fmt: skip
HOSTILE_VALUES: tuple[Any, ...] = (None, 10**30, "\x00", "9" * 3_000, "\ud800", {"a": [[]]})


def _addresses(path: str) -> Iterator[str]:
    """Yield the addresses of an operation with hostile names in it."""
    if "{" in path:
        for name in HOSTILE_NAMES:
            yield re.sub(r"{\w+}", quote(name, safe=""), path)


def _audits(pages: Pages) -> int:
    number: int = pages.counter.work(lambda work: work.session.scalar(select(func.count(Audit.id))))
    return number


def _send(everyone: Script, change: Change, path: str, body: Any) -> Any:
    content = b"" if body is None else json.dumps(body).encode()
    named = {"Idempotency-Key": "hostile", "If-Match": '"1"', "Content-Type": "application/json"}
    return everyone.raw(change.method, path, content, named)


def test_names_that_are_none_are_refused(pages: Pages, everyone: Script) -> None:
    before = _audits(pages)
    for look in LOOKS:
        for address in _addresses(look.path):
            answer = everyone.get(address)
            if answer.status_code != 200:  # a list about a name may be empty
                assert 400 <= problem_of(answer)[0] < 500, (address, answer.text)
    for change in CHANGES:
        body = {} if change.body is not None else None
        for address in _addresses(change.path):
            answer = _send(everyone, change, address, body)
            assert 400 <= problem_of(answer)[0] < 500, (change.words, address, answer.text)
    assert _audits(pages) == before


def test_hostile_values_are_no_fault_and_unknown_fields_are_refused(everyone: Script) -> None:
    for change in CHANGES:
        if change.body is None:
            continue
        path = re.sub(r"{on}", "2026-09-20", re.sub(r"{(?!on)\w+}", "1", change.path))
        unknown = {**_filled(change, "1"), "no_such_field": 1}
        assert problem_of(_send(everyone, change, path, unknown))[0] in (422, 404), change.words
        for value in HOSTILE_VALUES:
            answer = _send(everyone, change, path, _filled(change, value))
            is_taken = answer.status_code < 300  # a text can be a name
            assert is_taken or 400 <= problem_of(answer)[0] < 500, (change.words, value)


def _filled(change: Change, value: Any) -> dict[str, Any]:
    """Return a body in which each field has a value."""
    assert change.body is not None
    fields = change.body.model_fields.items()
    return {info.alias or name: value for name, info in fields}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"agreement": "A1", "amount": "50.00"',
        b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5_000, b"NaN",
        b'{"agreement": "A1", "\\ud800": 1, "amount": "50.00"}',
        b"agreement=A1&amount=50.00",
    ],
)  # fmt: skip
def test_a_body_that_is_none_is_refused(everyone: Script, content: bytes) -> None:
    headers = {"Idempotency-Key": "K", "Content-Type": "application/json"}
    answer = everyone.raw("POST", "/sales", content, headers)
    assert problem_of(answer)[0] in (400, 422), answer.text


def test_an_amount_is_a_text_with_at_most_two_decimals(vendor: Script) -> None:
    wrong: tuple[Any, ...] = (
        50, 50.0, "50.001", "0.00", "-50.00", "1" + "0" * 30, "1000000.00", "", " ", "1e2", "５０",
        "50,00", None, True, ["50.00"], "NaN",
    )  # fmt: skip
    for amount in wrong:
        answer = vendor.post("/sales", {"agreement": "A1", "amount": amount})
        assert problem_of(answer)[0] == 422, amount
    assert vendor.get("/sales").json()["rows"] == []


def test_a_number_or_a_flag_is_no_text(everyone: Script) -> None:
    for path, wrong in (
        ("/points", {"node": "0011", "address": "A", "capacity_mw": "8000000"}),
        ("/points", {"node": "0011", "address": "A", "read_day": 1.0}),
        ("/customers", {"name": "A", "protected": "no"}),
        ("/customers", {"name": 5}),
        ("/shifts", {"node": "0011", "float_amount": "1.00"}),  # its name is `float`
    ):
        assert problem_of(everyone.post(path, wrong)) == (422, "invalid"), wrong


def test_lists_refuse_a_part_that_is_none(everyone: Script) -> None:
    for look in LOOKS:
        if look.by is None:
            continue
        path = look.path.replace("{figure}", "unknown")
        path = re.sub(r"{\w+}", "A1", path)
        given = {"for": "A1"} if look.name == "document_list" else {}
        for wrong in ({"limit": 10**9}, {"limit": 0}, {"limit": "x"}, {"after": "\x00"}):
            answer = everyone.get(path, **given, **wrong)
            assert problem_of(answer)[0] in (404, 422), (path, wrong, answer.text)
        answer = everyone.get(path, **given, after="9" * 30)
        assert answer.status_code == 200 or problem_of(answer)[0] in (404, 409, 422), path


def test_a_body_is_counted(everyone: Script) -> None:
    headers = {"Idempotency-Key": "K", "Content-Type": "application/json"}
    answer = everyone.raw("POST", "/sales", b" " * (13 * 1024 * 1024), headers)
    assert problem_of(answer) == (413, "too_large")


def test_an_address_that_is_none_is_a_problem(everyone: Script) -> None:
    for path in ("/nothing", "/sales/", "//sales", "/sales/S1/nothing", "/../sales"):
        answer = everyone.client.get(f"{API}{path}", headers=everyone.headers)
        if answer.url.path.startswith("/api/"):
            assert problem_of(answer)[0] in (404, 405), path
    assert problem_of(everyone.client.delete(f"{API}/sales", headers=everyone.headers))[0] == 405
