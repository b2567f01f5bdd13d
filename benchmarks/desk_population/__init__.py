"""A desk as large as a utility, written by bulk: customers, 80 days of sales, readings, the ledger.

Its books balance and agree with its sales and shifts. It has no requests, and of the audit only the
sales, so `desk check` names the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import text

from benchmarks.desk_population.archive import write_customers, write_organisation
from benchmarks.desk_population.bulk import Bulk
from benchmarks.desk_population.ledger import write_ledger
from benchmarks.desk_population.plan import Plan
from benchmarks.desk_population.selling import sold_in_shifts, write_sales, write_shifts
from benchmarks.desk_population.waiting import write_work
from meterctl.utility.services.founding import found
from meterctl.utility.store.engine import connect
from tests.support.desk_world import NOON

CUSTOMERS = 100_000


@dataclass(frozen=True, slots=True)
class Population:
    """A populated desk.

    Attributes:
        tokens: of its people by their numbers; v0-0 is a vendor of station 0, and so on.
        phones, names: of the customers, the first one at 0.
    """

    url: str
    plan: Plan
    tokens: dict[str, str]
    phones: list[str] = field(repr=False)
    names: list[str] = field(repr=False)


def populate(url: str, customers: int = CUSTOMERS) -> Population:
    """Fill an empty database; 100,000 customers have 1,000,000 entries.

    Args:
        url: of a database without tables.
        customers: a multiple of the stations' number.
    """
    admin = found(url, "Asia/Shanghai", True, "城北供电公司", NOON)
    engine = connect(url)
    with engine.begin() as connection:
        bulk, plan = Bulk(connection), Plan.of(connection, customers)
        tokens = write_organisation(bulk, plan)
        names, phones = write_customers(bulk, plan)
        sold = sold_in_shifts(plan)
        write_shifts(bulk, plan, sold)
        write_sales(bulk, plan)
        write_ledger(bulk, plan, sold)
        write_work(bulk, plan)
        bulk.go_on_numbering()
    if engine.dialect.name == "postgresql":
        with engine.connect() as found_tables:
            alone = found_tables.execution_options(isolation_level="AUTOCOMMIT")
            alone.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    return Population(url, plan, {"admin": admin, **tokens}, phones, names)
