"""Commands of a bank: set, in, out, lines, match, send-back, reconcile; mandates."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterctl.utility.rules.rights import Role
from tests.support.desk_banks import EXAMPLES, a_file, open_bills
from tests.support.desk_commands import DeskCommand
from tests.support.desk_world import TODAY
from tests.unit.meterctl.cli.desk.test_counter_commands import Desk

ACCOUNTANT, ADMIN, CLERK = "accountant-1", "admin-1", "clerk-1"


@pytest.fixture
def desk(sqlite_desk_url: str, desk_command: DeskCommand) -> Desk:
    """A desk with a bank."""
    made = Desk(sqlite_desk_url, desk_command)
    for role in (Role.ADMIN, Role.CLERK):
        made.counter.person(role)
        made.let_in(f"{role}-1", role, "0001")
    made.let_in(ACCOUNTANT, Role.ACCOUNTANT, "0001")
    made.told("bank", "set", str(EXAMPLES / "shipped.toml"), who=ADMIN)
    return made


def _written(folder: Path, *lines: str) -> str:
    path = folder / "in.csv"
    path.write_bytes(a_file(*lines))
    return str(path)


def test_a_file_is_booked_and_the_same_again_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    path = _written(tmp_path, "R1,A1,35.00", "R2,x,5.00")
    told = desk.told("bank", "in", "shipped", path, "--kind", "collected", who=ACCOUNTANT)
    assert (told["booked"], told["booked_amount"], told["suspense"], told["suspense_amount"]) == (
        1, "35.00", 1, "5.00",
    )  # fmt: skip
    again = desk.run("bank", "in", "shipped", path, "--kind", "collected", who=ACCOUNTANT)
    assert "(this content was loaded before, nothing was changed now)" in again.err
    (waits,) = desk.run("bank", "lines", "--state", "suspense", "--json", who=ACCOUNTANT).objects
    assert (waits["line"], waits["reference"], waits["amount"]) == ("L2", "R2", "5.00")
    told = desk.told("bank", "match", "L2", "A1", who=ACCOUNTANT)
    assert (told["payment"], told["advance"]) == ("P2", "40.00")
    other = _written(tmp_path, "R1,A1,36.00")
    ran = desk.run("bank", "in", "shipped", other, "--kind", "collected", who=ACCOUNTANT)
    assert "line 2: R1 has 36.00: L1 has it with 35.00, paid by P1" in ran.err
    assert "1 known otherwise (T1)" in ran.err


def test_each_mistake_is_told_with_the_file_and_nothing_is_booked(
    desk: Desk, tmp_path: Path
) -> None:
    path = _written(tmp_path, "R1,A1,35.00", "R2,A1,x", ",A1,1.00")
    ran = desk.run("bank", "in", "shipped", path, "--kind", "collected", who=ACCOUNTANT)
    assert ran.code == 2
    assert f"{path}: line 3: 'x' is not an amount" in ran.err
    assert "line 4: there is no reference" in ran.err
    assert desk.run("bank", "files", "--json", who=ACCOUNTANT).objects == []
    ran = desk.run("bank", "in", "shipped", path, who=ACCOUNTANT)
    assert (ran.code, "say which kind it is" in ran.err) == (2, True)
    ran = desk.run("bank", "in", "lakeside", path, who=ACCOUNTANT)
    assert (ran.code, "there are: shipped" in ran.err) == (2, True)
    assert desk.run("bank", "in", "shipped", "absent.csv", who=ACCOUNTANT).code == 2
    assert desk.run("bank", "in", "shipped", path, "--kind", "collected", who="v1").code == 6


def test_due_bills_are_written_for_the_bank(desk: Desk, tmp_path: Path) -> None:
    open_bills(desk.counter, [30_00])
    desk.told("mandate", "add", "A1", "--bank", "shipped", "--reference", "M1", who=CLERK)
    out = tmp_path / "out.csv"
    words = ("bank", "out", "shipped", "--due", TODAY.isoformat(), "--file", str(out))
    assert desk.told(*words, "--dry-run", who=ACCOUNTANT)["amount"] == "30.00"
    assert not out.exists()
    told = desk.told(*words, "--key", "K-1", who=ACCOUNTANT)
    assert (told["file"], told["lines"], told["amount"]) == ("F1", 1, "30.00")
    written = out.read_text()
    assert written.splitlines() == [
        "reference,party,amount,paid_at", f"D1-1,M1,30.00,{TODAY}",
    ]  # fmt: skip
    out.unlink()
    assert desk.told(*words, "--key", "K-1", who=ACCOUNTANT)["replayed"] is True
    assert out.read_text() == written
    copy = tmp_path / "copy.csv"
    assert desk.run("bank", "write", "F1", "--file", str(copy), who=ACCOUNTANT).code == 0
    assert copy.read_text() == written
    assert desk.run(*words, who=ACCOUNTANT).code == 3
    out.write_text("something else")
    ran = desk.run(*words, who=ACCOUNTANT)
    assert (ran.code, out.read_text()) == (2, "something else")
    (mandate,) = desk.run("mandate", "list", "--json", who=CLERK).objects
    assert (mandate["agreement"], mandate["state"]) == ("A1", "live")
    assert desk.told("mandate", "end", "A1", who=CLERK)["state"] == "ended"


def test_a_date_is_compared_and_money_is_sent_back(desk: Desk, tmp_path: Path) -> None:
    path = _written(tmp_path, "R1,A1,35.00", "R2,x,600.00")
    desk.told("bank", "in", "shipped", path, "--kind", "collected", who=ACCOUNTANT)
    words = ("bank", "reconcile", "shipped", "--on", TODAY.isoformat())
    told = desk.told(*words, "--dry-run", who=ACCOUNTANT)
    assert [item["reference"] for item in told["ours_only"]] == ["R1", "R2"]
    assert (told["in_transit"], told["ours_only"][0]["ours"]) == ("635.00", "35.00")
    ran = desk.run(*words, who=ACCOUNTANT)
    assert "new tasks: T1, T2" in ran.err
    assert "the books alone have" in ran.out
    told = desk.told("bank", "send-back", "L2", "--reason", "not ours", who=ACCOUNTANT)
    assert (told["task"], told["message"]) == ("T3", "T3: another person approves it first")


def test_a_description_with_mistakes_is_refused(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "bank.toml"
    path.write_text('name = "B"\n[collected]\n')
    ran = desk.run("bank", "set", str(path), who=ADMIN)
    assert ran.code == 2
    assert f"{path}: line 1: name = 'B'" in ran.err
    (bank,) = desk.run("bank", "list", "--json", who=ACCOUNTANT).objects
    assert (bank["bank"], bank["is_first"]) == ("shipped", True)
