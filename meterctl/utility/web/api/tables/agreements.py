"""Agreements with their versions, and what is taken over of older books."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from pydantic import Field

from meterctl.utility.errors import Invalid, NotFound, Refused
from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.rules.takeover_file import parse_takeover
from meterctl.utility.rules.terms import json_of_terms, terms_of_texts
from meterctl.utility.rules.transitions import AgreementState
from meterctl.utility.services import agreement_lists, agreements, comparison, takeover
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.store.unit_of_work import Answer, UnitOfWork
from meterctl.utility.web.api.answers import agreements as told
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
    act_and_begin,
    calling,
)
from meterctl.utility.web.api.tables.imports import digest_of
from meterctl.utility.web.api.values import FileText, Flag, Name, Text

Terms = dict[Name, Text | Flag | int | None]
"""Terms by the names of a file of terms, with their texts: "max_credit": "300.00"."""


class Draft(Asked):
    """An agreement, or the next version of the one that the customer has at the point."""

    customer: Name
    point: Name
    mode: AgreementMode = AgreementMode.METER
    terms: Terms = Field(default={}, max_length=100)
    effective_on: date | None = None


class Signed(Asked):
    """The name of the customer, as signed."""

    name: Name


class Provision(Asked):
    """Whether the meter's account is opened with 0.00; else the first sale opens it."""

    opened: Flag = False


class Everywhere(Asked):
    """The agreements in force at a node and below; without one, of all your nodes."""

    node: Name | None = None


class AgreementPage(Page):
    """Agreements at a node and below, in a state, of a mode."""

    node: Name | None = None
    state: AgreementState | None = None
    mode: AgreementMode | None = None


class TakeoverFile(Asked):
    """A file that is taken over, and the terms that its rows name, each by its name."""

    csv: FileText
    terms: dict[Name, Terms] = Field(default={}, max_length=1_000)


class TakeoverApproval(Asked):
    """`unread`: also the meters that were not read, unseen."""

    unread: Flag = False


def _draft(call: Call) -> Answer:
    """Draft an agreement; its terms are asked as they are stored."""
    in_meter = call.values["mode"] is AgreementMode.METER
    terms = _terms(call.values["terms"], in_meter=in_meter)
    asked, values = {**call.asked, "terms": terms}, {**call.values, "terms": terms}
    return replace(call, asked=asked, values=values).ask()


def _terms(texts: Values, *, in_meter: bool) -> dict[str, Any]:
    if texts.get("tariff") is not None:
        raise Invalid(
            "terms", "terms: a tariff is a file: `desk agreement draft --terms` has it; nothing "
            "was changed"
        )  # fmt: skip
    given = {name: text for name, text in texts.items() if text is not None}
    return json_of_terms(terms_of_texts(given, in_meter=in_meter))


def _provision(call: Call) -> Answer:
    answer = act_and_begin(call)
    if call.dry_run:
        return answer
    with call.visitor.reading() as session:
        now = agreements.standing(session, call.asked["agreement"])
    return Answer({**answer.values, **now}, answer.replayed)


def _compare(call: Call) -> Answer:
    answer = act_and_begin(call)
    if call.dry_run:
        return answer
    compared = None
    with call.visitor.reading() as session:
        try:
            number = int(answer.values["order"][1:])
            compared = agreement_lists.compared(session, call.visitor.actor, number)
        except Refused:
            compared = None  # its meter was not read yet
    return Answer({**answer.values, "compared": compared}, answer.replayed)


def _write_terms(call: Call) -> Answer:
    answer = act_and_begin(call)
    if call.dry_run:
        return answer
    with call.visitor.reading() as session:
        now = comparison.written(session, answer.values["order"])
    return Answer({**answer.values, **now}, answer.replayed)


def _agreements(found: Looked) -> list[Values]:
    q, actor = found.query, found.visitor.actor
    return agreement_lists.list_(
        found.session, actor, q.node, q.state, q.mode, q.limit + 1, q.after
    )


def _agreement(found: Looked) -> Values:
    visitor = found.visitor
    ledger = Ledger(found.session, visitor.now, visitor.today, visitor.actor.staff_id)
    return agreement_lists.show(found.session, visitor.actor, ledger, found.path["agreement"])


def _takeover(found: Looked) -> Values:
    return takeover.progress(found.session, found.visitor.actor, found.path["sha256"])


def _propose(call: Call) -> Answer:
    """Propose a file, which its hash names."""
    digest = digest_of(call.values["csv"])
    rows = parse_takeover(call.values["csv"])
    terms = {}
    for row in rows:
        if row.terms:
            if row.terms not in call.values["terms"]:
                raise Invalid("terms", f"terms {row.terms!r} are named by a row and not given; "
                              "nothing was changed")  # fmt: skip
            in_meter = row.cells["mode"] in ("", AgreementMode.METER.value)
            terms[row.terms] = _terms(call.values["terms"][row.terms], in_meter=in_meter)
    values = {"rows": rows, "sha256": digest, "terms": terms}
    answer = replace(call, asked={"sha256": digest}, values=values).ask()
    return Answer({**answer.values, "sha256": digest}, answer.replayed)


def _approve(work: UnitOfWork, values: Values) -> dict[str, Any]:
    task = takeover.find_proposal(work.session, values["sha256"])
    if task is None:
        raise NotFound("no_proposal", "this file was not proposed yet; nothing was changed")
    return takeover.approve(work, task=f"T{task.id}", unread=values["unread"])


AGREEMENTS: tuple[Operation, ...] = (
    Look("/agreements", "agreement_list", "List the agreements at your nodes, by number.",
         _agreements, told.AgreementRow, query=AgreementPage, by="agreement"),
    Look("/agreements/{agreement}", "agreement_show",
         "Show an agreement with its versions, its balances and its open bills.", _agreement,
         told.Agreement),
    Change("POST", "/agreements", "agreement draft",
           "Draft an agreement, or the next version of one.", calling(agreements.draft),
           told.AgreementVersion, body=Draft, status=201, run=_draft),
    Change("POST", "/agreements/{agreement}/sign", "agreement sign",
           "Write down that the customer has signed the draft.", calling(agreements.sign),
           told.AgreementVersion, body=Signed),
    Change("POST", "/agreements/{agreement}/withdraw", "agreement withdraw",
           "Withdraw a version that is a draft or signed.", calling(agreements.withdraw),
           told.AgreementVersion, body=Reason),
    Change("POST", "/agreements/{agreement}/provision", "agreement provision",
           "Bring the signed version to its meter, and read it back.",
           calling(agreements.provision), told.Provisioned, body=Provision, run=_provision),
    Change("POST", "/agreements/{agreement}/compare", "agreement compare",
           "Read what the meter is set to, beside the terms in force.",
           calling(agreements.compare), told.OrderedComparison, run=_compare),
    Change("POST", "/agreements/{agreement}/write-terms", "agreement write-terms",
           "Set the meter to the terms in force again, and read them back.",
           calling(comparison.write_terms), told.WrittenTerms, run=_write_terms),
    Change("POST", "/comparisons", "agreement compare --all",
           "Order the comparison of every agreement in force.", calling(comparison.compare_all),
           told.OrderedComparisons, body=Everywhere),
)  # fmt: skip
TAKEOVERS: tuple[Operation, ...] = (
    Look("/takeovers/{sha256}", "takeover_show", "Show how far a file is.", _takeover,
         told.Takeover),
    Change("POST", "/takeovers", "takeover", "Propose to take over what a file names.",
           calling(takeover.propose_file), told.TakeoverProposal, body=TakeoverFile, status=201,
           run=_propose),
    Change("POST", "/takeovers/{sha256}/approve", "takeover approve",
           "Approve what another person proposed with a file.", _approve, told.TakeoverApproved,
           body=TakeoverApproval),
    Change("POST", "/takeovers/{sha256}/again", "takeover again",
           "Read the meters again that could not be taken over.", calling(takeover.read_again),
           told.TakeoverProposal),
)  # fmt: skip
