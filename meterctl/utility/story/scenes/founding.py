"""The desk is founded: its company, four stations, its people; roles of money by two persons."""

from __future__ import annotations

from meterctl.utility.model.organisation import OrganisationKind
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import grants, organisation, staff, tasks
from meterctl.utility.services.archive import ports
from meterctl.utility.services.founding import ADMIN_NUMBER, COMPANY_CODE, found
from meterctl.utility.store.authentication import draw_token
from meterctl.utility.story.office import DATABASE, Office
from meterctl.utility.story.plan import START_MS, ZONE, Plan

SECOND_ADMIN = "admin2"
CLERK, ACCOUNTANT, MANAGER, AUDITOR = "clerk", "accountant", "manager", "auditor"
_COMPANY_STAFF = {
    CLERK: Role.CLERK,
    ACCOUNTANT: Role.ACCOUNTANT,
    MANAGER: Role.COMPANY_MANAGER,
    AUDITOR: Role.AUDITOR,
}
"""Numbers and roles of the people who work for the whole company."""


def vendor_of(station: str) -> str:
    """Return the number of the vendor of a station."""
    return f"vendor-{station}"


def new_desk(url: str) -> str:
    """Make the database of the story's desk, and return the token of its first admin."""
    return found(url, ZONE, True, "River Power", START_MS)


def set_up(office: Office, plan: Plan) -> None:
    """Add the stations with their ports, and the people with their roles."""
    teller = office.teller
    teller.heading("A company, its stations, its people")
    teller.say(
        f"A database in {office.folder / DATABASE}, made as by `meterctl desk init --simulated`: "
        f"its clock stands at 30 November 2026, 08:00 in {ZONE}, until it is moved. The meters are "
        f"one `meter-sim run`, a TCP port a station."
    )
    for station, url in zip(plan.station_codes, office.meters.urls, strict=True):
        office.do(
            ADMIN_NUMBER,
            organisation.add,
            parent=COMPANY_CODE,
            kind=OrganisationKind.STATION,
            code=station,
            name=f"Hall {station}",
        )
        office.do(ADMIN_NUMBER, ports.add, name=f"bus-{station}", node=station, url=url)
    _hire(office, SECOND_ADMIN, Role.ADMIN, COMPANY_CODE)
    rows = [_hire(office, number, role, COMPANY_CODE) for number, role in _COMPANY_STAFF.items()]
    rows += [
        _hire(office, vendor_of(station), Role.VENDOR, station) for station in plan.station_codes
    ]
    teller.table(("number", "role", "at", "proposed by", "approved by"), rows)
    given = office.do(
        ADMIN_NUMBER, grants.grant, number=CLERK, role=Role.ACCOUNTANT, node=COMPANY_CODE
    )
    alone = office.refused(ADMIN_NUMBER, tasks.approve, number=given["task"])
    office.do(ADMIN_NUMBER, tasks.refuse, number=given["task"], reason="a clerk handles no money")
    teller.proved("no person approves a role of money alone", "another person" in alone, alone)
    office.typed(ADMIN_NUMBER, "org", "list", whole=True)


def _hire(office: Office, number: str, role: Role, node: str) -> tuple[str, str, str, str, str]:
    """Add a person with a role; return the row that is told of it."""
    drawn = draw_token()
    office.do(ADMIN_NUMBER, staff.add, number=number, name=number.replace("-", " "))
    office.do(ADMIN_NUMBER, staff.set_token, number=number, token_hash=drawn.token_hash)
    given = office.do(ADMIN_NUMBER, grants.grant, number=number, role=role, node=node)
    approver = "-"
    if "task" in given:
        office.do(SECOND_ADMIN, tasks.approve, number=given["task"])
        approver = SECOND_ADMIN
    office.tokens[number] = drawn.token
    return number, role.value, node, ADMIN_NUMBER, approver
