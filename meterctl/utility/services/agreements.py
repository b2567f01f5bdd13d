"""Agreements and their versions: drafted, signed, provisioned, withdrawn (UTILITY 6 S3).

A version is provisioned by orders that a worker carries out and reads back; what becomes of it then
is in `store.provisioning_books`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from meterctl.utility.errors import Invalid, Refused
from meterctl.utility.model.agreement import Agreement, AgreementMode, AgreementVersion
from meterctl.utility.model.metering import Meter
from meterctl.utility.model.organisation import Organisation
from meterctl.utility.model.party import Party, SupplyPoint
from meterctl.utility.model.work import Order, OrderKind
from meterctl.utility.rules.numbering import agreement_number
from meterctl.utility.rules.papers import DocumentKind, Paper
from meterctl.utility.rules.rights import Action
from meterctl.utility.rules.selling import require_served
from meterctl.utility.rules.terms import (
    Terms,
    limits_of,
    missing_to_sign,
    shown_terms,
    terms_of_json,
)
from meterctl.utility.rules.transitions import (
    VERSION,
    AgreementState,
    VersionEvent,
    VersionState,
    after,
)
from meterctl.utility.services import documents
from meterctl.utility.services.orders import add_order
from meterctl.utility.store.comparison_books import READ_SETTINGS
from meterctl.utility.store.provisioning_books import ATTEMPT
from meterctl.utility.store.queries.agreements import (
    agreements_with_prefix,
    find_agreement,
    live_agreement,
    node_of,
    unfinished_version,
    versions_of,
)
from meterctl.utility.store.queries.organisation import station_of
from meterctl.utility.store.queries.points import find_party, find_point, meter_at_point
from meterctl.utility.store.queries.readings import newest
from meterctl.utility.store.unit_of_work import UnitOfWork


def draft(
    work: UnitOfWork,
    *,
    customer: str,
    point: str,
    mode: AgreementMode,
    terms: Mapping[str, Any],
    effective_on: date | None = None,
) -> dict[str, Any]:
    """Draft an agreement with a customer about a supply point, or the next version of theirs.

    A version that is a draft already gets the new terms.

    Args:
        customer: the customer's number.
        point: number of the supply point.
        mode: where the credit is kept; it stays for the life of the agreement.
        terms: JSON of `rules.terms`.
        effective_on: from when it is meant to hold; today by default.

    Raises:
        NotFound: no such customer or point.
        Refused: the point has an agreement of another customer or mode, or a version that is signed
            or being provisioned.
        Invalid: terms that no meter takes, or that the mode does not allow.
    """
    party = find_party(work.session, customer)
    place = find_point(work.session, point)
    work.lock(
        Organisation, _station(work, place).id
    )  # so that numbers of agreements are drawn once
    work.lock(SupplyPoint, place.id)
    work.require(Action.AGREEMENT_DRAFT, place.node_id)
    agreed = checked_terms(terms, mode)
    agreement = live_agreement(work.session, place.id)
    if agreement is None:
        agreement = add_agreement(work, party, place, mode)
    else:
        agreement = work.lock(Agreement, agreement.id)
        _require_same(work, agreement, party, mode)
    version = unfinished_version(work.session, agreement.id)
    if version is None:
        version = add_version(work, agreement, agreed, effective_on or work.today)
    elif version.state is VersionState.DRAFT:
        _change(work, version, agreed, effective_on)
    else:
        raise Refused(
            "version_under_way",
            f"{agreement.number} has version {version.n} in state {version.state}: withdraw it "
            f"first, or wait for its meter; nothing was changed",
        )
    return answer(work, agreement, version)


def sign(
    work: UnitOfWork, *, agreement: str, name: str, copy: Paper | None = None
) -> dict[str, Any]:
    """Write down that the customer signed the draft as it was printed.

    Args:
        agreement: its number.
        name: as it was signed.
        copy: the signed paper, which is kept as a document.

    Raises:
        Refused: there is no draft, or it was not printed as it is now with its user notice (须知).
        Invalid: no name, or terms that are needed to sign are missing.
    """
    found, version = _version(work, agreement, Action.AGREEMENT_SIGN)
    if not name.strip():
        raise Invalid("name", "who signed has a name; nothing was changed")
    in_meter = is_in_meter(found)
    agreed = terms_of_json(version.terms)
    if missing := missing_to_sign(agreed, in_meter=in_meter):
        raise Invalid(
            "terms_missing",
            f"{agreement}: {', '.join(missing)} must be agreed before it is signed: draft it again "
            f"with --terms FILE.toml; nothing was changed",
        )
    if version.state is VersionState.DRAFT and version.print_sha256 is None:
        raise Refused(
            "not_printed",
            f"{agreement}: version {version.n} was not printed with its user notice: `desk "
            f"agreement print {agreement}` comes before the signature; nothing was changed",
        )
    _move(work, version, VersionEvent.SIGN, Action.AGREEMENT_SIGN)
    version.signed_at, version.signed_by = work.now, name.strip()
    work.session.flush()
    told = answer(work, found, version)
    if copy is not None:
        kept = documents.keep(work, found, DocumentKind.SIGNED_AGREEMENT, copy)
        told["document"] = documents.document_number(kept)
    return told


def withdraw(work: UnitOfWork, *, agreement: str, reason: str = "") -> dict[str, Any]:
    """Withdraw a version that is a draft or signed.

    Raises:
        Refused: there is none, or its orders are under way.
    """
    found, version = _version(work, agreement, Action.AGREEMENT_DRAFT)
    _move(work, version, VersionEvent.WITHDRAW, Action.AGREEMENT_DRAFT, reason)
    work.session.flush()
    return answer(work, found, version)


def provision(work: UnitOfWork, *, agreement: str, opened: bool = False) -> dict[str, Any]:
    """Bring a signed version to its meter by orders; each is read back.

    In mode `meter` the account is opened by the first sale, or at once with 0.00 if `opened`. In
    the other modes it stays unopened, and the meter supplies.

    Raises:
        Refused: no version is signed, no meter is installed, it has no wire, or it is stopped.
    """
    found, version = _version(work, agreement, Action.AGREEMENT_PROVISION)
    meter = served_meter(work, found)
    in_meter = is_in_meter(found)
    if opened and not in_meter:
        raise Refused(
            "stays_unopened",
            f"{agreement} has mode {found.mode}: its meter stays unopened; nothing was changed",
        )
    _move(work, version, VersionEvent.PROVISION, Action.AGREEMENT_PROVISION)
    agreed = terms_of_json(version.terms)
    attempt = _attempts(work, version) + 1
    orders: list[tuple[OrderKind, dict[str, Any]]] = []
    if found.state is AgreementState.NEW:
        orders.append((OrderKind.READ, {}))
    orders.append((OrderKind.LIMITS, {"settings": settings_of(agreed, in_meter=in_meter)}))
    if agreed.tariff_text is not None:
        orders.append((OrderKind.TARIFF, {"tariff": agreed.tariff, "text": agreed.tariff_text}))
    if opened and not _is_opened(work, meter):
        point = work.session.get_one(SupplyPoint, found.point_id)
        orders.append((OrderKind.OPEN, {"amount": 0, "customer": point.number}))
    made = [
        add_order(
            work,
            f"version-{version.id}-{attempt}-{kind}",
            kind,
            meter,
            found,
            {**parameters, ATTEMPT: attempt},
            version,
        )
        for kind, parameters in orders
    ]
    return {**answer(work, found, version), "orders": [f"O{order.id}" for order in made]}


def compare(work: UnitOfWork, *, agreement: str) -> dict[str, Any]:
    """Order a reading of what the meter is set to, to be compared with the version in force.

    Raises:
        Refused: no meter is installed, or it has no wire.
    """
    found = find_agreement(work.session, agreement)
    work.require(Action.AGREEMENT_COMPARE, node_of(work.session, found))
    work.lock(Agreement, found.id)
    meter = served_meter(work, found)
    parameters = dict(READ_SETTINGS)
    order = add_order(work, f"terms/{work.key}", OrderKind.READ, meter, found, parameters)
    return {"agreement": found.number, "meter": meter.serial, "order": f"O{order.id}"}


def checked_terms(terms: Mapping[str, Any], mode: AgreementMode) -> Terms:
    """Return terms that a mode allows; raises Invalid."""
    agreed = terms_of_json(terms)
    if mode is not AgreementMode.METER and agreed.unopened_supply != "connected":
        raise Invalid(
            "terms",
            f"in mode {mode} the meter's account stays unopened: unopened_supply = connected, or "
            f"the customer has no supply; nothing was changed",
        )
    return agreed


def is_in_meter(agreement: Agreement) -> bool:
    """Return whether the credit of an agreement is kept in its meter."""
    return agreement.mode is AgreementMode.METER


def settings_of(terms: Terms, *, in_meter: bool) -> dict[str, str]:
    """Return the settings that a version brings to its meter, name and text of each."""
    wanted = limits_of(terms, in_meter=in_meter)
    return {item.name: item.kind.text(value) for item, value in wanted.items()}


def add_agreement(
    work: UnitOfWork, party: Party, point: SupplyPoint, mode: AgreementMode
) -> Agreement:
    """Write a new agreement with its number; the point and its station are locked."""
    station = _station(work, point)
    prefix = agreement_number(station.code, work.today.year, 0).rpartition("-")[0] + "-"
    serial = agreements_with_prefix(work.session, prefix) + 1
    agreement = work.add(
        Agreement(
            number=agreement_number(station.code, work.today.year, serial),
            party_id=party.id,
            point_id=point.id,
            mode=mode,
            state=AgreementState.NEW,
        )
    )
    told = {"number": agreement.number, "party": party.number, "point": point.number, "mode": mode}
    work.audit(Action.AGREEMENT_DRAFT, agreement, None, told)
    return agreement


def add_version(
    work: UnitOfWork, agreement: Agreement, terms: Terms, effective_on: date
) -> AgreementVersion:
    """Write the next version of an agreement, a draft."""
    last = work.session.scalars(
        select(func.max(AgreementVersion.n)).where(AgreementVersion.agreement_id == agreement.id)
    ).one()
    version = work.add(
        AgreementVersion(
            agreement_id=agreement.id,
            n=(last or 0) + 1,
            state=VersionState.DRAFT,
            effective_on=effective_on,
            terms=terms.model_dump(),
            signed_at=None,
            signed_by=None,
            print_sha256=None,
            cause="",
        )
    )
    work.audit(Action.AGREEMENT_DRAFT, version, None, {"n": version.n, "terms": version.terms})
    return version


def standing(session: Session, number: str) -> dict[str, Any]:
    """Return how an agreement and its newest version stand."""
    agreement = find_agreement(session, number)
    return _told(session, agreement, versions_of(session, agreement.id)[-1])


def answer(work: UnitOfWork, agreement: Agreement, version: AgreementVersion) -> dict[str, Any]:
    """Return what is told of a version."""
    return _told(work.session, agreement, version)


def _told(session: Session, agreement: Agreement, version: AgreementVersion) -> dict[str, Any]:
    party = session.get_one(Party, agreement.party_id)
    point = session.get_one(SupplyPoint, agreement.point_id)
    return {
        "agreement": agreement.number,
        "party": party.number,
        "point": point.number,
        "mode": agreement.mode.value,
        "state": agreement.state.value,
        "version": version_values(version),
    }


def version_values(version: AgreementVersion) -> dict[str, Any]:
    """Return the fields of a version, JSON values; its terms are texts by name."""
    return {
        "n": version.n,
        "state": version.state.value,
        "effective_on": version.effective_on.isoformat(),
        "terms": dict(shown_terms(terms_of_json(version.terms))),
        "signed_at": version.signed_at,
        "signed_by": version.signed_by,
        "print_sha256": version.print_sha256,
        "cause": version.cause,
    }


def _station(work: UnitOfWork, point: SupplyPoint) -> Organisation:
    """Return the station of a point, whose code begins the numbers of its agreements."""
    node = work.session.get_one(Organisation, point.node_id)
    return station_of(work.session, node) or node


def _version(work: UnitOfWork, number: str, action: Action) -> tuple[Agreement, AgreementVersion]:
    """Return an agreement, locked, and its version that is not active yet; raises Refused."""
    found = find_agreement(work.session, number)
    work.require(action, node_of(work.session, found))
    agreement = work.lock(Agreement, found.id)
    version = unfinished_version(work.session, agreement.id)
    if version is None:
        raise Refused(
            "no_version", f"{number} has no version that is not in force yet; nothing was changed"
        )
    return agreement, version


def _require_same(
    work: UnitOfWork, agreement: Agreement, party: Party, mode: AgreementMode
) -> None:
    """Refuse a draft that would change the customer or the mode of an agreement."""
    if agreement.party_id != party.id:
        other = work.session.get_one(Party, agreement.party_id)
        raise Refused(
            "another_customer",
            f"{agreement.number} is with customer {other.number}; nothing was changed",
        )
    if agreement.mode is not mode:
        raise Refused(
            "another_mode",
            f"{agreement.number} has mode {agreement.mode}, which stays; nothing was changed",
        )


def _change(
    work: UnitOfWork, version: AgreementVersion, terms: Terms, effective_on: date | None
) -> None:
    before = {"terms": version.terms, "effective_on": version.effective_on.isoformat()}
    version.terms, version.cause = terms.model_dump(), ""
    version.effective_on = effective_on or version.effective_on
    told = {"terms": version.terms, "effective_on": version.effective_on.isoformat()}
    if told != before:
        version.print_sha256 = None  # what is signed is printed as it is
    work.session.flush()
    work.audit(Action.AGREEMENT_DRAFT, version, before, told)


def _move(
    work: UnitOfWork,
    version: AgreementVersion,
    event: VersionEvent,
    action: Action,
    reason: str = "",
) -> None:
    before = version.state
    version.state = after(VERSION, version.state, event)
    work.audit(action, version, {"state": before}, {"state": version.state}, reason)


def served_meter(work: UnitOfWork, agreement: Agreement) -> Meter:
    """Return the meter of an agreement's point; raises Refused where no order can reach it."""
    meter = meter_at_point(work.session, agreement.point_id)
    if meter is None:
        raise Refused(
            "no_meter", f"{agreement.number}: no meter is installed there; nothing was changed"
        )
    if meter.port_id is None:
        raise Refused(
            "no_wire",
            f"meter {meter.serial} has no wire: it needs a visit with a reader on its port; "
            f"nothing was changed",
        )
    require_served(meter.serial, meter.stopped, "nothing was changed")
    return meter


def _attempts(work: UnitOfWork, version: AgreementVersion) -> int:
    """Return how often orders of a version were made."""
    parameters = work.session.scalars(
        select(Order.parameters).where(Order.agreement_version_id == version.id)
    )
    return max((each[ATTEMPT] for each in parameters), default=0)


def _is_opened(work: UnitOfWork, meter: Meter) -> bool:
    """Return whether the meter's account is open, as it was read last."""
    reading = newest(work.session, meter.id)
    return reading is not None and reading.more.get("account_state") == "open"
