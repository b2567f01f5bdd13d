"""What ended a try, as one word for the desk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from meterctl.errors import (
    AnotherMeterError,
    AnotherStorageError,
    BusyError,
    CopiedJournalError,
    CorruptAnswerError,
    LostStorageError,
    MeterctlError,
    NoAnswerError,
    NotPermittedError,
    OpenEntryError,
    OverDailyLimitError,
    RefusedError,
    SetBackError,
    UnknownOutcomeError,
    UsageError,
)


class Problem(StrEnum):
    """What ended a try. It never says what became of the money: `Outcome.state` does."""

    NONE = "none"
    NO_ANSWER = "no_answer"
    """Silence of the meter, or no card in the reader."""
    CORRUPT = "corrupt"
    """What was received cannot be the answer; also two meters at one unit number."""
    REFUSED = "refused"
    """The meter refused it, or its state does not allow it."""
    LOST_STORAGE = "lost_storage"
    """The meter lost its storage, and takes nothing until it gets a new one."""
    ANOTHER_METER = "another_meter"
    """Another meter answers at this place, or the card is of another one."""
    SET_BACK = "set_back"
    """A proved value fell: the storage was set back, or it is a clone. Two persons decide."""
    EPOCH_CHANGED = "epoch_changed"
    """The meter has another storage than the one that the books know. Two persons decide."""
    COPIED_JOURNAL = "copied_journal"
    """The journal is a copy or was restored; nothing is sealed from it."""
    ENTRY_OPEN = "entry_open"
    """An entry of the meter is open, and has to be settled first; `Outcome.in_the_way` names it."""
    OVER_LIMIT = "over_limit"
    """The daily limit of the key ring would be passed."""
    BUSY = "busy"
    """Another worker or process is at work on the meter for more than a minute."""
    NOT_PERMITTED = "not_permitted"
    """Another rule of keys, cards or the journal."""
    BOOKS_DO_NOT_ADD_UP = "books_do_not_add_up"
    """The registers of the meter contradict each other, or its seal, each time."""
    LOCAL = "local"
    """A port, a file or an option here cannot be used."""
    INTERNAL = "internal"
    """A fault of this program."""


class BooksError(CorruptAnswerError):
    """The registers of a meter contradict each other, or its sealed status, each time."""


_PROBLEMS: tuple[tuple[type[MeterctlError], Problem], ...] = (
    (NoAnswerError, Problem.NO_ANSWER),
    (BooksError, Problem.BOOKS_DO_NOT_ADD_UP),
    (CorruptAnswerError, Problem.CORRUPT),
    (LostStorageError, Problem.LOST_STORAGE),
    (RefusedError, Problem.REFUSED),
    (AnotherMeterError, Problem.ANOTHER_METER),
    (AnotherStorageError, Problem.EPOCH_CHANGED),
    (SetBackError, Problem.SET_BACK),
    (CopiedJournalError, Problem.COPIED_JOURNAL),
    (OpenEntryError, Problem.ENTRY_OPEN),
    (OverDailyLimitError, Problem.OVER_LIMIT),
    (BusyError, Problem.BUSY),
    (NotPermittedError, Problem.NOT_PERMITTED),
    (UsageError, Problem.LOCAL),
    (UnknownOutcomeError, Problem.NO_ANSWER),
)
"""Special errors before the general ones; an unknown outcome without a cause had no proof."""


_CLOSES_BY_HAND = re.compile(r"meterctl (?:--port \S+ )?journal resolve \S+ --as \w+")
_RESOLVES = re.compile(r"meterctl (?:--port \S+ )?journal resolve \d+(?: asks (?:its|the) meter)?")
_BY_CARD = re.compile(r"(?<!desk )`card (issue|replace|erase)`")
_OPENS_BY_CARD = re.compile(r"(?<!desk )`card open` sells an opening card")
_ASKS_METER = re.compile(r"give --port to ask the meter")
"""What errors of meterctl tell its users to type; at the desk a worker does it."""


def problem_of(error: MeterctlError | None) -> Problem:
    """Return the word of an error; of an unknown outcome that of its cause."""
    if error is None:
        return Problem.NONE
    first = next((e for e in _chain(error) if not isinstance(e, UnknownOutcomeError)), error)
    return next((word for kind, word in _PROBLEMS if isinstance(first, kind)), Problem.INTERNAL)


def cause_at_desk(error: MeterctlError) -> str:
    """Return what ended a try for the people of the desk: with its commands, not the journal's."""
    text = str(error)
    if isinstance(error, OpenEntryError):
        found = text.partition("; nothing was sealed")[0]
        return (
            f"{found}; nothing was sealed. `meterctl desk work` settles it at its meter, "
            f"`meterctl desk card present` by its card"
        )
    text = _CLOSES_BY_HAND.sub("`meterctl desk sale settle`", text)
    text = _RESOLVES.sub("`meterctl desk work` asks its meter", text)
    text = _ASKS_METER.sub("let `desk reading take` ask the meter", text)
    text = _OPENS_BY_CARD.sub("`desk card issue` binds it to one", text)
    return _BY_CARD.sub(r"`desk card \1`", text)


def _chain(error: BaseException | None) -> Iterator[MeterctlError]:
    """Yield an error of meterctl and those that caused it."""
    while isinstance(error, MeterctlError):
        yield error
        error = error.__cause__
