"""The journal file: an older layout is upgraded; a newer one or a foreign file stays unchanged."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path
from random import Random

import pytest

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from meterctl.drivers import Delivery
from meterctl.errors import NotPermittedError, UsageError
from meterctl.journal import (
    LAYOUT,
    Entry,
    EntryEvent,
    EntryOutcome,
    EntryState,
    Journal,
    SeenWriteBack,
)
from meterctl.journal.layout import bring_up
from meterctl.key_ring import DailyLimit, KeyRing
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.presented import PresentedCard
from meterctl.operations.card.sales import sell
from meterctl.operations.credit import execute, plan
from meterctl.operations.resolution import close_by_hand, resolve
from meterctl.operations.withdrawal import withdraw_cards
from meterctl.session import Session
from protocols.card.applet import Card
from protocols.card.memory import BytesMemory
from protocols.keys import derive_meter_keys
from protocols.quantities import LEDGER
from protocols.sealed_message import NO_ORIGIN, MessageKind, Outcome, Receipt
from tests.support.meters import Host
from tests.support.setup import insert_into
from tests.support.wire import connect

_FIRST_LAYOUT = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    kind TEXT NOT NULL, amount INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('prepared', 'on_card', 'unknown', 'confirmed', 'refused')),
    outcome TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL, changed INTEGER NOT NULL,
    message BLOB NOT NULL, receipt BLOB NOT NULL DEFAULT x''
);
CREATE UNIQUE INDEX one_open ON entries (meter, epoch)
    WHERE kind != 'void' AND state IN ('prepared', 'on_card', 'unknown');
CREATE UNIQUE INDEX one_live ON entries (meter, epoch, sequence)
    WHERE kind != 'void' AND state != 'refused';
INSERT INTO entries (meter, epoch, sequence, kind, amount, state, created, changed, message)
    VALUES ('000000000001', 7, 1, 'credit', 5000, 'unknown', 1, 2, x'0102');
PRAGMA user_version = 1;
"""


def old_journal(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.executescript(_FIRST_LAYOUT)
    db.close()
    return path


def test_a_journal_of_the_first_layout_keeps_its_entries_and_their_rules(tmp_path: Path) -> None:
    journal = Journal(old_journal(tmp_path / "j.sqlite"))
    (entry,) = journal.entries()
    assert (entry.meter, entry.state, entry.message, entry.card, entry.reference) == (
        "000000000001",
        EntryState.UNKNOWN,
        b"\x01\x02",
        "",
        "",
    )
    with pytest.raises(NotPermittedError):
        journal.prepare("000000000001", 7, 2, "credit", 1, b"", 3)
    journal.audit("x", 1)
    journal.write_backs.keep("000000000001", 7, "c", SeenWriteBack(1, 2, 3, 4), 5)
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.entries() == [entry]
    assert again.write_backs.last("000000000001", 7, "c") == SeenWriteBack(1, 2, 3, 4)
    again.close()


def test_a_journal_that_cannot_be_brought_up_stays_as_it_was(tmp_path: Path) -> None:
    path = old_journal(tmp_path / "j.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE audit (something TEXT)")
        db.execute("CREATE INDEX one_request ON audit (something)")
        db.execute(
            "ALTER TABLE entries ADD COLUMN ring TEXT"
        )  # the last of the three columns: a partial upgrade would leave the other two
    db.close()
    with pytest.raises(UsageError):
        Journal(path)
    with sqlite3.connect(path) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(entries)")]
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()
    assert "card" not in names


@pytest.mark.parametrize("version", [LAYOUT + 1, 99])
def test_a_newer_layout_is_left_alone(tmp_path: Path, version: int) -> None:
    path = tmp_path / "j.sqlite"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with pytest.raises(UsageError, match="later version"):
        Journal(path)


def test_a_limit_is_of_one_ring_one_day_and_what_was_sold(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    limit = DailyLimit("aaaa", 1000)
    entry = journal.prepare("000000000001", 7, 1, "credit", 900, b"1", 86_400 * 3, limit=limit)
    with pytest.raises(NotPermittedError, match=r"9\.00 sold today"):
        journal.prepare("000000000002", 7, 1, "credit", 101, b"2", 86_400 * 4 - 1, limit=limit)
    journal.prepare("000000000002", 7, 1, "credit", 101, b"3", 86_400 * 4, limit=limit)
    journal.prepare(
        "000000000003", 7, 1, "credit", 5000, b"4", 86_400 * 3, limit=DailyLimit("bbbb", None)
    )
    journal.prepare("000000000004", 7, 1, "refund", 5000, b"5", 86_400 * 3, limit=limit)
    journal.settle(entry, EntryEvent.CLOSED_AS_REFUSED, 86_400 * 3)
    with pytest.raises(
        NotPermittedError, match=r"9\.00 sold today"
    ):  # an entry closed by a person still counts: its bytes can be accepted
        journal.prepare("000000000005", 7, 1, "open", 1000, b"6", 86_400 * 3 + 9, limit=limit)
    journal.prepare("000000000005", 7, 1, "open", 100, b"6", 86_400 * 3 + 9, limit=limit)
    assert [line.amount for line in journal.audit_lines()] == [101, 1000]
    journal.close()


def test_a_key_of_a_requester_stands_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    entry = journal.prepare("000000000001", 7, 1, "credit", 900, b"1", 0, card="c", reference="r1")
    with pytest.raises(NotPermittedError):
        journal.prepare("000000000002", 7, 1, "credit", 900, b"2", 0, card="d", reference="r1")
    assert journal.find_reference("r1") == entry
    journal.settle(entry, EntryEvent.RECEIPT_OF_ANOTHER, 0)
    found = journal.find_reference("r1")
    assert found is not None, "it stands, whatever became of it"
    assert found.state is EntryState.REFUSED
    journal.close()


# ---- a journal and meters written by 30f1bce: layout 2, message format 1

FORMER = Path(__file__).parents[3] / "fixtures" / "layout_1"
MASTER = bytes(range(16))
RING = KeyRing({1: MASTER}, Path("keys.json"))


def former_journal(folder: Path) -> Journal:
    """Return the journal of layout 2 written by 30f1bce, with an entry in every state."""
    path = folder / "journal.sqlite"
    path.write_bytes(gzip.decompress((FORMER / "journal.sqlite.gz").read_bytes()))
    return Journal(path)


def former_meter(serial: str) -> Meter:
    """Return the meter of a state file written by 30f1bce."""
    data = gzip.decompress((FORMER / f"{serial}.nv.gz").read_bytes())
    keys = {1: derive_meter_keys(MASTER, serial, 1)}
    return build(MeterDescription(serial_number=serial, keys=keys), SimulatedNvram(data))


def session_of(serial: str) -> tuple[Session, Meter]:
    meter = former_meter(serial)
    return connect(meter, ring=RING)[0], meter


def of(journal: Journal, serial: str) -> Entry:
    return [entry for entry in journal.entries() if entry.meter == serial][-1]


def test_a_journal_of_layout_2_is_read_whole(tmp_path: Path) -> None:
    journal = former_journal(tmp_path)
    told = [json.loads(line) for line in (FORMER / "journal.list.json").read_text().splitlines()]
    for entry, known in zip(journal.entries(), told, strict=True):
        shown = (
            entry.id,
            entry.meter,
            f"{entry.epoch:08x}",
            entry.sequence,
            entry.kind,
            entry.amount / 100,
            entry.state.value,
            entry.outcome or None,
            entry.card or None,
        )
        names = ("id", "meter", "epoch", "sequence", "kind", "amount", "state", "outcome", "card")
        assert shown == tuple(known[name] for name in names)
        assert entry.is_former
        assert entry.origin == NO_ORIGIN
    assert {entry.state for entry in journal.entries()} == set(EntryState)
    number = journal.numbers.current
    assert number
    assert journal.proofs.floor("000000000042") == 1
    epoch = of(journal, "000000000042").epoch
    assert journal.last_sequence("000000000042", epoch) == 7
    journal.close()
    again = Journal(tmp_path / "journal.sqlite")
    assert again.numbers.current == number
    assert len(again.entries()) == len(told)


def test_two_processes_that_bring_a_journal_up_at_once_draw_one_number(tmp_path: Path) -> None:
    former_journal(tmp_path).close()
    path = tmp_path / "journal.sqlite"
    path.write_bytes(gzip.decompress((FORMER / "journal.sqlite.gz").read_bytes()))
    numbers = set()
    for _ in range(2):
        journal = Journal(path)
        numbers.add(journal.numbers.current)
        journal.close()
    assert len(numbers) == 1


def test_a_former_account_goes_on_with_messages_of_the_present_format(tmp_path: Path) -> None:
    journal = former_journal(tmp_path)
    session, meter = session_of("000000000042")
    before = meter.state.account.credit
    entry = execute(session, journal, plan(session, journal, MessageKind.CREDIT, 100)).entry
    assert (entry.sequence, entry.is_former) == (8, False)
    assert meter.state.account.credit == before + LEDGER


def test_an_unknown_entry_of_format_1_is_settled_by_its_receipt(tmp_path: Path) -> None:
    journal = former_journal(tmp_path)
    session, meter = session_of("000000000045")
    (resolved,) = resolve(session, journal)
    assert (resolved.entry.state, resolved.error) == (EntryState.CONFIRMED, None)
    assert meter.state.account.credit == 45 * LEDGER


def test_bytes_of_format_1_are_not_sent_again_and_a_void_of_format_2_ends_them(
    tmp_path: Path,
) -> None:
    journal = former_journal(tmp_path)
    session, meter = session_of("000000000046")
    entry = of(journal, "000000000046")
    with pytest.raises(
        NotPermittedError, match=r"entry 13 .*former message format.* is still prepared"
    ):
        execute(session, journal, plan(session, journal, MessageKind.CREDIT, 100))
    sent: list[bytes] = []
    inner = session.driver.deliver

    def deliver(sealed: bytes) -> Delivery:
        sent.append(sealed)
        return inner(sealed)

    session.driver.deliver = deliver  # type: ignore[method-assign]
    (resolved,) = resolve(session, journal)
    assert (resolved.entry.state, resolved.entry.outcome) == (EntryState.REFUSED, "voided")
    assert entry.message not in sent
    assert meter.state.security.credit_sequence == 1
    assert meter.state.account.credit == 20 * LEDGER
    assert Host(meter).deliver(entry.message).outcome is Outcome.UNSUPPORTED_VERSION


def test_an_entry_of_format_1_that_was_never_answered_is_closed_by_a_person(tmp_path: Path) -> None:
    journal = former_journal(tmp_path)
    entry = of(journal, "000000000047")
    assert (entry.state, entry.outcome) == (EntryState.REFUSED, EntryOutcome.BY_HAND)
    prepared = of(journal, "000000000046")
    closed = close_by_hand(journal, prepared, EntryState.REFUSED, 1)
    assert closed.outcome is EntryOutcome.BY_HAND


def card(name: str) -> Card:
    return Card(
        BytesMemory(gzip.decompress((FORMER / f"{name}.img.gz").read_bytes())),
        Random("card").randbytes,
    )


def case_of(image: Card, journal: Journal) -> Case:
    image.power_on()
    random = Random("counter").randbytes
    return Case.read(PresentedCard(image.apdu, RING, random, lambda: 1_800_000_000), journal)


def test_a_write_back_of_the_former_build_still_proves(tmp_path: Path) -> None:
    journal = former_journal(tmp_path)
    case = case_of(card("written_back"), journal)
    (settled,) = compare(case)
    assert (settled.meter, settled.state) == ("000000000043", EntryState.CONFIRMED)
    sold = sell(case.read_again(), 500)
    assert (sold.entry.sequence, sold.entry.is_former) == (2, False)


def test_an_unconsumed_sale_of_format_1_is_named_refused_by_the_meter_and_ended_by_a_void(
    tmp_path: Path,
) -> None:
    journal = former_journal(tmp_path)
    image = card("unconsumed")
    with pytest.raises(NotPermittedError, match=r"former message format"):
        sell(case_of(image, journal), 1000)
    session, meter = session_of("000000000044")
    inserted = insert_into(meter, image, Random("slot").randbytes)
    assert inserted.insertion is not None
    assert inserted.insertion.outcome is Outcome.UNSUPPORTED_VERSION
    assert not inserted.written_back, "the card stays as it was sold"
    (ended,) = withdraw_cards(session, journal, erased_only=False).entries
    assert (ended.state, ended.outcome, ended.amount) == (EntryState.REFUSED, "voided", 1000)
    assert meter.state.account.credit == 30 * LEDGER


def test_a_journal_that_another_process_brought_up_meanwhile_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    before = path.read_bytes()
    with sqlite3.connect(path, isolation_level=None) as db:
        bring_up(db, path, lambda: 99, 1)
        assert db.execute("SELECT COUNT(*) FROM numbers").fetchone() == (1,)
        assert db.execute("PRAGMA user_version").fetchone() == (LAYOUT,)
    db.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [-1, LAYOUT + 1])
def test_a_layout_that_this_build_does_not_know_is_refused(tmp_path: Path, version: int) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="later version; nothing was changed"):
        Journal(path)
    assert path.read_bytes() == before


def test_the_receipts_of_a_journal_of_layout_2_prove_the_last_message(tmp_path: Path) -> None:
    journal = former_journal(tmp_path)
    proved = journal.proofs.newest("000000000042")
    assert proved is not None
    receipts = [
        Receipt.decode(entry.receipt)
        for entry in journal.entries()
        if entry.meter == "000000000042" and entry.receipt
    ]
    last = max(receipts, key=lambda receipt: receipt.sequence)
    assert (proved.last_sequence, proved.last_code, proved.last_at) == (
        last.sequence,
        last.code,
        last.at,
    )
    assert proved.cumulative == max(receipt.cumulative for receipt in receipts)
    assert Receipt.decode(proved.receipt) == last
    journal.close()
