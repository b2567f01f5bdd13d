"""Keys, replacements and service cards; refusals before any write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterctl.errors import NotPermittedError
from meterctl.journal import EntryEvent, Journal
from meterctl.operations.card.case import Case
from meterctl.operations.card.issuing import plan_format, plan_replacement, plan_service
from meterctl.operations.card.port import proved_meter
from meterctl.operations.sealing import credit_message, enter
from protocols.card.applet import Card
from protocols.card.files import CardIdentity, CardType
from protocols.card.keys import KeyReference
from protocols.card.terminal import Contents
from protocols.sealed_message import ANY_CUSTOMER, MessageKind
from tests.support.setup import CUSTOMER, METER, OTHER, Setup, blank

OTHER_METER = "000000000043"


def contents(setup: Setup, card: Card) -> Contents:
    with setup.presented(card) as presented:
        return presented.read().contents


def unbound(case: Case) -> Case:
    """Return a case whose card is bound to no meter and carries what it carries."""
    contents = replace(case.files.contents, identity=None)
    return replace(case, files=replace(case.files, contents=contents))


def audited(setup: Setup) -> list[str]:
    return [line.what for line in setup.journal.audit_lines()]


def test_planning_writes_nothing(setup: Setup, card: Card) -> None:
    unissued = blank(OTHER)
    lines = audited(setup)
    before = card.state
    with setup.presented(unissued) as presented:
        plan_format(presented, setup.journal)
    with setup.presented(card) as presented:
        plan_replacement(setup.case(presented), METER)
    assert card.state.files == before.files
    assert not unissued.state.keys[0].key.strip(b"\0")
    assert audited(setup) == lines


def test_a_card_is_formatted_once_and_its_keys_can_be_written_again(setup: Setup) -> None:
    card = setup.formatted()
    with setup.presented(card) as presented:
        with pytest.raises(NotPermittedError, match="formatted already"):
            plan_format(presented, setup.journal)
        plan_format(presented, setup.journal, again=True).carry_out()
    assert audited(setup) == ["card_formatted", "card_keys_renewed"]
    setup.open(card)


def test_a_second_card_of_a_serial_number_is_told(setup: Setup) -> None:
    setup.formatted()
    with setup.presented(blank()) as presented:
        plan_format(presented, setup.journal)
        assert "cannot distinguish the two cards" in presented.notices[0]


def test_a_replacement_carries_the_open_sale_and_moves_its_entry(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        planned = plan_replacement(setup.case(presented), METER)
        assert "replacement card with 10.00" in planned.text
        moved = planned.carry_out()
    assert moved is not None
    assert (moved.id, moved.card) == (entry.id, OTHER.hex())
    line = setup.journal.audit_lines()[-1]
    assert (line.what, line.meter, line.amount) == ("card_replaced", METER, 1000)
    carried = contents(setup, new)
    assert carried.credit is not None
    assert (carried.credit.card_type, carried.credit.message) == (
        CardType.REPLACEMENT,
        entry.message,
    )
    assert setup.journal.card_in_use(METER) == OTHER.hex()


def test_a_replacement_without_an_open_sale_brings_no_further_credit(
    setup: Setup, card: Card
) -> None:
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        assert plan_replacement(setup.case(presented), METER).carry_out() is None
    line = setup.journal.audit_lines()[-1]
    assert (line.what, line.meter, line.amount) == ("card_replaced", METER, 0)
    identity = contents(setup, new).identity
    assert identity is not None
    assert (identity.meter, identity.customer) == (METER, CUSTOMER)
    setup.insert(new)
    assert setup.credit == 3000


def test_a_card_of_another_meter_is_no_replacement(setup: Setup, card: Card) -> None:
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="erase it first"),
    ):
        plan_replacement(setup.case(presented), OTHER_METER)


def test_a_meter_that_the_journal_does_not_know_needs_a_port(
    setup: Setup, card: Card, journal: Journal
) -> None:
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        with pytest.raises(NotPermittedError, match="give --port"):
            plan_replacement(Case.read(presented, journal), METER)
        plan_replacement(Case.read(presented, journal, setup.session()), METER).carry_out()
    assert contents(setup, new).identity is not None


def test_a_service_card_is_for_a_meter_and_for_no_customer(setup: Setup) -> None:
    card = setup.formatted()
    with setup.presented(card) as presented:
        plan_service(setup.case(presented), METER).carry_out()
    read = contents(setup, card)
    assert read.identity == CardIdentity(METER, ANY_CUSTOMER, 1, setup.now, 0)
    assert read.credit is not None
    assert (read.credit.card_type, read.credit.message) == (CardType.SERVICE, b"")
    assert audited(setup)[-1] == "service_card"


def test_a_bound_card_does_not_become_a_service_card(setup: Setup, card: Card) -> None:
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="is bound to meter"),
    ):
        plan_service(setup.case(presented), METER)


def test_a_service_card_is_not_made_of_a_card_that_carries_an_open_sale(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        case = setup.case(presented)
        with pytest.raises(NotPermittedError, match=r"carries 10\.00"):
            plan_service(unbound(case), METER)


def test_a_replacement_is_issued_later_than_every_card_before_it(setup: Setup, card: Card) -> None:
    setup.now -= 3600
    new = setup.formatted(OTHER)
    with setup.presented(new) as presented:
        plan_replacement(setup.case(presented), METER).carry_out()
    before, after = contents(setup, card).identity, contents(setup, new).identity
    assert before is not None
    assert after is not None
    assert after.issued_at == before.issued_at + 1


def test_no_replacement_is_made_while_a_sale_by_wire_is_open(setup: Setup, card: Card) -> None:
    entry = setup.sell(card, 1000)
    setup.journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, 0)
    session = setup.session()
    meter = proved_meter(session, setup.journal, METER)
    message = credit_message(setup.journal, meter, MessageKind.CREDIT, 500, setup.now)
    enter(setup.journal, setup.ring, message, setup.now)
    with (
        setup.presented(setup.formatted(OTHER)) as presented,
        pytest.raises(NotPermittedError, match="still prepared"),
    ):
        plan_replacement(setup.case(presented), METER)


def test_a_service_card_is_not_made_of_a_card_with_credit_of_another_journal(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        case = Case.read(presented, journal)
        with pytest.raises(NotPermittedError, match="sold by another journal"):
            plan_service(unbound(case), METER)


def test_no_replacement_is_made_of_a_card_with_credit_of_another_journal(
    setup: Setup, card: Card, journal: Journal
) -> None:
    setup.sell(card, 1000)
    with (
        setup.presented(card) as presented,
        pytest.raises(NotPermittedError, match="sold by another journal"),
    ):
        plan_replacement(Case.read(presented, journal, setup.session()), METER)


def test_no_replacement_is_made_of_a_card_that_is_owed_to_another_meter(
    setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    with setup.presented(card) as presented:
        case = setup.case(presented)
        with pytest.raises(NotPermittedError, match=r"carries 10\.00"):
            plan_replacement(unbound(case), OTHER_METER)


def test_a_sale_that_the_write_back_of_the_card_settles_is_not_carried_again(
    setup: Setup, card: Card
) -> None:
    entry = setup.sell(card, 1000)
    setup.insert(card)
    with setup.presented(card) as presented:
        assert plan_replacement(setup.case(presented), METER).carry_out() is None
    assert not setup.journal.entry(entry.id).is_open


def test_a_blocked_issuing_key_is_told_and_another_wrong_one_as_such(
    setup: Setup, card: Card
) -> None:
    state = card.state
    issuing = state.key(KeyReference.ISSUING)
    for changed, told in (
        (replace(issuing, tries=0), "its issuing key is blocked"),
        (replace(issuing, key=bytes(16)), "its keys are not this ring's"),
    ):
        card._memory.commit(state.with_key(KeyReference.ISSUING, changed))
        with setup.presented(card) as presented:
            planned = plan_format(presented, setup.journal, again=True)
            with pytest.raises(NotPermittedError, match=told):
                planned.carry_out()
    assert "card_keys_renewed" not in audited(setup)
