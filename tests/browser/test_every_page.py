"""Every page, as each person sees it: both languages, axe-core, a phone, paper, no scripts."""

from __future__ import annotations

import pytest

from meterctl.utility.story.scenes.founding import ACCOUNTANT, AUDITOR, CLERK
from meterctl.utility.web.words import CHINESE, ENGLISH
from protocols.quantities import parse_money
from tests.browser.support import Browser
from tests.browser.visits import DAY, pages_of, sales_of, sell, sign_in
from tests.support.desk_served import Served
from tools import axe_core

PHONE = 360
has_rules = pytest.mark.skipif(
    not axe_core.SCRIPT.exists(), reason="axe-core is not installed (make axe-core)"
)


def test_every_page_fits_a_phone_and_is_shown_without_a_fault(
    browser: Browser, desk_served: Served
) -> None:
    wrong = []
    for number, pages in pages_of(desk_served):
        browser.driver.delete_all_cookies()
        sign_in(browser, desk_served, number)
        for path in pages:
            browser.go(path)
            browser.resize(PHONE)
            over, title = browser.overflow(), browser.driver.title
            browser.resize(1280)
            if over > 0 or "taken" in title or ENGLISH.text("problem") in browser.text:
                wrong.append((number, path, over, title))
    assert wrong == []


@has_rules
@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, desk_served: Served, language: str
) -> None:
    found = []
    for number, pages in pages_of(desk_served):
        browser.driver.delete_all_cookies()
        sign_in(browser, desk_served, number)
        for path in ("/sign-in", *pages):
            browser.go(f"{path}{'&' if '?' in path else '?'}lang={language}")
            found += [f"{number} {path}: {each}" for each in browser.axe()]
        browser.go("/sign-in?lang=en")
    assert found == []


def test_a_page_without_scripts_sells_too(browser: Browser, desk_served: Served) -> None:
    desk = desk_served.desk
    agreement = desk.agreements[desk.homes()[1].unit]
    before = len(sales_of(desk_served))
    sign_in(browser, desk_served, desk.vendor)
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.go(f"/counter/{agreement}")
        browser.fill("amount", "5.00")
        browser.click("form[action$='/sale'] button")
        browser.click("form[action='/sales'] button")
        browser.one("form[action$='/print'] button")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert len(sales_of(desk_served)) == before + 1


def test_a_person_of_another_role_is_refused_in_words(
    browser: Browser, desk_served: Served
) -> None:
    desk = desk_served.desk
    agreement = desk.agreements[desk.homes()[0].unit]
    before = sales_of(desk_served)
    for number, path in (
        (AUDITOR, f"/counter/{agreement}/sale?amount=12.00"),
        (CLERK, f"/sheet/{DAY}"),
        (desk.vendor, "/ledger"),
    ):
        browser.driver.delete_all_cookies()
        sign_in(browser, desk_served, number)
        browser.go(path)
        assert ENGLISH.text("problem_403") in browser.text, (number, path, browser.text)
        browser.go("/sign-in?lang=zh")
        browser.go(path)
        assert CHINESE.text("problem_403") in browser.text
        browser.go("/sign-in?lang=en")
    browser.messages()
    assert sales_of(desk_served) == before


def test_the_links_of_today_add_up_to_their_figures(browser: Browser, desk_served: Served) -> None:
    desk = desk_served.desk
    sign_in(browser, desk_served, desk.vendor)
    sell(browser, desk_served, desk.agreements[desk.homes()[2].unit], "7.00")
    browser.driver.delete_all_cookies()
    sign_in(browser, desk_served, ACCOUNTANT)
    browser.go("/today")
    links = [
        (link.text, link.get_attribute("href")) for link in browser.all("td a[href*='/today/']")
    ]
    assert links
    for shown, address in links:
        browser.go(address.removeprefix(desk_served.address))
        rows = browser.all("main tbody tr")
        if "." not in shown:
            assert len(rows) == int(shown), address
            continue
        amounts = [row.find_elements("css selector", "td.n")[-1].text for row in rows]
        assert sum(parse_money(each) for each in amounts) == parse_money(shown), address


def test_the_sheet_and_today_are_printed_on_one_page_each(
    browser: Browser, desk_served: Served
) -> None:
    sign_in(browser, desk_served, ACCOUNTANT)
    for path in ("/today", f"/sheet/{DAY}"):
        for language in ("zh", "en"):
            browser.go(f"{path}?lang={language}")
            assert browser.printed_pages() == 1, (path, language)
