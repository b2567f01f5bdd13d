"""The API of the desk: a resource for each entity, actions as POST (UTILITY 7).

Every operation is a row of `tables`; `routes` makes FastAPI's routes of them.
"""

from __future__ import annotations

from functools import cache

from fastapi.routing import APIRoute

from meterctl.utility.web.api.live import live_routes
from meterctl.utility.web.api.routes import routes_of
from meterctl.utility.web.api.tables import OPERATIONS


@cache
def routes(prefix: str) -> tuple[APIRoute, ...]:
    """Return the routes of the API, whose paths begin with a prefix; they keep no state of a desk.

    To make their models takes longer than all else that an application needs.
    """
    return (*routes_of(OPERATIONS.items(), prefix), *live_routes(prefix))
