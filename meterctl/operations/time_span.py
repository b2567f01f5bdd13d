"""The span that --from and --to name, in the meter's local time where they have no offset."""

from __future__ import annotations

from dataclasses import dataclass

from meterctl.drivers import Reader
from meterctl.errors import UsageError
from meterctl.operations.local_time import Offsets, read_offsets
from protocols.errors import QuantityError
from protocols.quantities import DAY, LocalMoment, parse_date, parse_written_moment

_WHOLE_DATE = len("2026-01-31")


@dataclass(frozen=True, slots=True)
class Bound:
    """A text of --from or --to: an instant, a local moment, or a local date."""

    option: str
    text: str
    moment: int | LocalMoment
    is_date: bool

    def instant(self, offsets: Offsets) -> int:
        """Return the instant, ms since 1970 UTC; of a date that is its first one.

        Raises:
            UsageError: the local time is skipped, as where summer time begins.
        """
        if not isinstance(self.moment, LocalMoment):
            return self.moment
        if self.is_date:
            return offsets.first_instant(self.moment.ms)
        found = offsets.instant_of(self.moment.ms)
        if found is None:
            raise UsageError(
                f"{self.option} {self.text}: the meter's local time skips it; write its offset, "
                f"such as {self.text}+02:00"
            )
        return found


@dataclass(frozen=True, slots=True)
class Span:
    """From an instant to another, ms since 1970 UTC; None is open."""

    begin: int | None = None
    end: int | None = None


def bound_of(option: str, text: str | None) -> Bound | None:
    """Return what --from or --to names; raises UsageError."""
    if text is None:
        return None
    word = text.strip()
    try:
        return Bound(option, word, parse_written_moment(word), len(word) == _WHOLE_DATE)
    except QuantityError as error:
        raise UsageError(f"{option} {error}; nothing was sent") from error


def date_of(option: str, text: str | None) -> Bound | None:
    """Return the local date that --from or --to names; raises UsageError."""
    if text is None:
        return None
    try:
        parse_date(text)
    except QuantityError as error:
        raise UsageError(f"{option} {error}; nothing was sent") from error
    return bound_of(option, text)


def span_of(reader: Reader, first: Bound | None, last: Bound | None) -> Span:
    """Return the span between two bounds by the meter's local time.

    Raises:
        UsageError: it is empty, or a bound is skipped.
    """
    moments = [bound.moment for bound in (first, last) if bound is not None]
    local = [moment.ms for moment in moments if isinstance(moment, LocalMoment)]
    around = [moment + by for moment in local for by in (-DAY, DAY)]
    offsets = read_offsets(reader, around) if local else Offsets(((0, 0),))
    begin, end = (None if b is None else b.instant(offsets) for b in (first, last))
    if begin is not None and end is not None and begin >= end:
        assert first is not None
        assert last is not None
        raise UsageError(f"--from {first.text} is not before --to {last.text}")
    return Span(begin, end)
