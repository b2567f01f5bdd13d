"""Changes of an account: what is asked, what is sent, what is said of sales on cards."""

from __future__ import annotations

import json

import pytest

from meterctl.errors import NoAnswerError, NotPermittedError, RefusedError
from meterctl.journal import EntryState
from protocols.card.applet import Card
from protocols.quantities import CENT
from tests.support.setup import Setup
from tests.unit.meterctl.cli.conftest import Run


def test_a_top_up_is_printed_with_its_receipt_and_the_result(run: Run, setup: Setup) -> None:
    printed = json.loads(run("account", "topup", "5.00", json=True).out)
    assert (printed["id"], printed["kind"], printed["amount"]) == (2, "credit", 5.0)
    assert (printed["credit_before"], printed["credit_after"]) == (30.0, 35.0)
    assert (printed["result"], printed["entry"], printed["exit_code"]) == ("done", 2, 0)
    assert setup.credit == 3500


def test_a_known_key_shows_its_sale_and_sells_nothing(run: Run, setup: Setup) -> None:
    first = run("account", "topup", "5.00", "--sale", "key", json=True)
    again = run("account", "topup", "5.00", "--sale", "key", json=True)
    assert json.loads(again.out)["id"] == json.loads(first.out)["id"]
    assert again.err.startswith("sale key: it was begun before, as journal entry 2\n")
    assert setup.credit == 3500


def test_refund_debt_and_close_are_sent_as_they_are_named(run: Run, setup: Setup) -> None:
    for words in (("refund", "1.00"), ("debt", "2.00"), ("close",)):
        assert json.loads(run("account", "account", *words, json=True).out)["kind"] == words[0]
    account = setup.meter.state.account
    assert (account.credit, account.debt) == (0, 200 * CENT)


def test_an_opened_account_is_not_opened_again(run: Run) -> None:
    with pytest.raises(RefusedError, match="takes no open"):
        run("account", "account", "open", "1.00")


def test_a_sale_on_a_card_is_voided_first_only_where_it_is_asked_for(
    run: Run, setup: Setup, card: Card
) -> None:
    setup.sell(card, 1000)
    with pytest.raises(NotPermittedError, match="unconsumed"):
        run("account", "topup", "5.00")
    printed = run("account", "topup", "5.00", "--void-card", json=True)
    shown = json.loads(printed.out)
    assert (shown["owed"], shown["amount"]) == (10.0, 5.0)
    assert shown["withdrawn"] == [{"id": 2, "card": card.state.serial.hex(), "outcome": "voided"}]
    assert "it is void, 10.00 is owed to the customer" in printed.err
    assert setup.credit == 3500


def test_a_top_up_that_fails_after_a_void_names_the_owed_amount(
    run: Run, setup: Setup, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise NoAnswerError("no answer")

    entry = setup.sell(card, 1000)
    monkeypatch.setattr("meterctl.cli.account_change.execute", silent)
    owed = r"^no answer\. Cards were voided before: 10\.00 is owed to the customer$"
    with pytest.raises(NoAnswerError, match=owed):
        run("account", "topup", "5.00", "--void-card")
    assert setup.journal.entry(entry.id).state is EntryState.REFUSED


def test_a_refused_amount_says_how_much_fits(run: Run) -> None:
    with pytest.raises(RefusedError, match=r"exceeds_max.*at most 999969\.99 fits"):
        run("account", "topup", "999999.99")
    run("limits", "limits", "set", "max_credit=40")
    with pytest.raises(RefusedError, match=r"would pass 40\.00, max_credit: at most 10\.00 fits"):
        run("account", "topup", "10.01")
    with pytest.raises(RefusedError, match=r"at most 30\.00 can be refunded"):
        run("account", "account", "refund", "30.01")


def test_a_dry_run_of_a_finished_sale_is_planned_and_shows_it_as_it_stands(run: Run) -> None:
    run("account", "topup", "5.00", "--sale", "key")
    planned = json.loads(
        run("account", "topup", "5.00", "--sale", "key", json=True, dry_run=True).out
    )
    assert (planned["result"], planned["entry"]) == ("planned", 2)
    assert "is sold already, as journal entry 2" in planned["message"]


def test_a_dry_run_of_a_new_number_names_the_file_of_the_journal(run: Run, setup: Setup) -> None:
    told = run("journal", "journal", "renew", dry_run=True).err
    assert f"journal {setup.journal.path}: draw a new number" in told
