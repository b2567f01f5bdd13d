"""meterctl receipt: what is printed, in which form, and which print it is."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from meterctl.cli import receipt as command
from meterctl.cli.options import Options
from meterctl.cli.output import OutputError
from meterctl.cli.receipt_rows import slip_of
from meterctl.cli.receipt_words import CHINESE, ENGLISH
from meterctl.drivers.table import MODBUS
from meterctl.errors import RefusedError, UsageError
from meterctl.journal import Entry, EntryEvent, Journal
from meterctl.operations.printed_receipt import print_receipt_of
from meterctl.session import Session
from meterctl.slips.text import FEED, WIDTH, slip_lines
from protocols.command_line import Program
from protocols.quantities import LEDGER
from protocols.sealed_message import MessageKind
from tests.support.setup import CUSTOMER, METER, SERIAL
from tests.support.wire_sales import meter_of, session_of, sold
from tests.unit.meterctl.cli.conftest import Printed, Run

KEY = "R-1042/" + "x" * 57
LONG = "Electricity cooperative of the upper valley, 1 Long Street, tel. 0571 12345678"


@pytest.fixture(autouse=True)
def _at_china(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CST-8")
    monkeypatch.delenv(command.ISSUER, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


@pytest.fixture
def run(journal: Journal, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the journal, without a port."""

    def run(module: str, *words: str, json: bool = False, dry_run: bool = False) -> Printed:
        app = Program("Commands of a test.")
        app.callback()(lambda: None)
        import_module(f"meterctl.cli.{module}").add_to(app)
        given = Options(
            None, MODBUS, 1, None, journal.path, 1000, json, False, True, dry_run, False
        )
        app(list(words), obj=given, standalone_mode=False)
        return Printed(*capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def entry(journal: Journal) -> Entry:
    """A top-up of 50.00 by wire, of a sale key; entry 2, behind one of 30.00."""
    session = session_of(meter_of(customer_number=CUSTOMER))
    sold(session, journal, 3000)
    return sold(session, journal, reference=KEY).entry


def printed(run: Run, *words: str, **how: bool) -> Printed:
    return run("receipt", "receipt", *words, **how)


def test_a_receipt_for_a_slip_printer(run: Run, entry: Entry) -> None:
    lines = printed(run, str(entry.id), "--issuer", LONG).out.split("\n")
    assert lines[-FEED - 1 :] == [""] * (FEED + 1), "the last line is beyond the edge"
    text = "\n".join(lines)
    assert "\x1b" not in text
    for line in (
        "  Electricity cooperative of the upper\n",
        "        Purchase of electricity\n",
        "Meter                       000000000042\n",
        "Customer                    000000001001\n",
        "Meter's time  2026-01-01 08:00:00 +08:00\n",
        "Amount                         50.00 CNY\n",
        "Credit before                  30.00 CNY\n",
        "Credit after                   80.00 CNY\n",
        "Purchases in all               80.00 CNY\n",
        "Check          30.00 + 50.00 = 80.00 CNY\n",
        "Sequence                               2\n",
        "Carrier                             wire\n",
        "Proof                sealed by the meter\n",
    ):
        assert line in text
    assert "REPRINT" not in text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("which", ["1", "2"])
def test_no_line_is_longer_than_forty_columns(
    run: Run, entry: Entry, language: str, which: str
) -> None:
    for _ in range(2):
        out = printed(run, which, "--language", language, "--issuer", LONG, "--issuer", "供电" * 30)
        assert max(map(cell_len, out.out.splitlines())) == WIDTH == 40


def test_a_receipt_in_chinese_has_the_terms_of_fee_control(
    run: Run, entry: Entry, journal: Journal
) -> None:
    text = printed(run, str(entry.id), "--language", "zh").out
    for line in (
        "购电凭证\n",
        "表号                        000000000042\n",
        "购电金额                        50.00 元\n",
        "人民币大写                      伍拾元整\n",
        "交易后剩余金额                  80.00 元\n",
        "购电次数                               2\n",
        "购电方式                            远程\n",
        "凭据              电表加密回执（已验证）\n",
    ):
        assert line in text
    carried = journal.prepare("000000000011", 7, 1, "open", 5, b"", 5, card=SERIAL.hex())
    journal.settle(carried, EntryEvent.WRITE_BACK, 5)
    assert (
        f"购电方式         购电卡 {SERIAL.hex()}\n"
        in printed(run, "--last", "--language", "zh").out
    )


def test_the_example_of_the_docs_is_printed(run: Run, entry: Entry) -> None:
    page = (Path(__file__).parents[4] / "docs" / "receipts.md").read_text()
    example = page.partition("```text\n")[2].partition("```")[0].splitlines()
    words = ("--language", "zh", "--issuer", "供电公司城南营业厅", "--cashier", "0042")
    lines = printed(run, str(entry.id), *words).out.splitlines()
    assert len(example) > 10
    assert [line for line in lines if line in example] == example
    assert max(map(cell_len, example)) == WIDTH


def test_the_languages_have_the_same_words() -> None:
    assert ENGLISH.titles.keys() == CHINESE.titles.keys()
    assert ENGLISH.proofs.keys() == CHINESE.proofs.keys()
    assert all(ENGLISH.texts())
    assert all(CHINESE.texts())
    assert "{number}" in ENGLISH.reprint
    assert "{number}" in CHINESE.reprint


def test_a_reprint_is_marked_with_its_number_and_the_first_print(
    run: Run, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.time, "time", lambda: 1_767_225_700)
    assert "REPRINT" not in printed(run, str(entry.id)).out
    monkeypatch.setattr(command.time, "time", lambda: 1_767_312_100)
    again = printed(run, "--sale", KEY).out
    assert again.count("*** REPRINT 1 ***") == 2, "at the head and at the foot"
    assert "First printed 2026-01-01 08:01:40 +08:00\n" in again
    assert "Printed       2026-01-02 08:01:40 +08:00\n" in again
    third = json.loads(printed(run, "--last", json=True).out)
    assert (third["reprint"], third["first_printed"]) == (2, "2026-01-01T08:01:40.000+08:00")


def test_a_dry_run_shows_a_specimen_and_counts_nothing(
    run: Run, entry: Entry, journal: Journal, tmp_path: Path
) -> None:
    text = printed(run, str(entry.id), dry_run=True).out
    assert text.count("SPECIMEN - NOT A RECEIPT") == 2
    record = json.loads(printed(run, str(entry.id), dry_run=True, json=True).out)
    assert (record["specimen"], record["reprint"], record["result"]) == (True, None, "planned")
    page = tmp_path / "r.html"
    shown = printed(run, str(entry.id), "--language", "zh", "--html", str(page), dry_run=True).out
    assert unescape(shown).count(CHINESE.specimen) == 2
    assert shown.isascii()
    assert not page.exists()
    assert journal.prints.of(entry.id) == []


def test_the_object_has_what_the_receipt_says(run: Run, entry: Entry) -> None:
    record = json.loads(printed(run, str(entry.id), "--issuer", "供电", json=True).out)
    assert {
        "id": entry.id,
        "at": "2026-01-01T08:00:00.000+08:00",
        "meter": METER,
        "serial_number": METER,
        "kind": "credit",
        "amount": 50.0,
        "to_credit": 50.0,
        "credit_before": 30.0,
        "credit_after": 80.0,
        "carrier": "wire",
        "card": None,
        "sale": KEY,
        "proof": "receipt",
        "code": entry.code.hex(),
        "issuer": ["供电"],
        "specimen": False,
        "reprint": 0,
        "result": "done",
        "outcome": "accepted",
        "entry": entry.id,
        "exit_code": 0,
    }.items() <= record.items()


def test_the_journal_shows_when_receipts_were_printed(run: Run, entry: Entry) -> None:
    printed(run, str(entry.id))
    shown = json.loads(run("journal", "journal", "show", str(entry.id), json=True).out)
    assert len(shown["prints"]) == 1


def amounts(run: Run, *words: str) -> dict[str, Decimal]:
    """Return the numbers of a receipt's object as they are written."""
    record = json.loads(printed(run, *words, json=True).out, parse_float=Decimal)
    return {name: value for name, value in record.items() if isinstance(value, Decimal)}


def test_the_exact_amounts_of_the_object_add_up(
    run: Run, indebted: Entry, journal: Journal
) -> None:
    is_ = amounts(run, str(indebted.id))
    exact = {name: value for name, value in is_.items() if name.endswith("_exact")}
    assert {value.as_tuple().exponent for value in exact.values()} == {-10}
    assert exact["to_debt_exact"] == Decimal("8.3325")
    assert is_["to_debt"] == Decimal("8.33"), "as before, cut"
    assert is_["amount"] == sum(
        exact[f"to_{part}_exact"] for part in ("overdraft", "debt", "credit")
    )
    assert exact["credit_after_exact"] == (
        exact["credit_before_exact"] + is_["amount"] - exact["to_debt_exact"]
    )
    shown = json.loads(run("journal", "journal", "show", str(indebted.id), json=True).out)
    assert shown["receipt_to_debt_exact"] == 8.3325


def test_a_refund_has_no_part_that_becomes_credit(run: Run, journal: Journal) -> None:
    session = session_of(meter_of(credit=20 * LEDGER, epoch=9))
    entry = sold(session, journal, 500, MessageKind.REFUND).entry
    record = json.loads(printed(run, str(entry.id), json=True).out)
    assert (record["to_credit"], record["to_credit_exact"]) == (None, None)
    assert (record["credit_before_exact"], record["credit_after_exact"]) == (20.0, 15.0)


def test_a_place_that_is_refused_counts_no_print(
    run: Run, journal: Journal, entry: Entry, tmp_path: Path
) -> None:
    keys, fifo = tmp_path / "keys.json", tmp_path / "fifo"
    keys.write_text("{}")
    os.mkfifo(fifo)
    for place in (keys, fifo, journal.path):
        before = place.read_bytes() if place.is_file() else b""
        for dry_run in (False, True):
            if dry_run and place == fifo:
                continue
            with pytest.raises(UsageError, match="nothing was written"):
                printed(run, str(entry.id), "--html", str(place), dry_run=dry_run)
        assert place == fifo or place.read_bytes() == before
    page = tmp_path / "page.html"
    assert "reprint" not in printed(run, str(entry.id), "--html", str(page)).err
    printed(run, str(entry.id), "--html", str(page))
    assert "REPRINT" in page.read_text(), "a page of ours is replaced"


@pytest.fixture
def indebted(journal: Journal) -> Entry:
    """A top-up of 33.33 of which 25 % pays a debt; in an account of another epoch."""
    session = indebted_session()
    sold(session, journal, 10000, MessageKind.DEBT)
    return sold(session, journal, 3333).entry


def indebted_session(**description: Any) -> Session:
    meter = meter_of(credit=-30_070_000_000, epoch=9, **description)
    meter.state.settings = replace(meter.state.settings, debt_share_percent=25)
    return session_of(meter)


# ---- what stands on the slip of each kind


def test_a_debt_says_what_was_added_and_checks_nothing(run: Run, journal: Journal) -> None:
    entry = sold(indebted_session(), journal, 10000, MessageKind.DEBT).entry
    text = printed(run, str(entry.id), "--language", "zh").out
    assert "新增欠费                       100.00 元\n" in text
    assert "剩余金额（未变）               -3.007 元\n" in text
    assert CHINESE.check not in text
    assert "办理方式                            远程\n" in text, "it is no purchase"
    text = printed(run, str(entry.id)).out
    assert "Debt added                    100.00 CNY\n" in text
    assert "Check" not in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_slip_of_every_kind_fits_and_names_its_unit(
    run: Run, journal: Journal, language: str
) -> None:
    for unit, name in ((156, ("CNY", "元")), (0, ("kWh", "千瓦时"))):
        with_unit = Journal(journal.path.with_name(f"{unit}.sqlite"))
        session = indebted_session(account_unit=unit)
        for kind, cents in (
            (MessageKind.DEBT, 99_999_999),
            (MessageKind.CREDIT, 99_999_999),
            (MessageKind.REFUND, 1),
            (MessageKind.CLOSE, 0),
        ):
            entry = sold(session, with_unit, cents, kind).entry
            made = print_receipt_of(with_unit, entry.id, 5)
            words = CHINESE if language == "zh" else ENGLISH
            slip = slip_of(made, words, [], lambda _: 0, "0042 " * 20)
            assert max(map(cell_len, slip_lines(slip, "utf-8"))) <= WIDTH
            rows = [row for row in slip.groups[1] if "." in row.value]
            assert len(rows) >= 3
            assert all(row.value.endswith(name[language == "zh"]) for row in rows)
            if unit == 0:
                assert "金额" not in "".join(row.name for row in slip.groups[1])
        with_unit.close()


def test_an_account_in_kwh_sells_energy(run: Run, journal: Journal) -> None:
    entry = sold(indebted_session(account_unit=0), journal, 3333).entry
    text = printed(run, str(entry.id), "--language", "zh").out
    assert "购电量                      33.33 千瓦时\n" in text
    assert "累计购电量                  33.33 千瓦时\n" in text
    assert "人民币大写" not in text
    assert "Energy bought                  33.33 kWh\n" in printed(run, str(entry.id)).out


@pytest.mark.parametrize(
    ("credit", "zh", "en", "check"),
    [
        (
            545_678_000_001,
            "退还余额                        54.56 元\n",
            "Balance to pay back            54.56 CNY\n",
            "54.5678000001 - 54.5678000001 = 0.00 CNY",
        ),
        (
            -30_070_000_000,
            "应补金额                         3.00 元\n",
            "Balance still due               3.00 CNY\n",
            "-3.007 + 3.007 = 0.00 CNY",
        ),
    ],
    ids=["credit", "overdraft"],
)
def test_a_closing_names_what_can_be_paid_and_that_a_debt_is_left(
    run: Run, journal: Journal, credit: int, zh: str, en: str, check: str
) -> None:
    session = session_of(meter_of(credit=credit, epoch=9))
    entry = sold(session, journal, 0, MessageKind.CLOSE).entry
    text = printed(run, str(entry.id), "--language", "zh").out
    assert zh in text
    assert "欠费（如有）              不在本次结算内\n" in text
    text = printed(run, str(entry.id)).out
    assert en in text
    assert check in text
    before = "-3.00" if credit < 0 else "54.56"
    assert f"Credit before{before:>23} CNY\n" in text


def test_the_chinese_slip_has_full_width_marks(run: Run) -> None:
    for text in CHINESE.texts():
        assert not set(",:()") & set(text), text


def test_the_cashier_stands_beside_the_time_of_the_print(run: Run, entry: Entry) -> None:
    words = ("--cashier", "0042\x1b 03")
    assert (
        "收费员                          0042  03\n"
        in printed(run, str(entry.id), "--language", "zh", *words).out
    )
    record = json.loads(printed(run, str(entry.id), "--cashier", "Wang", json=True).out)
    assert record["cashier"] == "Wang"
    assert "Cashier" not in printed(run, str(entry.id)).out


# ---- times


def test_the_meters_time_and_that_of_the_host_are_named(run: Run, journal: Journal) -> None:
    session = session_of(meter_of(epoch=9), now=lambda: 1_767_139_200)
    entry = sold(session, journal).entry
    text = printed(run, str(entry.id), "--language", "zh").out
    assert "办理时间      2025-12-31 08:00:00 +08:00\n" in text
    assert "电表时间      2026-01-01 08:00:00 +08:00\n" in text
    record = json.loads(printed(run, str(entry.id), json=True).out)
    assert record["created"] == "2025-12-31T08:00:00.000+08:00"
    assert record["at"] == record["meter_time"] == "2026-01-01T08:00:00.000+08:00"


def test_the_time_of_a_sale_without_a_receipt_is_the_same_in_every_print(
    run: Run, journal: Journal
) -> None:
    entry = journal.prepare("000000000011", 7, 1, "credit", 5000, b"\x02\x01", 1_767_225_600)
    entry = journal.settle(entry, EntryEvent.CLOSED_AS_CONFIRMED, 1_767_312_000)
    first = json.loads(printed(run, str(entry.id), json=True).out)
    journal.settle(entry, EntryEvent.STATUS, 1_767_398_400)
    again = json.loads(printed(run, str(entry.id), json=True).out)
    assert first["at"] == again["at"] == "2026-01-01T08:00:00.000+08:00"
    assert first["meter_time"] is again["meter_time"] is None
    text = printed(run, str(entry.id)).out
    assert "Entered       2026-01-01 08:00:00 +08:00\n" in text
    assert "Meter's time" not in text


# ---- the page on stdout


def test_the_page_goes_to_stdout_for_a_dash(
    run: Run, entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    page = printed(run, str(entry.id), "--language", "zh", "--html", "-").out
    assert page.startswith("<!DOCTYPE html>")
    assert "伍拾元整" in unescape(page)
    assert page.isascii(), "right in every encoding of stdout"
    assert list(tmp_path.glob("-*")) == []
    with pytest.raises(UsageError, match=r"--html - and --json"):
        printed(run, str(entry.id), "--html", "-", json=True)
    assert json.loads(printed(run, str(entry.id), json=True).out)["reprint"] == 1


# ---- a print that fails


@pytest.mark.parametrize("as_json", [False, True])
def test_a_print_that_fails_says_that_the_next_is_a_reprint(
    run: Run, entry: Entry, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    def full(*_: object) -> None:
        raise OutputError(OSError(28, "No space left on device"))

    with monkeypatch.context() as patched:
        patched.setattr(command, "emit", full)
        patched.setattr(command, "print_json", full)
        with pytest.raises(UsageError, match=r"No space left.*; the next print is reprint 1") as no:
            printed(run, str(entry.id), json=as_json)
    assert (no.value.exit_code, no.value.entry) == (2, entry.id)
    assert "*** REPRINT 1 ***" in printed(run, str(entry.id)).out


def test_a_print_that_is_interrupted_or_killed_leaves_one_original(
    run: Run, entry: Entry, journal: Journal
) -> None:
    made = print_receipt_of(journal, entry.id, 1)
    with (
        pytest.raises(KeyboardInterrupt, match="interrupted; the next print is reprint 1"),
        command.telling_that_it_counts(made),
    ):
        raise KeyboardInterrupt
    assert "*** REPRINT 1 ***" in printed(run, str(entry.id)).out


def test_a_page_that_cannot_be_written_is_named(
    run: Run, entry: Entry, tmp_path: Path, journal: Journal
) -> None:
    for place in (tmp_path / "absent" / "r.html", tmp_path):
        with pytest.raises(UsageError, match="nothing was written"):
            printed(run, str(entry.id), "--html", str(place))
    assert journal.prints.of(entry.id) == [], "seen before anything was counted"
    if Path("/dev/full").exists():
        with pytest.raises(UsageError, match=r"/dev/full: no space .* next print is reprint 1"):
            printed(run, str(entry.id), "--html", "/dev/full")


# ---- the page


class _Page(HTMLParser):
    """Collects the tags, the attributes and the texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-CN")])
def test_a_page_is_one_file_in_its_language_with_every_text_escaped(
    run: Run, entry: Entry, tmp_path: Path, language: str, tag: str
) -> None:
    page = tmp_path / "r.html"
    words = ("--issuer", "<script>x</script> & Sons", "--html", str(page))
    out = printed(run, str(entry.id), "--language", language, *words)
    assert out == ("", f"receipt {_number(run, entry)}: written to {page}\n")
    text = page.read_text()
    parsed = _Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert parsed.attributes["lang"] == tag
    assert "<script>x</script> & Sons" in parsed.texts
    assert not {"script", "img", "link", "iframe"} & set(parsed.tags)
    assert not {"src", "href"} & set(parsed.attributes)
    assert "url(" not in text
    assert "@import" not in text
    printed(run, str(entry.id), "--language", language, "--html", str(page))
    assert (ENGLISH if language == "en" else CHINESE).reprint.format(number=1) in page.read_text()


def _number(run: Run, entry: Entry) -> str:
    return str(
        json.loads(printed(run, str(entry.id), dry_run=True, json=True).out)["receipt_number"]
    )


# ---- which sale, and what is refused


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("1", "--last"),
        ("--last", "--sale", "x"),
        ("1", "--meter", METER),
        ("1", "--language", "fr"),
        ("99",),
        ("--sale", "absent"),
        ("--last", "--meter", "000000000099"),
        ("1", *(word for _ in range(9) for word in ("--issuer", "x"))),
    ],
)
def test_words_that_do_not_name_one_sale_are_refused(
    words: tuple[str, ...], run: Run, journal: Journal
) -> None:
    with pytest.raises(UsageError):
        printed(run, *words)
    assert journal.prints.of(1) == []


def test_the_newest_sale_is_refused_where_it_is_not_settled(run: Run, journal: Journal) -> None:
    journal.prepare("000000000099", 7, 1, "credit", 100, b"", 5)
    with pytest.raises(RefusedError, match=r"meter 000000000099.* is prepared"):
        printed(run, "--last")
    assert "000000000042" in printed(run, "--last", "--meter", METER).out


def test_lines_of_the_seller_come_from_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(command.ISSUER, "Co-op\n\nHill \x1b[2Jroad 2")
    text = printed(run, "1").out
    assert text.splitlines()[:2] == [" " * 17 + "Co-op", " " * 12 + "Hill  [2Jroad 2"]


# ---- encodings


def test_a_stdout_without_chinese_is_refused_before_anything_is_counted(
    run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "cp437"))
    with pytest.raises(UsageError, match=r"stdout is cp437.*PYTHONIOENCODING"):
        printed(run, "1", "--language", "zh")
    assert journal.prints.of(1) == []
    printed(run, "1", "--language", "zh", "--html", str(tmp_path / "r.html"))


def test_lines_keep_their_width_where_characters_are_replaced(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    printed(run, "1", "--issuer", "Électricité " * 5)
    lines = raw.getvalue().decode("ascii").splitlines()
    assert r"\xc9lectricit\xe9" in lines[0]
    assert max(map(len, lines)) <= WIDTH
