"""desk check."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from meterctl.cli.desk.desk_gateway import journal_of
from meterctl.cli.desk.desk_options import desk_options
from meterctl.cli.desk.desk_output import text_json
from meterctl.cli.desk.signed_in import SignedIn, signed_in
from meterctl.cli.output import emit, print_json, print_table, say
from meterctl.errors import RefusedError
from meterctl.utility.meters.gateway import FoundJournal, JournalWord, Outcome, reading_journal
from meterctl.utility.services.checks import check as proved
from meterctl.utility.services.checks import keep
from meterctl.utility.store.checks.meters import Find, KeyProof, ProofWord
from meterctl.utility.store.checks.outcome import Checked
from meterctl.utility.store.queries.orders import workers
from meterctl.utility.store.unit_of_work import repeated, unit_of_work
from protocols.command_line import Context, Exit, Program
from protocols.command_line.tables import Screen, Table, folded

_JOURNAL = "METERCTL_JOURNAL"
_SHOWN = 10
"""Violations of an invariant that are shown to people; with --json all that are listed."""


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.command("check")(check)


def check(context: Context) -> None:
    """Prove the invariants of the books over the whole database, and the seals of closed dates.

    Beside each stands how many rows were looked at. When it ran and which were broken is kept for
    `desk today`; nothing else is changed, with --dry-run nothing at all. Exit code 3 where any is
    broken. Each ended sale is compared with its entry in the journal of --journal, or in the one
    beside the database, and each sale that this journal proves at a meter of the desk with the
    desk's.
    """
    given = desk_options(context)
    began = time.monotonic_ns()
    with signed_in(given) as desk:
        checked = []
        with _journal(desk) as journal, desk.reading() as session:
            find = None if journal is None else _proofs(journal)
            accepted = None if journal is None else journal.accepted()
            for each in proved(session, desk.actor, find, accepted):
                checked.append(each)
                if given.json:
                    print_json(_record(each))
        took_ms = (time.monotonic_ns() - began) // 1_000_000
        if not given.json:
            _print(checked)
        if not given.dry_run:
            _keep(desk, checked, took_ms)
    broken = [each.invariant for each in checked if each.broken]
    if broken:
        say(f"broken: {', '.join(broken)}")
        raise Exit(RefusedError.exit_code)
    say("all invariants hold")


def _keep(desk: SignedIn, checked: list[Checked], took_ms: int) -> None:
    """Write down that the check ran, and what it found."""

    def write() -> None:
        key = f"check-{secrets.token_hex(8)}"
        with unit_of_work(desk.database, desk.actor, desk.now, key) as work:
            keep(work, checked, took_ms)

    repeated(write)


@contextmanager
def _journal(desk: SignedIn) -> Iterator[FoundJournal | None]:
    """Yield the journal.

    None where there is none and none was named; one of the environment may be missing until the
    first worker has made it.
    """
    path = journal_of(desk)
    named = desk.given.common.journal
    is_typed = named is not None and str(named) != os.environ.get(_JOURNAL)
    if not path.exists() and (named is None or (not is_typed and _no_worker_yet(desk))):
        yield None
        return
    with reading_journal(path) as journal:
        yield journal


def _no_worker_yet(desk: SignedIn) -> bool:
    """Return whether no journal has ever sealed for this desk, so that none can be missing."""
    with desk.reading() as session:
        return not workers(session, desk.database.host_clock())


def _proofs(journal: FoundJournal) -> Find:
    def proof(key: str) -> KeyProof:
        found = journal.find(key)
        return KeyProof(_word(found), found.amount, found.epoch, found.sequence)

    return proof


def _word(found: Outcome) -> ProofWord:
    """Return the proof of a sale that the state of its journal entry is."""
    if found.by_hand:
        return ProofWord.BY_HAND
    match found.state:
        case JournalWord.ABSENT:
            return ProofWord.ABSENT
        case JournalWord.CONFIRMED:
            return ProofWord.CONFIRMED
        case JournalWord.PREPARED | JournalWord.ON_CARD | JournalWord.UNKNOWN | JournalWord.REFUSED:
            return ProofWord.NOT_CONFIRMED


def _record(checked: Checked) -> dict[str, str]:
    violations = [{"subject": each.subject, "text": each.text} for each in checked.violations]
    return {
        "invariant": text_json(checked.invariant),
        "holds": text_json(checked.holds),
        "count": str(checked.count),
        "rows": text_json(checked.rows),
        "broken": str(checked.broken),
        "violations": json.dumps(violations, ensure_ascii=False),
        "noted": text_json(checked.noted),
    }


def _print(checked: list[Checked]) -> None:
    rows = [
        (
            each.invariant,
            f"{each.count} {each.rows}",
            "holds" if not each.broken else f"BROKEN {each.broken}",
            each.noted,
        )
        for each in checked
    ]
    print_table(Table(("invariant", "looked at", "result", "noted"), rows))
    for each in checked:
        if each.broken:
            shown = each.violations[:_SHOWN]
            found = [(violation.subject, violation.text) for violation in shown]
            emit(folded(f"{each.invariant} is to hold: {each.holds}", Screen.of_stdout()))
            print_table(Table(("where", "what"), found))
            if each.broken > len(shown):
                say(f"{each.invariant}: {each.broken - len(shown)} more")
