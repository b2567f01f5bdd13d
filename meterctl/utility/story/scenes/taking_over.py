"""The meters come in: taken over from the old books by two persons, and read."""

from __future__ import annotations

import csv
from hashlib import sha256
from io import StringIO

from meterctl.utility.rules.takeover_file import COLUMNS, TakeoverState, parse_takeover
from meterctl.utility.rules.terms import json_of_terms, read_terms
from meterctl.utility.services import takeover, tasks
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import CREDIT, Home, Plan
from meterctl.utility.story.scenes.founding import CLERK, MANAGER
from meterctl.utility.story.screen import money

FILE, TERMS = "old-books.csv", "resident.toml"
OLD_BILL, OLD_ADVANCE = 35_20, 12_00
TERMS_TEXT = """\
way_of_buying = "wire"
low_credit_threshold_1 = "10.00"
low_credit_threshold_2 = "5.00"
max_credit = "800.00"
tariff = "resident-tariff.toml"
"""
TARIFF_TEXT = """\
prices = ["0.5283"]
"""


def terms() -> dict[str, object]:
    """Return the terms that the customers sign, JSON."""
    agreed = json_of_terms(read_terms(TERMS_TEXT, in_meter=True))
    return {**agreed, "tariff_text": TARIFF_TEXT}


def take_over(office: Office, plan: Plan) -> list[str]:
    """Take the meters over that are in use; return the numbers of their agreements.

    The numbers are in the order of the plan's supply points.
    """
    teller = office.teller
    homes = [home for home in plan.homes() if not home.is_new]
    teller.heading(f"{len(homes)} meters are taken over, by two persons")
    text = _file(homes)
    (office.folder / FILE).write_text(text)
    digest = sha256(text.encode()).hexdigest()
    teller.say(
        f"{FILE} names points, customers, meters, and what the old books have: every tenth has an "
        f"unpaid bill of {money(OLD_BILL)}, every tenth an advance of {money(OLD_ADVANCE)}. The "
        f"clerk proposes it, and each meter is read."
    )
    proposed = office.do(
        CLERK,
        takeover.propose_file,
        rows=parse_takeover(text), sha256=digest, terms={TERMS: terms()},
    )  # fmt: skip
    office.work("reading meters", len(homes))
    alone = office.refused(CLERK, tasks.approve, number=proposed["task"])
    teller.proved("the clerk cannot approve the own proposal", bool(alone))
    office.do(MANAGER, tasks.approve, number=proposed["task"])
    teller.say(
        f"The manager approves {proposed['task']}: what each meter is set to and what its books "
        f"hold is read, and booked as it stands."
    )
    office.work("taking meters over", 2 * len(homes))
    with office.database.reading() as session:
        told = takeover.progress(session, office.person(CLERK), digest)
    taken = told["counts"].get(TakeoverState.TAKEN_OVER, 0)
    credit = {row["credit_exact"] for row in told["rows"]}
    rows = [
        ("meters", taken),
        ("credit in each", ", ".join(money(each // 10**8) for each in sorted(credit))),
        ("old bills", money(sum(row["open"] for row in told["rows"]))),
        ("advances", money(sum(row["advance"] for row in told["rows"]))),
    ]
    teller.table(("taken over", ""), rows, ("",))
    teller.proved(
        f"{len(homes)} meters came in, each with {money(CREDIT)}",
        taken == len(homes) and credit == {CREDIT * 10**8},
        str(told["counts"]),
    )
    return [row["agreement"] for row in told["rows"]]


def _file(homes: list[Home]) -> str:
    """Return the file of a taking over, with a row for each supply point."""
    out = StringIO()
    rows = csv.DictWriter(out, (*COLUMNS.required, *COLUMNS.optional), lineterminator="\n")
    rows.writeheader()
    for home in homes:
        row = {
            "meter": home.serial, "port": home.port, "unit": home.unit, "terms": TERMS,
            "node": home.station, "address": home.address, "class": "resident", "capacity": "8kW",
            "name": home.customer, "phones": f"1380000{home.unit:04}",
        }  # fmt: skip
        if home.unit % 10 == 3:
            row["bills"] = f"2026-10 {money(OLD_BILL)} 2026-11-15"
        if home.unit % 10 == 7:
            row["advance"] = money(OLD_ADVANCE)
        rows.writerow(row)
    return out.getvalue()
