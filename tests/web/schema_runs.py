"""The API asked by its own schema: values that it allows, and values that it does not."""

from __future__ import annotations

import warnings
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from meterctl.utility.store.engine import Database
from meterctl.utility.web.app import make_app
from meterctl.utility.web.office import Office

SCHEMA, LIVE, HOST = "/api/v1/openapi.json", "/api/v1/live", "testserver"
"""Where the schema and the events are, and the Host that schemathesis sends."""


class NoDelivery:
    """A way to the meters on which nothing is sent."""

    def require_deliverable(self, *_: object) -> None:
        """Let every sale be taken."""

    def begin(self, order: int) -> None:
        """Leave an order where it is."""

    def wait(self, order: int, seconds: float) -> None:
        """Wait for nothing."""


def app_of(database: Database) -> Any:
    """Return the application of a desk, whose sales are sent to no meter."""
    return make_app(Office(database, NoDelivery(), frozenset({HOST})))


def loaded(app: Any) -> Any:
    """Return the schema of the API of an application."""
    import schemathesis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return schemathesis.openapi.from_asgi(SCHEMA, app)


def operations(schema: Any) -> list[Any]:
    """Return the operations of a schema but the events, which have no end.

    Raises where one of them is not well formed.
    """
    return [each.ok() for each in schema.exclude(path=LIVE).get_all_operations()]


def run(operation: Any, token: str, examples: int) -> None:
    """Ask an operation so often, as a person; raises what its answers break.

    An answer is no server error, has a status, a content type and a body of the schema, and what
    the schema does not allow is refused.
    """
    from schemathesis import GenerationMode, checks

    headers = {"Authorization": f"Bearer {token}"}
    wanted = [
        checks.not_a_server_error,
        *checks.CHECKS.get_by_names(
            [
                "content_type_conformance",
                "response_headers_conformance",
                "response_schema_conformance",
                "status_code_conformance",
            ]
        ),
    ]
    for mode in GenerationMode:

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=wanted)

        ask()
