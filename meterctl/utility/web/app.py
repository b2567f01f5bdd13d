"""The application: the API, the pages, and how refusals are told to each of them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from meterctl.errors import MeterctlError
from meterctl.utility.web import api, pages
from meterctl.utility.web.api import description
from meterctl.utility.web.guard import Guard
from meterctl.utility.web.office import Office
from meterctl.utility.web.pages.problem_page import problem_page
from meterctl.utility.web.problems import code_of, problem_response, status_of

API = "/api/"
TITLE = "meterctl desk"
VERSION = "1"


def make_app(office: Office) -> ASGIApp:
    """Return the application of a desk that is served."""
    app = FastAPI(
        title=TITLE,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}v1/openapi.json",
        redirect_slashes=False,
    )
    app.state.office = office
    app.router.routes.extend(api.routes(f"{API}v1"))
    app.include_router(pages.router(), include_in_schema=False)
    description.describe(app)
    for kind in (MeterctlError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _refused)
    return Guard(app, office.hosts)


async def _refused(request: Request, error: Any) -> Response:
    """Return the answer of a refusal: problem details of the API, a page of the pages."""
    match error:
        case MeterctlError():
            status, code, text = status_of(error), code_of(error), str(error)
        case RequestValidationError():
            status, code, text = 422, "invalid", _told(error)
        case _:
            status, code, text = error.status_code, "http", str(error.detail)
    if request.url.path.startswith(API):
        return problem_response(status, code, text)
    return problem_page(request, status, code, text)


def _told(error: RequestValidationError) -> str:
    """Return what is wrong with a request's values, one a sentence."""
    told = [
        f"{'.'.join(str(part) for part in each['loc'][1:]) or each['loc'][0]}: {each['msg']}"
        for each in error.errors()
    ]
    return f"{'; '.join(told)}; nothing was changed"
