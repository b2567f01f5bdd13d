"""The pages: served on this computer, with the figures that the ledger has."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from meterctl.utility.services import today
from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.services.sheets.document import money
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import Plan
from meterctl.utility.story.scenes.founding import ACCOUNTANT, vendor_of

_SOLD = re.compile(r'<a href="/today/sold_yesterday\?">([^<]+)</a>')
END_S = 20


@contextmanager
def served(office: Office) -> Iterator[str]:
    """Yield the address of the pages while they are served; Today is looked at first."""
    teller = office.teller
    teller.heading("The pages")
    server = office.start(ADMIN_NUMBER, "serve", "--http", "127.0.0.1:0", "--json")
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        address = str(json.loads(line)["address"]) if line else ""
        teller.say(f"admin$ meterctl desk serve: {address}")
        _look(office, address)
        yield address
    finally:
        server.terminate()
        _end(server)


def keep(office: Office, plan: Plan, address: str) -> None:
    """Tell how to sign in, and serve the pages until Ctrl-C."""
    teller = office.teller
    vendor = vendor_of(plan.station_codes[0])
    for number in (vendor, ACCOUNTANT):
        teller.say(f"  token of {number}: {office.tokens[number]}")
    teller.say(f"The pages are at {address} until Ctrl-C.")
    try:
        while True:
            input()
    except (KeyboardInterrupt, EOFError):
        return


def _look(office: Office, address: str) -> None:
    """Prove that the pages show no figure without a sign-in, and that Today's are the ledger's."""
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    unknown = _page(browser, f"{address}today")
    form = urlencode({"token": office.tokens[ACCOUNTANT], "next": "/today"}).encode()
    page = _page(browser, f"{address}sign-in", form)
    with office.database.reading() as session:
        told = today.today(
            session, office.person(ACCOUNTANT), office.database.now(), office.database.zone
        )
    sold = money(told["totals"]["sold_yesterday"]["amount"])
    shown = _SOLD.search(page)
    office.teller.proved(
        f"the pages ask for a sign-in, and Today shows {sold} sold yesterday, as the ledger has it",
        "sold_yesterday" not in unknown and shown is not None and shown[1] == sold,
        f"{shown[1] if shown else 'no figure'}",
    )


def _page(browser: OpenerDirector, address: str, form: bytes | None = None) -> str:
    try:
        with browser.open(address, form, timeout=END_S) as answer:
            return str(answer.read().decode())
    except HTTPError as error:
        return str(error)


def _end(server: subprocess.Popen[str]) -> None:
    try:
        server.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
