"""Documents: kept once by their hash, given to those who may, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from meterctl.utility.errors import Invalid, NotFound, NotPermitted, Refused
from meterctl.utility.model.evidence import Audit, Document, DocumentContent
from meterctl.utility.rules.papers import DocumentKind, Paper
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import agreements, documents
from meterctl.utility.services.printed_agreement.printing import print_agreement
from meterctl.utility.store.checks.papers import documents_kept
from meterctl.utility.store.checks.people import all_audited
from meterctl.utility.store.unit_of_work import Actor, Grant
from tests.support.desk_agreements import Office, desk_of
from tests.support.desk_databases import ENGINES
from tests.support.desk_days import without_triggers
from tests.support.desk_world import NOON

SIGNED = Paper("signed.pdf", b"%PDF-1.7 signed")
KIND = DocumentKind.SIGNED_AGREEMENT
on_each_engine = pytest.mark.parametrize("office", ENGINES, indirect=True)


@pytest.fixture
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """The office, on SQLite where a test names no engine."""
    with desk_of(request) as database:
        yield Office.of(database)


def count(office: Office, table: type) -> int:
    with office.desk.reading() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


@on_each_engine
def test_a_document_is_kept_once_for_an_agreement(office: Office) -> None:
    number = office.draft()["agreement"]
    told = office.act(documents.add, of=number, kind=KIND, paper=SIGNED)
    assert told == {
        "document": "D1", "agreement": number, "kind": "signed_agreement", "name": "signed.pdf",
        "media_type": "application/pdf", "size": 15, "added_at": NOON, "staff": "c1",
        "sha256": sha256(SIGNED.content).hexdigest(),
    }  # fmt: skip
    renamed = Paper("again.pdf", SIGNED.content)
    assert office.act(documents.add, of=number, kind=KIND, paper=renamed) == told
    other = office.act(documents.add, of=number, kind=DocumentKind.OTHER, paper=renamed)
    assert (other["document"], other["name"]) == ("D2", "again.pdf")
    assert (count(office, Document), count(office, DocumentContent)) == (2, 1)
    with office.desk.reading() as session:
        assert documents.content_of(session, office.clerk, "D1") == SIGNED.content
        listed = documents.list_(session, office.clerk, number)
        assert [row["document"] for row in listed] == ["D2", "D1"]
        assert documents_kept(session).broken == 0
        unaudited = {each.subject for each in all_audited(session).violations}
    assert not {subject for subject in unaudited if subject.startswith("document")}


def test_the_audit_has_who_added_and_who_got_a_document(office: Office) -> None:
    number = office.draft()["agreement"]
    office.act(documents.add, of=number, kind=KIND, paper=SIGNED)
    office.act(documents.give, document="d1")
    with office.desk.reading() as session:
        audits = session.scalars(select(Audit.action).where(Audit.subject == "document/1"))
        assert list(audits) == ["document_add", "document_read"]


def test_documents_are_for_those_of_the_node(office: Office) -> None:
    number = office.draft()["agreement"]
    office.act(documents.add, of=number, kind=KIND, paper=SIGNED)
    beside = Actor(office.clerk.staff_id, "x", (Grant(Role.CLERK, "/1/999/"),))
    for by in (office.world.vendor, beside):
        with pytest.raises(NotPermitted):
            office.act(documents.add, by=by, of=number, kind=KIND, paper=SIGNED)
        with pytest.raises(NotPermitted):
            office.act(documents.give, by=by, document="D1")
        with office.desk.reading() as session:
            with pytest.raises(NotPermitted):
                documents.content_of(session, by, "D1")
            with pytest.raises(NotPermitted):
                documents.list_(session, by, number)


@pytest.mark.parametrize("named", ["D2", "D", "x", "D" + "9" * 30, "1 OR 1=1"])
def test_a_document_that_is_not_there_is_named(office: Office, named: str) -> None:
    with pytest.raises(NotFound, match="there is no document"):
        office.act(documents.give, document=named)


def test_what_the_desk_prints_is_not_added_by_hand(office: Office) -> None:
    number = office.draft()["agreement"]
    with pytest.raises(Invalid, match="printed_agreement is kept when it is printed"):
        office.act(documents.add, of=number, kind=DocumentKind.PRINTED_AGREEMENT, paper=SIGNED)


@on_each_engine
def test_documents_and_contents_are_never_changed(office: Office) -> None:
    number = office.draft()["agreement"]
    office.act(documents.add, of=number, kind=KIND, paper=SIGNED)
    for statement in (
        "UPDATE document SET name = 'x'", "DELETE FROM document",
        "UPDATE document_content SET content = ''", "DELETE FROM document_content",
    ):  # fmt: skip
        with pytest.raises(DBAPIError), office.desk.engine.begin() as connection:
            connection.execute(text(statement))
    assert (count(office, Document), count(office, DocumentContent)) == (1, 1)


@on_each_engine
@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE document_content SET content = {changed}", 2),
        ("DELETE FROM document_content", 1),
        ("UPDATE document SET sha256 = 'none'", 1),
    ],
)
def test_the_check_finds_a_content_that_was_changed(
    office: Office, statement: str, broken: int
) -> None:
    number = office.draft()["agreement"]
    office.act(documents.add, of=number, kind=KIND, paper=SIGNED)
    on_sqlite = office.desk.engine.dialect.name == "sqlite"
    changed = "CAST('forged' AS BLOB)" if on_sqlite else "CAST('forged' AS BYTEA)"
    without_triggers(office.desk)
    with office.desk.engine.begin() as connection:
        connection.execute(text(statement.format(changed=changed)))
    with office.desk.reading() as session:
        assert documents_kept(session).broken == broken
        with pytest.raises(Refused, match="not what was added"):
            documents.content_of(session, office.clerk, "D1")


@on_each_engine
def test_the_signed_copy_is_kept_with_the_signature_or_neither(office: Office) -> None:
    number = office.draft()["agreement"]
    with pytest.raises(Refused, match="not printed"):
        office.act(agreements.sign, agreement=number, name="A", copy=SIGNED)
    assert count(office, Document) == 0
    told = office.sign(number, copy=SIGNED)
    with office.desk.reading() as session:
        kept = {row["document"]: row for row in documents.list_(session, office.clerk, number)}
    assert kept[told["document"]]["kind"] == "signed_agreement"
    assert {row["kind"] for row in kept.values()} == {"signed_agreement", "printed_agreement"}


def test_the_same_paper_of_two_agreements_has_one_content(office: Office) -> None:
    number = office.draft()["agreement"]
    office.act(documents.add, of=number, kind=KIND, paper=SIGNED)
    office.act(documents.add, of="A1", kind=KIND, paper=SIGNED)
    assert (count(office, Document), count(office, DocumentContent)) == (2, 1)


def test_a_page_that_was_printed_is_a_document(office: Office) -> None:
    number = office.draft()["agreement"]
    told = office.act(print_agreement, agreement=number)
    with office.desk.reading() as session:
        content = documents.content_of(session, office.clerk, told["document"])
    assert sha256(content).hexdigest() == told["sha256"] == told["print_sha256"]
