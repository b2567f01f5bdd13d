"""A desk as `meterctl desk serve` serves it: furnished as in the story, with meters that answer.

Two stations with some meters each; one customer's name, address and phone hold markup, which no
page may take for its own.
"""

from __future__ import annotations

import queue
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TextIO
from urllib.parse import urlencode

from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import agreements, grants, shifts, staff, tasks
from meterctl.utility.services.archive import customers, points
from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.store.authentication import draw_token
from meterctl.utility.story.office import DATABASE, Office, Ran
from meterctl.utility.story.plan import Home, Plan
from meterctl.utility.story.scenes import founding, signing, taking_over
from meterctl.utility.story.screen import Teller
from meterctl.utility.story.simulated_meters import running_meters
from meterctl.utility.web.people import COOKIE, csrf_of

PLAN = Plan(stations=2, meters=5, new_meters=1, wire_sales=0, cards=0, waits=False)
FLOAT = 200_00
MARKUP = "\"'><script>document.title='taken'</script><img src=x onerror=document.title='taken'>"
"""The name of a customer; a page that shows it unescaped has another title."""
HEAD = "head-0101"
START_S = 30
WHOLE = "WHOLE_WEB"
"""Variable of the environment: set (`make browser`), every test of the pages runs, else some."""
_ADDRESS = re.compile(r"http://[^\s/]+")


@dataclass(frozen=True, slots=True)
class Furnished:
    """A desk with its people and customers.

    Attributes:
        office: the people's tokens by their numbers, and the database.
        agreements: number of the agreement by the unit of its meter.
        hostile: number of the agreement whose customer is named `MARKUP`; a draft.
    """

    office: Office
    agreements: dict[int, str]
    hostile: str

    @property
    def vendor(self) -> str:
        """Number of the vendor of the first station, whose shift is open."""
        return founding.vendor_of(PLAN.station_codes[0])

    def token(self, number: str) -> str:
        """Return the token of a person."""
        return self.office.tokens[number]

    def homes(self, *, is_new: bool = False) -> list[Home]:
        """Return the first station's supply points, whose accounts are open if not `is_new`."""
        first = PLAN.station_codes[0]
        return [each for each in PLAN.homes() if each.station == first and each.is_new == is_new]


@dataclass(frozen=True, slots=True)
class Served:
    """A desk that is served.

    Attributes:
        address: `http://HOST:PORT`.
        errors: what the server has written on stderr so far.
    """

    desk: Furnished
    address: str
    errors: list[str]

    @property
    def host(self) -> str:
        """Value of the header Host."""
        return self.address.removeprefix("http://")


@contextmanager
def furnished(folder: Path) -> Iterator[Furnished]:
    """Yield a desk in a folder: meters taken over, agreements signed, a shift open."""
    token = founding.new_desk(f"sqlite:///{folder / DATABASE}")
    with (
        running_meters(folder, PLAN) as meters,
        closing(
            Office(
                folder, Teller([].append), meters, {ADMIN_NUMBER: token},
                lambda words, where, variables: Ran(0, "", ""),
            )
        ) as office,
    ):  # fmt: skip
        founding.set_up(office, PLAN)
        numbers = signing.sign(office, PLAN, taking_over.take_over(office, PLAN))
        _hire(office, HEAD, Role.STATION_HEAD, PLAN.station_codes[0])
        made = Furnished(office, numbers, _hostile_customer(office))
        office.do(made.vendor, shifts.open_shift, node=PLAN.station_codes[0], float_amount=FLOAT)
        yield made


@contextmanager
def serving(desk: Furnished) -> Iterator[Served]:
    """Serve a desk by `meterctl desk serve` as a program of its own, until the end of the block."""
    server = desk.office.start(ADMIN_NUMBER, "serve", "--http", "127.0.0.1:0")
    said: queue.Queue[str] = queue.Queue()
    errors: list[str] = []
    assert server.stdout is not None
    assert server.stderr is not None
    readers = [
        threading.Thread(target=_read, args=(source, take), daemon=True)
        for source, take in ((server.stdout, said.put), (server.stderr, errors.append))
    ]
    for reader in readers:
        reader.start()
    try:
        yield Served(desk, _address(said, server, errors), errors)
    finally:
        server.terminate()
        server.wait(START_S)
        for reader in readers:
            reader.join()
    assert "Traceback" not in "".join(errors), "".join(errors)


def signed_in(served: Served, number: str) -> tuple[str, str]:
    """Sign a person in to the pages; return the cookie and its word against forgery."""
    body = urlencode({"token": served.desk.token(number)})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection = HTTPConnection(served.host, timeout=START_S)
    connection.request("POST", "/sign-in", body, headers)
    answer = connection.getresponse()
    cookie = SimpleCookie(answer.headers["Set-Cookie"] or "")
    connection.close()
    assert COOKIE in cookie, (answer.status, served.errors)
    return cookie[COOKIE].value, csrf_of(cookie[COOKIE].value)


def _read(source: TextIO, take: Callable[[str], None]) -> None:
    """Read what the server writes, line by line, to its end."""
    with source:
        for line in source:
            take(line)


def _address(said: queue.Queue[str], server: subprocess.Popen[str], errors: list[str]) -> str:
    """Return the address that the server prints."""
    while True:
        try:
            found = _ADDRESS.search(said.get(timeout=START_S))
        except queue.Empty:
            raise AssertionError(f"no address, {server.poll()}: {''.join(errors)}") from None
        if found:
            return found[0]


def _hire(office: Office, number: str, role: Role, node: str) -> None:
    """Add a person with a role of money."""
    drawn = draw_token()
    office.do(ADMIN_NUMBER, staff.add, number=number, name=number)
    office.do(ADMIN_NUMBER, staff.set_token, number=number, token_hash=drawn.token_hash)
    given = office.do(ADMIN_NUMBER, grants.grant, number=number, role=role, node=node)
    office.do(founding.SECOND_ADMIN, tasks.approve, number=given["task"])
    office.tokens[number] = drawn.token


def _hostile_customer(office: Office) -> str:
    """Add a customer whose values hold markup; return the number of the drafted agreement."""
    clerk = founding.CLERK
    party = office.do(clerk, customers.add, name=MARKUP, phones=["13900009999"])
    point = office.do(
        clerk,
        points.add,
        node=PLAN.station_codes[0], address=MARKUP, customer_class=CustomerClass.RESIDENT,
        capacity_mw=signing.CAPACITY_MW,
    )  # fmt: skip
    drafted = office.do(
        clerk,
        agreements.draft,
        customer=party["number"], point=point["number"], mode=AgreementMode.METER,
        terms={**taking_over.terms(), "way_of_buying": "wire"},
    )  # fmt: skip
    return str(drafted["agreement"])
