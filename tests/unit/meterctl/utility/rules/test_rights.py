"""Role × action, every cell; two persons."""

from __future__ import annotations

import pytest

from meterctl.utility.errors import NotPermitted
from meterctl.utility.rules import rights
from meterctl.utility.rules.rights import (
    ALLOWED,
    FOUR_EYES,
    MONEY_ROLES,
    Action,
    Role,
    grant_needs_approval,
    may,
    payout_needs_approval,
    require,
    require_approver,
)

LETTERS = dict(zip("vacrefhbmtpux", Role, strict=True))
"""A letter for each role, in their order."""
TABLE = """
sell                    v
sale_cancel             va
sale_resolve            vah
sale_sell_again         v
sale_move               va
sale_move_approve       ahbm
sale_settle             a
sale_settle_approve     ahbm
sale_read               vaehbmu
order_read              vaehbmux
payout                  a
payout_approve          ahbm
credit_explain          a
credit_explain_approve  h
epoch_end               ae
epoch_end_approve       ahbm
card_issue              ve
card_replace            vh
card_erase              vh
pay                     va
pay_refund              a
pay_move                a
pay_bounce              a
bank_edit               x
bank_in                 a
bank_out                a
bank_match              a
bank_send_back          a
bank_reconcile          a
bank_read               aehbmux
mandate_edit            ae
shift_open              va
shift_count             va
shift_close             va
count_others_shift      ah
close_others_shift      ah
sheet_read              vahbmu
day_close               a
takeover_propose        e
takeover_approve        ahbm
point_edit              e
customer_edit           e
customer_read           vacrefhbmtpu
customer_unmask         cehu
meter_edit              e
port_edit               x
agreement_draft         e
agreement_print         e
agreement_sign          e
agreement_provision     e
agreement_compare       rehu
document_add            ae
document_read           aehbmu
reading_take            vcreh
task_read               vacrefhbmtpux
task_take               vacrefhbmtpx
task_done               vacrefhbmtpx
organisation_read       vacrefhbmtpux
organisation_edit       x
staff_edit              x
grant_propose           x
grant_approve           mx
duty_set                hx
setting_set             x
legal_setting_propose   x
legal_setting_approve   m
setting_read            vacrefhbmtpux
check_read              ahbmux
audit_read              mu
time_advance            x
worker_run              x
worker_adopt            x
upgrade                 x
"""
ROWS = [row.split() for row in TABLE.strip().split("\n")]


def test_every_action_stands_in_the_table() -> None:
    assert [action for action, _ in ROWS] == list(Action) == list(ALLOWED)


@pytest.mark.parametrize(("action", "letters"), ROWS)
def test_a_role_may_do_what_the_table_says_and_nothing_else(action: str, letters: str) -> None:
    for letter, role in LETTERS.items():
        asked = Action(action)
        assert may([role], asked) is (letter in letters), role
        if letter in letters:
            require([role], asked)
        else:
            with pytest.raises(NotPermitted, match=action) as refused:
                require([role], asked)
            assert refused.value.code == "no_role"


@pytest.mark.parametrize("action", Action)
def test_a_person_without_a_role_may_do_nothing(action: Action) -> None:
    assert not may([], action)


def test_one_of_several_roles_is_enough() -> None:
    require({Role.CLERK, Role.VENDOR}, Action.SELL)


def test_the_admin_moves_no_money_and_the_auditor_changes_nothing() -> None:
    money = {
        action
        for action in Action
        if action.startswith(("sell", "sale_", "pay", "shift_", "card_", "takeover_", "credit_"))
    }
    assert not {action for action in money if Role.ADMIN in ALLOWED[action]}
    auditor = {action for action in Action if Role.AUDITOR in ALLOWED[action]}
    assert all(
        action.endswith("_read") or action in {Action.CUSTOMER_UNMASK, Action.AGREEMENT_COMPARE}
        for action in auditor
    )


@pytest.mark.parametrize("proposal", FOUR_EYES)
def test_the_proposer_never_approves_and_the_approver_needs_a_role(proposal: Action) -> None:
    for role in Role:
        with pytest.raises(NotPermitted, match="second person") as own:
            require_approver([role], proposal, 7, 7)
        assert own.value.code == "own_proposal"
        if may([role], FOUR_EYES[proposal]):
            require_approver([role], proposal, 7, 8)
        else:
            with pytest.raises(NotPermitted) as refused:
                require_approver([role], proposal, 7, 8)
            assert refused.value.code == "no_role"


def test_every_approval_belongs_to_a_proposal() -> None:
    assert {a for a in Action if a.endswith("_approve")} == set(FOUR_EYES.values())


def test_a_payout_above_500_needs_two_persons() -> None:
    assert not payout_needs_approval(500_00)
    assert payout_needs_approval(500_01)


def test_a_grant_of_a_role_of_money_needs_two_persons() -> None:
    asked = {role for role in Role if grant_needs_approval(role, is_only_admin=True)}
    assert asked == MONEY_ROLES
    assert {role for role in Role if grant_needs_approval(role)} == MONEY_ROLES | {Role.ADMIN}
    movers = set().union(
        *(
            ALLOWED[action]
            for action in (Action.SELL, Action.PAY, Action.PAYOUT, Action.PAYOUT_APPROVE)
        )
    )
    assert movers == rights.MONEY_ROLES
