"""Limits and tariffs: set by one sealed command, and always read back.

The journal has no entry of a command, so none carries a key: a command is the same as another one
by what it sets. It may be repeated at any time: a meter that has the values already is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from struct import error as StructError
from typing import Any

from meterctl.drivers import Reader
from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Journal
from meterctl.operations.command import plan_command
from meterctl.operations.limits import encode_settings, require_settable, set_limits
from meterctl.operations.status import ask_status
from meterctl.operations.tariff.sets import read_sets
from meterctl.operations.tariff.setting import PartReadBack, plan_tariff, set_tariff
from meterctl.session import Session
from meterctl.utility.meters.gateway.expected import with_expected
from meterctl.utility.meters.gateway.problems import Problem, cause_at_desk, problem_of
from meterctl.utility.meters.gateway.proved_reads import between_statuses
from protocols.data_model.items import SETTINGS, Item
from protocols.data_model.tariff import PART_NAMES, TariffChange
from protocols.sealed_message import MessageKind


class CommandWord(StrEnum):
    """What became of a command."""

    DONE = "done"
    """The meter shows what was asked for, read back after a sealed status or receipt."""
    REFUSED = "refused"
    """The meter, or a rule, refuses it; the same again is refused until something changes."""
    SILENT = "silent"
    """No answer, or none that was read back: it may have been done, and may be repeated."""


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of a command.

    `is_changed`: this call changed the meter; False where it had everything already. `settings` are
    the limits as read back, `parts` where each part of a tariff stands. `problem` and `cause` are
    `NONE` and "" for `DONE`.
    """

    state: CommandWord
    is_changed: bool = False
    settings: Mapping[Item, Any] = field(default_factory=dict)
    parts: tuple[PartReadBack, ...] = ()
    problem: Problem = Problem.NONE
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a meter is set to, read between two sealed statuses of equal sequences.

    `settings` has every setting of a `limits` command (`None` is off). `current` has the four parts
    of the tariff in force, `pending` those that wait, each with its instant (ms, UTC). The serial
    number, epoch and command sequence are sealed; the values are registers, which are not.
    """

    serial: str
    epoch: int
    command_sequence: int
    clock_ms: int
    settings: Mapping[Item, Any]
    current: TariffChange
    pending: TariffChange


def set_terms(session: Session, journal: Journal, wanted: Mapping[Item, Any]) -> CommandOutcome:
    """Set limits; raises as `ask_status`, `set_limits`, `require_settable`."""
    serial = _prove(session, journal)
    shown = session.driver.read(wanted)
    if all(shown[item] == value for item, value in wanted.items()):
        return CommandOutcome(CommandWord.DONE, settings=shown)
    require_settable(session.driver, wanted, serial)
    planned = plan_command(session, journal, MessageKind.LIMITS, encode_settings(wanted))
    changes = set_limits(session, journal, planned, wanted)
    if not changes:
        return _not_read_back(serial)
    settings = {change.item: change.after for change in changes}
    return CommandOutcome(CommandWord.DONE, is_changed=True, settings=settings)


def change_tariff(session: Session, journal: Journal, change: TariffChange) -> CommandOutcome:
    """Set parts of the tariff; raises as `ask_status`, `plan_tariff`, `set_tariff`."""
    _prove(session, journal)
    planned = plan_tariff(session, journal, change)
    if not planned.changes:
        return CommandOutcome(CommandWord.DONE)
    parts = tuple(set_tariff(session, journal, planned))
    if not parts:
        return _not_read_back(planned.serial_number)
    return CommandOutcome(CommandWord.DONE, is_changed=True, parts=parts)


def failed(error: MeterctlError) -> CommandOutcome:
    """Return what became of a command that ended with an error."""
    is_silent = isinstance(error, (NoAnswerError, CorruptAnswerError, UnknownOutcomeError))
    state = CommandWord.SILENT if is_silent else CommandWord.REFUSED
    return CommandOutcome(state, problem=problem_of(error), cause=cause_at_desk(error))


def read_terms(session: Session, journal: Journal) -> Terms:
    """Return what the meter is set to; raises as `between_statuses`."""
    (settings, current, pending), proved = between_statuses(
        session, journal, lambda: _shown(session.driver)
    )
    return Terms(
        proved.serial_number,
        proved.epoch,
        proved.command_sequence,
        proved.clock,
        settings,
        current,
        pending,
    )


def _shown(driver: Reader) -> tuple[Mapping[Item, Any], TariffChange, TariffChange]:
    settings = driver.read(item for item in SETTINGS.values() if driver.holds(item))
    sets = read_sets(driver)
    current = TariffChange(tuple((0, sets.in_force(name)) for name in PART_NAMES.values()))
    return settings, current, TariffChange(tuple(sets.pending.values()))


def _prove(session: Session, journal: Journal) -> str:
    """Prove which meter answers, by its sealed status; return its serial number."""
    asked = with_expected(session, journal, lambda hint: ask_status(session, journal, hint))
    return asked.meter.serial_number


def require_limits(wanted: Mapping[Item, Any]) -> None:
    """Raise UsageError for no item, or one that is no setting."""
    strange = sorted(item.name for item in wanted if not item.setting)
    if strange or not wanted:
        raise UsageError(f"limits: {', '.join(strange) or 'none'} cannot be set; nothing was sent")


def require_change(change: TariffChange) -> None:
    """Raise UsageError for parts of a tariff that no message can carry."""
    problems = [problem for _, part in change.parts for problem in part.problems()]
    if not change.parts:
        problems.append("it has no part")
    try:
        if not problems:
            change.encode()
    except StructError:
        problems.append("an activation is beyond the end of the meters' calendar")
    if problems:
        raise UsageError(f"tariff: {'; '.join(problems)}; nothing was sent")


def _not_read_back(serial: str) -> CommandOutcome:
    return CommandOutcome(
        CommandWord.SILENT,
        problem=Problem.NO_ANSWER,
        cause=f"meter {serial}: it accepted the command; it did not answer when it was to be read "
        f"back",
    )
