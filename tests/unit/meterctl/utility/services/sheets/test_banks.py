"""Banks and the last whole check on the sheet of a date: as they were at its end."""

from __future__ import annotations

from datetime import timedelta

from meterctl.utility.model.evidence import CheckRun
from meterctl.utility.rules.calendar import end_of
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import bank_reconciliation
from meterctl.utility.services.sheets.banks import bank_figures
from meterctl.utility.services.sheets.day import day_figures
from meterctl.utility.services.sheets.figures import BankFigures
from protocols.quantities import DAY
from tests.support.desk_banks import COLLECTED, STATEMENT, a_bank, load
from tests.support.desk_counter import BOTH_ENGINES, Counter
from tests.support.desk_world import TODAY


def _figures(counter: Counter, days: int = 0) -> BankFigures:
    with counter.database.reading() as session:
        (found,) = bank_figures(session, TODAY + timedelta(days=days))
    return found


@BOTH_ENGINES
def test_what_one_side_alone_has_is_counted_and_named_with_its_task(counter: Counter) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00", "R2,A1,5.00", "R3,x,7.00")
    load(counter, STATEMENT, "R1,Li,35.00", "R3,x,7.50", "Z9,?,3.00", "F1,fee,-0.50")
    counter.do(Role.ACCOUNTANT, bank_reconciliation.reconcile, bank="shipped", on=TODAY)
    found = _figures(counter)
    assert (found.both, found.both_amount) == (1, 35_00)
    assert (found.ours_only, found.ours_only_amount) == (1, 5_00)
    assert (found.banks_only, found.banks_only_amount) == (1, 3_00)
    assert (found.differing, found.statement) == (1, 45_00)
    named = {item.reference: (item.ours, item.banks, item.task) for item in found.one_sided}
    assert set(named) == {"R2", "R3", "Z9"}
    assert named["R2"][:2] == (5_00, None)
    assert all(task is not None for _, _, task in named.values())


@BOTH_ENGINES
def test_a_line_of_the_next_date_leaves_the_sheet_of_the_one_before_as_it_was(
    counter: Counter,
) -> None:
    a_bank(counter)
    load(counter, COLLECTED, "R1,A1,35.00")
    before = _figures(counter)
    counter.at += DAY
    load(counter, STATEMENT, "R1,Li,35.00", at=f"{TODAY + timedelta(days=1)} 10:00:00")
    assert _figures(counter) == before
    assert (before.ours_only, before.statement) == (1, 0)
    later = _figures(counter, 1)
    assert (later.both, later.ours_only, later.statement) == (1, 0, 35_00)


@BOTH_ENGINES
def test_a_sheet_has_the_last_check_of_the_whole_database_before_its_end(counter: Counter) -> None:
    for days, rows in ((0, 5), (1, 7)):
        values = {"at": counter.at + days * DAY, "took_ms": 1, "broken": [], "rows": rows}
        counter.work(lambda work, values=values: work.add(CheckRun(**values)))
    with counter.database.reading() as session:
        zone = counter.database.zone
        for on, rows in ((TODAY, 5), (TODAY + timedelta(days=1), 7)):
            sheet = day_figures(session, counter.at + 3 * DAY, end_of(on, zone))
            assert sheet.whole_check is not None
            assert (sheet.whole_check.rows, sheet.whole_check.broken) == (rows, ())
        none = day_figures(session, counter.at, end_of(TODAY - timedelta(days=1), zone))
        assert none.whole_check is None
