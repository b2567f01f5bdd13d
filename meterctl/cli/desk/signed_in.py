"""The opened desk of a command: its database, who works, and how a mutation is done and printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from meterctl.cli.desk.desk_options import NODE, DeskOptions
from meterctl.cli.desk.desk_output import fragments, print_done
from meterctl.cli.output import say
from meterctl.errors import UsageError
from meterctl.utility.rules.calendar import local_date
from meterctl.utility.store.authentication import authenticate
from meterctl.utility.store.engine import Database
from meterctl.utility.store.opening import opened
from meterctl.utility.store.queries.organisation import codes_of_paths
from meterctl.utility.store.unit_of_work import Actor, Answer, Asked, UnitOfWork, perform

Act = Callable[[UnitOfWork], dict[str, Any]]


def host_clock() -> int:
    """Return the clock of this computer, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An opened desk, and the person who works with it."""

    given: DeskOptions
    database: Database
    actor: Actor
    now: int

    @property
    def today(self) -> date:
        """The date of the company."""
        return local_date(self.now, self.database.zone)

    def ask(
        self,
        route: str,
        body: Mapping[str, Any],
        act: Act,
        *,
        money: bool = False,
        key: str | None = None,
        dry_run: bool = False,
    ) -> Answer:
        """Do a mutation once for the key of the command; with --dry-run undo it at the end.

        Of money that was moved before under the key it is said that none is moved now.

        Args:
            route: the words of the command.
            body: what was asked, JSON values: the same key with another body is refused.
            act: does it, and returns the answer.
            money: whether its key is kept for ever.
            key: in place of the command's, where the mutation names itself.
            dry_run: undo it in any case.
        """
        is_shared = key is not None
        asked = Asked(self.given.key if key is None else key, route, body, money, is_shared)
        answer = perform(
            self.database, self.actor, self.now, asked, act, dry_run or self.given.dry_run
        )
        if answer.replayed and money:
            say(f"key {asked.key}: done before under this key; no money was taken or paid now")
        return answer

    def do(
        self, route: str, body: Mapping[str, Any], act: Act, message: Callable[[Any], str]
    ) -> None:
        """Do a mutation and print what was done; with --json its answer, values as they are.

        Args:
            message: returns what was done from the answer's values, for people.
        """
        answer = self.ask(route, body, act)
        before = " (done before under this key)" if answer.replayed else ""
        record = self.record({**answer.values, "replayed": answer.replayed})
        print_done(
            self.given, record if self.given.json else {}, f"{message(answer.values)}{before}"
        )

    def record(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return a record of JSON values that holds no money."""
        return fragments(values, self.database.zone)

    def reading(self) -> AbstractContextManager[Any]:
        """Return a session that sees one state of the database and changes nothing."""
        return self.database.reading()

    def node(self) -> str:
        """Return the node of --node, else the one at which the person has all roles.

        Raises:
            UsageError: none was given, and there are several.
        """
        if self.given.node is not None:
            return self.given.node
        with self.reading() as session:
            codes = codes_of_paths(session, {grant.path for grant in self.actor.grants})
        if len(codes) != 1:
            raise UsageError(f"{NODE} CODE is needed: you work at {', '.join(codes)}")
        return codes[0]


@contextmanager
def signed_in(given: DeskOptions) -> Iterator[SignedIn]:
    """Open the desk for the person of METERCTL_DESK_TOKEN.

    Raises:
        NotPermitted: no active person has this token, or the person has no role today.
        NotFound, UsageError, Conflict: as `store.opening.opened`.
    """
    token = given.token
    with opened(given.url, host_clock) as database:
        now = database.now()
        yield SignedIn(given, database, authenticate(database, token, now), now)
