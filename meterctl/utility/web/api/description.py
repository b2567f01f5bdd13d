"""The description of the API (OpenAPI): how a caller says who asks, and how refusals are told."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from meterctl.utility.web.people import COOKIE
from meterctl.utility.web.problems import MEDIA_TYPE

_ABOUT = (
    "The desk of a utility that sells electricity in advance. Amounts are texts with two decimals; "
    "instants are ISO 8601 with an offset. Every mutation carries `Idempotency-Key`: the same "
    "request again does nothing twice and gives the first answer. docs/desk-api.md says more."
)
_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "The token of `desk staff`."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The cookie of the pages; a mutation needs X-CSRF-Token too.",
    },
}


def describe(app: FastAPI) -> None:
    """Give an application the description of the API."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(made())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    schema["info"]["description"] = _ABOUT
    schema["components"]["securitySchemes"] = _SECURITY
    schema["security"] = [{name: []} for name in _SECURITY]
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {})
                if int(status) >= 400 and "application/json" in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return schema
