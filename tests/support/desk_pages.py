"""A browser without a screen: it reads pages, fills their forms and follows where they lead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from meterctl.utility.model.organisation import GrantState, Organisation, Staff, StaffGrant
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork
from meterctl.utility.web.app import make_app
from meterctl.utility.web.office import Office
from tests.support.desk_counter import Counter
from tests.support.desk_world import TODAY

HOST = "desk.example"


@dataclass
class PaperDelivery:
    """Writes down which orders are begun; nothing is sent."""

    begun: list[int] = field(default_factory=list)
    waited: list[tuple[int, float]] = field(default_factory=list)
    refusal: Exception | None = None

    def require_deliverable(
        self, actor: Actor, key: str, agreement: str, amount: int, reader: str | None
    ) -> None:
        """Refuse where a test wants it."""
        if self.refusal is not None:
            raise self.refusal

    def begin(self, order: int) -> None:
        """Write an order down."""
        self.begun.append(order)

    def wait(self, order: int, seconds: float) -> None:
        """Write down how long it may be waited for."""
        self.waited.append((order, seconds))


@dataclass
class PageForm:
    """A form of a page: where it goes, and its fields with their values."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append(PageForm(given.get("method") or "get", given.get("action") or ""))
        elif given.get("type") == "checkbox":
            return  # one that is not ticked is not sent
        elif tag in ("input", "select", "textarea") and self.forms and given.get("name"):
            self.forms[-1].fields[given["name"] or ""] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@dataclass(frozen=True)
class Page:
    """A page that was got: its status, its address, its text, its forms."""

    status: int
    path: str
    html: str

    @property
    def _read(self) -> _Forms:
        read = _Forms()
        read.feed(self.html)
        return read

    @property
    def text(self) -> str:
        """The words of the page, one space between them."""
        return " ".join(" ".join(self._read.text).split())

    def form(self, action: str) -> PageForm:
        """Return the form that goes to an address, or to one that begins so."""
        (found,) = [form for form in self._read.forms if form.action.startswith(action)][:1]
        return found

    def has_form(self, action: str) -> bool:
        """Return whether a form goes to an address, or to one that begins so."""
        return any(form.action.startswith(action) for form in self._read.forms)


@dataclass
class Window:
    """A window of a browser at the pages of a desk."""

    client: TestClient

    def get(self, path: str, **headers: str) -> Page:
        """Follow an address."""
        return self._page(self.client.get(path, headers=headers))

    def send(self, form: PageForm, **fields: str) -> Page:
        """Fill a form and send it."""
        values = {**form.fields, **fields}
        if form.method == "post":
            return self._page(self.client.post(form.action, data=values))
        return self._page(self.client.get(form.action, params=values))

    def _page(self, answer: Any) -> Page:
        path = answer.url.path + (f"?{answer.url.query.decode()}" if answer.url.query else "")
        return Page(answer.status_code, path, answer.text)


@dataclass
class Pages:
    """The pages of a desk of tests, and the windows that look at them."""

    counter: Counter
    delivery: PaperDelivery
    app: Any

    def window(self) -> Window:
        """Open a window without a person who is signed in."""
        return Window(TestClient(self.app, base_url=f"http://{HOST}"))

    def signed_in(self, number: str) -> Window:
        """Open a window in which a person is signed in; the token is the number."""
        window = self.window()
        page = window.send(PageForm("post", "/sign-in", {"next": "/tasks"}), token=number)
        assert page.path == "/tasks", page.text
        return window

    def let_in(self, number: str, role: Role) -> None:
        """Give a person a token, which is the number, and a role at the company."""

        def grant(work: UnitOfWork) -> None:
            person = work.session.query(Staff).filter_by(number=number).one()
            person.token_hash = hash_of(number)
            node = work.session.get_one(Organisation, self.counter.world.company)
            values = {"staff_id": person.id, "role": role, "node_id": node.id}
            work.add(StaffGrant(**values, from_on=TODAY, state=GrantState.ACTIVE))

        self.counter.work(grant)

    def person(self, role: Role) -> Window:
        """Return a window of a person with a role at the company."""
        number = self.counter.person(role).number
        self.let_in(number, role)
        return self.signed_in(number)


@contextmanager
def pages_of(counter: Counter) -> Iterator[Pages]:
    """Yield the pages of a desk; its vendor `v1` may sign in."""
    delivery = PaperDelivery()
    office = Office(counter.database, delivery, frozenset({HOST}))
    pages = Pages(counter, delivery, make_app(office))
    pages.let_in("v1", Role.VENDOR)
    yield pages
