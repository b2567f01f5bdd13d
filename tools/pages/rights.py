"""docs/rights.md: who may do what at the desk."""

from __future__ import annotations

from meterctl.utility.rules.rights import ALLOWED, FOUR_EYES, MONEY_ROLES, PAYOUT_ALONE, Role
from pages import NOTE, head, row
from protocols.quantities import CENT, format_money


def rights() -> str:
    """Return docs/rights.md."""
    out = [
        "# Rights at the desk\n\n",
        NOTE,
        "\nA role is granted to a member of the staff at a node of the organisation, from a day "
        "to a day, and counts there and below. What a row does not mark is refused.\n\n",
        head("action", *(role.replace("_", " ") for role in Role)),
    ]
    for action, roles in ALLOWED.items():
        out.append(row(f"`{action}`", *("x" if role in roles else "" for role in Role)))
    out += [
        "\n## Two persons\n\nThese actions are proposals. A second person, who may do the action "
        "of the second column at the node or above, approves them.\n\n",
        head("proposal", "approval"),
    ]
    out += [row(f"`{proposal}`", f"`{approval}`") for proposal, approval in FOUR_EYES.items()]
    money = ", ".join(role.replace("_", " ") for role in Role if role in MONEY_ROLES)
    out.append(
        f"\n`payout` and `pay_refund` need no approval up to {format_money(PAYOUT_ALONE * CENT)}. "
        f"`grant_propose` needs it for the roles of money, {money}, and for a further admin "
        "where the company has two.\n"
    )
    return "".join(out)
