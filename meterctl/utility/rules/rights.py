"""Who may do what: one table of action × role (UTILITY 2); docs/rights.md is made from it.

A role is granted at a node of the organisation and counts there and below. What the table does not
name is refused. An action of `FOUR_EYES` is a proposal; a second person, who has a role for its
approval at the node or above, approves it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from meterctl.utility.errors import NotPermitted


class Role(StrEnum):
    """Role of a member of the staff."""

    VENDOR = "vendor"
    ACCOUNTANT = "accountant"
    COLLECTOR = "collector"
    REVIEWER = "reviewer"
    CLERK = "clerk"
    FIELD = "field"
    STATION_HEAD = "station_head"
    BRANCH_MANAGER = "branch_manager"
    COMPANY_MANAGER = "company_manager"
    TARIFF_EDITOR = "tariff_editor"
    TARIFF_APPROVER = "tariff_approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Action(StrEnum):
    """What a person can do at the desk."""

    SELL = "sell"
    SALE_CANCEL = "sale_cancel"
    SALE_RESOLVE = "sale_resolve"
    SALE_SELL_AGAIN = "sale_sell_again"
    SALE_MOVE = "sale_move"
    SALE_MOVE_APPROVE = "sale_move_approve"
    SALE_SETTLE = "sale_settle"
    SALE_SETTLE_APPROVE = "sale_settle_approve"
    SALE_READ = "sale_read"
    ORDER_READ = "order_read"
    PAYOUT = "payout"
    PAYOUT_APPROVE = "payout_approve"
    CREDIT_EXPLAIN = "credit_explain"
    CREDIT_EXPLAIN_APPROVE = "credit_explain_approve"
    EPOCH_END = "epoch_end"
    EPOCH_END_APPROVE = "epoch_end_approve"

    CARD_ISSUE = "card_issue"
    CARD_REPLACE = "card_replace"
    CARD_ERASE = "card_erase"

    PAY = "pay"
    PAY_REFUND = "pay_refund"
    PAY_MOVE = "pay_move"
    PAY_BOUNCE = "pay_bounce"

    BANK_EDIT = "bank_edit"
    BANK_IN = "bank_in"
    BANK_OUT = "bank_out"
    BANK_MATCH = "bank_match"
    BANK_SEND_BACK = "bank_send_back"
    BANK_RECONCILE = "bank_reconcile"
    BANK_READ = "bank_read"
    MANDATE_EDIT = "mandate_edit"

    SHIFT_OPEN = "shift_open"
    SHIFT_COUNT = "shift_count"
    SHIFT_CLOSE = "shift_close"
    COUNT_OTHERS_SHIFT = "count_others_shift"
    CLOSE_OTHERS_SHIFT = "close_others_shift"
    SHEET_READ = "sheet_read"
    DAY_CLOSE = "day_close"

    TAKEOVER_PROPOSE = "takeover_propose"
    TAKEOVER_APPROVE = "takeover_approve"
    POINT_EDIT = "point_edit"
    CUSTOMER_EDIT = "customer_edit"
    CUSTOMER_READ = "customer_read"
    CUSTOMER_UNMASK = "customer_unmask"
    METER_EDIT = "meter_edit"
    PORT_EDIT = "port_edit"
    AGREEMENT_DRAFT = "agreement_draft"
    AGREEMENT_PRINT = "agreement_print"
    AGREEMENT_SIGN = "agreement_sign"
    AGREEMENT_PROVISION = "agreement_provision"
    AGREEMENT_COMPARE = "agreement_compare"
    DOCUMENT_ADD = "document_add"
    DOCUMENT_READ = "document_read"
    READING_TAKE = "reading_take"

    TASK_READ = "task_read"
    TASK_TAKE = "task_take"
    TASK_DONE = "task_done"

    ORGANISATION_READ = "organisation_read"
    ORGANISATION_EDIT = "organisation_edit"
    STAFF_EDIT = "staff_edit"
    GRANT_PROPOSE = "grant_propose"
    GRANT_APPROVE = "grant_approve"
    DUTY_SET = "duty_set"
    SETTING_SET = "setting_set"
    LEGAL_SETTING_PROPOSE = "legal_setting_propose"
    LEGAL_SETTING_APPROVE = "legal_setting_approve"
    SETTING_READ = "setting_read"
    CHECK_READ = "check_read"
    AUDIT_READ = "audit_read"
    TIME_ADVANCE = "time_advance"
    WORKER_RUN = "worker_run"
    WORKER_ADOPT = "worker_adopt"
    UPGRADE = "upgrade"


_HEADS = (Role.STATION_HEAD, Role.BRANCH_MANAGER, Role.COMPANY_MANAGER)
_COUNTER = (Role.VENDOR, Role.ACCOUNTANT)
_READERS = (Role.ACCOUNTANT, *_HEADS, Role.AUDITOR)
_WORKERS = tuple(role for role in Role if role is not Role.AUDITOR)

_ROLES: dict[Action, tuple[Role, ...]] = {
    Action.SELL: (Role.VENDOR,),
    Action.SALE_CANCEL: _COUNTER,
    Action.SALE_RESOLVE: (*_COUNTER, Role.STATION_HEAD),
    Action.SALE_SELL_AGAIN: (Role.VENDOR,),
    Action.SALE_MOVE: _COUNTER,
    Action.SALE_MOVE_APPROVE: (Role.ACCOUNTANT, *_HEADS),
    Action.SALE_SETTLE: (Role.ACCOUNTANT,),
    Action.SALE_SETTLE_APPROVE: (Role.ACCOUNTANT, *_HEADS),
    Action.SALE_READ: (Role.VENDOR, Role.CLERK, *_READERS),
    Action.ORDER_READ: (Role.VENDOR, Role.CLERK, *_READERS, Role.ADMIN),
    Action.PAYOUT: (Role.ACCOUNTANT,),
    Action.PAYOUT_APPROVE: (Role.ACCOUNTANT, *_HEADS),
    Action.CREDIT_EXPLAIN: (Role.ACCOUNTANT,),
    Action.CREDIT_EXPLAIN_APPROVE: (Role.STATION_HEAD,),
    Action.EPOCH_END: (Role.ACCOUNTANT, Role.CLERK),
    Action.EPOCH_END_APPROVE: (Role.ACCOUNTANT, *_HEADS),
    Action.CARD_ISSUE: (Role.VENDOR, Role.CLERK),
    Action.CARD_REPLACE: (Role.VENDOR, Role.STATION_HEAD),
    Action.CARD_ERASE: (Role.VENDOR, Role.STATION_HEAD),
    Action.PAY: _COUNTER,
    Action.PAY_REFUND: (Role.ACCOUNTANT,),
    Action.PAY_MOVE: (Role.ACCOUNTANT,),
    Action.PAY_BOUNCE: (Role.ACCOUNTANT,),
    Action.BANK_EDIT: (Role.ADMIN,),
    Action.BANK_IN: (Role.ACCOUNTANT,),
    Action.BANK_OUT: (Role.ACCOUNTANT,),
    Action.BANK_MATCH: (Role.ACCOUNTANT,),
    Action.BANK_SEND_BACK: (Role.ACCOUNTANT,),
    Action.BANK_RECONCILE: (Role.ACCOUNTANT,),
    Action.BANK_READ: (*_READERS, Role.CLERK, Role.ADMIN),
    Action.MANDATE_EDIT: (Role.CLERK, Role.ACCOUNTANT),
    Action.SHIFT_OPEN: (Role.VENDOR, Role.ACCOUNTANT),
    Action.SHIFT_COUNT: (Role.VENDOR, Role.ACCOUNTANT),
    Action.SHIFT_CLOSE: (Role.VENDOR, Role.ACCOUNTANT),
    Action.COUNT_OTHERS_SHIFT: (Role.ACCOUNTANT, Role.STATION_HEAD),
    Action.CLOSE_OTHERS_SHIFT: (Role.ACCOUNTANT, Role.STATION_HEAD),
    Action.SHEET_READ: (Role.VENDOR, *_READERS),
    Action.DAY_CLOSE: (Role.ACCOUNTANT,),
    Action.TAKEOVER_PROPOSE: (Role.CLERK,),
    Action.TAKEOVER_APPROVE: (Role.ACCOUNTANT, *_HEADS),
    Action.POINT_EDIT: (Role.CLERK,),
    Action.CUSTOMER_EDIT: (Role.CLERK,),
    Action.CUSTOMER_READ: tuple(role for role in Role if role is not Role.ADMIN),
    Action.CUSTOMER_UNMASK: (Role.CLERK, Role.COLLECTOR, Role.STATION_HEAD, Role.AUDITOR),
    Action.METER_EDIT: (Role.CLERK,),
    Action.PORT_EDIT: (Role.ADMIN,),
    Action.AGREEMENT_DRAFT: (Role.CLERK,),
    Action.AGREEMENT_PRINT: (Role.CLERK,),
    Action.AGREEMENT_SIGN: (Role.CLERK,),
    Action.AGREEMENT_PROVISION: (Role.CLERK,),
    Action.AGREEMENT_COMPARE: (Role.CLERK, Role.REVIEWER, Role.STATION_HEAD, Role.AUDITOR),
    Action.DOCUMENT_ADD: (Role.CLERK, Role.ACCOUNTANT),
    Action.DOCUMENT_READ: (Role.CLERK, *_READERS),
    Action.READING_TAKE: (
        Role.VENDOR,
        Role.COLLECTOR,
        Role.REVIEWER,
        Role.CLERK,
        Role.STATION_HEAD,
    ),
    Action.TASK_READ: tuple(Role),
    Action.TASK_TAKE: _WORKERS,
    Action.TASK_DONE: _WORKERS,
    Action.ORGANISATION_READ: tuple(Role),
    Action.ORGANISATION_EDIT: (Role.ADMIN,),
    Action.STAFF_EDIT: (Role.ADMIN,),
    Action.GRANT_PROPOSE: (Role.ADMIN,),
    Action.GRANT_APPROVE: (Role.ADMIN, Role.COMPANY_MANAGER),
    Action.DUTY_SET: (Role.STATION_HEAD, Role.ADMIN),
    Action.SETTING_SET: (Role.ADMIN,),
    Action.LEGAL_SETTING_PROPOSE: (Role.ADMIN,),
    Action.LEGAL_SETTING_APPROVE: (Role.COMPANY_MANAGER,),
    Action.SETTING_READ: tuple(Role),
    Action.CHECK_READ: (*_READERS, Role.ADMIN),
    Action.AUDIT_READ: (Role.AUDITOR, Role.COMPANY_MANAGER),
    Action.TIME_ADVANCE: (Role.ADMIN,),
    Action.WORKER_RUN: (Role.ADMIN,),
    Action.WORKER_ADOPT: (Role.ADMIN,),
    Action.UPGRADE: (Role.ADMIN,),
}

ALLOWED: Mapping[Action, frozenset[Role]] = {
    action: frozenset(roles) for action, roles in _ROLES.items()
}
"""The roles that may do an action."""

FOUR_EYES: Mapping[Action, Action] = {
    Action.SALE_MOVE: Action.SALE_MOVE_APPROVE,
    Action.SALE_SETTLE: Action.SALE_SETTLE_APPROVE,
    Action.PAYOUT: Action.PAYOUT_APPROVE,
    Action.PAY_REFUND: Action.PAYOUT_APPROVE,
    Action.BANK_SEND_BACK: Action.PAYOUT_APPROVE,
    Action.CREDIT_EXPLAIN: Action.CREDIT_EXPLAIN_APPROVE,
    Action.EPOCH_END: Action.EPOCH_END_APPROVE,
    Action.TAKEOVER_PROPOSE: Action.TAKEOVER_APPROVE,
    Action.GRANT_PROPOSE: Action.GRANT_APPROVE,
    Action.LEGAL_SETTING_PROPOSE: Action.LEGAL_SETTING_APPROVE,
}
"""A proposal, and the action that approves it."""

MONEY_ROLES = frozenset({*_COUNTER, *_HEADS})
"""Roles that take money, pay it or approve it: a grant of one needs two persons."""

PAYOUT_ALONE = 500_00
"""Highest amount that one person may pay out."""


def may(roles: Collection[Role], action: Action) -> bool:
    """Return whether a person with these roles at a node or above may do an action there."""
    return not ALLOWED[action].isdisjoint(roles)


def require(roles: Collection[Role], action: Action) -> None:
    """Refuse an action to a person without a role for it.

    Args:
        roles: those that the person has at the node or above, today.

    Raises:
        NotPermitted: code `no_role`.
    """
    if not may(roles, action):
        needed = ", ".join(role for role in Role if role in ALLOWED[action])
        raise NotPermitted("no_role", f"{action} needs one of {needed} here; nothing was changed")


def require_approver(
    roles: Collection[Role], proposal: Action, proposer: int, approver: int
) -> None:
    """Refuse an approval by the proposer, and by a person without a role for it.

    Args:
        roles: those that the approver has at the node of the proposal or above, today.
        proposer: id of the member of the staff; `approver` likewise.

    Raises:
        NotPermitted: code `own_proposal` or `no_role`.
    """
    if proposer == approver:
        raise NotPermitted(
            "own_proposal", f"{proposal} needs the approval of a second person; nothing was changed"
        )
    require(roles, FOUR_EYES[proposal])


def payout_needs_approval(amount: int) -> bool:
    """Return whether a payout needs a second person."""
    return amount > PAYOUT_ALONE


def grant_needs_approval(role: Role, *, is_only_admin: bool = False) -> bool:
    """Return whether a grant of a role needs a second person.

    A further admin could approve what the first one proposes.

    Args:
        is_only_admin: the proposer is the company's only admin, so that none could approve.
    """
    return role in MONEY_ROLES or (role is Role.ADMIN and not is_only_admin)
