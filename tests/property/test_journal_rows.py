"""Journal rows against a model without a limit, for any order of sales by journals."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.security.replay import Security
from protocols.sealed_message import Origin

ROWS = 16
MANY = settings(deadline=None, max_examples=300)


@MANY
@given(st.lists(st.integers(0, 24), max_size=120))
def test_the_rows_are_those_of_the_16_journals_whose_messages_were_accepted_last(
    journals: list[int],
) -> None:
    security, last, gone = Security(), dict[int, int](), 0
    for sequence, journal in enumerate(journals, 1):
        code = sequence.to_bytes(16, "big")[::-1]
        security.remember(Origin(journal, 1000 + sequence), sequence, code, sequence)
        if journal:
            last[journal] = sequence
        kept = dict(sorted(last.items(), key=lambda item: item[1])[-ROWS:])
        gone = max([gone, *(number for one, number in last.items() if one not in kept)])
        last = kept
        assert security.forgotten == gone
        assert [(row.journal, row.sequence) for row in security.journals] == list(kept.items())
        assert (security.last_code, security.last_at) == (code[:4].hex(), sequence)
        for one in range(25):
            row = security.last_of(one)
            assert (row.sequence if row else 0) == kept.get(one, 0)
            assert row is None or row.mark == 1000 + row.sequence
            assert (
                row is None or bytes.fromhex(row.code) == row.sequence.to_bytes(16, "big")[:-5:-1]
            )


@MANY
@given(st.lists(st.integers(0, 40), max_size=120), st.integers(0, 40))
def test_a_journal_learns_its_last_sequence_or_that_it_may_have_been_forgotten(
    journals: list[int], asked: int
) -> None:
    """No row and a lower `forgotten` prove to a host that its message was not accepted."""
    security = Security()
    truth = 0
    for sequence, journal in enumerate(journals, 1):
        security.remember(Origin(journal, 1), sequence, bytes(16), 0)
        truth = sequence if journal == asked != 0 else truth
    row = security.last_of(asked)
    assert row.sequence == truth if row else truth <= security.forgotten
