"""Who asks: a person with a cookie of the pages, or with a bearer token.

A form that is posted, and every mutation of the API with a cookie, carries the cookie's own word
against forgery (CSRF): another site can send our cookie, but cannot know the word. The cookie is
sent by no other site's page at all (SameSite=Strict); where a browser names the sender's site
(Origin, Sec-Fetch-Site), another one is refused too.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any

from fastapi import Request

from meterctl.utility.errors import NotPermitted
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.store.authentication import authenticate, by_cookie
from meterctl.utility.store.engine import Database
from meterctl.utility.store.opening import answering
from meterctl.utility.store.unit_of_work import Actor, Answer, Asked, UnitOfWork, perform
from meterctl.utility.web.office import Office

COOKIE, LANGUAGE_COOKIE = "meterctl_desk", "meterctl_language"
CSRF_FIELD, CSRF_HEADER, KEY_HEADER = "csrf", "X-CSRF-Token", "Idempotency-Key"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site that a page of ours, or the address bar, sends."""


_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_key(text: str) -> bool:
    """Return whether a text can be the key of a mutation."""
    return _KEY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who asks something of the desk now.

    `database` has the state of this request alone. `csrf` is empty where a token was sent.
    """

    office: Office
    database: Database
    actor: Actor
    now: int
    csrf: str

    @property
    def today(self) -> date:
        """The date of the company."""
        return local_date(self.now, self.database.zone)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Yield a session that sees one state of the database and changes nothing."""
        with answering(set()), self.database.reading() as session:
            yield session

    def ask(
        self,
        route: str,
        body: Mapping[str, Any],
        act: Callable[[UnitOfWork], dict[str, Any]],
        key: str,
        *,
        money: bool = False,
        dry_run: bool = False,
    ) -> Answer:
        """Do a mutation once for its key; as `SignedIn.ask` of the command line.

        Args:
            route: the words of the command that does the same.
            body: what was asked, JSON values.
            act: does it, and returns the answer.
            money: whether its key is kept for ever.
            dry_run: undo it at the end.

        Raises:
            DeskError: refused, or the database does not answer.
        """
        asked = Asked(key, route, body, money)
        with answering(self.database.committing):
            return perform(self.database, self.actor, self.now, asked, act, dry_run)


def visitor_of(request: Request, office: Office) -> Visitor:
    """Return who asks; raises NotPermitted: the token or the cookie is none, or has ended."""
    database = replace(office.database)  # its `committing` is of this request alone
    with answering(set()):
        now = database.now()
        token = _bearer(request)
        if token is not None:
            return Visitor(office, database, authenticate(database, token, now), now, "")
        cookie = request.cookies.get(COOKIE, "")
        if not cookie:
            raise NotPermitted("no_token", "sign in, or send a token; nothing was changed")
        return Visitor(office, database, by_cookie(database, cookie, now), now, csrf_of(cookie))


def csrf_of(cookie: str) -> str:
    """Return the word against forgery of a cookie."""
    return hmac.new(cookie.encode(), b"csrf", sha256).hexdigest()


def require_own_page(request: Request) -> None:
    """Refuse a request that a page of another site sent; raises NotPermitted."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site not in _OWN_SITES or origin not in (None, own):
        raise NotPermitted("other_site", "another site's page sent this; nothing was changed")


def require_csrf(visitor: Visitor, word: str | None) -> None:
    """Refuse a mutation of a cookie without its word against forgery; raises NotPermitted."""
    if visitor.csrf and not hmac.compare_digest(visitor.csrf.encode(), (word or "").encode()):
        raise NotPermitted(
            "csrf", "the page is not yours, or you signed in since; nothing was changed"
        )


def _bearer(request: Request) -> str | None:
    """Return the token of the header Authorization, None without that header."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotPermitted("token", "send `Authorization: Bearer TOKEN`; nothing was changed")
    return token.strip()
