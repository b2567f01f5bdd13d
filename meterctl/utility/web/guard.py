"""What every request passes: its Host, the size of its body, and the headers of its answer.

A page of another site that names itself by our address (DNS rebinding) sends its own name as Host,
and is refused. A body is counted while it comes in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meterctl.utility.web.problems import problem_response

_LOG = logging.getLogger(__name__)
BODY_WAIT_S = 20.0
"""How long each part of a body may take, s: else an unfinished request would stay for ever."""
LARGEST_BODY = 12 * 1024 * 1024
"""Bytes: a signed copy, or the file of a bank."""
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""Headers of every answer; one that an answer has already stays."""


class _TooLargeError(Exception):
    """The body has more bytes than are taken."""


class Guard:
    """The first application that a request meets; it calls the desk's own."""

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str], body_wait_s: float = BODY_WAIT_S
    ) -> None:
        self._app, self._hosts, self._body_wait_s = app, hosts, body_wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if refusal is not None:
            status, code, text = refusal
            await problem_response(status, code, text)(scope, receive, _dressed(send))
            return
        counted = _Counted(receive, self._body_wait_s)
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            began = True
            await _dressed(send)(message)

        try:
            await self._app(scope, counted.receive, watched)
        except ClientDisconnect:
            return  # its body has not come whole, so nothing was done
        except TimeoutError:
            if not began:
                answer = problem_response(408, "too_slow", _TOO_SLOW)
                await answer(scope, receive, _dressed(send))
        except _TooLargeError:
            if not began:
                answer = problem_response(413, "too_large", _TOO_LARGE)
                await answer(scope, receive, _dressed(send))
        except Exception:  # a fault of ours: who asked gets no traceback, our log does
            _LOG.exception("%s %s", scope["method"], scope["path"])
            if not began:
                answer = problem_response(500, "fault", _FAULT)
                await answer(scope, receive, _dressed(send))

    def _refusal(self, headers: Headers) -> tuple[int, str, str] | None:
        """Return status, code and text of a refusal by the headers, None where they may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421, "host", "this address is not served here; see `meterctl desk serve --host`"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return 400, "content_length", "Content-Length is no number"
        if len(length) > len(str(LARGEST_BODY)) or int(length) > LARGEST_BODY:
            return 413, "too_large", _TOO_LARGE
        return None


_FAULT = (
    "a fault of the desk; what was asked may have been done: ask again with the same key, which "
    "does nothing twice"
)
_TOO_SLOW = "the request did not come in whole; nothing was changed"
_TOO_LARGE = f"more than {LARGEST_BODY // 1024 // 1024} MB are not taken; nothing was changed"


class _Counted:
    """The body of a request, counted."""

    def __init__(self, receive: Receive, wait_s: float) -> None:
        self._receive, self._bytes, self._wait_s = receive, 0, wait_s
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the next message; raises _TooLargeError, TimeoutError while the body comes in."""
        if self._is_whole:
            return await self._receive()
        with anyio.fail_after(self._wait_s):
            message = await self._receive()
        self._is_whole = not message.get("more_body", False)
        self._bytes += len(message.get("body", b""))
        if self._bytes > LARGEST_BODY:
            raise _TooLargeError
        return message


def _dressed(send: Send) -> Send:
    """Return a sender that adds our headers to an answer."""

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sender
