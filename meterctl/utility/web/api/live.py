"""What changes: sales and orders, as server-sent events (`GET /live`).

Every change of a sale or an order writes the audit, so new rows of the audit say what changed. A
row that another transaction commits after one with a higher number is found too, as the last rows
are looked at again. A connection of `meters.waiting.Changes` belongs to one thread; here each look
is in another one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from meterctl.utility.errors import Conflict, DeskError
from meterctl.utility.services import live
from meterctl.utility.web.api.routes import AskedRoute, problems
from meterctl.utility.web.api.values import json_of
from meterctl.utility.web.people import Visitor, visitor_of

LOOK_S = 0.5
"""How often it is looked whether anything has changed, s."""
BEAT = 30
"""Looks without a change after which a comment is sent, and who asks is looked up again."""
LONGEST = 1200
"""Looks after which a stream ends; the client asks again with the number of its last event."""
AT_ONCE = 100
"""Streams at the same time."""
MEDIA_TYPE = "text/event-stream"


@dataclass(slots=True)
class Streams:
    """How many streams there are."""

    count: int = 0


@dataclass(slots=True)
class LiveEvents:
    """The events of one caller.

    Attributes:
        look_up: returns who asks, as it is now; raises DeskError.
        has_gone: whether the caller has gone.
        sleep: waits between two looks, s.
        seen: rows of the audit that were told, of the last ones.
    """

    visitor: Visitor
    look_up: Callable[[], Visitor]
    has_gone: Callable[[], Awaitable[bool]]
    sleep: Callable[[float], Awaitable[None]]
    last: int | None = None
    seen: set[int] = field(default_factory=set)

    async def events(self) -> AsyncIterator[str]:
        """Yield events until the caller has gone, may not see them any more, or for ten minutes."""
        await run_in_threadpool(self._begin)
        yield ": changes of sales and orders\n\n"
        for look in range(1, LONGEST + 1):
            await self.sleep(LOOK_S)
            if await self.has_gone():
                return
            try:
                if look % BEAT == 0:
                    self.visitor = await run_in_threadpool(self.look_up)
                    yield ": beat\n\n"
                for text in await run_in_threadpool(self._changed):
                    yield text
            except DeskError:
                return

    def _begin(self) -> None:
        with self.visitor.reading() as session:
            newest = live.newest_change(session)
            self.last = newest if self.last is None else min(self.last, newest)
            self.seen = live.known_changes(session, self.last)

    def _changed(self) -> list[str]:
        """Return the events since the last look."""
        assert self.last is not None
        zone = self.visitor.database.zone
        with self.visitor.reading() as session:
            found = live.changes(session, self.visitor.actor, self.last, self.seen)
        self.last, self.seen = found.last, found.seen
        return [_event(found.last, name, json_of(values, zone)) for name, values in found.told]


def _event(number: int, name: str, values: dict[str, Any]) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(values, ensure_ascii=False)}\n\n"


def live_routes(prefix: str) -> Iterator[APIRoute]:
    """Yield the route of the events."""
    router, streams = APIRouter(prefix=prefix, route_class=AskedRoute), Streams()

    @router.get(
        "/live",
        operation_id="live",
        summary="Tell sales and orders as they change (server-sent events).",
        tags=["desk"],
        response_class=StreamingResponse,
        responses={
            200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
            **problems([403, 409, 503]),
        },
    )
    async def stream(request: Request) -> Response:
        if streams.count >= AT_ONCE:
            raise Conflict("too_many", f"{AT_ONCE} streams are open; ask again later")
        last = request.headers.get("last-event-id", "")
        begun = LiveEvents(
            request.state.visitor,
            lambda: visitor_of(request, request.app.state.office),
            request.is_disconnected,
            anyio.sleep,
            int(last) if last.isascii() and last.isdigit() and len(last) <= 18 else None,
        )

        async def counted() -> AsyncIterator[str]:
            streams.count += 1
            try:
                async for text in begun.events():
                    yield text
            finally:
                streams.count -= 1

        return StreamingResponse(counted(), media_type=MEDIA_TYPE)

    for route in router.routes:
        assert isinstance(route, APIRoute)
        yield route
