"""Refusals by HTTP: problem details (RFC 9457) of the API, and what they are made of."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from meterctl.errors import MeterctlError
from meterctl.utility.errors import DeskError, Invalid, NotPermitted

MEDIA_TYPE = "application/problem+json"
SIGNED_OUT = frozenset({"signed_out", "token", "password", "no_token"})
"""Codes of who is not known: 401."""
_BY_EXIT_CODE = {2: 422, 3: 409, 4: 503, 5: 503, 6: 403, 7: 503}
"""Exit code of an error of meterctl that is none of the desk -> status."""


class KeyMissing(Invalid):
    """A mutation came without a key, or with one that is none."""

    status = 400


class VersionMissing(Invalid):
    """An edit does not say which version it has seen."""

    status = 428


class ProblemDetails(BaseModel):
    """A refusal (RFC 9457); `code` is a word that never changes."""

    type: str = "about:blank"
    title: str = Field(description="The words of the HTTP status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What failed, what is unchanged, and what to do.")
    code: str = Field(description="A word that programs may compare.")


def status_of(error: MeterctlError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, NotPermitted) and error.code in SIGNED_OUT:
        return HTTPStatus.UNAUTHORIZED
    if isinstance(error, DeskError):
        return error.status
    return _BY_EXIT_CODE.get(error.exit_code, HTTPStatus.INTERNAL_SERVER_ERROR)


def code_of(error: MeterctlError) -> str:
    """Return the word of an error."""
    return error.code if isinstance(error, DeskError) else "meterctl"


def details(status: int, code: str, text: str) -> dict[str, Any]:
    """Return problem details."""
    title, told = HTTPStatus(status).phrase, text.encode(errors="replace").decode()
    return ProblemDetails(title=title, status=status, detail=told, code=code).model_dump()


def problem_response(status: int, code: str, text: str) -> JSONResponse:
    """Return problem details as an answer."""
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(
        details(status, code, text), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )
