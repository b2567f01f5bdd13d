"""The organisation, its staff with their roles and duties, and the settings."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from meterctl.utility.errors import NotFound
from meterctl.utility.model.organisation import DutyKind, OrganisationKind
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import duties, grants, organisation, settings, staff
from meterctl.utility.services.archive.imports import ImportKind
from meterctl.utility.store.authentication import draw_token
from meterctl.utility.store.unit_of_work import Answer, UnitOfWork
from meterctl.utility.web.api.answers import archive as told
from meterctl.utility.web.api.operations import (
    Asked,
    Call,
    Change,
    Look,
    Looked,
    Operation,
    Page,
    Reason,
    Values,
    calling,
)
from meterctl.utility.web.api.tables.imports import import_of
from meterctl.utility.web.api.values import Name, Text


class NewNode(Asked):
    """A node below another one."""

    kind: OrganisationKind
    code: Name
    name: Name
    parent: Name = "company"


class Renamed(Asked):
    """Another name."""

    name: Name


class NodePage(Page):
    """Nodes at a node and below."""

    node: Name | None = None


class NewStaff(Asked):
    """A person of the staff."""

    number: Name
    name: Name


class NewGrant(Asked):
    """A role at a node and below; `to_on` is the first date on which it holds no more."""

    role: Role
    node: Name
    from_on: date | None = None
    to_on: date | None = None


class RevokedGrant(Asked):
    """A role at a node."""

    role: Role
    node: Name
    reason: Text = ""


class NewDuty(Asked):
    """A duty in a node; `to_on` is the first date on which it holds no more."""

    number: Name
    kind: DutyKind
    node: Name
    from_on: date | None = None
    to_on: date | None = None


class NewSetting(Asked):
    """A value from a date on."""

    value: Name
    node: Name | None = None
    customer_class: CustomerClass | None = Field(None, alias="class")
    from_on: date | None = None


class SettingsPage(Page):
    """Settings as they are at a node."""

    node: Name = "company"


def _node(found: Looked) -> Values:
    return organisation.show(found.session, found.visitor.actor, found.path["code"])


def _nodes(found: Looked) -> list[Values]:
    return organisation.list_(found.session, found.visitor.actor, found.query.node)


def _people(found: Looked) -> list[Values]:
    return staff.list_(found.session, found.visitor.actor, found.visitor.today)


def _person(found: Looked) -> Values:
    number = found.path["number"]
    person = next((each for each in _people(found) if each["number"] == number), None)
    if person is None:
        raise NotFound("no_staff", f"there is no person {number!r} of the staff")
    return person


def _duties(found: Looked) -> list[Values]:
    rows = duties.list_(found.session, found.visitor.actor, found.visitor.today)
    return [{**row, "duty": "/".join(row[name] for name in _DUTY)} for row in rows]


_DUTY = ("node", "kind", "from_on")


def _set_duty(work: UnitOfWork, values: Values) -> dict[str, Any]:
    return duties.set_duty(work, **{**values, "from_on": values["from_on"] or work.today})


def _token(call: Call) -> Answer:
    """Give a person a new token. Its hash alone enters the transaction, as answers are kept."""
    drawn = draw_token()
    call.asked["token_hash"] = call.values["token_hash"] = drawn.token_hash
    answer = call.ask()
    shown = {} if call.dry_run else {"token": drawn.token}
    return Answer({**answer.values, **shown}, answer.replayed)


def _settings(found: Looked) -> list[Values]:
    visitor = found.visitor
    return settings.all_values(found.session, visitor.actor, found.query.node, visitor.today)


def _setting(found: Looked) -> list[Values]:
    rows = settings.rows_of(found.session, found.visitor.actor, found.path["code"])
    return [{**row, "row": str(number)} for number, row in enumerate(rows, 1)]


ORGANISATION: tuple[Operation, ...] = (
    Look("/organisations", "org_list", "List the nodes of the organisation.", _nodes, told.Node,
         query=NodePage, by="code", is_whole=True),
    Look("/organisations/{code}", "org_show", "Show a node.", _node, told.Node, versioned=True),
    Change("POST", "/organisations", "org add", "Add a branch, a station or a district.",
           calling(organisation.add), told.Node, body=NewNode, status=201),
    Change("PATCH", "/organisations/{code}", "org rename", "Give a node another name.",
           calling(organisation.rename), told.Node, body=Renamed),
    import_of(ImportKind.ORG, "/organisations"),
)  # fmt: skip
STAFF: tuple[Operation, ...] = (
    Look("/staff", "staff_list", "List all persons with their roles.", _people, told.Staff,
         query=Page, by="number", is_whole=True),
    Look("/staff/{number}", "staff_show", "Show a person.", _person, told.Staff, versioned=True),
    Change("POST", "/staff", "staff add", "Add a person, who may do nothing before a grant.",
           calling(staff.add), told.Staff, body=NewStaff, status=201),
    Change("POST", "/staff/{number}/token", "staff token",
           "Give a person a new token, which this one answer shows.",
           calling(staff.set_token), told.StaffToken, run=_token),
    Change("POST", "/staff/{number}/grant", "staff grant",
           "Give a person a role; one of money waits for another's approval.",
           calling(grants.grant), told.Grant, body=NewGrant, status=201),
    Change("POST", "/staff/{number}/revoke", "staff revoke", "Take a role from a person, now.",
           calling(grants.revoke), told.Grant, body=RevokedGrant),
    Change("POST", "/staff/{number}/deactivate", "staff deactivate",
           "Deactivate a person, for ever.", calling(staff.deactivate), told.DeactivatedStaff,
           body=Reason),
    Look("/duties", "duty_list", "List the duties of today and later.", _duties, told.Duty,
         query=Page, by="duty", is_whole=True),
    Change("POST", "/duties", "duty set", "Give a person a duty in a node, or another end of it.",
           _set_duty, told.Duty, body=NewDuty),
)  # fmt: skip
SETTINGS: tuple[Operation, ...] = (
    Look("/settings", "setting_list", "List the settings as they are today at a node.", _settings,
         told.Setting, query=SettingsPage, by="code", is_whole=True),
    Look("/settings/{code}", "setting_show", "List every value that a setting has had.", _setting,
         told.SettingRow, query=Page, by="row", is_whole=True),
    Change("POST", "/settings/{code}", "setting set",
           "Set a value from a date on; a legal one waits for another's approval.",
           calling(settings.set_value, **{"class": "customer_class"}), told.SettingRow,
           body=NewSetting, status=201),
)  # fmt: skip
