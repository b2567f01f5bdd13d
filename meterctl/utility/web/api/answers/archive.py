"""The organisation, its staff, and the archive: customers, supply points, ports, meters."""

from __future__ import annotations

from pydantic import Field

from meterctl.utility.model.organisation import DutyKind, OrganisationKind, StaffState
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.rights import Role
from meterctl.utility.web.api.operations import Told
from meterctl.utility.web.api.values import Day, Moment


class Node(Told):
    """A node of the organisation: the company, a branch, a station, a district."""

    code: str
    kind: OrganisationKind
    name: str
    parent: str = Field(description="Code of the node in which it lies; empty: the company.")
    version: int


class Staff(Told):
    """A person of the staff."""

    number: str
    name: str
    state: StaffState
    version: int
    roles: list[str] = Field(default_factory=list)


class StaffToken(Staff):
    """A person with a new token, which is shown in this one answer."""

    token: str = ""


class DeactivatedStaff(Staff):
    """A person who is deactivated; `open_shift` is left to the head of its station."""

    open_shift: str | None


class Grant(Told):
    """A role at a node and below; with `task` it waits for a second person."""

    staff: str
    role: Role
    node: str
    from_on: Day
    to_on: Day | None
    state: str
    task: str | None = None


class Duty(Told):
    """Who reads, or collects, in a node."""

    staff: str
    node: str
    kind: DutyKind
    from_on: Day
    to_on: Day | None
    duty: str | None = Field(None, description="Its name, for `after`.")


class Setting(Told):
    """A setting as it is today at a node."""

    code: str
    value: str
    type: str
    legal: bool
    meaning: str
    source: str


class SettingRow(Told):
    """A value that a setting has from a date on; with `task` it waits for a second person."""

    code: str
    node: str
    customer_class: CustomerClass | None = Field(alias="class")
    from_on: Day
    value: str
    state: str = ""
    task: str | None = None
    row: str | None = Field(None, description="Its place in the list, for `after`.")


class Customer(Told):
    """A customer; telephone and identity numbers are masked."""

    number: str
    name: str
    id_number: str | None
    phones: list[str]
    protected: bool
    version: int
    points: list[str] = Field(default_factory=list)


class Point(Told):
    """A supply point (用电户) with its number for life (户号)."""

    number: str
    node: str
    address: str
    customer_class: CustomerClass = Field(alias="class")
    capacity_mw: int
    boundary: str
    route: str
    read_day: int
    version: int
    meter: str | None = None
    agreements: list[str] = Field(default_factory=list)


class Port(Told):
    """A port on which meters answer, or a card reader."""

    name: str
    node: str
    url: str | None
    protocol: str
    baud: int
    version: int
    meters: list[str] = Field(default_factory=list)


class Meter(Told):
    """A meter, where it is installed, and what it has proved last."""

    serial: str
    port: str | None
    unit: int
    point: str | None
    epoch: int | None
    sequence: int | None
    proved_at: Moment | None
    stopped: str | None
    version: int


class Imported(Told):
    """A file that was imported."""

    rows: int
