"""The routes of operations: who asks, what is checked in which order, and how it is answered.

Who asks is known before anything of the body is read: 401, then the word against forgery (403), the
key (400), the version that was seen (428), the values (422).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable, Sequence, Set
from datetime import date
from functools import cache
from inspect import Parameter, Signature
from threading import BoundedSemaphore
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Path, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, create_model
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from meterctl.utility.errors import Invalid, Stale
from meterctl.utility.store.queries.today import TodayFigure
from meterctl.utility.web.api.operations import Call, Change, Look, Looked, Operation, Told, Values
from meterctl.utility.web.api.values import Name, json_of
from meterctl.utility.web.people import (
    CSRF_HEADER,
    KEY_HEADER,
    SAFE,
    Visitor,
    is_key,
    require_csrf,
    require_own_page,
    visitor_of,
)
from meterctl.utility.web.problems import KeyMissing, ProblemDetails, VersionMissing

REPLAYED_HEADER = "Idempotency-Replayed"
LONGEST_WAIT_S = 15
"""How long an answer waits for the outcome of an order, s; the command line waits as long."""
WAITING_AT_ONCE = 16
"""Requests that wait at the same time: each holds a thread, and others need some too."""
_REHEARSED = 200
"""Status of what was undone at its end."""
_WAIT = re.compile(r"(?:^|,)\s*wait=(\d{1,3})\s*(?:,|$)")
_VERSION = re.compile(r'"(\d{1,9})"')
_NAMED = re.compile(r"{(\w+)}")
_WAITING = BoundedSemaphore(WAITING_AT_ONCE)
Row = TypeVar("Row")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_PATHS: dict[str, Any] = {
    "on": Annotated[date, Path()],
    "worker": Annotated[int, Path(ge=1, le=2**31 - 1)],
    "figure": Annotated[TodayFigure, Path()],
    "sha256": Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
}
"""Names in paths that are no texts -> their types."""


class Rows(Told, Generic[Row]):
    """A part of a list."""

    rows: list[Row]
    next: str | None = Field(description="`after` of the next part; null: there is none.")


class Replayable(Told):
    """What a mutation answers beside what it did."""

    replayed: bool = Field(description="Whether it was done before under its key.")


@cache
def done(answer: type[BaseModel]) -> type[BaseModel]:
    """Return the model of the answer of a mutation."""
    return create_model(f"{answer.__name__}Done", __base__=(answer, Replayable))


class AskedRoute(APIRoute):
    """A route that knows who asks before it reads the body."""

    def get_route_handler(self) -> Handler:
        """Return the handler of its requests."""
        handle = super().get_route_handler()

        async def authenticated(request: Request) -> Response:
            visitor = await run_in_threadpool(visitor_of, request, request.app.state.office)
            request.state.visitor = visitor
            if request.method not in SAFE:
                _require_own(request, visitor)
                request.state.key = _key(request)
                if request.method == "PATCH":
                    request.state.version = _seen_version(request)
            return await handle(request)

        return authenticated


def routes_of(operations: Iterable[tuple[str, Sequence[Operation]]], prefix: str) -> list[APIRoute]:
    """Return the routes of operations, each list of them under its tag.

    They are made once: to include a router makes each of its routes again.
    """
    router = APIRouter(prefix=prefix, route_class=AskedRoute)
    for tag, rows in operations:
        for operation in rows:
            if isinstance(operation, Change):
                _add_change(router, tag, operation)
            else:
                _add_look(router, tag, operation)
    return [route for route in router.routes if isinstance(route, APIRoute)]


def _add_change(router: APIRouter, tag: str, change: Change) -> None:
    def endpoint(request: Request, *, dry_run: bool = False, **given: Any) -> Response:
        return _changed(request, change, dry_run, given)

    query = Annotated[bool, Query(description="Undo it at the end: see what would be answered.")]
    named = [_parameter("dry_run", query, False)] if change.dry_run else []
    body = [] if change.body is None else [_parameter("body", change.body)]
    _sign(endpoint, [*_of_path(change.path), *body, *named])
    statuses = [400, 403, 404, 409, 413, 422, 503]
    headers = [_header(KEY_HEADER, "Your own name for it: with the same one it is done once.")]
    if change.method == "PATCH":
        statuses += [412, 428]
        headers.append(_header("If-Match", 'The version that you have seen, as `"3"` (ETag).'))
    router.add_api_route(
        change.path,
        endpoint,
        methods=[change.method],
        operation_id=change.name,
        summary=change.summary,
        tags=[tag],
        response_model=done(change.answer),
        status_code=change.status,
        responses={**_rehearsed(change), **problems(statuses)},
        openapi_extra={"parameters": headers},
    )


def _rehearsed(change: Change) -> dict[int | str, Values]:
    """Return the answer of a rehearsal as OpenAPI has it, where it has a status of its own."""
    if not change.dry_run or change.status == _REHEARSED:
        return {}
    told = "A rehearsal: what would be answered."
    return {_REHEARSED: {"model": done(change.answer), "description": told}}


def _changed(request: Request, change: Change, dry_run: bool, given: Values) -> Response:
    _refuse_other_words(request, {"dry_run"} if change.dry_run else set())
    visitor: Visitor = request.state.visitor
    body: BaseModel | None = given.pop("body", None)
    values = dict(given)
    asked = {name: _plain(value) for name, value in values.items()}
    if change.method == "PATCH":
        asked["version"] = values["version"] = request.state.version
    if body is not None:
        asked |= body.model_dump(mode="json", by_alias=True)
        values |= {info.alias or name: getattr(body, name) for name, info in _fields_of(body)}
    wait_s = 0 if dry_run else _wait_s(request)
    holds = bool(wait_s) and _WAITING.acquire(blocking=False)
    try:
        call = Call(
            visitor,
            change,
            request.state.key,
            change.asks(asked),
            change.asks(values),
            dry_run,
            wait_s if holds else 0,
        )
        answer = change.run(call)
    finally:
        if holds:
            _WAITING.release()
    told = {**json_of(answer.values, visitor.database.zone), "replayed": answer.replayed}
    headers = _etag(answer.values)
    if answer.replayed:
        headers[REPLAYED_HEADER] = "true"
    status = _REHEARSED if dry_run else change.status
    return JSONResponse(told, status, headers)


def _add_look(router: APIRouter, tag: str, look: Look) -> None:
    def endpoint(request: Request, **given: Any) -> Response:
        return _found(request, look, given)

    query = [] if look.query is None else [_parameter("query", Annotated[look.query, Query()])]
    _sign(endpoint, [*_of_path(look.path), *query])
    answer: Any = look.answer if look.by is None else Rows[look.answer]  # type: ignore[name-defined]
    router.add_api_route(
        look.path,
        endpoint,
        methods=["GET"],
        operation_id=look.name,
        summary=look.summary,
        tags=[tag],
        response_model=answer,
        responses=problems([403, 404, 409, 422, 503]),
    )


def _found(request: Request, look: Look, given: Values) -> Response:
    if look.query is None:
        _refuse_other_words(request, set())
    visitor: Visitor = request.state.visitor
    query = given.pop("query", None)
    with visitor.reading() as session:
        found = look.find(Looked(visitor, session, given, query))
    zone = visitor.database.zone
    if look.by is None:
        headers = _etag(found) if look.versioned else {}
        return JSONResponse(json_of(found, zone), headers=headers)
    return JSONResponse(_page([json_of(row, zone) for row in found], look, query))


def _page(rows: list[Values], look: Look, query: Any) -> Values:
    """Return the part of a list that is wanted; `find` found one row more, or the whole list."""
    assert look.by is not None
    if look.is_whole and query.after is not None:
        cursors = [str(row[look.by]) for row in rows]
        if query.after not in cursors:
            raise Invalid("after", f"after {query.after!r}: there is no such row in the list")
        rows = rows[cursors.index(query.after) + 1 :]
    shown = rows[: query.limit]
    return {"rows": shown, "next": str(shown[-1][look.by]) if len(rows) > len(shown) else None}


def _refuse_other_words(request: Request, known: Set[str]) -> None:
    """Refuse words of the address that mean nothing: who writes `dryrun` wants a rehearsal."""
    other = sorted(set(request.query_params) - known)
    if other:
        named = ", ".join(repr(each) for each in other)
        raise Invalid("query", f"{named}: there is no such word here; nothing was changed")


def _require_own(request: Request, visitor: Visitor) -> None:
    """Refuse a mutation that the page of another site sent with our cookie."""
    if visitor.csrf:
        require_own_page(request)
        require_csrf(visitor, request.headers.get(CSRF_HEADER))


def _key(request: Request) -> str:
    key = request.headers.get(KEY_HEADER)
    if key is None:
        raise KeyMissing("key_missing", f"send {KEY_HEADER}: your own name for what is asked, "
                         f"drawn once and sent again with it; nothing was changed")  # fmt: skip
    if not is_key(key):
        raise KeyMissing(
            "key",
            f"{KEY_HEADER}: a key has 1 to 64 letters, digits, points, hyphens and underscores; "
            f"nothing was changed",
        )
    return key


def _seen_version(request: Request) -> int:
    """Return the version of If-Match; raises VersionMissing, Stale."""
    text = request.headers.get("if-match")
    if text is None:
        raise VersionMissing(
            "version_missing",
            "send If-Match with the version that you have seen (ETag of GET); nothing was changed",
        )
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise Stale("stale", f'If-Match {text!r} is no version such as "3"; nothing was changed')
    return int(found[1])


def _wait_s(request: Request) -> int:
    """Return how long the header Prefer wants to wait, s."""
    found = _WAIT.search(request.headers.get("prefer", ""))
    return 0 if found is None else min(LONGEST_WAIT_S, int(found[1]))


def _fields_of(body: BaseModel) -> Iterable[tuple[str, Any]]:
    return type(body).model_fields.items()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _etag(values: Values) -> dict[str, str]:
    version = values.get("version")
    return {"ETag": f'"{version}"'} if isinstance(version, int) else {}


def _of_path(path: str) -> list[Parameter]:
    """Return the parameters that a path names."""
    return [
        _parameter(name, _PATHS.get(name, Annotated[Name, Path()])) for name in _NAMED.findall(path)
    ]


def _parameter(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _sign(endpoint: Any, parameters: list[Parameter]) -> None:
    """Give an endpoint the parameters that FastAPI reads."""
    request = Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
    endpoint.__signature__ = Signature([request, *parameters])


def _header(name: str, description: str) -> Values:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
    }


TOLD = {
    400: "The body or the key cannot be read.",
    401: "No person is signed in with this cookie or token.",
    403: "The person may not do it.",
    404: "There is no such thing.",
    409: "The state, a rule or another request does not allow it.",
    412: "It was changed since it was read.",
    413: "The body is too large.",
    422: "A value is wrong, or the key was used for another request.",
    428: "If-Match is missing.",
    503: "The database does not answer; ask again with the same key.",
}


def problems(statuses: Iterable[int]) -> dict[int | str, Values]:
    """Return the refusals of an operation as OpenAPI has them."""
    return {
        status: {"model": ProblemDetails, "description": TOLD[status]}
        for status in sorted({401, *statuses})
    }
