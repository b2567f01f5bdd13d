"""What the tests of the pages do on the way, and which pages each person looks at."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from meterctl.utility.model.money import Sale
from meterctl.utility.story.scenes.founding import ACCOUNTANT, AUDITOR, CLERK
from meterctl.utility.web.words import ENGLISH
from tests.browser.support import Browser
from tests.support.desk_served import HEAD, Served

DAY = "2026-11-30"
"""The date of the served desk."""


def sign_in(browser: Browser, served: Served, number: str) -> None:
    """Sign a person in with the token."""
    browser.go("/sign-in")
    browser.fill("token", served.desk.token(number))
    browser.press("ENTER")
    browser.wait_for(ENGLISH.text("signed_in_as", number=number))


def sales_of(served: Served) -> list[str]:
    """Return key and state of every sale."""
    with served.desk.office.database.reading() as session:
        return [f"{sale.key} {sale.state}" for sale in session.scalars(select(Sale))]


def sell(browser: Browser, served: Served, agreement: str, amount: str) -> str:
    """Sell as the vendor who is signed in; return the address of the sale."""
    browser.go(f"/counter/{agreement}")
    browser.fill("amount", amount)
    browser.press("ENTER")
    browser.wait_for(ENGLISH.text("of_amount", amount=amount))
    browser.press("ENTER")
    browser.wait_for(ENGLISH.text("in_the_meter"))
    return browser.url


def pages_of(served: Served) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each person with the pages that this person works with."""
    desk = served.desk
    agreement = desk.agreements[desk.homes()[0].unit]
    yield desk.vendor, ("/counter", "/counter?q=Street", f"/counter/{agreement}", "/shift")
    yield desk.vendor, (f"/counter/{agreement}/sale?amount=12.00", f"/counter/{desk.hostile}")
    yield ACCOUNTANT, ("/today", f"/sheet/{DAY}", "/sheet", "/ledger", f"/ledger/{agreement}")
    yield ACCOUNTANT, ("/bank", f"/customer/{agreement}", "/tasks/T1", "/sheet/shift/0101-000001")
    yield HEAD, ("/today", "/tasks", "/settings")
    yield CLERK, ("/tasks", "/settings", f"/counter/{desk.hostile}", "/counter?q=script")
    yield CLERK, (f"/customer/{agreement}", f"/customer/{desk.hostile}")
    yield AUDITOR, ("/today", f"/sheet/{DAY}", "/ledger", "/tasks")
