"""Limits: set by one sealed command and always read back, after a refusal too (METER.md 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from meterctl.drivers import Reader
from meterctl.errors import MeterctlError, RefusedError, UsageError
from meterctl.journal import Journal
from meterctl.operations.command import Command, Refusal, execute_command
from meterctl.operations.reading_back import found_after_refusal, not_as_asked, unread_refusal
from meterctl.session import Session
from protocols.data_model.items import UTC_OFFSET, Item
from protocols.data_model.limit_rules import PAIRED, limit_problems
from protocols.data_model.setting_words import parse_setting_words
from protocols.errors import QuantityError
from protocols.sealed_message import Outcome, encode_limits


@dataclass(frozen=True, slots=True)
class Change:
    """One setting: the requested value, and the meter's values before and after."""

    item: Item
    asked: Any
    before: Any
    after: Any


def parse_settings(words: Sequence[str]) -> dict[Item, Any]:
    """Return settings from "name=value" words; raises UsageError with the valid names."""
    try:
        return parse_setting_words(words)
    except QuantityError as error:
        raise UsageError(f"{error}; nothing was sent") from error


def encode_settings(wanted: Mapping[Item, Any]) -> bytes:
    """Return the parameters of the `limits` command."""
    return encode_limits({item.setting: value for item, value in wanted.items()})


def limit_mistakes(wanted: Mapping[Item, Any]) -> list[str]:
    """Return which of the wanted values and pairs no meter takes, and what is allowed."""
    return [problem.text for problem in limit_problems(wanted)]


def require_settable(driver: Reader, wanted: Mapping[Item, Any], serial_number: str) -> None:
    """Refuse values that no meter takes, and pairs that this one does not, by what it shows.

    Raises:
        RefusedError: nothing was sent.
    """
    told = _problems(driver, wanted)
    if told:
        raise RefusedError(
            f"meter {serial_number}: {told}; nothing was sent",
            outcome=Outcome.OUT_OF_RANGE.name.lower(),
            serial_number=serial_number,
        )


def _problems(driver: Reader, wanted: Mapping[Item, Any]) -> str:
    """Return which wanted values and pairs are not allowed beside the settings that are shown."""
    shown: Mapping[Item, Any] = {}
    if wanted.keys() & set(PAIRED):
        with suppress(MeterctlError):
            shown = driver.read(PAIRED)
    problems = limit_problems({**shown, **wanted})
    return "; ".join(problem.text for problem in problems if problem.items & wanted.keys())


def _reason(session: Session, refusal: Refusal, wanted: Mapping[Item, Any]) -> str:
    """Return why a meter refused limits, from the settings that it shows; empty if unknown."""
    if refusal.answer.outcome is not Outcome.OUT_OF_RANGE:
        return ""
    told = _problems(session.driver, wanted)
    if not told and UTC_OFFSET in wanted:
        return "utc_offset_minutes is not set on a meter that has a time zone"
    return told


def set_limits(
    session: Session, journal: Journal, command: Command, wanted: Mapping[Item, Any]
) -> list[Change]:
    """Set limits and return each setting as read back; empty if accepted but not read back.

    Raises:
        RefusedError: the meter refused, with the result of reading back; or it accepted, but the
            values read back differ.
    """
    before = session.driver.read(wanted)
    refusal: Refusal | None = None
    try:
        execute_command(session, journal, command)
    except Refusal as error:
        refusal = error
    try:
        after = session.driver.read(wanted)
    except MeterctlError as error:
        if refusal is None:
            return []
        raise unread_refusal(refusal, error) from error
    changes = [Change(item, wanted[item], before[item], after[item]) for item in wanted]
    if refusal is not None:
        moved = [c.item.name for c in changes if c.after != c.before]
        reason = _reason(session, refusal, wanted)
        raise refusal.read_back(found_after_refusal(moved), reason) from refusal
    wrong = [c.item.name for c in changes if c.after != c.asked]
    if wrong:
        raise not_as_asked(command.meter.serial_number, wrong)
    return changes
