"""Commands of a counter: shift, sell, sale, pay, refund, receipt; their objects and exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from sqlalchemy import update

from meterctl.card_readers.image import create_image
from meterctl.cli.desk import receipt
from meterctl.cli.desk.signed_in import host_clock
from meterctl.key_ring import create_ring
from meterctl.utility.meters.gateway import (
    CardPlace,
    CreditKind,
    Gateway,
    JournalWord,
    MeterPlace,
)
from meterctl.utility.model.metering import Port
from meterctl.utility.model.organisation import GrantState, Organisation, Staff, StaffGrant
from meterctl.utility.rules.leases import LEASE_MS
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import SaleEvent
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.queries.waiting import NO_WIRE
from meterctl.utility.store.sale_books import move
from meterctl.utility.store.unit_of_work import UnitOfWork
from protocols.quantities import CENT
from tests.support.desk_commands import DeskCommand, Ran
from tests.support.desk_counter import Counter
from tests.support.desk_sales import a_port
from tests.support.desk_world import TODAY, a_customer, a_world, opened


class Desk:
    """A desk in a file, a token for each of its people, and its commands."""

    def __init__(self, url: str, command: DeskCommand) -> None:
        self.url, self._command = url, command
        self.database = opened(url)
        self.counter = Counter(self.database, a_world(self.database))
        self.counter.work(lambda work: a_customer(work, self.counter.world.station, "2"))
        self.let_in("v1", Role.VENDOR)
        for role in (Role.ACCOUNTANT, Role.STATION_HEAD):
            self.counter.person(role)
            self.let_in(f"{role}-1", role)

    def let_in(self, number: str, role: Role, node: str = "0011") -> None:
        """Give a person a token, the number, and a role at a node."""

        def grant(work: UnitOfWork) -> None:
            person = work.session.query(Staff).filter_by(number=number).one()
            person.token_hash = hash_of(number)
            work.add(
                StaffGrant(
                    staff_id=person.id,
                    role=role,
                    node_id=work.session.query(Organisation).filter_by(code=node).one().id,
                    from_on=TODAY,
                    state=GrantState.ACTIVE,
                )
            )

        self.counter.work(grant)

    def run(self, *words: str, who: str = "v1") -> Ran:
        """Run a command as a person."""
        return self._command(*words, token=who, url=self.url)

    def told(self, *words: str, who: str = "v1", code: int = 0) -> dict[str, Any]:
        """Run a command with --json and return its object."""
        ran = self.run(*words, "--json", who=who)
        assert ran.code == code, ran.err
        return ran.objects[-1]

    def move(self, *events: SaleEvent) -> None:
        """Move the first sale."""
        for event in events:
            self.counter.work(lambda work, event=event: move(work, 1, event))


@pytest.fixture
def desk(sqlite_desk_url: str, desk_command: DeskCommand) -> Desk:
    return Desk(sqlite_desk_url, desk_command)


def test_a_sale_that_nothing_can_deliver_is_pending_and_its_receipt_counts(desk: Desk) -> None:
    told = desk.told("sell", "A1", "50.00", "--key", "K-1", code=7)
    assert (told["sale"], told["state"], told["amount"]) == ("S1", "taken", "50.00")
    assert (told["receipt_number"], told["replayed"]) == ("1-0001", False)
    assert {"to_debt", "credit_after", "supply_state"} <= told.keys()
    assert (told["result"], told["exit_code"], told["outcome"]) == ("unknown", 7, "taken")
    assert told["message"] == f"S1: delivery pending, your receipt counts ({NO_WIRE})"
    again = desk.run("sell", "A1", "50.00", "--key", "K-1", "--json")
    assert (again.code, again.objects[-1]["replayed"]) == (7, True)
    other = desk.run("sell", "A1", "60.00", "--key", "K-1")
    assert (other.code, "key K-1" in other.err) == (2, True)


def test_a_sale_that_waits_names_the_order_before_it(desk: Desk) -> None:
    desk.told("sell", "A1", "50.00", "--key", "K-1", code=7)
    waits = desk.told("sell", "A1", "20.00", "--key", "K-2", code=7)
    assert waits["cause"] == "it waits for O1 (sale S1) of the same meter, which is taken"
    desk.move(SaleEvent.RUN, SaleEvent.OPEN_OUTCOME)
    cause = desk.told("sale", "show", "S2")["cause"]
    assert cause == "it waits for O1 (sale S1) of the same meter, which is unknown"
    desk.move(SaleEvent.RESOLVED_DELIVERED)
    assert desk.told("sale", "show", "S2")["cause"] == NO_WIRE


def test_a_command_that_was_done_before_says_that_no_money_was_taken_now(desk: Desk) -> None:
    words = ("sell", "A1", "50.00", "--key", "K-1")
    assert "receipt 1-0001: 50.00 taken for S1" in desk.run(*words).err
    again = desk.run(*words)
    assert "done before under this key; no money was taken or paid now" in again.err
    assert "50.00 taken" not in again.err
    rehearsed = desk.run(*words, "--dry-run")
    assert "S1 was sold under this key, nothing would be sold" in rehearsed.err
    of_another = desk.run(*words, who="accountant-1")
    assert (of_another.code, "another person" in of_another.err) == (2, True)
    assert desk.told("shift", "show")["cash"] == "50.00"


def test_a_dry_run_of_a_sale_tells_what_the_meter_would_make_of_it(desk: Desk) -> None:
    desk.counter.terms(debt_share_percent=30, reconnect_threshold=10_00)
    desk.counter.read(-12_35 * CENT, 80_00 * CENT, causes=["credit_exhausted"])
    ran = desk.run("sell", "A1", "50.00", "--dry-run")
    assert ran.code == 0
    text = "of 50.00: 15.00 old debt, 12.35 overdraft, 22.65 credit; supply returns"
    assert text in ran.err
    told = desk.told("sell", "A1", "50.00", "--dry-run")
    assert (told["result"], told["expected"]["to_debt"]) == ("planned", "15.00")
    assert told["expected"]["credit_after_exact"] == "22.6500000000"
    assert desk.told("shift", "show")["cash"] == "0.00"


def test_a_delivered_sale_tells_what_the_meter_has(desk: Desk) -> None:
    desk.told("sell", "A1", "50.00", "--key", "K-1", code=7)
    desk.move(SaleEvent.RUN, SaleEvent.CONFIRMED)
    told = desk.told("sell", "A1", "50.00", "--key", "K-1")
    assert (told["state"], told["replayed"], told["result"]) == ("delivered", True, "done")
    assert desk.told("sale", "show", "K-1")["next"] == "nothing: the meter has it"


def test_a_refused_sale_is_owed_paid_out_or_sold_again(desk: Desk) -> None:
    desk.told("sell", "A1", "50.00", "--key", "K-1", code=7)
    desk.move(SaleEvent.RUN, SaleEvent.REFUSED)
    told = desk.told("sell", "A1", "50.00", "--key", "K-1", code=3)
    assert (told["owed"], told["message"]) == ("50.00", "S1: not delivered; 50.00 is owed")
    again = desk.told("sale", "sell-again", "S1", "--to", "A2", "--amount", "45.00", code=7)
    assert (again["follows"], again["agreement"], again["still_owed"]) == ("S1", "A2", "5.00")
    paid = desk.told("refund", "A1", "5.00", "--channel", "transfer", who="accountant-1")
    assert (paid["paid_out"], paid["payment"]) == ("5.00", "P2")
    listed = desk.run("sale", "list", "--json").objects
    assert [(row["sale"], row["state"]) for row in listed] == [("S2", "taken"), ("S1", "replaced")]
    assert len(desk.run("sale", "list", "--json", "--state", "taken").objects) == 1


def test_cancelling_says_what_to_give_back(desk: Desk) -> None:
    desk.told("sell", "A1", "50.00", code=7)
    ran = desk.run("sale", "cancel", "S1", "--reason", "typed wrong")
    assert (ran.code, "S1 is cancelled: give 50.00 back" in ran.err) == (0, True)
    assert desk.run("sale", "cancel", "S1").code == 3


def test_two_persons_end_a_sale_and_move_one(desk: Desk) -> None:
    desk.told("sell", "A1", "50.00", code=7)
    desk.move(SaleEvent.RUN, SaleEvent.OPEN_OUTCOME)
    told = desk.told("sale", "settle", "S1", "--as", "delivered", who="accountant-1")
    assert told["task"] == "T1"
    assert desk.run("sale", "settle", "S1", "--as", "lost", who="accountant-1").code == 2
    assert desk.run("sale", "move", "S1", "--to", "A2").code == 3


def test_a_payment_is_taken_with_and_without_its_word_and_moved(desk: Desk) -> None:
    told = desk.told("pay", "A1", "120.00", "--channel", "cash")
    assert (told["payment"], told["advance"], told["allocated"]) == ("P1", "120.00", [])
    assert desk.told("pay", "take", "A1", "1.50")["receipt_number"] == "1-0002"
    moved = desk.told("pay", "move", "P1", "--to", "A2", who="accountant-1")
    assert (moved["agreement"], moved["moved_from"], moved["advance"]) == ("A2", "A1", "120.00")
    bounced = desk.told("pay", "bounce", "P1", who="accountant-1")
    assert (bounced["state"], bounced["claim"]) == ("bounced", None)
    assert desk.run("pay", "A1", "120.00", "--channel", "transfer").code == 2
    assert desk.run("pay", "--help").code == 0


def test_credit_of_a_meter_is_asked_for_and_paid_out_when_it_is_proved(desk: Desk) -> None:
    desk.counter.read(45_67 * CENT)
    told = desk.told("refund", "A1", "20.00", "--channel", "transfer", who="accountant-1")
    assert (told["order"], told["amount"]) == ("O1", "20.00")
    assert told["message"].startswith("O1 asks the meter for 20.00: when the meter has proved it")
    ran = desk.run("refund", "A1", "45.68", "--channel", "transfer", who="accountant-1")
    assert (ran.code, "45.67" in ran.err) == (3, True)


def test_a_shift_is_opened_counted_and_closed(desk: Desk) -> None:
    desk.told("pay", "A1", "40.00")
    assert desk.told("shift", "count", "139.50")["difference"] == "-0.50"
    assert desk.told("shift", "recount")["state"] == "open"
    ran = desk.run("shift", "count", "129.50")
    assert "shift 1 is counted: the till is 10.50 short" in ran.err
    assert desk.run("shift", "close").code == 2
    closed = desk.told("shift", "close", "--slip", "B-7")
    assert (closed["banked"], closed["difference"], closed["task"]) == ("29.50", "-10.50", "T1")
    told = desk.told("shift", "open", "--float", "100.00")
    assert (told["shift"], told["float"]) == ("0011-000002", "100.00")
    shifts = desk.run("shift", "list", "--all", "--json", who="station_head-1").objects
    assert [row["shift"] for row in shifts] == ["0011-000002", "1"]
    assert desk.run("shift", "show", "1", who="station_head-1").code == 0


def test_a_receipt_is_printed_as_text_and_page_and_counted(desk: Desk, tmp_path: Path) -> None:
    desk.told("sell", "A1", "50.00", code=7)
    specimen = desk.run("receipt", "print", "S1", "--dry-run")
    assert "SPECIMEN - NOT A RECEIPT" in specimen.out
    first = desk.run("receipt", "print", "S1").out
    assert "COPY" not in first
    assert all(cell_len(line) <= 40 for line in first.splitlines())
    for text in ("Purchase of electricity", "1-0001", "A Customer", "50.00", "delivery pending"):
        assert text in first
    assert "*** COPY 1 ***" in desk.run("receipt", "print", "1-0001", "--language", "en").out
    page = tmp_path / "receipt.html"
    ran = desk.run("receipt", "print", "P1", "--language", "zh", "--html", str(page))
    assert ran.code == 0
    written = page.read_text()
    assert "补打 第2次" in written
    assert "伍拾元整" in written
    told = desk.told("receipt", "print", "S1")
    assert (told["copy"], told["amount"], told["state"]) == (3, "50.00", "taken")
    assert desk.run("receipt", "print", "S9").code == 2


def test_a_receipt_has_chinese_beside_english(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.told("sell", "A1", "50.00", code=7)
    text = desk.run("receipt", "print", "S1").out
    for wanted in (
        "Purchase of electricity 购电凭证",
        "Customer no. 户号 ",
        "人民币大写 ",
        "伍拾元整",
    ):
        assert wanted in text
    monkeypatch.setattr(receipt, "stdout_encoding", lambda: "latin-1")
    english = desk.run("receipt", "print", "S1").out
    assert ("*** COPY 1 ***" in english, "凭证" in english) == (True, False)
    refused = desk.run("receipt", "print", "S1", "--language", "both")
    assert (refused.code, "No receipt was printed" in refused.err) == (2, True)


def test_who_has_no_right_is_refused_with_six(desk: Desk) -> None:
    assert desk.run("sell", "A1", "50.00", who="accountant-1").code == 6
    refund = desk.run("refund", "A1", "1.00")
    assert (refund.code, "--shift SHIFT names the open shift" in refund.err) == (6, True)
    assert desk.run("sell", "A1", "50.00", who="unknown").code == 6
    assert desk.run("sell", "A1", "fifty").code == 2
    assert desk.run("sell", "A1", "50.00", "--card", "a", "--reader", "b").code == 2


def test_no_money_is_taken_for_a_card_that_cannot_be_written(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "text.bin").write_text("no card")
    create_image(tmp_path / "blank.bin", bytes(8))
    for name, code in (("none.bin", 2), ("text.bin", 2), ("blank.bin", 3)):
        ran = desk.run("sell", "A1", "50.00", "--card", str(tmp_path / name))
        assert (ran.code, "no money was taken" in ran.err, name in ran.err or code == 3) == (
            code, True, True,
        )  # fmt: skip
    assert desk.run("sale", "list", "--json").objects == []
    assert desk.run("receipt", "print", "1-0001").code == 2


def test_a_sale_on_a_card_is_told_again_when_the_card_has_gone(desk: Desk, tmp_path: Path) -> None:
    card = _card(tmp_path)
    desk.counter.read(0, more={"account_state": "unopened"})
    first = desk.run("sell", "A1", "50.00", "--card", str(card), "--key", "K-1", "--json")
    card.unlink()
    again = desk.run("sell", "A1", "50.00", "--card", str(card), "--key", "K-1", "--json")
    assert again.code in (first.code, 7)
    assert (again.objects[-1]["sale"], again.objects[-1]["replayed"]) == ("S1", True)


def _card(folder: Path, meter: str = "") -> Path:
    """Make a card; with a meter one that is bound to it, by an opening sale."""
    card = folder / f"card{meter}.bin"
    create_image(card, bytes(8))
    cards, place = Gateway(folder / "journal.sqlite").cards, CardPlace(str(card))
    assert cards.format(place).is_done
    if meter:
        sold = cards.sell(place, MeterPlace(meter, ""), "O-1", CreditKind.OPEN, 0, "1" * 12)
        assert sold.state is JournalWord.ON_CARD
    return card


def test_no_money_is_taken_for_a_card_that_is_unbound_or_another_meter_s(
    desk: Desk, tmp_path: Path
) -> None:
    desk.counter.read(0)
    unbound = desk.run("sell", "A1", "50.00", "--card", str(_card(tmp_path)))
    assert (unbound.code, "`desk card issue A1` binds it" in unbound.err) == (3, True)
    foreign = desk.run("sell", "A1", "50.00", "--card", str(_card(tmp_path, "000000000009")))
    assert (foreign.code, "is of meter 000000000009" in foreign.err) == (3, True)
    assert "no money was taken" in foreign.err
    assert desk.run("sale", "list", "--json").objects == []


def test_no_money_is_taken_for_a_card_of_which_no_sequence_is_known(
    desk: Desk, tmp_path: Path
) -> None:
    desk.counter.read(0)
    card = _card(tmp_path, "000000000001")
    told = desk.run("sell", "A1", "50.00", "--card", str(card))
    assert (told.code, "unconsumed; no money was taken" in told.err) == (6, True)
    assert desk.run("sale", "list", "--json").objects == []


def test_no_money_is_taken_that_the_key_ring_of_the_counter_cannot_seal(
    desk: Desk, tmp_path: Path
) -> None:
    desk.counter.work(lambda work: a_port(work, desk.counter.world, "tcp://127.0.0.1:1"))
    keys = tmp_path / "keys.json"
    create_ring(keys, daily_limit=40_00)
    words = ("sell", "A1", "50.00", "--keys", str(keys))
    over = desk.run(*words)
    assert (over.code, "daily limit is 40.00; no money was taken" in over.err) == (6, True)
    with Gateway(tmp_path / "journal.sqlite", keys).journal() as journal:
        journal.proofs.raise_floor("000000000001", 2)
    passed = desk.run("sell", "A1", "30.00", "--keys", str(keys))
    assert (passed.code, "a key version of 2 or above is needed" in passed.err) == (6, True)
    assert desk.run("sale", "list", "--json").objects == []


def test_no_money_is_taken_where_there_are_no_keys_for_the_port(desk: Desk) -> None:
    elsewhere = "tcp://192.0.2.1:502"
    desk.counter.work(lambda work: a_port(work, desk.counter.world, elsewhere))
    refused = desk.run("sell", "A1", "50.00")
    assert (refused.code, "no worker serves it now" in refused.err) == (6, True)
    assert "no money was taken" in refused.err
    until = host_clock() + LEASE_MS
    desk.counter.work(lambda work: work.session.execute(update(Port).values(lease_until=until)))
    assert desk.run("sell", "A1", "50.00", "--dry-run").code == 0


def test_a_lost_card_is_replaced_with_its_sale_and_erased_on_demand(
    desk: Desk, tmp_path: Path
) -> None:
    desk.counter.read(0)
    _card(tmp_path, "000000000001")
    new = str(tmp_path / "new.bin")
    missing = desk.run("card", "issue", "A1", "--card", new)
    assert (missing.code, "meterctl card format" in missing.err) == (2, True)
    create_image(Path(new), bytes(7) + bytes([9]))
    in_use = desk.run("card", "issue", "A1", "--card", new)
    assert (in_use.code, "`desk card replace`" in in_use.err) == (3, True)
    assert desk.run("card", "replace", "A1", "--card", new, who="accountant-1").code == 6
    told = desk.told("card", "replace", "A1", "--card", new, "--key", "R-1")
    assert (told["card"], told["sales"]) == ("0000000000000009", ["O-1"])
    again = desk.told("card", "replace", "A1", "--card", new, "--key", "R-1")
    assert (again["card"], again["replayed"]) == ("0000000000000009", True)
    unused = desk.run("card", "erase", new)
    assert (unused.code, "lies unused on it" in unused.err) == (3, True)
    assert desk.run("card", "erase", new, "--with-sale", "--dry-run").code == 0
    assert desk.told("card", "erase", new, "--with-sale")["sales"] == ["O-1"]


def test_a_card_for_an_account_that_is_not_open_gets_its_keys_and_its_first_sale_binds_it(
    desk: Desk, tmp_path: Path
) -> None:
    desk.counter.read(0, more={"account_state": "unopened"})
    card = str(tmp_path / "new.bin")
    create_image(Path(card), bytes(8))
    assert desk.told("card", "issue", "A1", "--card", card)["state"] == "issued"
    assert desk.told("sell", "A1", "50.00", "--card", card)["state"] == "on_card"


def test_today_tells_each_station_and_the_rows_behind_a_figure(desk: Desk) -> None:
    desk.told("sell", "A1", "50.00", code=7)
    accountant = "accountant-1"
    station, total = desk.run("today", "--json", who=accountant).objects
    for row in (station, total):
        assert (row["sold_today"], row["sold_today_count"], row["cash"]) == ("50.00", 1, "50.00")
        assert (row["cash_days"], row["waiting"], row["waiting_amount"]) == (0, 1, "50.00")
        assert (row["unknown"], row["tasks_late"], row["check_at"]) == (0, 0, None)
    assert (station["node"], total["node"]) == ("0011", "total")
    (row,) = desk.run("today", "--rows", "waiting", "--json", who=accountant).objects
    assert (row["number"], row["agreement"], row["amount"]) == ("S1", "A1", "50.00")
    shown = desk.run("today", who=accountant)
    assert "total" in shown.out
    assert "check: never run" in shown.err
    assert desk.run("today", "--node", "0001").code == 6
    assert "cash, waiting" in desk.run("today", "--rows", "debts").err


def test_a_run_of_the_check_is_kept_for_today_unless_it_is_a_rehearsal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METERCTL_JOURNAL", str(tmp_path / "none.sqlite"))
    desk.counter.person(Role.AUDITOR)
    desk.counter.work(lambda work: _grant_at_company(work, "auditor-1", Role.AUDITOR))
    assert desk.run("check", "--dry-run", who="auditor-1").code in (0, 3)
    assert desk.run("today", "--json", who="auditor-1").objects[-1]["check_at"] is None
    ran = desk.run("check", who="auditor-1")
    told = desk.run("today", "--json", who="auditor-1").objects[-1]
    assert told["check_at"].startswith(TODAY.isoformat())
    assert bool(told["check_broken"]) == (ran.code == 3)
    assert "check of 2026" in desk.run("today", who="auditor-1").err


def _grant_at_company(work: UnitOfWork, number: str, role: Role) -> None:
    """Let a person work at the company with the number as the token."""
    person = work.session.query(Staff).filter_by(number=number).one()
    person.token_hash = hash_of(number)
    company = work.session.query(Organisation).filter_by(code="0001").one()
    state = GrantState.ACTIVE
    work.add(
        StaffGrant(staff_id=person.id, role=role, node_id=company.id, from_on=TODAY, state=state)
    )
