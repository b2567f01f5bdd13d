"""How a page is made: its template, its language, and how values are shown in it.

Everything that is written into a page is escaped, and characters that would show otherwise than
they stand (control characters, changes of direction) are shown by their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from meterctl.utility.rules.rights import Action
from meterctl.utility.store.rights import paths
from meterctl.utility.web.pages.files import address_of
from meterctl.utility.web.people import LANGUAGE_COOKIE, Visitor
from meterctl.utility.web.words import ENGLISH, LANGUAGES, Language
from protocols.quantities import CENT, SECOND, format_money
from protocols.replacements import printable

PAGES: Mapping[str, Action] = {
    "counter": Action.CUSTOMER_READ,
    "today": Action.SHEET_READ,
    "sheet": Action.SHEET_READ,
    "tasks": Action.TASK_READ,
    "bank": Action.BANK_READ,
    "ledger": Action.SHEET_READ,
    "settings": Action.SETTING_READ,
}
"""Name of a page -> what a person may do who sees it."""
COMPANY_SLASHES = 2
"""Slashes of the path of the company (`/1/`), whose accounts the ledger shows."""
YEAR = 365 * 24 * 3600


def page(
    request: Request, visitor: Visitor | None, template: str, http_status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page.

    Args:
        visitor: who sees it; None: a person who is not signed in.
        template: its file.
        values: of the template.
    """
    language = language_of(request)
    zone = request.app.state.office.database.zone
    context = {
        **values,
        **_filters_of(language, zone),
        "visitor": visitor,
        "csrf": visitor.csrf if visitor is not None else "",
        "language": language,
        "languages": LANGUAGES.values(),
        "here": _here(request),
        "may": _may_of(visitor),
    }
    answer = HTMLResponse(_TEMPLATES.get_template(template).render(context), http_status)
    if request.query_params.get("lang") in LANGUAGES:
        answer.set_cookie(
            LANGUAGE_COOKIE, language.code, max_age=YEAR, httponly=True, samesite="strict"
        )
    return answer


def language_of(request: Request) -> Language:
    """Return the language of a page: asked for, chosen before, or the one the browser likes."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return LANGUAGES[chosen]
    liked = request.headers.get("accept-language", "").strip().lower()
    return LANGUAGES.get(liked[:2], ENGLISH)


def amount(value: int | None) -> str:
    """Return an amount (0.01) for people."""
    return "" if value is None else format_money(value * CENT)


def exact(value: int | None) -> str:
    """Return exact money (1e-10) for people, cut to 0.01."""
    return "" if value is None else format_money(value)


def _filters_of(language: Language, zone: ZoneInfo) -> dict[str, Any]:
    """Return the functions that a template shows values with."""

    def moment(instant_ms: int | None) -> str:
        if instant_ms is None:
            return ""
        at = datetime.fromtimestamp(instant_ms // SECOND, UTC).astimezone(zone)
        return at.strftime("%Y-%m-%d %H:%M:%S")

    def sentence(name: str, /, **values: Markup) -> Markup:
        """Return a text with links in it."""
        return Markup(escape(language.text(name, **{key: f"{{{key}}}" for key in values}))).format(
            **values
        )

    return {
        "t": language.text,
        "word": language.word,
        "sentence": sentence,
        "link": _link,
        "amount": amount,
        "exact": exact,
        "moment": moment,
        "url": _url,
    }


def _may_of(visitor: Visitor | None) -> Any:
    """Return what tells a template whether a person may do an action anywhere."""

    def may(action: str) -> bool:
        return visitor is not None and bool(paths(visitor.actor, Action(action)))

    return may


def _here(request: Request) -> str:
    """Return the address of this page without its language, to be followed by `lang=`."""
    pairs = [
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in request.query_params.multi_items()
        if name != "lang"
    ]
    return f"{quote(request.url.path)}?{''.join(pair + '&' for pair in pairs)}"


def _url(*parts: Any) -> str:
    """Return an address on the desk from its parts, each escaped."""
    return "/" + "/".join(quote(str(part), safe="") for part in parts)


def _link(address: str, text: str) -> Markup:
    """Return a link to a page of ours."""
    return Markup('<a href="{}">{}</a>').format(address, printable(text))


def pages_of(visitor: Visitor) -> list[str]:
    """Return the names of the pages that a person may see, in their order."""
    held = {name: paths(visitor.actor, action) for name, action in PAGES.items()}
    held["ledger"] = [path for path in held["ledger"] if path.count("/") == COMPANY_SLASHES]
    return [name for name, found in held.items() if found]


def _shown(value: Any) -> Any:
    """Return a value as it is written into a page."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    return printable(value) if isinstance(value, str) else value


_TEMPLATES = Environment(
    loader=PackageLoader("meterctl.utility.web", "templates"),
    autoescape=True,
    finalize=_shown,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_GLOBALS: Mapping[str, Any] = {"address_of": address_of, "pages_of": pages_of}
_TEMPLATES.globals.update(_GLOBALS)
