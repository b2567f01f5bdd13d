"""Ports on which meters answer, and card readers of vending points."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Conflict, Invalid
from meterctl.utility.model.metering import Meter, Port
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.rules.rights import Action
from meterctl.utility.services.inserting import insert
from meterctl.utility.store.queries.organisation import find_node
from meterctl.utility.store.queries.points import find_port, meter_node
from meterctl.utility.store.rights import (
    is_around,
    is_within,
    require_anywhere,
    require_around,
)
from meterctl.utility.store.unit_of_work import Actor, UnitOfWork

CARD_READER = "card"
"""The protocol of a card reader."""
DEFAULT_PROTOCOL = "modbus"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_PROTOCOL = re.compile(r"[a-z0-9][a-z0-9._/@-]{0,79}")
_TCP_WITHOUT_SCHEME = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")
_BAUD = re.compile(r"[?&]baud=([0-9]{1,7})(?:&|$)")
_DEFAULT_BAUD = 9600
_SEE_DEVICES = (Action.PORT_EDIT, Action.METER_EDIT, Action.READING_TAKE, Action.AUDIT_READ)
"""Who has one of these at a port's node sees its device or address."""


def add(
    work: UnitOfWork, *, name: str, node: str, url: str, protocol: str = DEFAULT_PROTOCOL
) -> dict[str, Any]:
    """Add a port.

    Args:
        url: a device or an address, as meterctl's `--port` takes it; of a reader as `--card` does.
        protocol: meterctl's word of the driver, and of the map behind a slash; `card` for a
            reader.

    Raises:
        Conflict: the name is in use, or another port has this device or address.
        Invalid: a value is not one.
    """
    place = find_node(work.session, node)
    work.require(Action.PORT_EDIT, place.id)
    if not _NAME.fullmatch(name):
        raise Invalid(
            "port_name", f"{name!r}: a name has at most 40 letters and digits; nothing was changed"
        )
    _check(work, url, protocol, own=None)
    port = insert(
        work,
        Port(
            node_id=place.id,
            name=name,
            url=url.strip(),
            protocol=protocol,
            baud=_baud_of(url),
            lease_holder=None,
            lease_until=None,
        ),
        f"port {name}",
    )
    work.audit(Action.PORT_EDIT, port, None, values(port, place.code))
    return values(port, place.code)


def edit(
    work: UnitOfWork,
    *,
    name: str,
    version: int,
    url: str | None = None,
    protocol: str | None = None,
) -> dict[str, Any]:
    """Change a port; what is None stays. A worker that has it goes on with it until its lease ends.

    Raises:
        Stale: it has another version than the one that was seen.
        Conflict, Invalid: as `add`.
    """
    found = find_port(work.session, name)
    work.require(Action.PORT_EDIT, found.node_id)
    port = work.lock(Port, found.id, version)
    node = work.session.get_one(Organisation, port.node_id).code
    before = values(port, node)
    port.url = port.url if url is None else url.strip()
    port.protocol = port.protocol if protocol is None else protocol
    _check(work, port.url, port.protocol, own=port)
    port.baud = _baud_of(port.url)
    port.version += 1
    work.audit(Action.PORT_EDIT, port, before, values(port, node))
    return values(port, node)


def show(session: Session, actor: Actor, name: str) -> dict[str, Any]:
    """Return a port with the meters on it that the person may see.

    Raises:
        NotFound: there is no such port.
        NotPermitted: it is at none of the person's nodes, nor below or above one.
    """
    port = find_port(session, name)
    require_around(session, actor, Action.ORGANISATION_READ, port.node_id)
    node = session.get_one(Organisation, port.node_id)
    meters = session.scalars(
        select(Meter.serial)
        .join(Organisation, Organisation.id == meter_node())
        .where(Meter.port_id == port.id, is_within(actor, Action.ORGANISATION_READ))
        .order_by(Meter.serial)
    )
    return {**_seen(actor, port, node), "meters": list(meters)}


def list_(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Return the ports at the person's nodes, below and above them, by name."""
    require_anywhere(actor, Action.ORGANISATION_READ)
    rows = session.execute(
        select(Port, Organisation)
        .join(Organisation, Organisation.id == Port.node_id)
        .where(is_around(actor, Action.ORGANISATION_READ))
        .order_by(Port.name)
    )
    return [_seen(actor, port, node) for port, node in rows]


def values(port: Port, node: str) -> dict[str, Any]:
    """Return a port's values."""
    return {
        "name": port.name,
        "node": node,
        "url": port.url,
        "protocol": port.protocol,
        "baud": port.baud,
        "version": port.version,
    }


def _seen(actor: Actor, port: Port, node: Organisation) -> dict[str, Any]:
    """Return a port's values; its device or address for those alone who serve it or audit."""
    is_shown = any(actor.may(action, node.path) for action in _SEE_DEVICES)
    return {**values(port, node.code), **({} if is_shown else {"url": None})}


def _baud_of(url: str) -> int:
    """Return the speed that the address of a serial port names, as meterctl reads it."""
    named = _BAUD.search(url)
    return int(named[1]) if named else _DEFAULT_BAUD


def _check(work: UnitOfWork, url: str, protocol: str, own: Port | None) -> None:
    """Refuse values that a port may not have; raises Invalid, Conflict."""
    if not url.strip():
        raise Invalid("url", "a port needs a device or an address; nothing was changed")
    if not _PROTOCOL.fullmatch(protocol):
        raise Invalid("protocol", f"{protocol!r} is no protocol; nothing was changed")
    if protocol != CARD_READER and _TCP_WITHOUT_SCHEME.fullmatch(url.strip()):
        raise Invalid("url", f"{url!r}: a TCP address begins with tcp://; nothing was changed")
    with work.session.no_autoflush:
        other = work.session.scalars(select(Port).where(Port.url == url.strip())).first()
    if other is not None and other is not own:
        raise Conflict("url", f"port {other.name} has {url.strip()} already; nothing was changed")
