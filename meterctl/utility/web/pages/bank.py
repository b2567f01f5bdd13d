"""Bank: files in and out, money without an owner, and a date from both sides (单边账)."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from meterctl.utility.errors import Invalid
from meterctl.utility.model.banking import BankLineState
from meterctl.utility.rules.bank_description import BankFileKind
from meterctl.utility.rules.typed_text import day, word
from meterctl.utility.services import (
    bank_debits,
    bank_files,
    bank_lines,
    bank_lists,
    bank_reconciliation,
    banks,
)
from meterctl.utility.store.ledger import Ledger
from meterctl.utility.web.pages.asking import Asking, Posted, new_key, see_other
from meterctl.utility.web.pages.rendering import page
from protocols.replacements import printable

router = APIRouter()
ROWS = 100
SAID = ("matched", "sent_back")


@router.get("/bank")
def show(
    request: Request,
    visitor: Asking,
    said: Annotated[str, Query(max_length=20)] = "",
    line: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Return the banks, the lines in suspense and the newest files.

    Args:
        said: what was just done with a line, one of `SAID`.
    """
    with visitor.reading() as session:
        known = banks.list_(session, visitor.actor)
        waiting = bank_lists.lines(
            session, visitor.actor, visitor.today, state=BankLineState.SUSPENSE, limit=ROWS
        )
        files = bank_lists.files(session, visitor.actor, limit=ROWS)
    return page(
        request,
        visitor,
        "bank.html",
        banks=known,
        waiting=waiting,
        files=files,
        said=said if said in SAID else "",
        line=line,
        today=visitor.today.isoformat(),
        act_key=new_key(),
    )


@router.post("/bank/in")
def load(request: Request, visitor: Asking, form: Posted) -> Response:
    """Book a file of a bank, whole or not at all, and tell what became of its lines."""
    name, content = form.files.get("file", ("", b""))
    if not content:
        raise Invalid("file", "choose a file of the bank; nothing was booked")
    bank, kind = form.text("bank"), form.optional("kind")
    wanted = None if kind is None else word(BankFileKind, kind, "kind")
    body = {"bank": bank, "sha256": sha256(content).hexdigest(), "kind": kind}
    told = visitor.ask(
        "bank in",
        body,
        lambda work: bank_files.load(
            work, bank=bank, content=content, name=printable(name), kind=wanted
        ),
        form.key,
        money=True,
    )
    values = {**told.values, "replayed": told.replayed}
    return page(request, visitor, "bank_loaded.html", told=values)


@router.post("/bank/out")
def send(visitor: Asking, form: Posted) -> Response:
    """Write the file of debits, and return the way to it."""
    bank, due = form.text("bank"), day(form.text("due"), "due")
    told = visitor.ask(
        "bank out",
        {"bank": bank, "due": due.isoformat()},
        lambda work: bank_debits.send(work, bank=bank, due=due),
        form.key,
        money=True,
    ).values
    return see_other(f"/bank/files/{told['file']}")


@router.get("/bank/files/{number}")
def file(visitor: Asking, number: str) -> Response:
    """Return a file as it came from a bank, or as it goes to it."""
    with visitor.reading() as session:
        content = bank_debits.content_of(session, visitor.actor, number)
    headers = {"Content-Disposition": f'attachment; filename="{_plain(number)}.csv"'}
    return Response(content, media_type="text/csv", headers=headers)


@router.post("/bank/lines/{line}/match")
def match(visitor: Asking, form: Posted, line: str) -> Response:
    """Give a line in suspense to its owner."""
    agreement = form.text("agreement")
    visitor.ask(
        "bank match",
        {"line": line, "agreement": agreement},
        lambda work: bank_lines.match(work, line=line, to=agreement),
        form.key,
        money=True,
    )
    return see_other("/bank", said="matched", line=line)


@router.post("/bank/lines/{line}/send-back")
def send_back(visitor: Asking, form: Posted, line: str) -> Response:
    """Send money in suspense back; of more than 500.00 another person approves it."""
    reason = form.text("reason")
    told = visitor.ask(
        "bank send-back",
        {"line": line, "reason": reason},
        lambda work: bank_lines.send_back(work, line=line, reason=reason),
        form.key,
        money=True,
    ).values
    if "task" in told:
        return see_other(f"/tasks/{told['task']}")
    return see_other("/bank", said="sent_back", line=line)


@router.get("/bank/{bank}")
def reconciliation(
    request: Request, visitor: Asking, bank: str, on: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """Return a date of a bank from both sides."""
    wanted = day(on, "date") if on else visitor.today
    with visitor.reading() as session:
        ledger = Ledger(session, visitor.now, visitor.today, visitor.actor.staff_id)
        told = bank_reconciliation.figures(
            session, visitor.actor, ledger, bank, wanted, visitor.today
        )
    return page(request, visitor, "bank_date.html", told=told, sides=SIDES, act_key=new_key())


@router.post("/bank/{bank}/reconcile")
def reconcile(visitor: Asking, form: Posted, bank: str) -> Response:
    """Open a task for what one side alone has of a date."""
    wanted = day(form.text("on"), "date")
    visitor.ask(
        "bank reconcile",
        {"bank": bank, "on": wanted.isoformat()},
        lambda work: bank_reconciliation.reconcile(work, bank=bank, on=wanted),
        form.key,
    )
    return see_other(f"/bank/{bank}", on=wanted.isoformat())


SIDES: tuple[str, ...] = ("ours_only", "banks_only", "differing", "both")


def _plain(text: str) -> Any:
    return "".join(letter for letter in text if letter.isascii() and letter.isalnum())
