"""Why a meter would refuse parts of a tariff: the sets that follow from them do not agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from meterctl.operations.tariff.differences import Sent
from meterctl.operations.tariff.sets import TariffSets
from meterctl.operations.tariff.values import month_day
from protocols.data_model.tariff import PART_NAMES, Part, Tariff
from protocols.data_model.tariff_sets import is_energy_tariff, sets_in_turn
from protocols.data_model.words import ENERGY_ACCOUNT
from protocols.quantities import format_date, format_moment
from protocols.tariff_file import WEEKDAYS


def pending_with(sets: TariffSets, sent: Iterable[Sent]) -> dict[str, Sent]:
    """Return the pending set with new parts; each replaces the pending part of its kind."""
    return {**sets.pending, **{PART_NAMES[type(part)]: (at, part) for at, part in sent}}


def refusals(sets: TariffSets, sent: Sequence[Sent], account_unit: int) -> list[str]:
    """Return why a meter refuses parts, empty if it takes them: it checks every resulting set."""
    pending = pending_with(sets, sent)
    found = []
    for instant, tariff in sets_in_turn(sets.current, pending.values(), sets.clock):
        told = [*_references(tariff, [part for _, part in sent])]
        if account_unit == ENERGY_ACCOUNT and not is_energy_tariff(tariff):
            told.append(
                "an energy account (account_unit kWh) has the fixed price 1.0000 and no step "
                "additions"
            )
        when = "" if instant <= sets.clock else f"from {moment_text(sets, instant)} on, "
        found += [f"{when}{text}" for text in told]
    return list(dict.fromkeys(found))


def resulting_sets(sets: TariffSets, sent: Iterable[Sent]) -> list[tuple[int, Tariff]]:
    """Return each instant of an activation, and the set in force from then on."""
    return list(sets_in_turn(sets.current, pending_with(sets, sent).values(), sets.clock))


def moment_text(sets: TariffSets, instant: int) -> str:
    """Return an instant in the meter's local time."""
    return format_moment(instant, sets.offsets.at(instant)).replace(".000", "")


def _references(tariff: Tariff, sent: Sequence[Part]) -> Iterator[str]:
    """Yield each wrong reference between the parts of a set, and whose parts they are."""
    tables, prices = len(tariff.day_tables.tables), len(tariff.prices.prices)
    for what, table in _table_names(tariff):
        if not 1 <= table <= tables:
            yield (
                f"{what} of the {_owner(tariff.seasons, sent)} has day table {table}, and the "
                f"{_owner(tariff.day_tables, sent)} has {tables} day table{'s' * (tables != 1)}"
            )
    wrong = sorted({rate for rate in tariff.day_tables.rates() if not 1 <= rate <= prices})
    if wrong:
        yield (
            f"the day tables of the {_owner(tariff.day_tables, sent)} have rate "
            f"{', '.join(map(str, wrong))}, and the {_owner(tariff.prices, sent)} has "
            f"{prices} price{'s' * (prices != 1)}"
        )


def _owner(part: Part, sent: Sequence[Part]) -> str:
    return "file" if any(part is each for each in sent) else "meter"


def _table_names(tariff: Tariff) -> Iterator[tuple[str, int]]:
    seasons = tariff.seasons
    for month, day, table in seasons.starts:
        yield f"the season from {month_day(month, day)}", table
    for day_name, table in zip(WEEKDAYS, seasons.weekdays, strict=True):
        if table:
            yield day_name, table
    for date, table in seasons.holidays:
        if table:
            yield f"the holiday {format_date(date)}", table
