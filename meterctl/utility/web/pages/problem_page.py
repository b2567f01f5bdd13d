"""The page of a refusal; a person who is not signed in gets the page to sign in."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from meterctl.errors import MeterctlError
from meterctl.utility.errors import NotPermitted
from meterctl.utility.web.pages.rendering import page
from meterctl.utility.web.people import SAFE, Visitor, visitor_of
from meterctl.utility.web.problems import SIGNED_OUT


def problem_page(request: Request, status: int, code: str, text: str) -> Response:
    """Return the page of a refusal."""
    if code in SIGNED_OUT and request.method in SAFE:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)
    return page(
        request, _visitor(request), "problem.html", status, code=code, text=text, status=status
    )


def _visitor(request: Request) -> Visitor | None:
    """Return who asks, None where that is not known or the database does not answer."""
    try:
        return visitor_of(request, request.app.state.office)
    except (NotPermitted, MeterctlError):
        return None
