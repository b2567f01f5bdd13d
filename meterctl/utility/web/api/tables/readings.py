"""Readings on demand, what they found, and what is done where they do not fit the books."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from meterctl.utility.services import epoch_ends, explanations, findings, readings
from meterctl.utility.store.findings import FindingRule
from meterctl.utility.store.unit_of_work import Answer
from meterctl.utility.web.api.answers import agreements as told
from meterctl.utility.web.api.operations import (
    Asked,
    Call,
    Change,
    Look,
    Looked,
    Operation,
    Page,
    Values,
    act_and_begin,
    calling,
)
from meterctl.utility.web.api.values import AmountOrZeroIn, Name


class Of(Asked):
    """A meter by its serial number, or that of an agreement by its number."""

    of: Name


BankAccount = Annotated[int, Strict(), Field(ge=0, le=2**31 - 1)]


class Explained(Of):
    """Where credit came from; `bank`: an agent sold it, and pays it into this one."""

    reason: Name
    bank: BankAccount | None = None


class Estimated(Of):
    """What was consumed since the last reading, and what was found there."""

    estimate: AmountOrZeroIn
    reason: Name


class FindingPage(Page):
    """Findings at a node and below; `all` those that are not open any more, too."""

    node: Name | None = None
    rule: FindingRule | None = None
    all_: bool = Field(False, alias="all")


def _take(call: Call) -> Answer:
    answer = act_and_begin(call)
    if call.dry_run:
        return answer
    with call.visitor.reading() as session:
        now = readings.taken(session, answer.values["order"])
    return Answer({**answer.values, **now}, answer.replayed)


def _readings(found: Looked) -> list[Values]:
    q, actor = found.query, found.visitor.actor
    return readings.show(found.session, actor, found.path["of"], q.limit + 1, after=q.after)


def _findings(found: Looked) -> list[Values]:
    q = found.query
    return findings.list_(
        found.session, found.visitor.actor, node=q.node, rule=q.rule, ended=q.all_, after=q.after,
        limit=q.limit + 1,
    )  # fmt: skip


READINGS: tuple[Operation, ...] = (
    Look("/readings/{of}", "reading_show",
         "List the readings of a meter, by its number or its agreement's, the newest first.",
         _readings, told.Reading, query=Page, by="reading"),
    Change("POST", "/readings", "reading take", "Read a meter now.", calling(readings.take),
           told.OrderedReading, body=Of, status=201, run=_take),
    Change("POST", "/readings/explain", "reading explain",
           "Propose how credit is booked that no sale of ours explains.",
           calling(explanations.explain, of="meter"), told.MeterProposal, body=Explained,
           money=True, status=201),
    Change("POST", "/readings/end-epoch", "reading end-epoch",
           "Propose to end the books of a meter whose storage is lost.",
           calling(epoch_ends.end_epoch, of="meter"), told.MeterProposal, body=Estimated,
           money=True, status=201),
    Change("POST", "/readings/set-back", "reading set-back",
           "Propose to go on with a meter whose storage was set back.",
           calling(epoch_ends.serve_set_back, of="meter"), told.MeterProposal, body=Estimated,
           money=True, status=201),
    Look("/findings", "finding_list", "List the findings at your nodes, the newest first.",
         _findings, told.Finding, query=FindingPage, by="finding"),
)  # fmt: skip
