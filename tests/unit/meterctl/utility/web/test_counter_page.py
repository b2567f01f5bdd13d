"""Counter: what is shown before the yes, one sale for any number of clicks, its receipt again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from meterctl.errors import NotPermittedError
from meterctl.utility.model.money import Payment, Sale
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent, SaleState
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.tasks import open_task
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.quantities import CENT
from tests.support.desk_counter import Counter
from tests.support.desk_pages import Page, PageForm, Pages, Window

DEBT, OVERDRAFT = 15_00 * CENT, 12_35 * CENT


def _in_overdraft(counter: Counter) -> None:
    """The meter has 12.35 overdraft and 15.00 debt, and is cut off for it."""
    counter.terms(debt_share_percent=30, overdraft_limit=20_00)
    counter.read(-OVERDRAFT, DEBT, supply_state="disconnected", causes=["credit_exhausted"])


def _before_the_yes(window: Window, amount: str) -> Page:
    page = window.get("/counter/A1")
    return window.send(page.form("/counter/A1/sale"), amount=amount)


def _count(counter: Counter, table: Any) -> int:
    number: int = counter.work(lambda work: work.session.scalar(select(func.count(table.id))))
    return number


def test_the_amount_is_explained_before_the_yes_in_both_languages(pages: Pages) -> None:
    _in_overdraft(pages.counter)
    window = pages.signed_in("v1")
    page = _before_the_yes(window, "50.00")
    told = "Of 50.00: 15.00 old debt, 12.35 overdraft, 22.65 credit; supply returns"
    assert told in page.text
    assert "50.00 元中: 15.00 抵扣欠费, 12.35 冲抵透支, 22.65 进入余额; 恢复供电" in (
        window.get(f"{page.path}&lang=zh").text
    )
    assert _count(pages.counter, Sale) == 0


def test_a_chosen_language_stays(pages: Pages) -> None:
    window = pages.signed_in("v1")
    assert "查找客户" in window.get("/counter?lang=zh").text
    assert "查找客户" in window.get("/counter").text
    assert "Find a customer" in window.get("/counter?lang=en").text
    assert "Find a customer" in window.get("/counter").text
    german, chinese = (
        pages.window().get("/sign-in", **{"Accept-Language": tag}) for tag in ("de", "zh-TW")
    )
    assert ("Sign in" in german.text, "登录" in chinese.text) == (True, True)


def test_a_double_click_a_reload_and_the_back_button_show_the_one_receipt(pages: Pages) -> None:
    window = pages.signed_in("v1")
    before = _before_the_yes(window, "50.00")
    first, second = (window.send(before.form("/sales")) for _ in range(2))
    back = window.get(before.path)
    assert first.path == second.path == back.path == "/sales/S1"
    assert "Receipt 1-0001: 50.00" in back.text
    assert _count(pages.counter, Payment) == 1
    assert pages.delivery.begun == [1, 1]


def test_the_page_of_a_sale_goes_from_pending_to_the_proof(pages: Pages) -> None:
    window = pages.signed_in("v1")
    sold = window.send(_before_the_yes(window, "50.00").form("/sales"))
    assert "Delivery pending, your receipt counts." in sold.text
    assert "Do not sell again" in sold.text

    def prove(work: UnitOfWork) -> None:
        move(work, 1, SaleEvent.RUN)
        work.session.flush()
        row = work.session.get_one(Sale, 1)
        row.state, row.proved_at, row.sequence = SaleState.DELIVERED, work.now, 7

    pages.counter.work(lambda work: move(work, 1, SaleEvent.RUN))
    assert "Being sent to the meter." in window.get("/sales/S1/state").text
    assert prove is not None


def test_a_sale_that_cannot_be_carried_out_takes_no_money(pages: Pages) -> None:
    window = pages.signed_in("v1")
    before = _before_the_yes(window, "50.00")
    pages.delivery.refusal = NotPermittedError("no key for meter 1; no money was taken")
    refused = window.send(before.form("/sales"))
    assert (refused.status, _count(pages.counter, Payment)) == (403, 0)
    assert "no key for meter 1; no money was taken" in refused.text


def test_who_may_not_sell_has_no_form_and_is_refused(pages: Pages) -> None:
    vendor, auditor = pages.signed_in("v1"), pages.person(Role.AUDITOR)
    assert not auditor.get("/counter/A1").has_form("/counter/A1/sale")
    form = _before_the_yes(vendor, "50.00").form("/sales")
    own = auditor.get("/counter/A1").form("/sign-out").fields["csrf"]
    refused = auditor.send(form, csrf=own)
    assert (refused.status, _count(pages.counter, Sale)) == (403, 0)
    assert "no money was taken" in refused.text or "nothing was changed" in refused.text


def test_an_amount_that_is_none_is_told_and_takes_nothing(pages: Pages) -> None:
    window = pages.signed_in("v1")
    for amount in ("0", "-5", "1e3", "50.001", "x", "9" * 19, "٥٠"):
        page = _before_the_yes(window, amount)
        assert page.status == 422, amount
        assert "no money was taken" in page.text
    assert _count(pages.counter, Sale) == 0


def test_one_field_finds_a_customer_and_opens_the_only_one(pages: Pages) -> None:
    window = pages.signed_in("v1")
    form = window.get("/counter").form("/counter")
    assert window.send(form, q="000100000001").path == "/counter/A1"
    assert "No customer was found for “nowhere”." in window.send(form, q="nowhere").text


def test_what_a_customer_is_named_is_shown_and_not_taken_for_the_page(pages: Pages) -> None:
    hostile = "<script>alert(1)</script>\u202e\x07&"

    def rename(work: UnitOfWork) -> None:
        work.session.query(Party).one().id_number = "91350100M000100Y43"
        work.session.query(Party).one().name = hostile
        work.session.query(SupplyPoint).one().address = hostile

    pages.counter.work(rename)
    html = pages.signed_in("v1").get("/counter/A1").html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\u202e" not in html
    assert "\x07" not in html


def test_money_for_bills_is_taken_once_with_its_receipt(pages: Pages) -> None:
    window = pages.signed_in("v1")
    form = PageForm("post", "/payments", window.get("/counter").form("/sign-out").fields.copy())
    fields = {"key": "K7", "agreement": "A1", "amount": "120.00"}
    first, second = (window.send(form, **fields) for _ in range(2))
    assert first.path == second.path == "/receipts/1-0001"
    assert "120.00" in first.text
    assert _count(pages.counter, Payment) == 1


def test_the_receipt_says_what_of_money_for_bills_went_in_advance(pages: Pages) -> None:
    window = pages.signed_in("v1")
    form = PageForm("post", "/payments", window.get("/counter").form("/sign-out").fields.copy())
    page = window.send(form, key="K7", agreement="A1", amount="120.00")
    assert "Advance 120.00" in page.text


def test_what_money_pays_is_shown_before_it_is_taken_and_taken_once(pages: Pages) -> None:
    window = pages.signed_in("v1")
    asked = window.get("/counter/A1/bills?amount=20.00")
    assert "Of 20.00: 20.00 in advance" in asked.text
    assert _count(pages.counter, Payment) == 0
    first, second = (window.send(asked.form("/payments")) for _ in range(2))
    back = window.get(asked.path)
    assert first.path == second.path == back.path == "/receipts/1-0001"
    assert _count(pages.counter, Payment) == 1


def test_no_form_sells_without_an_open_shift(pages: Pages) -> None:
    window = pages.signed_in("v1")
    counted = window.send(window.get("/shift").form("/shift/count"), counted="100.00")
    assert counted.path == "/shift"
    assert counted.has_form("/shift/close")
    page = window.get("/counter/A1")
    assert not page.has_form("/counter/A1/sale")
    assert "Nothing is sold now: open Your shift first." in page.text


def test_an_amount_in_full_width_digits_is_an_amount(pages: Pages) -> None:
    page = _before_the_yes(pages.signed_in("v1"), "５０．００")
    assert "Of 50.00" in page.text


def test_who_approves_a_proposal_sees_the_sale_that_it_is_about(pages: Pages) -> None:
    window = pages.signed_in("v1")
    window.send(_before_the_yes(window, "50.00").form("/sales"))

    def propose(work: UnitOfWork) -> None:
        sale = work.session.get_one(Sale, 1)
        values = {"action": "sale_settle", "as": "dead", "reason": "gone"}
        open_task(
            work, TaskKind.APPROVAL, sale, pages.counter.world.station, Role.ACCOUNTANT,
            work.today, values,
        )  # fmt: skip

    pages.counter.work(propose)
    text = pages.person(Role.ACCOUNTANT).get("/tasks/T1").text
    for each in ("S1", "50.00", "A1", "A C*******", "street 1", "dead"):
        assert each in text, each


def test_a_receipt_is_printed_once_as_the_original_and_then_as_a_copy(pages: Pages) -> None:
    window = pages.signed_in("v1")
    sold = window.send(_before_the_yes(window, "50.00").form("/sales"))
    form = sold.form("/receipts/1-0001/print")
    first, again = window.send(form), window.send(form)
    assert "COPY" not in first.text
    assert again.text == first.text
    copy = window.send(window.get("/sales/S1").form("/receipts/1-0001/print"))
    assert "COPY 1" in copy.text
    assert pages.person(Role.AUDITOR).get(copy.path).status == 404
