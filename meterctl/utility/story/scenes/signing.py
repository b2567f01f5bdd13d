"""The agreements are signed, and brought to their meters by orders that are read back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.transitions import VersionState
from meterctl.utility.services import agreement_lists, agreements, findings
from meterctl.utility.services.archive import customers, meters, points
from meterctl.utility.services.printed_agreement.printing import print_agreement
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import Home, Plan
from meterctl.utility.story.scenes.founding import CLERK
from meterctl.utility.story.scenes.taking_over import terms

CAPACITY_MW = 8_000_000
LIMIT = 100_000


def sign(office: Office, plan: Plan, taken_over: list[str]) -> dict[int, str]:
    """Sign all agreements, those of new customers too; return their numbers by unit."""
    teller = office.teller
    homes = list(plan.homes())
    new = [home for home in homes if home.is_new]
    teller.heading(f"{len(homes)} agreements are signed; each goes to its meter and is read back")
    in_use = [home for home in homes if not home.is_new]
    numbers = {home.unit: number for home, number in zip(in_use, taken_over, strict=True)}
    numbers |= {home.unit: _draft(office, home) for home in new}
    orders = 0
    with teller.long("signing", len(homes)) as advance:
        for done, home in enumerate(homes, 1):
            number = numbers[home.unit]
            office.do(CLERK, print_agreement, agreement=number)
            office.do(CLERK, agreements.sign, agreement=number, name=home.customer)
            told = office.do(CLERK, agreements.provision, agreement=number)
            orders += len(told["orders"])
            advance(done)
    teller.say(
        f"{len(new)} customers are new: their meters are unopened and give no supply until the "
        f"first sale opens them. Each agreement was printed with its user notice before it was "
        f"signed. {orders} orders carry limits and tariff to the meters."
    )
    said = office.work("setting limits and tariffs", orders)
    with office.database.reading() as session:
        listed = agreement_lists.list_(session, office.person(CLERK), None, None, None, LIMIT)
    active = sum(row["version_state"] == VersionState.ACTIVE for row in listed)
    causes = "; ".join({row["cause"] for row in listed if row["cause"]} | set(said))
    teller.proved(
        f"{active} versions are in force, each read back from its meter",
        active == len(homes),
        causes,
    )
    return numbers


def find_drifted(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Let another program change a meter, find it, and write the agreement's terms again."""
    teller = office.teller
    home = next(plan.homes())
    changed = ("low_credit_threshold_1=25.00", "max_credit=off")
    words = ("--port", office.meters.urls[0], "--unit", str(home.unit), "--yes", "limits", "set")
    subprocess.run(
        [sys.executable, "-m", "meterctl", *words, *changed],
        cwd=office.folder,
        env=office.environment(CLERK) | {"METERCTL_JOURNAL": str(office.folder / "other.sqlite")},
        capture_output=True,
        check=True,
    )
    teller.say(f"A technician changes meter {home.serial} by hand. The clerk compares it:")
    number = numbers[home.unit]
    office.do(CLERK, agreements.compare, agreement=number)
    office.work("reading terms", 1)
    differ = [row for finding in _drifted(office) for row in finding["differences"]]
    columns = ("term", "agreed", "meter")
    teller.table(columns, [[row[name] for name in columns] for row in differ])
    teller.proved("both terms that were changed in a meter are found", len(differ) == len(changed))
    office.typed(CLERK, "agreement", "write-terms", number)
    left = _drifted(office)
    teller.proved("the agreement's terms are in the meter again, the finding is ended", not left)


def _drifted(office: Office) -> list[dict[str, Any]]:
    """Return the open findings of meters that are set otherwise than agreed."""
    with office.database.reading() as session:
        clerk = office.person(CLERK)
        return findings.list_(session, clerk, rule=FindingRule.TERMS_DIFFER)


def _draft(office: Office, home: Home) -> str:
    """Add a new customer with point and meter, and draft the agreement; return its number."""
    customer = office.do(
        CLERK, customers.add, name=home.customer, phones=[f"1390000{home.unit:04}"]
    )
    point = office.do(
        CLERK,
        points.add,
        node=home.station, address=home.address, customer_class=CustomerClass.RESIDENT,
        capacity_mw=CAPACITY_MW,
    )  # fmt: skip
    office.do(
        CLERK,
        meters.add,
        serial=home.serial, port=home.port, unit=home.unit, point=point["number"],
    )  # fmt: skip
    drafted = office.do(
        CLERK,
        agreements.draft,
        customer=customer["number"], point=point["number"], mode=AgreementMode.METER,
        terms={**terms(), "way_of_buying": "card" if home.buys_by_card else "wire"},
    )  # fmt: skip
    number: str = drafted["agreement"]
    return number
