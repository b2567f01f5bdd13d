"""A meter on a real wire: taken over, read, signed for and provisioned by commands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meterctl.cli.program import run as run_meterctl
from meterctl.utility.rules.rights import Role
from meterctl.utility.services import staff
from meterctl.utility.services.archive import ports
from meterctl.utility.store.authentication import draw_token
from tests.support.desk_commands import DeskCommand, Ran
from tests.support.desk_databases import SQLITE
from tests.support.desk_founded import FoundedDesk

Run = Callable[..., Ran]
TERMS = """
way_of_buying = "wire"
low_credit_threshold_1 = "10.00"
max_credit = "500.00"
tariff = "t.toml"
"""
TARIFF = 'prices = ["1.0000"]\n'
FILE = """meter,port,node,address,class,capacity,name,bills,advance
000000000001,p1,D1,5 Main Street,resident,8kW,Li Lei,2026-07 35.20 2026-08-15,20.00
"""


@pytest.fixture
def run(desk: FoundedDesk, desk_command: DeskCommand) -> Run:
    """Run a command of the desk as a person, with --json."""
    tokens: dict[str, str] = {}

    def as_person(person: str, *words: str) -> Ran:
        if person not in tokens:
            role = Role.CLERK if person == "clerk" else Role.STATION_HEAD
            desk.person(person, role, "0101")
            drawn = draw_token()
            desk.do(
                desk.admin,
                lambda work: staff.set_token(work, number=person, token_hash=drawn.token_hash),
            )
            tokens[person] = drawn.token
        return desk_command(*words, "--json", token=tokens[person], url=desk.url)

    return as_person


@pytest.fixture
def old_books(tmp_path: Path) -> str:
    """The file of the old books."""
    (tmp_path / "old.csv").write_text(FILE)
    (tmp_path / "t.toml").write_text(TARIFF)
    (tmp_path / "terms.toml").write_text(TERMS)
    return str(tmp_path / "old.csv")


def a_wire(desk: FoundedDesk, meter: Any) -> None:
    desk.do(desk.admin, lambda work: ports.add(work, name="p1", node="0101", url=str(meter.port)))


def taken_over(run: Run, old_books: str, meter: str = "000000000001") -> str:
    """Take the meter over; return its agreement."""
    assert run("clerk", "takeover", old_books).code == 0
    assert run("head", "takeover", old_books, "--approve").code == 3
    assert run("head", "takeover", old_books, "--approve", "--unread").code == 0
    run("clerk", "reading", "take", meter)
    (told,) = run("clerk", "takeover", old_books).objects
    assert told["counts"] == {"taken_over": 1}, told
    return str(told["rows"][0]["agreement"])


def test_a_meter_is_taken_over_as_it_stands_and_its_books_agree_from_there(
    desk: FoundedDesk, run: Run, old_books: str, meter_factory: Callable[..., Any]
) -> None:
    meter = meter_factory(credit="20.00")
    a_wire(desk, meter)
    meter.load("2kW")
    meter.advance("3h")
    agreement = taken_over(run, old_books)
    (before,) = run("clerk", "agreement", "show", agreement).objects
    assert before["state"] == "active"
    assert (before["advance"], before["receivable"]) == ("0.00", "15.20")
    assert before["open_bills"][0]["due_on"] == "2026-08-15"
    meter.advance("2h")
    (reading,) = run("clerk", "reading", "take", agreement).objects
    assert (reading["state"], reading["exit_code"]) == ("accepted", 0)
    assert reading["consumption_exact"] == "5.2830000000"
    assert reading["credit_exact"] == "14.7170000000"
    (after,) = run("clerk", "agreement", "show", agreement).objects
    assert after["in_meter"] == "14.72"
    shown = run("clerk", "reading", "show", agreement).objects
    assert "rule" not in shown[-1]  # no finding: the books agree


@pytest.mark.parametrize("desk", [SQLITE], indirect=True)
def test_an_agreement_is_signed_provisioned_and_compared(
    desk: FoundedDesk, run: Run, old_books: str, meter_factory: Callable[..., Any]
) -> None:
    meter = meter_factory(credit="20.00")
    a_wire(desk, meter)
    agreement = taken_over(run, old_books)
    (shown,) = run("clerk", "agreement", "show", agreement).objects
    drafted = run(
        "clerk", "agreement", "draft", "--customer", shown["party"], "--point", shown["point"],
        "--terms", str(Path(old_books).with_name("terms.toml")),
    )  # fmt: skip
    assert (drafted.code, drafted.objects[0]["version"]["n"]) == (0, 2)
    unprinted = run("clerk", "agreement", "sign", agreement, "--name", "Li Lei")
    assert (unprinted.code, "was not printed" in unprinted.err) == (3, True)
    folder = Path(old_books).parent
    page, scan, copy = (folder / name for name in ("page.html", "scan.pdf", "copy.pdf"))
    assert run("clerk", "agreement", "print", agreement, "--html", "-").code == 2
    printed = run("clerk", "agreement", "print", agreement, "--html", str(page))
    sha256 = hashlib.sha256(page.read_bytes()).hexdigest()
    assert (printed.code, printed.objects[0]["sha256"]) == (0, sha256)
    assert "1.0000" in page.read_text()
    scan.write_bytes(b"%PDF-1.7 signed by Li Lei")
    words = ("agreement", "sign", agreement, "--name", "Li Lei", "--copy", str(scan))
    (signed,) = run("clerk", *words).objects
    assert signed["version"]["print_sha256"] == sha256
    listed = run("clerk", "document", "list", "--for", agreement).objects
    assert [row["kind"] for row in listed] == ["signed_agreement", "printed_agreement"]
    assert run("clerk", "document", "get", signed["document"], str(copy)).code == 0
    assert copy.read_bytes() == scan.read_bytes()
    assert run("clerk", "document", "get", signed["document"], str(page)).code == 2
    (added,) = run(
        "clerk", "document", "add", str(page), "--for", agreement, "--kind", "other"
    ).objects
    assert (added["document"], added["media_type"]) == ("D3", "text/html")
    assert run("clerk", "agreement", "compare", agreement).code == 0
    done = run("clerk", "agreement", "provision", agreement)
    assert (done.code, done.objects[0]["version_state"]) == (0, "active")
    assert str(meter.value("max_credit")) == "500.00"
    assert str(meter.value("price_1")) == "1.0000"
    compared = run("clerk", "agreement", "compare", agreement)
    assert (compared.code, compared.objects[0]["differences"]) == (0, 0)
    assert run("clerk", "agreement", "compare", agreement, "--all").code == 2
    _change_by_hand(meter, folder)
    differs = run("clerk", "agreement", "compare", agreement)
    assert (differs.code, differs.objects[0]["differences"]) == (3, 1)
    (finding,) = run("clerk", "finding", "list", "--rule", "terms_differ").objects
    assert finding["differences"] == [{"term": "max_credit", "agreed": "500.00", "meter": "off"}]
    written = run("clerk", "agreement", "write-terms", agreement)
    assert (written.code, written.objects[0]["order_state"]) == (0, "done")
    assert str(meter.value("max_credit")) == "500.00"
    assert run("clerk", "finding", "list").objects == []
    (ended,) = run("clerk", "finding", "list", "--all").objects
    assert ended["state"] == "ended"
    assert run("clerk", "agreement", "compare", "--all").objects[0]["ordered"] == 1


def _change_by_hand(meter: Any, folder: Path) -> None:
    """Change a limit of a meter with another program and its own journal."""
    journal = ("--journal", str(folder / "other.sqlite"))
    words = ("--port", str(meter.port), *journal, "--yes", "limits", "set", "max_credit=off")
    assert run_meterctl(list(words)) == 0
