"""Random tariffs that a meter takes: complete sets, whose parts agree with each other."""

from __future__ import annotations

from hypothesis import strategies as st

from protocols.data_model.tariff import DayTables, Prices, Seasons, Steps, Tariff
from protocols.data_model.tariff_rules import DAYS_OF_MONTH, MAX_PRICE, MAX_STEP_LIMIT

PRICE = st.integers(0, MAX_PRICE)
PRICES = st.builds(Prices, st.lists(PRICE, min_size=1, max_size=4).map(tuple))
STEPS = st.lists(st.integers(1, MAX_STEP_LIMIT), max_size=6, unique=True).flatmap(
    lambda limits: st.builds(
        Steps,
        st.just(tuple(sorted(limits))),
        st.tuples(*[PRICE] * (len(limits) + 1)),
        st.booleans(),
        st.integers(1, 28),
        st.integers(0, 23),
        st.integers(1, 12),
        st.integers(1, 28),
    )
)


def day_tables(rates: int) -> st.SearchStrategy[DayTables]:
    """Return day tables that name so many rates at most."""
    entry = st.tuples(st.integers(0, 1439), st.integers(1, rates))
    table = st.lists(entry, min_size=1, max_size=14, unique_by=lambda each: each[0])
    tables = st.lists(table.map(sorted).map(tuple), min_size=1, max_size=8)
    return st.builds(DayTables, tables.map(tuple))


def seasons(tables: int) -> st.SearchStrategy[Seasons]:
    """Return seasons that name so many day tables at most."""
    table = st.integers(1, tables)
    start = st.integers(1, 12).flatmap(
        lambda month: st.tuples(st.just(month), st.integers(1, DAYS_OF_MONTH[month - 1]), table)
    )
    starts = st.lists(start, min_size=1, max_size=14, unique_by=lambda each: each[:2])
    holidays = st.dictionaries(st.integers(0, 47_481), st.integers(0, tables), max_size=8)
    return st.builds(
        Seasons,
        starts.map(sorted).map(tuple),
        st.tuples(*[st.integers(0, tables)] * 7),
        holidays.map(lambda dates: tuple(dates.items())),
    )


TARIFFS = PRICES.flatmap(
    lambda prices: day_tables(len(prices.prices)).flatmap(
        lambda tables: st.builds(
            Tariff, seasons(len(tables.tables)), st.just(tables), st.just(prices), STEPS
        )
    )
)
