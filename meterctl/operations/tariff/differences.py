"""What a tariff command would change: each value now, as it waits, and new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from meterctl.operations.tariff.sets import TariffSets
from meterctl.operations.tariff.values import values_of
from protocols.data_model.tariff import PART_NAMES, Part

Sent = tuple[int, Part]
"""A part to be sent, and its activation: ms since 1970 UTC, 0 at once."""


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A value as JSON, None where the set does not have it.

    `pending` is that of the pending part of its kind, which the new one replaces.
    """

    name: str
    current: str | None
    pending: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class PartDifference:
    """What changes in one part, and when; no value where the meter has it so already.

    `replaces` is the activation of the pending part that the new one replaces, None without one.
    """

    name: str
    activation: int
    values: tuple[ValueDifference, ...]
    replaces: int | None

    @property
    def is_none(self) -> bool:
        """Whether the part would change nothing."""
        return not self.values and self.replaces is None


def differences(sets: TariffSets, sent: Iterable[Sent]) -> list[PartDifference]:
    """Return what parts change on a meter with these sets, a row for each part."""
    return [_difference(sets, activation, part) for activation, part in sent]


def _difference(sets: TariffSets, activation: int, part: Part) -> PartDifference:
    name = PART_NAMES[type(part)]
    current, new = values_of(sets.in_force(name)), values_of(part)
    waiting = sets.pending.get(name)
    if waiting is not None and _is_same(waiting, (activation, part), sets.clock):
        return PartDifference(name, activation, (), None)
    pending = {} if waiting is None else values_of(waiting[1])
    names = dict.fromkeys([*current, *pending, *new])
    found = tuple(
        ValueDifference(each, current.get(each), pending.get(each), new.get(each))
        for each in names
        if not current.get(each) == new.get(each) == (pending if waiting else new).get(each)
    )
    return PartDifference(name, activation, found, None if waiting is None else waiting[0])


def _is_same(waiting: Sent, sent: Sent, clock: int) -> bool:
    """Return whether a part that waits is the one to be sent, and is not to activate at once."""
    is_later = sent[0] > clock
    return is_later and waiting[0] == sent[0] and values_of(waiting[1]) == values_of(sent[1])
