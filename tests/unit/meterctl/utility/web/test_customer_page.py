"""Customer: what a page says about its own agreement alone."""

from __future__ import annotations

import json

from meterctl.utility.model.metering import Finding, FindingState, Meter
from meterctl.utility.rules.rights import Role
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.unit_of_work import UnitOfWork
from tests.support.desk_pages import Pages
from tests.support.desk_world import NOON

MANY = 101
"""More findings than a list has where no limit is given."""


def _differ(work: UnitOfWork, agreement: int | None, meter: int) -> None:
    differences = [{"term": "max_credit", "agreed": "300.00", "meter": "off"}]
    work.session.add(
        Finding(
            rule=FindingRule.TERMS_DIFFER, subject_kind=Meter.__tablename__, subject_id=meter,
            agreement_id=agreement, value=json.dumps(differences), limit_value="", note="",
            state=FindingState.OPEN, first_seen=NOON, last_seen=NOON,
        )
    )  # fmt: skip
    work.session.flush()


def test_terms_that_differ_are_told_however_many_newer_findings_there_are(pages: Pages) -> None:
    world = pages.counter.world

    def find(work: UnitOfWork) -> None:
        _differ(work, world.agreement, world.meter)
        for n in range(MANY):
            _differ(work, None, 1_000 + n)

    pages.counter.work(find)
    page = pages.person(Role.COMPANY_MANAGER).get("/customer/A1")
    assert "max credit" in page.text
    assert "300.00" in page.text
