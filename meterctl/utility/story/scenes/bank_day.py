"""The bank's files of the day arrive in the morning: one line stands on each side alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meterctl.utility.services import bank_reconciliation, shift_lists
from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import Plan
from meterctl.utility.story.scenes.closing import DAY
from meterctl.utility.story.scenes.founding import ACCOUNTANT
from meterctl.utility.story.screen import money

BANK = "riverbank"
_DESCRIPTION = f"""\
name = "{BANK}"
title = "River Bank"
[collected]
[statement]
"""
_COLUMNS = ("reference", "party", "amount", "paid_at")
_MISSING, _UNKNOWN = "R2", "X9"
"""What the books alone have, and the bank alone."""
_UNKNOWN_AMOUNT = 12_00
_SIDES = ("ours_only", "banks_only")


def reconcile_bank(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Load what the bank collected and its statement, and compare the day from both sides."""
    teller = office.teller
    teller.heading("The bank's files arrive: one line on each side alone")
    first, second, *_ = (home for home in plan.homes() if not home.is_new)
    collected = [
        ("R1", numbers[first.unit], 60_00), (_MISSING, numbers[second.unit], 45_00),
        ("R3", "no name", 20_00),
    ]  # fmt: skip
    statement = [
        *(line for line in collected if line[0] != _MISSING),
        *_banked(office),
        (_UNKNOWN, "no name", _UNKNOWN_AMOUNT),
        ("F1", "fee", -50),
    ]
    (office.folder / "bank.toml").write_text(_DESCRIPTION)
    _write(office, "collected.csv", collected)
    _write(office, "statement.csv", statement)
    office.typed(ADMIN_NUMBER, "bank", "set", "bank.toml")
    load = ("bank", "in", BANK, "collected.csv", "--kind", "collected")
    office.typed(ACCOUNTANT, *load)
    office.typed(ACCOUNTANT, "bank", "lines", "--state", "suspense", whole=True)
    teller.say("The same file again, then the statement, and the comparison of the day:")
    again = office.typed(ACCOUNTANT, *load)
    office.typed(ACCOUNTANT, "bank", "in", BANK, "statement.csv", "--kind", "statement")
    office.typed(ACCOUNTANT, "bank", "reconcile", BANK, "--on", DAY.isoformat(), whole=True)
    with office.database.reading() as session:
        now, today = office.database.now(), DAY
        told = bank_reconciliation.figures(
            session,
            office.person(ACCOUNTANT),
            Ledger(session, now, today, None),
            BANK,
            today,
            today,
        )
    ours, banks = ([item["reference"] for item in told[side]] for side in _SIDES)
    teller.proved(
        "a bank's file twice changes nothing", "nothing was changed now" in again.err, again.err
    )
    teller.proved(
        f"{_MISSING} stands in the books alone and {_UNKNOWN} in the bank's statement alone: "
        f"{money(told['in_transit'])} in transit",
        (ours, banks, told["differing"]) == ([_MISSING], [_UNKNOWN], [])
        and told["in_transit"] == 45_00 - _UNKNOWN_AMOUNT,
        f"{ours}, {banks}, {money(told['in_transit'])}",
    )


def _banked(office: Office) -> Iterable[tuple[str, str, int]]:
    """Yield what the bank took of the tills, by the numbers of its slips."""
    with office.database.reading() as session:
        tills = shift_lists.list_(session, office.person(ACCOUNTANT), closed=True, limit=99)
    for till in tills:
        yield till["slip"], "cash", till["counted"] - till["float"]


def _write(office: Office, name: str, lines: Sequence[tuple[str, str, int]]) -> None:
    """Write a file of the bank."""
    rows = [
        (reference, party, money(amount), f"{DAY} 18:30:00") for reference, party, amount in lines
    ]
    text = "\n".join(",".join(row) for row in (_COLUMNS, *rows))
    (office.folder / name).write_text(f"{text}\n")
