"""Both tariff sets of a meter as it shows them, and moments by its local time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from meterctl.drivers import Reader
from meterctl.errors import CorruptAnswerError
from meterctl.operations.local_time import Offsets, read_offsets
from protocols.data_model import items
from protocols.data_model.tariff import PART_NAMES, Part, Tariff, TariffSet
from protocols.data_model.tariff_sets import replace_part
from protocols.quantities import DAY, MINUTE, LocalMoment


@dataclass(frozen=True, slots=True)
class TariffSets:
    """The current set, and the parts that wait by their names: (ms since 1970 UTC, part).

    `offsets` are those of the meter's local time, at its clock and at every moment in question.
    """

    current: Tariff
    pending: Mapping[str, tuple[int, Part]]
    clock: int
    offsets: Offsets

    def in_force(self, name: str) -> Part:
        """Return a part of the current set."""
        part: Part = getattr(self.current, name)
        return part


def read_sets(driver: Reader, moments: Iterable[int | LocalMoment] = ()) -> TariffSets:
    """Read both sets, and the offsets of local time that their activations and `moments` need.

    Raises:
        CorruptAnswerError: a set that no meter has.
    """
    waiting = driver.tariff(TariffSet.PENDING).parts  # first: a part that activates is seen twice
    change = driver.tariff(TariffSet.CURRENT)
    if len(change.parts) != len(PART_NAMES):
        raise CorruptAnswerError(
            f"the current tariff has {len(change.parts)} parts, a complete one {len(PART_NAMES)}"
        )
    current = Tariff()
    for _, part in change.parts:
        current = replace_part(current, part)
    clock = driver.read([items.CLOCK])[items.CLOCK]
    offsets = read_offsets(
        driver, [clock, *_around(moments), *_around(moment for moment, _ in waiting)]
    )
    pending = {}
    for moment, part in waiting:
        instant = instant_of(moment, offsets)
        if instant is None:
            raise CorruptAnswerError(f"a pending part activates at {moment}, which is skipped")
        name = PART_NAMES[type(part)]
        if instant > clock or getattr(current, name) != part:
            pending[name] = (instant, part)
    return TariffSets(current, pending, clock, offsets)


def instant_of(moment: int | LocalMoment, offsets: Offsets) -> int | None:
    """Return the instant of a moment, ms since 1970 UTC: of a repeated local time its first.

    None for a local time that is skipped.
    """
    if not isinstance(moment, LocalMoment):
        return moment
    candidates = sorted({moment.ms - minutes * MINUTE for _, minutes in offsets.changes})
    return next(
        (at for at in candidates if at + offsets.at(at) * MINUTE == moment.ms),
        None,
    )


def _around(moments: Iterable[int | LocalMoment]) -> Iterable[int]:
    """Return instants between which those of the moments lie."""
    for moment in moments:
        if isinstance(moment, LocalMoment):
            yield from (moment.ms - DAY, moment.ms + DAY)
        else:
            yield moment
