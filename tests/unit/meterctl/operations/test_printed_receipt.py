"""Printed receipts: only of what a meter is proved to have taken; their sums add up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
)
from meterctl.journal import Entry, EntryEvent, EntryState, Journal
from meterctl.operations.printed_receipt import (
    entry_of_sale,
    exact_money,
    newest_entry,
    payable,
    print_receipt_of,
    sum_of,
)
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind, Receipt
from tests.support.setup import CUSTOMER, METER, SERIAL, Setup
from tests.support.wire_sales import meter_of, session_of, sold

NOW = 1_767_225_600


def entry_in(journal: Journal, event: EntryEvent | None, card: str = "") -> Entry:
    """Return an entry after an event."""
    entry = journal.prepare(METER, 7, 1, "credit", 5000, b"\x02\x01", NOW, card=card)
    return entry if event is None else journal.settle(entry, event, NOW)


@pytest.mark.parametrize(
    ("event", "card", "kind", "code", "words"),
    [
        (None, "", RefusedError, 3, "is prepared, and no meter is proved to have it.* resolve 1"),
        (None, "00c1", RefusedError, 3, "is on card 00c1.*insert the card.*card read"),
        (EntryEvent.NOT_ANSWERED, "", UnknownOutcomeError, 7, "applied or not.* resolve 1"),
        (EntryEvent.STATUS_OF_ANOTHER, "", RefusedError, 3, "refused .sequence_conflict.: nothing"),
    ],
)
def test_an_entry_that_no_meter_is_proved_to_have_has_no_receipt(
    journal: Journal,
    event: EntryEvent | None,
    card: str,
    kind: type[MeterctlError],
    code: int,
    words: str,
) -> None:
    entry = entry_in(journal, event, card)
    with pytest.raises(kind, match=words) as refused:
        print_receipt_of(journal, entry.id, NOW)
    assert "No receipt was printed" in str(refused.value)
    assert (refused.value.exit_code, refused.value.entry) == (code, entry.id)
    assert journal.prints.of(entry.id) == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("open", "nothing was credited"),
        ("refund", "nothing was taken back"),
        ("debt", "no debt was entered"),
        ("close", "the account was not closed"),
    ],
)
def test_a_refusal_says_what_did_not_become_of_its_kind(
    journal: Journal, kind: str, words: str
) -> None:
    entry = journal.prepare(METER, 7, 1, kind, 5000, b"\x02\x01", NOW)
    journal.settle(entry, EntryEvent.STATUS_OF_ANOTHER, NOW)
    with pytest.raises(RefusedError, match=rf"sequence_conflict.: {words}"):
        print_receipt_of(journal, entry.id, NOW)


def test_a_top_up_by_wire_has_its_amount_its_credit_and_its_proof(journal: Journal) -> None:
    meter = meter_of(credit=-3 * LEDGER)
    settled = sold(session_of(meter), journal, 5000, reference="R-1")
    printed = print_receipt_of(journal, settled.entry.id, NOW)
    assert printed.receipt == settled.receipt
    assert printed.receipt is not None
    assert (printed.kind, printed.proof, printed.amount) == (
        MessageKind.CREDIT,
        "receipt",
        50 * LEDGER,
    )
    assert (printed.receipt.to_overdraft, printed.to_credit) == (3 * LEDGER, 47 * LEDGER)
    assert printed.number == f"{journal.numbers.current:08x}-{settled.entry.id}"
    assert printed.made is not None
    assert printed.made.reprint == 0
    reprinted = print_receipt_of(journal, settled.entry.id, NOW + 60).made
    assert reprinted is not None
    assert (reprinted.reprint, reprinted.first_at) == (1, NOW)


def test_a_specimen_counts_nothing(journal: Journal) -> None:
    entry = sold(session_of(meter_of()), journal).entry
    assert print_receipt_of(journal, entry.id, NOW, specimen=True).made is None
    assert journal.prints.of(entry.id) == []


def test_a_sale_on_a_card_has_the_receipt_of_its_write_back(setup: Setup) -> None:
    card = setup.formatted()
    entry = setup.open(card)
    with pytest.raises(RefusedError, match="on card"):
        print_receipt_of(setup.journal, entry.id, NOW)
    setup.insert(card)
    setup.read(card)
    printed = print_receipt_of(setup.journal, entry.id, NOW)
    assert printed.receipt is not None
    assert (printed.kind, printed.customer_number, printed.entry.card) == (
        MessageKind.OPEN,
        CUSTOMER,
        SERIAL.hex(),
    )


def test_an_entry_that_a_status_proved_has_a_receipt_without_the_meters_sums(
    journal: Journal,
) -> None:
    entry = entry_in(journal, EntryEvent.STATUS)
    printed = print_receipt_of(journal, entry.id, NOW)
    assert (printed.receipt, printed.to_credit, printed.proof) == (None, None, "status")
    assert (printed.account_unit, printed.customer_number) == (None, None)


def test_a_word_of_a_person_is_named_and_its_overruled_receipt_is_to_be_taken_back(
    journal: Journal,
) -> None:
    entry = entry_in(journal, EntryEvent.CLOSED_AS_CONFIRMED)
    assert print_receipt_of(journal, entry.id, NOW).proof == "by_hand"
    overruled = journal.settle(entry, EntryEvent.STATUS_OF_ANOTHER, NOW)
    assert overruled.state is EntryState.REFUSED
    with pytest.raises(RefusedError, match=r"printed before \(1\): take it back"):
        print_receipt_of(journal, entry.id, NOW)


def test_a_receipt_that_does_not_add_up_or_is_of_another_message_is_not_printed(
    journal: Journal,
) -> None:
    settled = sold(session_of(meter_of()), journal)
    good = settled.receipt
    assert good is not None
    for wrong, words in (
        (
            replace(good, credit_after=good.credit_after + 1),
            r"0\.00 \+ 50\.00 is not 50\.0000000001",
        ),
        (replace(good, code=b"abcd"), "another message"),
        (replace(good, amount=4999), "another message"),
    ):
        journal._entries.update(replace(settled.entry, receipt=wrong.encode()))
        with pytest.raises(CorruptAnswerError, match=words):
            print_receipt_of(journal, settled.entry.id, NOW)
    assert journal.prints.of(settled.entry.id) == []


@pytest.mark.parametrize(
    ("kind", "before", "amount", "changed", "after"),
    [
        (
            MessageKind.CREDIT,
            -300,
            5000,
            {"to_debt": 10 * LEDGER, "to_overdraft": 3 * LEDGER},
            3700,
        ),
        (MessageKind.OPEN, 0, 2000, {}, 2000),
        (MessageKind.REFUND, 2000, 500, {}, 1500),
        (MessageKind.DEBT, 2000, 500, {}, 2000),
        (MessageKind.CLOSE, -500, 0, {"settlement": -5 * LEDGER}, 0),
        (MessageKind.VOID, 700, 0, {}, 700),
    ],
)
def test_the_sum_of_every_kind(
    kind: MessageKind, before: int, amount: int, changed: dict[str, int], after: int
) -> None:
    made = Receipt(
        kind, METER, 7, 1, amount, b"code", NOW, before * CENT, after * CENT, 0, 0, 0, 0, 1
    )
    receipt = replace(made, **changed)  # type: ignore[arg-type]
    assert sum_of(receipt).is_right
    assert not sum_of(replace(receipt, credit_after=after * CENT + 1)).is_right


def test_amounts_have_the_decimals_that_they_have() -> None:
    assert exact_money(50 * LEDGER) == "50.00"
    assert exact_money(-LEDGER // 2) == "-0.50"
    assert exact_money(LEDGER // 8) == "0.125"
    assert exact_money(-1) == "-0.0000000001"


def test_the_newest_entry_is_the_newest_whatever_its_state(journal: Journal) -> None:
    with pytest.raises(UsageError, match="it has no entry"):
        newest_entry(journal)
    confirmed = sold(session_of(meter_of()), journal, reference="A").entry
    assert newest_entry(journal) == confirmed
    other = journal.prepare("000000000099", 7, 1, "credit", 1, b"", NOW)
    assert newest_entry(journal) == other, "that it is not settled is to be seen"
    assert newest_entry(journal, METER) == confirmed
    with pytest.raises(UsageError, match="of meter 000000000011"):
        newest_entry(journal, "000000000011")
    assert entry_of_sale(journal, "A") == confirmed
    with pytest.raises(UsageError, match="there is no sale B"):
        entry_of_sale(journal, "B")


# ---- the number of a purchase


def test_a_purchase_has_its_number_where_the_journal_has_every_purchase(journal: Journal) -> None:
    session = session_of(meter_of())
    entries = [
        sold(session, journal, 1000, kind).entry
        for kind in (MessageKind.CREDIT, MessageKind.REFUND, MessageKind.CREDIT)
    ]
    numbers = [print_receipt_of(journal, entry.id, NOW).purchase_count for entry in entries]
    assert numbers == [1, None, 2], "a refund is no purchase"


def test_a_purchase_has_no_number_where_another_seller_sold_too(
    journal: Journal, another: Journal
) -> None:
    meter = meter_of()
    sold(session_of(meter), another, 1000)
    entry = sold(session_of(meter), journal, 1000).entry
    assert print_receipt_of(journal, entry.id, NOW).purchase_count is None


def test_a_purchase_without_a_sealed_message_is_seen_in_the_total(journal: Journal) -> None:
    meter = meter_of()
    meter.state.account.cumulative = 5 * LEDGER  # such as a plain write's
    entry = sold(session_of(meter), journal, 1000).entry
    assert print_receipt_of(journal, entry.id, NOW).purchase_count is None


def test_a_message_of_another_seller_may_have_opened_the_account_with_nothing(
    journal: Journal, another: Journal
) -> None:
    meter = meter_of()
    sold(session_of(meter), journal, 1000)
    sold(session_of(meter), another, 500, MessageKind.REFUND)
    entry = sold(session_of(meter), journal, 1000).entry
    assert print_receipt_of(journal, entry.id, NOW).purchase_count is None

    opened = meter_of(opened=False, epoch=9)
    sold(session_of(opened), journal, 0, MessageKind.OPEN, CUSTOMER)
    sold(session_of(opened), another, 500, MessageKind.DEBT)
    entry = sold(session_of(opened), journal, 1000).entry
    assert print_receipt_of(journal, entry.id, NOW).purchase_count == 2, "it was opened here"


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Journal]:
    """The journal of another seller."""
    made = Journal(tmp_path / "another.sqlite")
    yield made
    made.close()


def test_a_purchase_from_before_a_set_back_is_not_counted_among_those_after_it(
    journal: Journal,
) -> None:
    before = sold(session_of(meter_of()), journal, 1000).entry
    journal.proofs.begin_again(METER, before.epoch, journal.last_id())
    after = sold(session_of(meter_of()), journal, 1000).entry
    numbers = [print_receipt_of(journal, entry.id, NOW).purchase_count for entry in (before, after)]
    assert numbers == [None, 1]


def test_an_opening_here_makes_the_number_certain(setup: Setup) -> None:
    card = setup.formatted()
    entry = setup.open(card)
    setup.insert(card)
    setup.read(card)
    assert print_receipt_of(setup.journal, entry.id, NOW).purchase_count == 1


def test_only_a_purchase_has_a_part_that_becomes_credit(journal: Journal) -> None:
    session = session_of(meter_of(credit=20 * LEDGER))
    for kind, cents in (
        (MessageKind.REFUND, 500),
        (MessageKind.DEBT, 500),
        (MessageKind.CLOSE, 0),
    ):
        entry = sold(session, journal, cents, kind).entry
        assert print_receipt_of(journal, entry.id, NOW).to_credit is None


def test_a_balance_is_payable_in_whole_cents() -> None:
    assert [payable(ledger) for ledger in (54 * LEDGER + CENT - 1, -5 * LEDGER - 1, -1)] == [
        5400,
        500,
        0,
    ]


def test_a_void_names_the_entry_that_it_ends(journal: Journal) -> None:
    entry = entry_in(journal, EntryEvent.NOT_ANSWERED)
    void = journal.prepare(METER, 7, 1, "void", 0, b"v", NOW, void_of=entry.id)
    journal.settle(void, EntryEvent.STATUS, NOW)
    assert newest_entry(journal) == entry
    printed = print_receipt_of(journal, void.id, NOW)
    assert (printed.kind, printed.voided, printed.amount) == (MessageKind.VOID, entry, 0)
