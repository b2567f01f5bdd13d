"""The archive: customers, supply points, ports and meters."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, Strict

from meterctl.utility.model.party import CustomerClass
from meterctl.utility.services.archive import customers, meters, points, ports
from meterctl.utility.services.archive.imports import ImportKind
from meterctl.utility.store.unit_of_work import Answer, UnitOfWork
from meterctl.utility.web.api.answers import archive as told
from meterctl.utility.web.api.operations import (
    Asked,
    Call,
    Change,
    Look,
    Looked,
    NeededReason,
    Operation,
    Page,
    Values,
    calling,
)
from meterctl.utility.web.api.tables.imports import import_of
from meterctl.utility.web.api.values import Flag, Name, Text

Phones = Annotated[list[Name], Field(max_length=20)]
Capacity = Annotated[int, Strict(), Field(ge=0, le=10**12, description="Agreed power, mW.")]
ReadDay = Annotated[int, Strict(), Field(ge=1, le=28)]
Unit = Annotated[int, Strict(), Field(ge=1, le=247)]


class NewCustomer(Asked):
    """A customer; an empty number: one is drawn."""

    name: Name
    id_number: Text | None = None
    phones: Phones = Field(default_factory=list)
    protected: Flag = False
    number: Text = ""


class ChangedCustomer(Asked):
    """What changes of a customer; what is left out stays."""

    name: Name | None = None
    id_number: Text | None = None
    phones: Phones | None = None
    protected: Flag | None = None


class Unmasked(Asked):
    """Why telephone and identity numbers are shown; it is kept in the audit."""

    reason: Name


class FoundPage(Page):
    """Rows with a part of a name, or a whole number."""

    text: Name | None = None


class PlacePage(FoundPage):
    """Rows at a node and below."""

    node: Name | None = None


class MeterPage(Page):
    """Meters installed at a node and below."""

    node: Name | None = None


class NewPoint(Asked):
    """A supply point; an empty number: the station's next one is drawn."""

    node: Name
    address: Name
    customer_class: CustomerClass = Field(CustomerClass.RESIDENT, alias="class")
    capacity_mw: Capacity = 8_000_000
    boundary: Text = ""
    route: Text = ""
    read_day: ReadDay = 1
    number: Text = ""


class ChangedPoint(Asked):
    """What changes of a supply point; what is left out stays."""

    address: Name | None = None
    customer_class: CustomerClass | None = Field(None, alias="class")
    capacity_mw: Capacity | None = None
    boundary: Text | None = None
    route: Text | None = None
    read_day: ReadDay | None = None


class NewPort(Asked):
    """A port, or with the protocol `card` a card reader."""

    name: Name
    node: Name
    url: Name
    protocol: Name = ports.DEFAULT_PROTOCOL


class ChangedPort(Asked):
    """What changes of a port; what is left out stays."""

    url: Name | None = None
    protocol: Name | None = None


class NewMeter(Asked):
    """A meter; an empty port: it has no wire, an empty point: it is not installed."""

    serial: Name
    port: Text = ""
    unit: Unit = 1
    point: Text = ""


class ChangedMeter(Asked):
    """What changes of a meter; the port `none`: it has no wire."""

    port: Name | None = None
    unit: Unit | None = None


class AtPoint(Asked):
    """A supply point."""

    point: Name


def _add_customer(work: UnitOfWork, values: Values) -> dict[str, Any]:
    return customers.add(work, **{**values, "id_number": values["id_number"] or ""})


def _unmask(call: Call) -> Answer:
    """Write down that what is masked is shown, and why; then show it."""
    answer, visitor, number = call.ask(), call.visitor, call.values["number"]
    with visitor.reading() as session:
        shown = customers.show(session, visitor.actor, number)
        shown |= customers.secrets_of(session, visitor.actor, number)
    return Answer(shown, answer.replayed)


def _customers(found: Looked) -> list[Values]:
    wanted = found.query
    actor = found.visitor.actor
    return customers.list_(found.session, actor, wanted.text, wanted.limit + 1, wanted.after)


def _customer(found: Looked) -> Values:
    return customers.show(found.session, found.visitor.actor, found.path["number"])


def _points(found: Looked) -> list[Values]:
    q = found.query
    actor = found.visitor.actor
    return points.list_(found.session, actor, q.node, q.text, q.limit + 1, q.after)


def _point(found: Looked) -> Values:
    return points.show(found.session, found.visitor.actor, found.path["number"])


def _ports(found: Looked) -> list[Values]:
    return ports.list_(found.session, found.visitor.actor)


def _port(found: Looked) -> Values:
    return ports.show(found.session, found.visitor.actor, found.path["name"])


def _meters(found: Looked) -> list[Values]:
    q = found.query
    return meters.list_(found.session, found.visitor.actor, q.node, q.limit + 1, q.after)


def _meter(found: Looked) -> Values:
    return meters.show(found.session, found.visitor.actor, found.path["serial"])


_CLASS = {"class": "customer_class"}

CUSTOMERS: tuple[Operation, ...] = (
    Look("/customers", "customer_list", "List customers of your nodes, masked.", _customers,
         told.Customer, query=FoundPage, by="number"),
    Look("/customers/{number}", "customer_show", "Show a customer, masked.", _customer,
         told.Customer, versioned=True),
    Change("POST", "/customers", "customer add", "Add a customer.", _add_customer, told.Customer,
           body=NewCustomer, status=201),
    Change("PATCH", "/customers/{number}", "customer edit", "Change what is named of a customer.",
           calling(customers.edit), told.Customer, body=ChangedCustomer),
    Change("POST", "/customers/{number}/unmask", "customer unmask",
           "Show telephone and identity numbers; it is kept in the audit.",
           calling(customers.unmask), told.Customer, body=Unmasked, run=_unmask, dry_run=False),
    import_of(ImportKind.CUSTOMER, "/customers"),
)  # fmt: skip
POINTS: tuple[Operation, ...] = (
    Look("/points", "point_list", "List supply points of your nodes.", _points, told.Point,
         query=PlacePage, by="number"),
    Look("/points/{number}", "point_show", "Show a supply point with its meter and agreements.",
         _point, told.Point, versioned=True),
    Change("POST", "/points", "point add", "Add a supply point.", calling(points.add, **_CLASS),
           told.Point, body=NewPoint, status=201),
    Change("PATCH", "/points/{number}", "point edit", "Change what is named of a supply point.",
           calling(points.edit, **_CLASS), told.Point, body=ChangedPoint),
    import_of(ImportKind.POINT, "/points"),
)  # fmt: skip
PORTS: tuple[Operation, ...] = (
    Look("/ports", "port_list", "List all ports.", _ports, told.Port, query=Page, by="name",
         is_whole=True),
    Look("/ports/{name}", "port_show", "Show a port with its meters.", _port, told.Port,
         versioned=True),
    Change("POST", "/ports", "port add", "Add a port.", calling(ports.add), told.Port,
           body=NewPort, status=201),
    Change("PATCH", "/ports/{name}", "port edit", "Change a port.", calling(ports.edit), told.Port,
           body=ChangedPort),
    import_of(ImportKind.PORT, "/ports"),
)  # fmt: skip
METERS: tuple[Operation, ...] = (
    Look("/meters", "meter_list", "List meters.", _meters, told.Meter, query=MeterPage,
         by="serial"),
    Look("/meters/{serial}", "meter_show", "Show a meter and what was proved of it.", _meter,
         told.Meter, versioned=True),
    Change("POST", "/meters", "meter add", "Add a meter.", calling(meters.add), told.Meter,
           body=NewMeter, status=201),
    Change("PATCH", "/meters/{serial}", "meter edit", "Change the port or unit of a meter.",
           calling(meters.edit), told.Meter, body=ChangedMeter),
    Change("POST", "/meters/{serial}/install", "meter install",
           "Install a meter at a supply point, from now on.", calling(meters.install), told.Meter,
           body=AtPoint),
    Change("POST", "/meters/{serial}/remove", "meter remove",
           "Take a meter from its supply point.", calling(meters.remove), told.Meter,
           body=NeededReason),
    import_of(ImportKind.METER, "/meters"),
)  # fmt: skip
