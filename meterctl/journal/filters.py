"""Which rows of a journal a list shows."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.journal.states import EntryState

PAGE = 1000
"""Rows read at once of a long list."""
OPEN_STATES = "state IN ('prepared', 'on_card', 'unknown')"
"""SQL condition: entries that are not settled."""


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Entries of a list: of a meter, in a state or open, made since an instant (s, UTC)."""

    meter: str | None = None
    state: EntryState | None = None
    is_open: bool = False
    since: int | None = None

    def sql(self, after: int = 0) -> tuple[str, list[object]]:
        """Return the SQL condition of the entries with a number above `after`, and its values."""
        terms: list[tuple[str, object]] = [("id > ?", after)] if after else []
        if self.meter is not None:
            terms.append(("meter = ?", self.meter))
        if self.state is not None:
            terms.append(("state = ?", self.state.value))
        if self.since is not None:
            terms.append(("created >= ?", self.since))
        open_only = [OPEN_STATES] if self.is_open else []
        condition = " AND ".join([*(text for text, _ in terms), *open_only])
        return condition or "TRUE", [value for _, value in terms]

    @property
    def newest_first(self) -> str:
        """The order of the rows of which the first are the newest: one that an index has."""
        return "id DESC" if self.since is None else "created DESC, id DESC"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Lines of the audit log of a list: of a meter, written since an instant (s, UTC)."""

    meter: str | None = None
    since: int | None = None

    def sql(self, after: int = 0) -> tuple[str, list[object]]:
        """Return the SQL condition of the lines with a number above `after`, and its values."""
        terms: list[tuple[str, object]] = [("id > ?", after)] if after else []
        if self.meter is not None:
            terms.append(("meter = ?", self.meter))
        if self.since is not None:
            terms.append(("at >= ?", self.since))
        return " AND ".join(text for text, _ in terms) or "TRUE", [value for _, value in terms]

    @property
    def newest_first(self) -> str:
        """The order of the rows of which the first are the newest: one that an index has."""
        return "id DESC" if self.since is None else "at DESC, id DESC"
