"""The audit log: lines in their order, found by action and card."""

from __future__ import annotations

from meterctl.journal import AuditLine, Journal

METER, OTHER = "000000000042", "000000000043"


def test_lines_are_read_back_in_their_order(journal: Journal) -> None:
    journal.audit("sold", 5, meter=METER, card="c", amount=900, detail="entry 1")
    journal.audit("renewed", 4)
    assert journal.audit_lines() == [
        AuditLine(1, 5, "sold", METER, "c", 900, "entry 1"),
        AuditLine(2, 4, "renewed", "", "", 0, ""),
    ]


def test_an_action_is_found_by_its_card(journal: Journal) -> None:
    journal.audit("card_formatted", 5, card="c")
    assert journal.has_audited("card_formatted", "c")
    assert not journal.has_audited("card_formatted", "d")
    assert not journal.has_audited("card_erased", "c")


def test_the_card_in_use_is_the_last_replacement_or_a_later_opening(journal: Journal) -> None:
    assert journal.card_in_use(METER) == ""
    journal.audit("card_replaced", 5, meter=METER, card="second")
    assert journal.card_in_use(METER) == "second"
    journal.prepare(METER, 0xE0, 1, "open", 900, b"1", 6, card="third")
    assert journal.card_in_use(METER) == "third"
    assert journal.card_in_use(OTHER) == ""


def test_an_earlier_or_a_refused_opening_is_not_the_card_in_use(journal: Journal) -> None:
    journal.prepare(METER, 0xE0, 1, "open", 900, b"1", 4, card="first")
    journal.audit("card_replaced", 5, meter=METER, card="second")
    assert journal.card_in_use(METER) == "second"
