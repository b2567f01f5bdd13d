"""The API keeps to its own schema; some examples an operation (`make browser`: many)."""

from __future__ import annotations

import os
from typing import Annotated

import pytest
from fastapi import FastAPI, Query, Response
from pydantic import BaseModel

from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.story.scenes.founding import ACCOUNTANT, CLERK
from tests.support.desk_served import WHOLE, Served
from tests.web import schema_runs

schemathesis = pytest.importorskip("schemathesis")
WHOLE_RUN = bool(os.environ.get(WHOLE))
EXAMPLES = 60 if WHOLE_RUN else 1


class _Told(BaseModel):
    number: int


def _faulty() -> FastAPI:
    """Return an application of which one operation is right and three are not."""
    app = FastAPI(openapi_url=schema_runs.SCHEMA)

    @app.get("/right")
    def right(limit: Annotated[int, Query(ge=1, le=9)]) -> _Told:
        return _Told(number=limit)

    @app.get("/another-body", response_model=_Told)
    def another_body() -> Response:
        return Response('{"number": "one"}', media_type="application/json")

    @app.get("/another-status", response_model=_Told)
    def another_status() -> Response:
        return Response('{"number": 1}', 409, media_type="application/json")

    @app.get("/another-kind", response_model=_Told)
    def another_kind() -> Response:
        return Response("1", media_type="text/plain")

    return app


def _wrong(app: object, token: str, examples: int) -> dict[str, str]:
    """Return what is wrong by the operation."""
    wrong = {}
    for operation in schema_runs.operations(schema_runs.loaded(app)):
        try:
            schema_runs.run(operation, token, examples)
        except (Exception, BaseExceptionGroup) as error:
            wrong[operation.label] = str(error)
    return wrong


def test_an_operation_that_breaks_its_schema_is_found() -> None:
    assert set(_wrong(_faulty(), "T", 2)) == {
        "GET /another-body",
        "GET /another-kind",
        "GET /another-status",
    }


def test_every_operation_answers_as_the_schema_says(desk_served: Served) -> None:
    desk = desk_served.desk
    app = schema_runs.app_of(desk.office.database)
    assert len(schema_runs.operations(schema_runs.loaded(app))) > 100
    for number in (desk.vendor, ACCOUNTANT, CLERK, ADMIN_NUMBER)[: None if WHOLE_RUN else 1]:
        wrong = _wrong(app, desk.token(number), EXAMPLES)
        assert not wrong, "\n\n".join(f"{label}: {told}" for label, told in wrong.items())
