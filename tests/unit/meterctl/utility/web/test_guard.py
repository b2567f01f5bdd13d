"""The first application that a request meets: a body that never ends."""

from __future__ import annotations

from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import Response

from meterctl.utility.web.guard import Guard

SCOPE = {
    "type": "http", "method": "POST", "path": "/sales", "query_string": b"", "scheme": "http",
    "headers": [(b"host", b"desk.example"), (b"content-length", b"100")],
}  # fmt: skip


async def _reads(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the body first."""
    body = await Request(scope, receive).body()
    await Response(body)(scope, receive, send)


def test_a_body_that_never_ends_is_given_up() -> None:
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": b"amount=", "more_body": True}]

    async def receive() -> Any:
        if parts:
            return parts.pop()
        await anyio.sleep_forever()
        raise AssertionError("slept enough")

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        await Guard(_reads, frozenset({"desk.example"}), 0.0)(dict(SCOPE), receive, send)

    anyio.run(ask)
    assert sent[0]["status"] == 408
    assert b"nothing was changed" in sent[1]["body"]
