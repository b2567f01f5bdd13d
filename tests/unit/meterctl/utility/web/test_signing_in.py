"""Who is signed in: tokens, passwords, cookies that end, pages of other sites."""

from __future__ import annotations

from threading import BoundedSemaphore

import pytest
from sqlalchemy import select, update

from meterctl.utility.errors import NotPermitted
from meterctl.utility.model.organisation import Staff, StaffState, WebSession
from meterctl.utility.services import staff
from meterctl.utility.store.authentication import IDLE, WHOLE, hash_of
from meterctl.utility.web.pages import sign_in
from meterctl.utility.web.pages.sign_in import FREE_TRIES, own_path
from tests.support.desk_pages import HOST, PageForm, Pages

PASSWORD = "correct horse battery"


def _set_password(pages: Pages, **fields: str) -> object:
    window = pages.signed_in("v1")
    form = window.get("/settings").form("/settings/password")
    return window, window.send(form, **{"password": PASSWORD, "again": PASSWORD, **fields})


def test_a_page_leads_to_the_sign_in_and_back(pages: Pages) -> None:
    window = pages.window()
    asked = window.get("/ledger?on=2026-09-21")
    assert asked.path == "/sign-in?next=%2Fledger%3Fon%3D2026-09-21"
    page = window.send(asked.form("/sign-in"), token="v1")
    assert page.path == "/ledger?on=2026-09-21"


def test_a_wrong_token_is_told_and_signs_in_no_person(pages: Pages) -> None:
    window = pages.window()
    page = window.send(window.get("/sign-in").form("/sign-in"), token="v2")
    assert (page.status, "the token is not known" in page.text) == (403, True)
    assert window.get("/tasks").path.startswith("/sign-in")


def test_a_password_ends_the_token_that_another_person_drew(pages: Pages) -> None:
    _, page = _set_password(pages)
    assert "Your password is set." in page.text  # type: ignore[attr-defined]
    form = PageForm("post", "/sign-in", {"next": "/tasks"})
    assert pages.window().send(form, token="v1").status == 403
    assert pages.window().send(form, number="v1", password=PASSWORD).path == "/tasks"
    assert pages.window().send(form, number="v1", password="something else!").status == 403
    assert pages.window().send(form, number="v9", password=PASSWORD).status == 403


def test_a_token_may_be_kept_for_scripts(pages: Pages) -> None:
    _set_password(pages, keep_token="yes")
    assert pages.signed_in("v1").get("/tasks").status == 200


def test_a_new_password_signs_out_every_other_window(pages: Pages) -> None:
    other = pages.signed_in("v1")
    window, _ = _set_password(pages)
    assert window.get("/tasks").path == "/tasks"  # type: ignore[attr-defined]
    assert other.get("/tasks").path.startswith("/sign-in")


@pytest.mark.parametrize("fields", [{"again": "x"}, {"password": "short", "again": "short"}])
def test_a_password_that_cannot_be_is_told(pages: Pages, fields: dict[str, str]) -> None:
    _, page = _set_password(pages, **fields)
    assert page.status == 422  # type: ignore[attr-defined]
    assert "nothing was changed" in page.text  # type: ignore[attr-defined]


def test_wrong_passwords_wait_longer_and_longer(pages: Pages) -> None:
    form, window = PageForm("post", "/sign-in", {"next": "/"}), pages.window()
    told = [window.send(form, number="v8", password="x").text for _ in range(FREE_TRIES + 1)]
    assert all("wrong" in each for each in told[:FREE_TRIES])
    assert "too many wrong passwords: wait 1 s" in told[FREE_TRIES]


def test_passwords_that_are_tried_at_once_are_counted_before_they_are_compared(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, compared = PageForm("post", "/sign-in", {"next": "/"}), []

    def compares(*_: object) -> object:
        compared.append(1)
        if len(compared) < FREE_TRIES + 3:  # another window tries while this one is compared
            told.append(pages.window().send(form, number="v7", password="x").text)
        raise NotPermitted("password", "the number or the password is wrong")

    told: list[str] = []
    monkeypatch.setattr(sign_in, "by_password", compares)
    pages.window().send(form, number="v7", password="x")
    assert len(compared) == FREE_TRIES
    assert "too many wrong passwords: wait 1 s" in told[0]


def test_of_very_many_that_sign_in_at_once_some_are_asked_to_come_again(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "_AT_ONCE", BoundedSemaphore(1))
    told: list[str] = []

    def compares(*_: object) -> object:
        told.append(pages.window().send(form, number="v6", password="x").text)
        raise NotPermitted("password", "the number or the password is wrong")

    form = PageForm("post", "/sign-in", {"next": "/"})
    monkeypatch.setattr(sign_in, "by_password", compares)
    page = pages.window().send(form, number="v5", password="x")
    assert "the password is wrong" in page.text
    assert "many persons sign in now: try again in a moment" in told[0]


def test_a_cookie_ends_when_it_is_left_alone_or_old_or_of_a_later_clock(pages: Pages) -> None:
    for column in ({"seen_at": -IDLE - 1}, {"made_at": -WHOLE - 1}, {"seen_at": IDLE}):
        window = pages.signed_in("v1")
        at = pages.counter.database.host_clock()
        values = {name: at + shift for name, shift in column.items()}
        pages.counter.work(
            lambda work, values=values: work.session.execute(update(WebSession).values(**values))
        )
        assert window.get("/tasks").path.startswith("/sign-in"), column


def test_who_is_deactivated_is_signed_out(pages: Pages) -> None:
    window = pages.signed_in("v1")
    pages.counter.work(
        lambda work: work.session.execute(update(Staff).values(state=StaffState.DEACTIVATED))
    )
    assert window.get("/tasks").path.startswith("/sign-in")


def test_a_new_token_ends_the_cookies_of_the_old_one(pages: Pages) -> None:
    window = pages.signed_in("v1")
    pages.counter.work(
        lambda work: staff.set_token(work, number="v1", token_hash=hash_of("another"))
    )
    assert window.get("/tasks").path.startswith("/sign-in")


def test_sign_out_ends_the_cookie(pages: Pages) -> None:
    window = pages.signed_in("v1")
    window.send(window.get("/tasks").form("/sign-out"))
    assert window.get("/tasks").path.startswith("/sign-in")
    assert pages.counter.work(lambda work: work.session.scalars(select(WebSession)).all()) == []


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://other.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
)
def test_a_form_of_another_site_is_refused(pages: Pages, headers: dict[str, str]) -> None:
    window = pages.signed_in("v1")
    form = window.get("/counter").form("/sign-out")
    answer = window.client.post(form.action, data=form.fields, headers=headers)
    assert answer.status_code == 403
    assert window.get("/tasks").path == "/tasks"


def test_a_form_without_its_word_against_forgery_is_refused(pages: Pages) -> None:
    window = pages.signed_in("v1")
    for csrf in ("", "0" * 64):
        page = window.send(PageForm("post", "/shift/open", {"csrf": csrf, "key": "K"}), float="0")
        assert page.status == 403
    other = pages.signed_in("v1").get("/counter").form("/sign-out").fields["csrf"]
    assert window.send(PageForm("post", "/sign-out", {"csrf": other})).status == 403


@pytest.mark.parametrize(
    "text",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "", "x", "/a\nb"],
)
def test_the_sign_in_leads_to_no_other_site(text: str) -> None:
    assert own_path(text) == "/"


def test_another_host_is_not_served(pages: Pages) -> None:
    window = pages.window()
    for host in ("evil.example", f"{HOST}.evil.example", f"{HOST}:1"):
        assert window.get("/sign-in", Host=host).status == 421
    assert window.get("/sign-in", Host=HOST.upper()).status == 200


def test_every_answer_forbids_scripts_of_others_and_is_not_kept(pages: Pages) -> None:
    window = pages.signed_in("v1")
    for path in ("/counter", "/no-such-page", "/sign-in", "/api/v1/no-such-thing"):
        headers = window.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
