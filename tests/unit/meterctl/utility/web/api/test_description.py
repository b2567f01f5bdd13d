"""The description of the API (OpenAPI), and that answers are as it says."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from meterctl.utility.rules.rights import Role
from tests.support.desk_api import API, Script, script_of
from tests.support.desk_pages import Pages

BANK = """\
code = "BA"
"""


class Described:
    """A caller that compares each answer with the description."""

    def __init__(self, script: Script, schema: dict[str, Any]) -> None:
        self.script, self.schema = script, schema
        self.asked: set[str] = set()

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        """Read, and return the values."""
        return self._compared("get", path, status, self.script.get(path, **query))

    def post(self, path: str, body: Any = None, status: int = 201, **more: str) -> Any:
        """Change something, and return the values."""
        return self._compared("post", path, status, self.script.post(path, body, **more))

    def patch(self, path: str, body: Any, seen: int) -> Any:
        """Edit something, and return the values."""
        answer = self.script.send("PATCH", path, body, If_Match=f'"{seen}"')
        return self._compared("patch", path, 200, answer)

    def _compared(self, method: str, path: str, status: int, answer: Any) -> Any:
        assert answer.status_code == status, (path, answer.text)
        operation = self._operation(method, f"{API}{path}".partition("?")[0])
        self.asked.add(operation["operationId"])
        content = operation["responses"][str(status)]["content"]["application/json"]
        told = answer.json()
        problems = [
            f"{'/'.join(map(str, each.absolute_path))}: {each.message}"
            for each in self._validator(content["schema"]["$ref"]).iter_errors(told)
        ]
        assert not problems, (path, problems)
        return told

    def _operation(self, method: str, path: str) -> Any:
        for template, operations in sorted(self.schema["paths"].items(), key=_is_template):
            pattern = re.sub(r"{\w+}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method in operations:
                return operations[method]
        raise AssertionError(path)

    @cache  # noqa: B019  (it lives as long as its test)
    def _validator(self, reference: str) -> Draft202012Validator:
        return Draft202012Validator({"$ref": reference, "components": self.schema["components"]})


def _is_template(entry: tuple[str, Any]) -> int:
    return entry[0].count("{")


@pytest.fixture
def schema(pages: Pages) -> dict[str, Any]:
    """The description as it is served, to everybody."""
    served: dict[str, Any] = script_of(pages, None).get("/openapi.json").json()
    return served


def test_the_description_names_every_operation_its_tag_and_its_problems(
    schema: dict[str, Any],
) -> None:
    names = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            assert operation["summary"].endswith((".", ").")), path
            assert len(operation["tags"]) == 1, path
            wanted = {"get": {"401", "403", "503"}, "patch": {"409", "412", "428"}}
            assert wanted.get(method, {"400", "401", "403", "409", "422", "503"}) <= set(
                operation["responses"]
            )
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert set(answer["content"]) == {"application/problem+json"}, path
    assert len(names) == len(set(names)) > 100
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_answers_are_as_described(pages: Pages, schema: dict[str, Any], everyone: Script) -> None:
    pages.counter.terms()
    pages.counter.read(0)
    second = pages.counter.person(Role.ADMIN, "second").number
    for role in Role:
        pages.let_in(second, role)
    one, other = Described(everyone, schema), Described(script_of(pages, second), schema)
    _archive(one)
    _people(one, other)
    _agreement(one)
    _counter(one, other)
    _books(one)
    asked = one.asked | other.asked
    described = {each["operationId"] for path in schema["paths"].values() for each in path.values()}
    assert described - asked == _NOT_ASKED


_NOT_ASKED = {"live"}


def _archive(one: Described) -> None:
    one.post("/organisations", {"kind": "station", "code": "0101", "name": "N", "parent": "0001"})
    one.get("/organisations")
    one.patch("/organisations/0101", {"name": "East"}, 1)
    one.get("/organisations/0101")
    one.post("/customers", {"name": "Li", "number": "C1", "phones": ["13800138000"]})
    one.patch("/customers/C1", {"protected": True}, 1)
    one.post("/customers/C1/unmask", {"reason": "a call"}, 200)
    one.get("/customers", text="Li")
    one.get("/customers/C1")
    point = one.post("/points", {"node": "0101", "address": "1 Main Street"})["number"]
    one.patch(f"/points/{point}", {"class": "other", "capacity_mw": 9_000_000}, 1)
    one.get("/points", node="0101")
    one.get(f"/points/{point}")
    one.post("/ports", {"name": "p1", "node": "0101", "url": "/dev/ttyUSB9"})
    one.patch("/ports/p1", {"url": "/dev/ttyUSB8"}, 1)
    one.get("/ports")
    one.get("/ports/p1")
    one.post("/meters", {"serial": "000000000077", "port": "p1", "unit": 3})
    one.patch("/meters/000000000077", {"unit": 4}, 1)
    one.post("/meters/000000000077/install", {"point": point}, 200)
    one.get("/meters")
    one.get("/meters/000000000077")
    one.post("/meters/000000000077/remove", {"reason": "moved"}, 200)
    one.post("/meters/000000000077/install", {"point": point}, 200)
    for kind, columns in (
        ("organisations", "code,kind,parent,name\nD1,district,0101,First\n"),
        ("customers", "name\nHan\n"),
        ("points", "node,address,class,capacity\n0101,2 Main Street,resident,8kW\n"),
        ("ports", "name,node,url\np2,0101,/dev/ttyUSB7\n"),
        ("meters", "serial\n000000000078\n"),
    ):
        assert one.post(f"/{kind}/import", {"csv": columns}, 200)["rows"] == 1


def _people(one: Described, other: Described) -> None:
    one.post("/staff", {"number": "n1", "name": "N"})
    one.post("/staff/n1/token", status=200)
    one.post("/staff/n1/grant", {"role": "clerk", "node": "0101"})
    task = one.post("/staff/n1/grant", {"role": "vendor", "node": "0101"})["task"]
    one.get(f"/tasks/{task}")
    other.post(f"/tasks/{task}/take", status=200)
    other.post(f"/tasks/{task}/put-back", status=200)
    other.post(f"/tasks/{task}/approve", status=200)
    one.get("/tasks", mine=True)
    refused = one.post("/staff/n1/grant", {"role": "accountant", "node": "0101"})["task"]
    one.post(f"/tasks/{refused}/refuse", {"reason": "no"}, 200)
    one.post("/staff/n1/revoke", {"role": "clerk", "node": "0101"}, 200)
    one.post("/duties", {"number": "n1", "kind": "read", "node": "0101"}, 200)
    one.get("/duties")
    one.get("/staff")
    one.get("/staff/n1")
    one.post("/staff/n1/deactivate", {"reason": "left"}, 200)
    one.post("/settings/lowest_sale", {"value": "2.00", "node": "0001", "class": "other"})
    one.get("/settings/lowest_sale")
    one.get("/settings", node="0001", limit=2)


def _agreement(one: Described) -> None:
    point = one.get("/points", text="1 Main Street")["rows"][0]["number"]
    terms = {"way_of_buying": "wire", "low_credit_threshold_1": "10.00", "friendly_weekends": False}
    drafted = one.post("/agreements", {"customer": "C1", "point": point, "terms": terms})
    number = drafted["agreement"]
    assert drafted["version"]["terms"]["low_credit_threshold_1"] == "10.00"
    page = one.post(f"/agreements/{number}/print", {"language": "en"}, 200)
    assert page["content"].startswith("<!DOCTYPE html>")
    one.post(f"/agreements/{number}/sign", {"name": "Li"}, 200)
    paper = {"for": number, "kind": "photo", "name": "a.txt", "content": b64encode(b"x").decode()}
    document = one.post("/documents", paper)["document"]
    one.get("/documents", **{"for": number})
    one.post(f"/documents/{document}/get", status=200)
    one.post(f"/agreements/{number}/provision", {"opened": True}, 200)
    one.get("/agreements", state="new")
    one.get(f"/agreements/{number}")
    one.get("/agreements/A1")


def _counter(one: Described, other: Described) -> None:
    """Sell, pay, count and close."""


def _books(one: Described) -> None:
    for path in ("/status", "/time", "/today", "/check", "/audit", "/orders", "/workers"):
        one.get(path)
    one.get("/today/tasks_late")
    one.get("/sheets/day/2026-09-21")
    one.get("/ledger/A1")
