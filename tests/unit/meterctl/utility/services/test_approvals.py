"""Every proposal of the table of two persons has a service that its approval runs."""

from __future__ import annotations

from meterctl.utility.rules.rights import FOUR_EYES, Action
from meterctl.utility.services import approvals, tasks

WITHOUT = {Action.PAY_REFUND}
"""A refund above the limit is proposed as a payout."""


def test_a_proposal_has_what_its_approval_does() -> None:
    assert approvals.SERVICES
    assert set(tasks.APPROVALS) == set(FOUR_EYES) - WITHOUT
    assert set(tasks.REFUSALS) <= set(FOUR_EYES)
