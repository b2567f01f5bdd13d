"""What the routes of the pages take: who asks, and the fields of a form that was posted."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from meterctl.utility.errors import Invalid
from meterctl.utility.web.people import (
    CSRF_FIELD,
    Visitor,
    is_key,
    require_csrf,
    require_own_page,
    visitor_of,
)
from protocols.errors import QuantityError
from protocols.quantities import parse_amount

MOST_FIELDS = 100
LONGEST_FIELD = 4096
"""Characters of a field that is no file."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form; of a field that was sent twice the last one counts."""

    fields: Mapping[str, str]
    files: Mapping[str, tuple[str, bytes]]

    def text(self, name: str) -> str:
        """Return a field; empty where it was left out."""
        return self.fields.get(name, "").strip()

    def optional(self, name: str) -> str | None:
        """Return a field, None where it is empty."""
        return self.text(name) or None

    def amount(self, name: str = "amount", *, zero: bool = False) -> int:
        """Return an amount in 0.01; raises Invalid."""
        return amount_of(self.text(name), zero=zero)

    def whole(self, name: str) -> int:
        """Return a whole number; raises Invalid."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Invalid(name, f"{name} {text!r}: a whole number is needed; nothing was changed")
        return int(text)

    @property
    def key(self) -> str:
        """The key of what the form does; raises Invalid."""
        return key_of(self.text("key"))


def amount_of(text: str, *, zero: bool = False) -> int:
    """Return a typed amount in 0.01; raises Invalid."""
    try:
        plain = unicodedata.normalize("NFKC", text.strip().replace("。", "."))
        return parse_amount(plain, zero=zero)
    except QuantityError as error:
        raise Invalid("amount", f"{error}; no money was taken") from error


def key_of(text: str) -> str:
    """Return the key that a form carries; raises Invalid."""
    if not is_key(text):
        raise Invalid("key", "the form has no key: open the page again; nothing was changed")
    return text


def new_key() -> str:
    """Return a key for a form, drawn when its page is made: a double click has the same."""
    return secrets.token_hex(8)


def _visitor(request: Request) -> Visitor:
    return visitor_of(request, request.app.state.office)


Asking = Annotated[Visitor, Depends(_visitor)]
"""Who asks for a page."""


async def fields_of(request: Request) -> Form:
    """Return the fields of a form that a page of ours sent; raises NotPermitted, HTTPException."""
    require_own_page(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise HTTPException(415, "a form is needed; nothing was changed")
    fields: dict[str, str] = {}
    uploads: dict[str, tuple[str, bytes]] = {}
    try:
        async with request.form(max_fields=MOST_FIELDS, max_files=2) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    uploads[name] = (value.filename or "", await value.read())
                else:
                    fields[name] = value
    except (UnicodeDecodeError, ValueError) as error:
        raise HTTPException(400, "the form cannot be read; nothing was changed") from error
    if any(len(value) > LONGEST_FIELD for value in fields.values()):
        raise HTTPException(413, f"a field has at most {LONGEST_FIELD} characters")
    if any("\x00" in value for value in fields.values()):
        raise HTTPException(400, "a field has a NUL character; nothing was changed")
    return Form(fields, uploads)


Fields = Annotated[Form, Depends(fields_of)]
"""The fields of a form, of a person who need not be signed in."""


def _own_fields(visitor: Asking, form: Fields) -> Form:
    require_csrf(visitor, form.text(CSRF_FIELD))
    return form


Posted = Annotated[Form, Depends(_own_fields)]
"""The fields of a form of the person who asks."""


def see_other(address: str, **query: Any) -> RedirectResponse:
    """Return the way to another page after a form was done (303)."""
    given = {name: value for name, value in query.items() if value is not None}
    return RedirectResponse(address + (f"?{urlencode(given)}" if given else ""), 303)
