"""Operations of the API: keys, versions, rights, and which commands have one."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Update, func, select, update

from meterctl.utility.errors import Refused
from meterctl.utility.model.evidence import Audit
from meterctl.utility.model.money import Sale
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.unit_of_work import UnitOfWork
from meterctl.utility.web.api.operations import Change
from meterctl.utility.web.api.tables import OPERATIONS
from meterctl.utility.web.people import COOKIE, csrf_of
from protocols.command_line import command_of
from tests.support.desk_api import API, Script, problem_of, script_of, script_with_role
from tests.support.desk_pages import HOST, Pages
from tests.support.told_statements import told_statements

SALE = {"agreement": "A1", "amount": "50.00"}
WITHOUT_OPERATION = {
    "init": "makes the database, before there is anything to serve",
    "upgrade": "brings the database to another layout, while nothing is served",
    "work": "a process beside the meters",
    "serve": "the process that serves the API",
    "worker adopt": "needs the file of a journal on the computer of the worker",
    "card present": "needs the card in a reader of the computer where the command runs",
    "card issue": "as `card present`",
    "card replace": "as `card present`",
    "card erase": "as `card present`",
}
"""Commands that the API does not have, and why."""
OTHER_WORDS = {"pay take": "pay"}
"""Commands that are named otherwise where their keys are kept."""


def _commands() -> set[str]:
    """Return the words of all commands of the desk."""
    from meterctl.cli.desk.command_table import desk

    class _Context:
        command = command_of(desk)

    _Context.command.list_commands(_Context())

    def words(command: Any, before: tuple[str, ...]) -> set[str]:
        below = getattr(command, "commands", None)
        if below is None:
            return {" ".join(before)}
        return {each for name in below for each in words(below[name], (*before, name))}

    return words(_Context.command, ())


def test_every_command_has_an_operation_or_a_reason() -> None:
    operations = [each for table in OPERATIONS.values() for each in table]
    changes = {each.words for each in operations if isinstance(each, Change)}
    names = {each.name for each in operations}
    missing = {
        each
        for each in _commands()
        if OTHER_WORDS.get(each, each) not in changes
        and each.replace(" ", "_").replace("-", "_") not in names
    }
    assert missing == set(WITHOUT_OPERATION)


def test_a_sale_is_taken_with_amounts_as_texts_and_its_delivery_begins(
    pages: Pages, vendor: Script
) -> None:
    answer = vendor.post("/sales", SALE, key="K1")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["sale"], told["amount"], told["owed"], told["state"]) == (
        "S1", "50.00", "0.00", "taken",
    )  # fmt: skip
    assert told["taken_at"] == "2026-09-21T22:13:20.000+08:00"
    assert (told["replayed"], pages.delivery.begun) == (False, [1])


def test_the_same_key_answers_again_and_says_so(vendor: Script) -> None:
    first = vendor.post("/sales", SALE, key="K1").json()
    again = vendor.post("/sales", SALE, key="K1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == {**first, "replayed": True}
    other = vendor.post("/sales", {**SALE, "amount": "60.00"}, key="K1")
    assert problem_of(other) == (422, "key_reused")


def test_a_rehearsal_says_what_the_meter_would_make_of_it_and_takes_nothing(
    pages: Pages, vendor: Script
) -> None:
    told = vendor.post("/sales?dry_run=true", SALE, key="K1")
    assert told.status_code == 200
    expected = told.json()["expected"]
    assert (expected["to_credit"], expected["to_credit_exact"]) == ("50.00", "50.0000000000")
    assert (vendor.get("/sales").json()["rows"], pages.delivery.begun) == ([], [])
    assert vendor.post("/sales", SALE, key="K1").json()["replayed"] is False


def test_a_word_of_the_address_that_means_nothing_is_refused(vendor: Script) -> None:
    for path in ("/sales?dryrun=true", "/sales?dry_run=maybe", "/shifts/own/recount?x=1"):
        assert problem_of(vendor.post(path, SALE))[0] == 422, path
    for path in ("/sales?nodes=1", "/sales/S1?x=1", "/time?x"):
        assert problem_of(vendor.get(path))[0] == 422, path


def test_a_sale_that_cannot_be_carried_out_takes_no_money(pages: Pages, vendor: Script) -> None:
    pages.delivery.refusal = Refused("keys", "the keys are not here; no money was taken")
    assert problem_of(vendor.post("/sales", SALE)) == (409, "keys")
    assert vendor.get("/sales").json()["rows"] == []


def test_prefer_waits_for_the_outcome_at_most_fifteen_seconds(pages: Pages, vendor: Script) -> None:
    for key, wish in enumerate(("wait=5", "wait=999", "respond-async, wait=2", "wait=x", "")):
        vendor.post("/sales", SALE, key=f"K{key}", Prefer=wish)
    assert [seconds for _, seconds in pages.delivery.waited] == [5, 15, 2]


def test_a_mutation_needs_a_key(vendor: Script) -> None:
    path, headers = f"{API}/sales", vendor.headers
    missing = vendor.client.post(path, json=SALE, headers=headers)
    assert problem_of(missing) == (400, "key_missing")
    for key in ("", " ", "a" * 65, "a/b", "a b"):
        answer = vendor.client.post(path, json=SALE, headers={**headers, "Idempotency-Key": key})
        assert problem_of(answer)[0] == 400, key


def test_an_edit_needs_the_version_that_was_seen(everyone: Script) -> None:
    made = everyone.post("/customers", {"name": "Li Lei", "number": "C9"})
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    path = "/customers/C9"
    assert everyone.get(path).headers["ETag"] == '"1"'
    change = {"name": "Li Lei the second"}
    assert problem_of(everyone.send("PATCH", path, change)) == (428, "version_missing")
    for seen in ('"2"', "1", "*", 'W/"1"', '"1x"'):
        stale = everyone.send("PATCH", path, change, If_Match=seen)
        assert problem_of(stale) == (412, "stale"), seen
    changed = everyone.send("PATCH", path, change, key="E1", If_Match='"1"')
    assert (changed.json()["name"], changed.headers["ETag"]) == (change["name"], '"2"')
    again = everyone.send("PATCH", path, change, key="E1", If_Match='"1"')
    assert (again.json()["replayed"], again.json()["version"]) == (True, 2)


def test_who_is_not_known_is_told_so_before_the_body_is_read(pages: Pages) -> None:
    for number in (None, "no-such-token"):
        script = script_of(pages, number)
        answer = script.raw("POST", "/sales", b"{", {"Idempotency-Key": "K"})
        assert problem_of(answer)[0] == 401
        assert problem_of(script.get("/sales"))[0] == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_an_auditor_reads_all_and_changes_nothing(pages: Pages) -> None:
    auditor = script_with_role(pages, Role.AUDITOR)
    before = _audits(pages)
    root = "0001"
    for path, body in (
        ("/sales", SALE),
        ("/payments", SALE),
        ("/refunds", SALE),
        ("/shifts", {"float": "10.00", "node": root}),
        ("/customers", {"name": "A"}),
        ("/staff", {"number": "x", "name": "X"}),
        ("/organisations", {"kind": "branch", "code": "B1", "name": "B", "parent": root}),
        ("/settings/lowest_sale", {"value": "2.00", "node": root}),
        ("/days/2026-09-20/close", None),
        ("/time/advance", {"by": "1d"}),
    ):
        assert problem_of(auditor.post(path, body)) == (403, "not_allowed"), path
    assert _audits(pages) == before
    assert auditor.get("/audit").status_code == 200


def test_a_cookie_needs_its_word_against_forgery_and_a_page_of_ours(pages: Pages) -> None:
    pages.counter.terms()
    pages.counter.read(0)
    client = pages.signed_in("v1").client
    word = csrf_of(client.cookies[COOKIE])

    def sell(key: str, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"{API}/sales", json=SALE, headers={"Idempotency-Key": key, **named})

    assert problem_of(sell("K1")) == (403, "csrf")
    assert problem_of(sell("K1", X_CSRF_Token="0" * 64)) == (403, "csrf")
    other = sell("K1", X_CSRF_Token=word, Origin="http://other.example")
    assert problem_of(other) == (403, "other_site")
    assert sell("K1", X_CSRF_Token=word, Origin=f"http://{HOST}").status_code == 201
    assert client.get(f"{API}/sales").json()["rows"][0]["sale"] == "S1"


def test_a_token_is_shown_once_and_kept_nowhere(pages: Pages, everyone: Script) -> None:
    everyone.post("/staff", {"number": "n1", "name": "N"})
    told = everyone.post("/staff/n1/token", key="T1").json()
    assert len(told["token"]) > 20
    assert told["token"] not in str(pages.counter.work(_answers))
    assert problem_of(everyone.post("/staff/n1/token", key="T1")) == (422, "key_reused")
    assert "token" not in everyone.post("/staff/n1/token?dry_run=true").json()


def test_what_is_unmasked_is_in_the_audit_and_cannot_be_rehearsed(everyone: Script) -> None:
    everyone.post("/customers", {"name": "Li", "number": "C9", "phones": ["13800138000"]})
    masked = everyone.get("/customers/C9").json()["phones"]
    path, why = "/customers/C9/unmask", {"reason": "a call"}
    assert problem_of(everyone.post(f"{path}?dry_run=true", why)) == (422, "query")
    assert everyone.get("/audit", action="customer_unmask").json()["rows"] == []
    assert everyone.post(path, why).json()["phones"] == ["13800138000"] != masked
    assert everyone.get("/audit", action="customer_unmask").json()["rows"][0]["reason"] == "a call"


def test_lists_come_in_pages_that_miss_nothing(everyone: Script) -> None:
    for number in range(5):
        everyone.post("/customers", {"name": f"N{number}", "number": f"C{number}"})
        everyone.post("/staff", {"number": f"n{number}", "name": "N"})
    for path, name in (("/customers", "number"), ("/staff", "number"), ("/audit", "number")):
        whole = [row[name] for row in everyone.get(path).json()["rows"]]
        found: list[Any] = []
        after: dict[str, str] = {}
        while True:
            page = everyone.get(path, limit=2, **after).json()
            found += [row[name] for row in page["rows"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert found == whole, path
    assert problem_of(everyone.get("/staff", after="no-such-number")) == (422, "after")


def test_a_list_of_sales_takes_as_many_statements_as_one_sale(pages: Pages, vendor: Script) -> None:
    for _ in range(6):
        vendor.post("/sales", {**SALE, "amount": "1.00"})
    for cause in ("", "no line"):  # why a sale waits is asked where none is written down
        change = update(Sale).values(cause=cause)
        pages.counter.work(partial(_execute, change))
        counts = []
        for limit in (1, 6):
            with told_statements(pages.counter.database) as statements:
                rows = vendor.get("/sales", limit=limit).json()["rows"]
            assert len(rows) == limit
            assert {row["state"] for row in rows} == {"taken"}
            counts.append(len(statements))
        assert counts[0] == counts[1]


def _execute(change: Update, work: UnitOfWork) -> None:
    work.session.execute(change)


def _audits(pages: Pages) -> int:
    number: int = pages.counter.work(lambda work: work.session.scalar(select(func.count(Audit.id))))
    return number


def _answers(work: Any) -> list[Any]:
    from meterctl.utility.model.evidence import Request

    return [dict(each) for each in work.session.scalars(select(Request.answer))]
