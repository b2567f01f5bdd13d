"""A sale in a real browser, as a vendor makes it with the keyboard; and what others see of it."""

from __future__ import annotations

from meterctl.utility.web.words import CHINESE, ENGLISH
from tests.browser.support import Browser
from tests.browser.visits import sales_of, sign_in
from tests.support.desk_served import Served


def test_a_sale_is_made_once_by_keys_double_click_reload_and_back(
    browser: Browser, desk_served: Served
) -> None:
    desk, home, before = desk_served.desk, desk_served.desk.homes()[0], len(sales_of(desk_served))
    agreement = desk.agreements[home.unit]
    sign_in(browser, desk_served, desk.vendor)
    browser.go("/counter")
    assert browser.focused() == "q"
    browser.press(home.serial, "ENTER")
    browser.wait_for(home.address)
    assert browser.url == f"/counter/{agreement}"
    browser.press("F2", "50", "ENTER")
    browser.wait_for(ENGLISH.text("of_amount", amount="50.00"))
    assert len(sales_of(desk_served)) == before
    browser.double_click("form[action='/sales'] button")
    browser.wait_for(ENGLISH.text("in_the_meter"))
    sold = sales_of(desk_served)
    assert len(sold) == before + 1
    assert sold[-1].endswith(" delivered")
    receipt = browser.url
    browser.reload()
    browser.wait_for(ENGLISH.text("in_the_meter"))
    browser.back()
    browser.wait_for(ENGLISH.text("in_the_meter"))
    assert (browser.url, sales_of(desk_served)) == (receipt, sold)
    assert browser.axe() == []
    browser.click("form[action$='/print'] button")
    browser.wait_for("50.00")
    assert browser.printed_pages() == 1
    browser.go(f"{receipt}?lang=zh")
    assert CHINESE.text("in_the_meter") in browser.text
