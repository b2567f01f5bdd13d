"""Visits to the pages of a populated desk: what people look at, and those who look."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from random import Random
from urllib.parse import quote, urlencode

from benchmarks.desk_population import Population
from benchmarks.desk_population.ledger import OPEN_DAYS
from benchmarks.desk_population.plan import DAYS, STATIONS, agreement_of, date_of
from benchmarks.figures import BenchmarkError
from meterctl.utility.web.people import COOKIE, CSRF_FIELD, csrf_of

ANSWER_S = 60
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_AMOUNT = "20.00"
_CUSTOMERS_ASKED = 5
"""Customers that are tried for one sale, at most."""


class ConflictError(BenchmarkError):
    """A customer is sold nothing now."""


@dataclass(slots=True)
class Client:
    """A client that is signed in as one person; it keeps its connection.

    `sold` is the page of its last sale.
    """

    address: str
    population: Population
    number: str
    station: int
    sold: str = ""
    _headers: dict[str, str] = field(default_factory=dict)
    _csrf: str = ""
    _random: Random = field(init=False)
    _next: int = field(init=False)
    _connection: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        host = self.address.removeprefix("http://").rstrip("/")
        self._connection = HTTPConnection(host, timeout=ANSWER_S)
        self._random = Random(self.number)
        self._next = self._random.randrange(self.population.plan.customers // STATIONS)

    def sign_in(self) -> None:
        """Sign the person in; raises BenchmarkError."""
        token = self.population.tokens[self.number]
        answer = self._ask("POST", "/sign-in", urlencode({"token": token}))
        cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        if not cookie.startswith(f"{COOKIE}="):
            raise BenchmarkError(f"{self.number} is not signed in: {answer.status}")
        self._headers = {"Cookie": cookie}
        self._csrf = csrf_of(cookie.partition("=")[2])

    def connect(self) -> None:
        """Open a new connection: the server ends those that are not used."""
        self._connection.close()
        self._connection.connect()

    def customer(self) -> int:
        """Return another customer of the client's station, from 1, each once."""
        self._next += 1
        each = self.population.plan.customers // STATIONS
        return 1 + (self._next * STATIONS + self.station - 1) % (each * STATIONS)

    def agreement(self) -> str:
        """Return the number of the agreement of another customer."""
        return agreement_of(self.customer())

    def name_part(self) -> str:
        """Return the first two characters of a customer's name."""
        return self.population.names[self.customer() - 1][:2]

    def last_digits(self) -> str:
        """Return the last four digits of a customer's phone."""
        return self.population.phones[self.customer() - 1][-4:]

    def get(self, path: str) -> float:
        """Get a page, and return how long it took, ms; raises BenchmarkError."""
        return self._timed("GET", path)

    def sell(self) -> float:
        """Take a sale, and return how long that took, ms; raises BenchmarkError."""

        def post(agreement: str) -> float:
            form = {
                CSRF_FIELD: self._csrf, "key": secrets.token_hex(8), "agreement": agreement,
                "amount": _AMOUNT, "by": "",
            }  # fmt: skip
            return self._timed("POST", "/sales", urlencode(form))

        return self._of_a_customer(post)

    def preview(self) -> float:
        """Get the page before the yes, and return how long it took, ms; raises BenchmarkError."""
        key = secrets.token_hex(8)
        return self._of_a_customer(
            lambda agreement: self.get(f"/counter/{agreement}/sale?amount={_AMOUNT}&key={key}")
        )

    def _of_a_customer(self, ask: Callable[[str], float]) -> float:
        """Ask about a customer; one with a sale on a card is sold nothing, then about the next."""
        for _ in range(_CUSTOMERS_ASKED - 1):
            try:
                return ask(self.agreement())
            except ConflictError:
                continue
        return ask(self.agreement())

    def _timed(self, method: str, path: str, body: str | None = None) -> float:
        began = time.perf_counter()
        answer = self._ask(method, path, body)
        took = (time.perf_counter() - began) * 1000
        if answer.status == HTTPStatus.CONFLICT:
            raise ConflictError(f"{method} {path}: {answer.status}")
        if answer.status not in (200, 303):
            raise BenchmarkError(f"{method} {path}: {answer.status}")
        where = answer.getheader("Location") or ""
        if where.startswith("/sales/"):
            self.sold = where
        return took

    def _ask(self, method: str, path: str, body: str | None = None) -> HTTPResponse:
        headers = self._headers if body is None else {**self._headers, **_FORM}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer


@dataclass(frozen=True, slots=True)
class Visit:
    """Something that a client does: `role` is None for a vendor."""

    name: str
    act: Callable[[Client], float]
    role: str | None = None


def _at(path: str) -> Callable[[Client], float]:
    return lambda client: client.get(path)


_TODAY = date_of(DAYS - 1).isoformat()
_CLOSED = date_of(DAYS - 1 - OPEN_DAYS).isoformat()
VISITS = (
    Visit("Counter, part of a name", lambda c: c.get(f"/counter?q={quote(c.name_part())}")),
    Visit("Counter, last 4 digits", lambda c: c.get(f"/counter?q={c.last_digits()}")),
    Visit("Counter, whole number", lambda c: c.get(f"/counter?q={c.agreement()}")),
    Visit("customer at the counter", lambda c: c.get(f"/counter/{c.agreement()}")),
    Visit("page before the yes", Client.preview),
    Visit("POST of a sale", Client.sell),
    Visit("page of a sale", lambda c: c.get(c.sold)),
    Visit("Customer", lambda c: c.get(f"/customer/{c.agreement()}"), "company_manager"),
    Visit("Today", _at("/today"), "accountant"),
    Visit("Tasks", _at("/tasks"), "accountant"),
    Visit("Ledger", _at("/ledger"), "accountant"),
    Visit("Ledger of an agreement", lambda c: c.get(f"/ledger/{c.agreement()}"), "accountant"),
    Visit("Sheet of a closed date", _at(f"/sheet/{_CLOSED}"), "accountant"),
    Visit("Sheet of an open date", _at(f"/sheet/{_TODAY}"), "accountant"),
    Visit("API, list of sales", _at("/api/v1/sales")),
    Visit("API, a sale", lambda c: c.get(f"/api/v1{c.sold}")),
)


def one_by_one(clients: Sequence[Client], act: Callable[[Client], float]) -> list[float]:
    """Let one client after the other do the same; return how long each took, ms.

    Raises:
        BenchmarkError: one was refused.
    """
    took = []
    for client in clients:
        client.connect()
        took.append(act(client))
    return took


def all_at_once(clients: Sequence[Client], act: Callable[[Client], float]) -> list[float]:
    """Let all clients do the same at the same time; return how long each took, ms.

    Raises:
        BenchmarkError: one was refused.
    """
    took: list[float] = []
    errors: list[Exception] = []
    ready = threading.Barrier(len(clients))

    def run(client: Client) -> None:
        try:
            client.connect()
            ready.wait()
            took.append(act(client))
        except Exception as error:
            ready.abort()
            errors.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise BenchmarkError(str(errors[0])) from errors[0]
    return took
