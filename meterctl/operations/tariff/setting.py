"""A tariff is set by one sealed command and always read back, after a refusal too (METER.md 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import compress

from meterctl.errors import MeterctlError, RefusedError, UsageError
from meterctl.journal import Journal
from meterctl.operations.command import Command, Refusal, execute_command, plan_command
from meterctl.operations.reading_back import found_after_refusal, not_as_asked, unread_refusal
from meterctl.operations.tariff.differences import PartDifference, Sent, differences
from meterctl.operations.tariff.resulting_sets import moment_text, refusals, resulting_sets
from meterctl.operations.tariff.sets import TariffSets, instant_of, read_sets
from meterctl.session import Session
from protocols.data_model.tariff import PART_NAMES, Tariff, TariffChange, TariffSet
from protocols.data_model.words import Status
from protocols.quantities import LocalMoment
from protocols.sealed_message import MessageKind, Outcome


@dataclass(frozen=True, slots=True)
class PlannedTariff:
    """A tariff command, the meter's sets before it, and what it changes there.

    `sent` are its parts, `differences` those that were asked for: one that would change nothing at
    a later moment is not sent, since it would undo a change that is made until then.
    """

    command: Command
    before: TariffSets
    sent: tuple[Sent, ...]
    differences: tuple[PartDifference, ...]

    @property
    def serial_number(self) -> str:
        """The serial number of the meter on the port."""
        return self.command.meter.serial_number

    @property
    def changes(self) -> bool:
        """Whether the meter's sets would be other ones afterwards."""
        return not all(difference.is_none for difference in self.differences)

    @property
    def sent_differences(self) -> list[PartDifference]:
        """What the parts change that are sent; empty where nothing is, since nothing changes."""
        names = {PART_NAMES[type(part)] for _, part in self.sent} if self.changes else set()
        return [each for each in self.differences if each.name in names]

    def last_set(self) -> Tariff:
        """Return the set in force after the last activation."""
        found = resulting_sets(self.before, self.sent)
        return found[-1][1] if found else self.before.current

    def past(self) -> list[str]:
        """Return the parts whose activation is a moment before the meter's clock."""
        return [PART_NAMES[type(part)] for at, part in self.sent if at and at <= self.before.clock]

    @property
    def has_valid_clock(self) -> bool:
        """Whether the meter knows the time; under a clock that is not valid no part activates."""
        return not self.command.meter.status & Status.CLOCK_INVALID


@dataclass(frozen=True, slots=True)
class PartReadBack:
    """A part as it was read back: in which set it stands, and its activation there (0: now)."""

    name: str
    found_in: TariffSet
    activation: int


def plan_tariff(
    session: Session, journal: Journal, change: TariffChange, valid_for_s: int | None = None
) -> PlannedTariff:
    """Read both sets, and check the sets that would follow. Nothing is sealed.

    Args:
        valid_for_s: as of `plan_command`.

    Raises:
        UsageError: the meter does not show its tariff here.
        RefusedError: it would refuse the parts.
    """
    if not session.driver.has_tariff():
        raise UsageError(
            f"{session.driver.name} does not show the parts of the tariff here: it could not be "
            f"compared nor read back; nothing was sent"
        )
    command = plan_command(session, journal, MessageKind.TARIFF, valid_for_s=valid_for_s)
    serial = command.meter.serial_number
    before = read_sets(session.driver, (moment for moment, _ in change.parts))
    asked = tuple(
        (_required_instant(moment, before, serial), part) for moment, part in change.parts
    )
    told = refusals(before, asked, command.meter.account_unit)
    if told:
        raise _out_of_range(serial, "; ".join(told))
    found = tuple(differences(before, asked))
    needed = [not each.is_none or each.activation <= before.clock for each in found]
    parameters = TariffChange(tuple(compress(change.parts, needed))).encode()
    return PlannedTariff(
        replace(command, parameters=parameters), before, tuple(compress(asked, needed)), found
    )


def _required_instant(moment: int | LocalMoment, sets: TariffSets, serial: str) -> int:
    instant = instant_of(moment, sets.offsets)
    if instant is None:
        raise _out_of_range(
            serial,
            f"activation {moment} is local time of the meter, in an hour that its zone skips: "
            f"write another one, or an offset",
        )
    return instant


def _out_of_range(serial: str, told: str) -> RefusedError:
    return RefusedError(
        f"meter {serial}: {told}; nothing was sent",
        outcome=Outcome.OUT_OF_RANGE.name.lower(),
        serial_number=serial,
    )


def set_tariff(session: Session, journal: Journal, planned: PlannedTariff) -> list[PartReadBack]:
    """Send the command and return each part as read back; empty if accepted but not read back.

    Raises:
        RefusedError: the meter refused, with the result of reading back; or it accepted, but the
            parts read back differ.
    """
    refusal: Refusal | None = None
    try:
        execute_command(session, journal, planned.command)
    except Refusal as error:
        refusal = error
    try:
        after = read_sets(session.driver)
    except MeterctlError as error:
        if refusal is None:
            return []
        raise unread_refusal(refusal, error) from error
    if refusal is not None:
        raise _read_back(refusal, planned, after) from refusal
    found = [_found(planned, sent, after) for sent in planned.sent]
    wrong = [
        PART_NAMES[type(part)]
        for (_, part), back in zip(planned.sent, found, strict=True)
        if back is None
    ]
    if wrong:
        raise not_as_asked(planned.serial_number, wrong)
    return [back for back in found if back is not None]


def _found(planned: PlannedTariff, sent: Sent, after: TariffSets) -> PartReadBack | None:
    """Return where a part stands that was sent; None where the meter has another one.

    It waits until its activation; under a clock that is not valid every activation but at once
    waits.
    """
    activation, part = sent
    name = PART_NAMES[type(part)]
    waiting = after.pending.get(name)
    if waiting is None:
        is_current = activation <= after.clock and after.in_force(name) == part
        return PartReadBack(name, TariffSet.CURRENT, 0) if is_current else None
    waits = activation > planned.before.clock or (activation > 0 and not planned.has_valid_clock)
    return PartReadBack(name, TariffSet.PENDING, activation) if waits and waiting == sent else None


def _read_back(refusal: Refusal, planned: PlannedTariff, after: TariffSets) -> Refusal:
    """Return a refusal with what reading back found, and why it was refused if that shows."""
    moved = changed_parts(planned.before, after)
    reason = ""
    if refusal.answer.outcome is Outcome.OUT_OF_RANGE:
        reason = "; ".join(refusals(after, planned.sent, planned.command.meter.account_unit))
    return refusal.read_back(found_after_refusal(moved), reason)


def changed_parts(before: TariffSets, after: TariffSets) -> list[str]:
    """Return the parts that changed otherwise than by an activation that fell due meanwhile."""
    moved = []
    for name in PART_NAMES.values():
        waited = before.pending.get(name)
        possible = [(before.in_force(name), waited)]
        if waited is not None and waited[0] <= after.clock:
            possible.append((waited[1], None))
        if (after.in_force(name), after.pending.get(name)) not in possible:
            moved.append(name)
    return moved


def activation_text(planned: PlannedTariff, difference: PartDifference) -> str:
    """Return when a part of a command applies."""
    at = difference.activation
    is_due = at == 0 or (planned.has_valid_clock and at <= planned.before.clock)
    return "at once" if is_due else f"from {moment_text(planned.before, at)}"


def replaced_text(planned: PlannedTariff, difference: PartDifference) -> str:
    """Return which pending part a part of a command replaces; empty if none."""
    if difference.replaces is None:
        return ""
    return (
        f"replaces the pending {difference.name} of "
        f"{moment_text(planned.before, difference.replaces)}"
    )


def asked_text(planned: PlannedTariff) -> str:
    """Return what a command asks, in one sentence for a question."""
    asked: dict[str, list[str]] = {}
    for each in planned.sent_differences:
        asked.setdefault(activation_text(planned, each), []).append(each.name)
    replaced = (replaced_text(planned, each) for each in planned.sent_differences)
    parts = (f"{', '.join(names)} {when}" for when, names in asked.items())
    return "; ".join(filter(None, (*parts, *replaced)))
