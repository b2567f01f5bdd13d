"""meterctl receipt: what is printed, in which form, and which print it is."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import pytest
from rich.cells import cell_len

from meterctl.cli import receipt as command
from meterctl.cli.options import Options
from meterctl.cli.output import OutputError
from meterctl.cli.slips.text import FEED, WIDTH
from meterctl.cli.slips.words import CHINESE, ENGLISH
from meterctl.drivers.table import MODBUS
from meterctl.errors import RefusedError, UsageError
from meterctl.journal import Entry, EntryEvent, Journal
from meterctl.operations.printed_receipt import print_receipt_of
from protocols.command_line import Program
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
        "Date          2026-01-01 08:00:00 +08:00\n",
        "Amount                         50.00 CNY\n",
        "Credit before                      30.00\n",
        "Credit after                       80.00\n",
        "Purchases in all                   80.00\n",
        "Check              30.00 + 50.00 = 80.00\n",
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
        "金额                            50.00 元\n",
        "交易后剩余金额                     80.00\n",
    ):
        assert line in text
    carried = journal.prepare("000000000011", 7, 1, "open", 5, b"", 5, card=SERIAL.hex())
    journal.settle(carried, EntryEvent.WRITE_BACK, 5)
    assert f"购电卡 {SERIAL.hex()}\n" in printed(run, "--last", "--language", "zh").out


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
