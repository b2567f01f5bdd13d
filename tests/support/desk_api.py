"""A script that calls the API of a desk of tests, with a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from starlette.testclient import TestClient

from meterctl.utility.rules.rights import Role
from tests.support.desk_pages import HOST, Pages

API = "/api/v1"
_DRAWN = count(1)


@dataclass
class Script:
    """A caller of the API who has a token; it draws a key for each mutation."""

    client: TestClient
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer of a reading."""
        return self.client.get(f"{API}{path}", params=query or None, headers=self.headers)

    def post(self, path: str, body: Any = None, key: str = "", **more: str) -> Any:
        """Return the answer of a mutation."""
        return self.send("POST", path, body, key, **more)

    def send(self, method: str, path: str, body: Any = None, key: str = "", **more: str) -> Any:
        """Return the answer of a mutation; `more` are headers, written with underscores."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {
            **self.headers, "Idempotency-Key": key or f"drawn-{next(_DRAWN)}", **named,
        }  # fmt: skip
        json = {} if body is None else {"json": body}
        return self.client.request(method, f"{API}{path}", headers=headers, **json)

    def raw(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Any:
        """Return the answer of a request with these bytes."""
        return self.client.request(
            method, f"{API}{path}", content=content, headers={**self.headers, **headers}
        )


def problem_of(answer: Any) -> tuple[int, str]:
    """Return the status and the code of a refusal, whose form is that of RFC 9457."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert told["status"] == answer.status_code
    assert set(told) == {"type", "title", "status", "detail", "code"}
    return answer.status_code, told["code"]


def script_of(pages: Pages, number: str | None) -> Script:
    """Return a script with the token of a person who was let in; None: without a token."""
    client = TestClient(pages.app, base_url=f"http://{HOST}", raise_server_exceptions=False)
    headers = {} if number is None else {"Authorization": f"Bearer {number}"}
    return Script(client, headers)


def script_with_role(pages: Pages, role: Role) -> Script:
    """Return a script with the token of a person who has a role at the company."""
    number = pages.counter.person(role).number
    pages.let_in(number, role)
    return script_of(pages, number)
