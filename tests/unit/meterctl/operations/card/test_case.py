"""A case: the card as it was read, with the journal and the options of the command."""

from __future__ import annotations

from meterctl.operations.card.case import Case
from protocols.card.applet import Card
from tests.support.setup import CUSTOMER, METER, SERIAL, Setup


def test_a_case_shows_the_card_as_it_was_read(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        case = Case.read(presented, setup.journal, reference="key", payee=METER, set_back=True)
    assert (case.serial, case.ring, case.now()) == (SERIAL.hex(), setup.ring, setup.now)
    assert case.identity is not None
    assert (case.identity.meter, case.identity.customer) == (METER, CUSTOMER)
    assert case.credit is not None
    assert case.back is not None
    assert (case.session, case.ask) == (None, None)
    assert (case.reference, case.payee, case.set_back) == ("key", METER, True)


def test_a_case_that_is_read_again_keeps_its_options_and_has_the_present_files(
    setup: Setup, card: Card
) -> None:
    with setup.presented(card) as presented:
        case = setup.case(presented, reference="key", payee=METER, set_back=True)
    entry = setup.sell(card, 100)
    with setup.presented(card) as presented:
        presented.play(case.presented.terminal.select())
        again = case.read_again()
    assert case.credit is not None
    assert case.credit.message != entry.message
    assert again.credit is not None
    assert again.credit.message == entry.message
    assert (again.reference, again.payee, again.set_back) == ("key", METER, True)


def test_an_audit_line_of_a_case_names_its_card(setup: Setup, card: Card) -> None:
    with setup.presented(card) as presented:
        setup.case(presented).audit("sold", meter=METER, amount=5, detail="entry 1")
    line = setup.journal.audit_lines()[-1]
    assert (line.at, line.what, line.meter, line.card) == (setup.now, "sold", METER, SERIAL.hex())
    assert (line.amount, line.detail) == (5, "entry 1")
