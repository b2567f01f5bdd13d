"""Every (state, event) pair of every table, the absent ones too; the sale's table word by word."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from meterctl.journal.states import EntryState
from meterctl.utility.errors import Refused
from meterctl.utility.rules import transitions
from meterctl.utility.rules.transitions import (
    LIVE,
    PAYABLE,
    SALE,
    UNDELIVERED,
    JournalWord,
    SaleEvent,
    SaleState,
    after,
    sale_event,
)

SALE_ROWS = """
taken           run                   sending
taken           cancel                cancelled
taken           cancel_later          dead
taken           worker_gone           dead
sending         absent                taken
sending         confirmed             delivered
sending         refused               dead
sending         open_outcome          unknown
sending         written_on_card       on_card
sending         journal_lost          unknown
on_card         receipt               delivered
on_card         voided                dead
on_card         moved_to_card         on_card
on_card         erased                unknown
on_card         open_outcome          unknown
on_card         journal_lost          unknown
unknown         resolved_delivered    delivered
unknown         resolved_dead         dead
unknown         moved_to_card         on_card
unknown         settled_as_delivered  hand_delivered
unknown         settled_as_dead       hand_dead
hand_delivered  proof_delivered       delivered
hand_delivered  proof_dead            dead
hand_dead       proof_delivered       delivered
hand_dead       proof_dead            dead
hand_dead       payout                repaid
hand_dead       sell_again            replaced
dead            proof_delivered       delivered
dead            payout                repaid
dead            sell_again            replaced
repaid          proof_delivered       delivered
replaced        proof_delivered       delivered
"""
COMMAND_ROWS = """
queued   run          running
queued   expire       expired
running  proved       done
running  refuse       refused
running  expire       expired
running  no_answer    silent
running  worker_gone  silent
silent   run          running
silent   expire       expired
"""
SHIFT_ROWS = """
open     count    counted
counted  recount  open
counted  close    closed
"""
AGREEMENT_ROWS = """
new        activate       active
active     suspend        suspended
suspended  resume         active
active     begin_closing  closing
closing    stop_closing   active
closing    close          closed
"""
VERSION_ROWS = """
draft         sign       signed
draft         take_over  active
draft         withdraw   withdrawn
signed        provision  provisioning
signed        withdraw   withdrawn
provisioning  proved     active
provisioning  refuse     draft
active        replace    replaced
"""
TASK_ROWS = """
open   take      taken
open   finish    done
open   cancel    cancelled
taken  put_back  open
taken  finish    done
taken  cancel    cancelled
"""
READING_ROWS = """
due     take    taken
due     miss    missed
missed  take    taken
taken   hold    held
taken   accept  accepted
held    accept  accepted
held    reject  rejected
"""
TABLES: dict[str, tuple[type[StrEnum], type[StrEnum], str]] = {
    "SALE": (transitions.SaleState, transitions.SaleEvent, SALE_ROWS),
    "COMMAND": (transitions.CommandState, transitions.CommandEvent, COMMAND_ROWS),
    "SHIFT": (transitions.ShiftState, transitions.ShiftEvent, SHIFT_ROWS),
    "AGREEMENT": (transitions.AgreementState, transitions.AgreementEvent, AGREEMENT_ROWS),
    "VERSION": (transitions.VersionState, transitions.VersionEvent, VERSION_ROWS),
    "TASK": (transitions.TaskState, transitions.TaskEvent, TASK_ROWS),
    "READING": (transitions.ReadingState, transitions.ReadingEvent, READING_ROWS),
}


def table(name: str) -> Mapping[Any, Any]:
    found: Mapping[Any, Any] = getattr(transitions, name)
    return found


def test_every_table_of_the_module_is_tested_here() -> None:
    tables = {
        name for name, value in vars(transitions).items() if name.isupper() and name[0] != "_"
    }
    assert tables - {"LIVE", "PAYABLE", "UNDELIVERED"} == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_pair_has_the_state_that_is_written_here_or_is_refused(name: str) -> None:
    states, events, rows = TABLES[name]
    written = {}
    for row in rows.split("\n"):
        if row:
            state, event, reached = row.split()
            written[states(state), events(event)] = states(reached)
    for state in states:
        for event in events:
            if (state, event) in written:
                assert after(table(name), state, event) is written[state, event]
            else:
                with pytest.raises(Refused, match=rf"\b{event} is .* state {state};") as refused:
                    after(table(name), state, event)
                assert refused.value.code == "not_in_this_state"


@pytest.mark.parametrize("name", TABLES)
def test_every_event_leads_somewhere_and_every_state_is_reached_from_the_first(name: str) -> None:
    states, events, _ = TABLES[name]
    assert {event for _, event in table(name)} == set(events)
    reached = {next(iter(states))}
    while more := {to for (state, _), to in table(name).items() if state in reached} - reached:
        reached |= more
    assert reached == set(states)


WORDS_OF_THE_JOURNAL = """
               absent prepared     on_card         unknown      confirmed          refused
taken          -      -            -               -            -                  -
sending        absent open_outcome written_on_card open_outcome confirmed          refused
on_card        -      -            -               open_outcome receipt            voided
unknown        -      -            moved_to_card   -            resolved_delivered resolved_dead
delivered      -      -            -               -            -                  -
cancelled      -      -            -               -            -                  -
dead           -      -            -               -            proof_delivered    -
hand_delivered -      -            -               -            proof_delivered    proof_dead
hand_dead      -      -            -               -            proof_delivered    proof_dead
repaid         -      -            -               -            proof_delivered    -
replaced       -      -            -               -            proof_delivered    -
"""


def test_the_journal_decides_what_became_of_a_sale() -> None:
    _, words, *rows = WORDS_OF_THE_JOURNAL.rstrip().split("\n")
    assert words.split() == list(JournalWord)
    assert [row.split()[0] for row in rows] == list(SaleState)
    for row in rows:
        state, *events = row.split()
        for word, event in zip(JournalWord, events, strict=True):
            found = sale_event(SaleState(state), word)
            assert found == (None if event == "-" else SaleEvent(event)), (state, word)
            if found is not None:
                after(SALE, SaleState(state), found)


@pytest.mark.parametrize("word", JournalWord)
def test_an_entry_that_a_person_closed_is_no_proof(word: JournalWord) -> None:
    for state in SaleState:
        found = sale_event(state, word, by_hand=True)
        assert found is sale_event(state, JournalWord.UNKNOWN)
        assert found is None or after(SALE, state, found) is SaleState.UNKNOWN


def test_the_words_of_a_journal_are_those_of_its_entries_and_absent() -> None:
    assert set(JournalWord) == {"absent", *(state.value for state in EntryState)}


def test_only_a_proof_or_two_persons_end_what_is_unknown() -> None:
    ending = {event for state, event in SALE if state is SaleState.UNKNOWN} - {
        SaleEvent.MOVED_TO_CARD
    }
    assert ending == {
        SaleEvent.RESOLVED_DELIVERED,
        SaleEvent.RESOLVED_DEAD,
        SaleEvent.SETTLED_AS_DELIVERED,
        SaleEvent.SETTLED_AS_DEAD,
    }


def test_a_sale_that_may_be_in_the_meter_is_never_taken_again_nor_owed_without_a_proof() -> None:
    for (state, event), reached in SALE.items():
        if state in LIVE and reached not in LIVE:
            assert event in {
                SaleEvent.ABSENT,
                SaleEvent.CONFIRMED,
                SaleEvent.REFUSED,
                SaleEvent.RECEIPT,
                SaleEvent.VOIDED,
                SaleEvent.RESOLVED_DELIVERED,
                SaleEvent.RESOLVED_DEAD,
                SaleEvent.SETTLED_AS_DELIVERED,
                SaleEvent.SETTLED_AS_DEAD,
            }
    assert LIVE | {SaleState.TAKEN} == UNDELIVERED
    assert {state for state, event in SALE if event is SaleEvent.PAYOUT} == PAYABLE
    assert {state for state, event in SALE if event is SaleEvent.SELL_AGAIN} == PAYABLE
