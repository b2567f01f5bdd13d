"""The page to sign in: with a number and a password, or with a token."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from meterctl.utility.errors import NotPermitted
from meterctl.utility.store.authentication import (
    authenticate,
    by_password,
    sign_in,
    sign_out,
)
from meterctl.utility.store.opening import answering
from meterctl.utility.store.unit_of_work import Actor
from meterctl.utility.web.office import Office
from meterctl.utility.web.pages.asking import Asking, Fields, Posted
from meterctl.utility.web.pages.rendering import page
from meterctl.utility.web.people import COOKIE
from protocols.quantities import MINUTE, SECOND

router = APIRouter()
FREE_TRIES = 5
"""Wrong passwords of a number after which it waits."""
LONGEST_WAIT = 15 * MINUTE


@dataclass(slots=True)
class Tries:
    """Wrong passwords by number: after some of them each further one waits twice as long."""

    failed: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Number of the person -> how many, and when the last one was, ms."""
    turn: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, number: str, now: int) -> None:
        """Count a try as a wrong one before it is compared, so that many at once are not free.

        Raises:
            NotPermitted: it comes too early; it is not counted.
        """
        with self.turn:
            count, last = self.failed.get(number, (0, 0))
            wait = min(LONGEST_WAIT, SECOND << min(20, max(0, count - FREE_TRIES)))
            if count >= FREE_TRIES and 0 <= now - last < wait:
                left = (last + wait - now + SECOND - 1) // SECOND
                raise NotPermitted("wait", f"too many wrong passwords: wait {left} s")
            self.failed[number] = (count + 1, now)
            while len(self.failed) > 10_000:
                self.failed.pop(next(iter(self.failed)))

    def was_right(self, number: str) -> None:
        """Forget the tries of a number whose password was right."""
        with self.turn:
            self.failed.pop(number, None)


_TRIES = Tries()
_AT_ONCE = threading.BoundedSemaphore(8)
"""Passwords that are compared or wait for it: each holds a thread, which sales need too."""


@router.get("/sign-in")
def form(request: Request, next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Return the form to sign in."""
    return page(request, None, "sign_in.html", next=own_path(next_), wrong="")


@router.post("/sign-in")
def enter(request: Request, form: Fields) -> Response:
    """Sign a person in, and go on to the page that was wanted."""
    office: Office = request.app.state.office
    wanted = own_path(form.text("next"))
    try:
        with answering(set()):
            actor = _person(office, form.text("token"), form.text("number"), form.text("password"))
            cookie = sign_in(office.database, actor)
    except NotPermitted as error:
        return page(request, None, "sign_in.html", 403, next=wanted, wrong=str(error))
    answer = RedirectResponse(wanted, 303)
    answer.set_cookie(
        COOKIE, cookie, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer


@router.post("/sign-out")
def leave(request: Request, visitor: Asking, _: Posted) -> Response:
    """Sign a person out."""
    with answering(set()):
        sign_out(visitor.database, visitor.actor, request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def own_path(text: str) -> str:
    """Return a path of ours from a text that anybody can write; else the first page."""
    parts = urlsplit(text)
    is_ours = not (parts.scheme or parts.netloc) and text.startswith("/")
    is_plain = "\\" not in text and not text.startswith("//") and text.isprintable()
    return text if is_ours and is_plain and not text.startswith("/sign-") else "/"


def _person(office: Office, token: str, number: str, password: str) -> Actor:
    """Return who signs in; raises NotPermitted."""
    database, at = office.database, office.database.host_clock()
    if token:
        return authenticate(database, token, database.now())
    if not _AT_ONCE.acquire(blocking=False):
        raise NotPermitted("busy", "many persons sign in now: try again in a moment")
    try:
        _TRIES.begin(number, at)
        actor = by_password(database, number, password, database.now())
    finally:
        _AT_ONCE.release()
    _TRIES.was_right(number)
    return actor
