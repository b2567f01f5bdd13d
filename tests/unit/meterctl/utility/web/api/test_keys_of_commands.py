"""A key that a command has used is answered by the API with its first answer, and the other way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meterctl.utility.rules.rights import Role
from tests.support.desk_api import Script, script_with_role
from tests.support.desk_commands import DeskCommand, desk_command
from tests.support.desk_pages import Pages

__all__ = ["desk_command"]

SALE = {"agreement": "A1", "amount": "50.00"}
CUSTOMER = {"name": "Li Lei", "number": "C9", "phones": ["13800138000"]}


class Desk:
    """Commands and a script of one person, on one database."""

    def __init__(self, run: DeskCommand, url: str, number: str, script: Script) -> None:
        self._run, self._url, self._number, self.script = run, url, number, script

    def command(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command and return the last object that it prints."""
        ran = self._run(*words, "--json", token=self._number, url=self._url)
        assert ran.code == code, ran.err
        return ran.objects[-1]


@pytest.fixture
def desk(pages: Pages, vendor: Script, tmp_path: Path, desk_command: DeskCommand) -> Desk:
    """The vendor."""
    return Desk(desk_command, f"sqlite:///{tmp_path / 'desk.sqlite'}", "v1", vendor)


@pytest.fixture
def everyone_at_desk(desk: Desk, everyone: Script) -> Desk:
    """A person with all roles."""
    return Desk(desk._run, desk._url, "all-roles", everyone)


def test_a_sale_of_a_command_is_answered_again_by_the_api(desk: Desk) -> None:
    sold = desk.command("sell", "A1", "50.00", "--key", "K1", code=7)
    again = desk.script.post("/sales", SALE, key="K1")
    assert (again.status_code, again.json()["replayed"]) == (201, True)
    assert again.json()["sale"] == sold["sale"] == "S1"
    assert len(desk.script.get("/sales").json()["rows"]) == 1


def test_a_sale_of_the_api_is_answered_again_by_the_command(desk: Desk) -> None:
    sold = desk.script.post("/sales", SALE, key="K1").json()
    again = desk.command("sell", "A1", "50.00", "--key", "K1", code=7)
    assert (again["replayed"], again["sale"], again["amount"]) == (True, sold["sale"], "50.00")


def test_payments_replay_both_ways(desk: Desk) -> None:
    paid = desk.command("pay", "A1", "35.20", "--key", "P1")
    again = desk.script.post("/payments", {"agreement": "A1", "amount": "35.20"}, key="P1").json()
    assert (again["replayed"], again["payment"]) == (True, paid["payment"])
    first = desk.script.post("/payments", {"agreement": "A1", "amount": "1.00"}, key="P2").json()
    assert desk.command("pay", "A1", "1.00", "--key", "P2")["payment"] == first["payment"]


def test_shifts_replay_both_ways(everyone_at_desk: Desk) -> None:
    desk = everyone_at_desk
    opened = desk.command("shift", "open", "--float", "100.00", "--node", "0011", "--key", "S1")
    body = {"node": "0011", "float": "100.00"}
    again = desk.script.post("/shifts", body, key="S1").json()
    assert (again["replayed"], again["shift"], again["float"]) == (True, opened["shift"], "100.00")
    desk.script.post("/shifts/own/count", {"counted": "100.00"}, key="S2")
    assert desk.command("shift", "count", "100.00", "--key", "S2")["state"] == "counted"
    desk.command("shift", "close", "--slip", "B-7", "--key", "S3")
    closed = desk.script.post("/shifts/own/close", {"slip": "B-7"}, key="S3").json()
    assert (closed["replayed"], closed["banked"]) == (True, "0.00")


def test_customers_replay_both_ways(everyone_at_desk: Desk) -> None:
    desk = everyone_at_desk
    words = ("customer", "add", "Li Lei", "--number", "C9", "--phone", "13800138000")
    desk.command(*words, "--key", "C1")
    again = desk.script.post("/customers", CUSTOMER, key="C1").json()
    assert (again["replayed"], again["number"]) == (True, "C9")
    changed = {"name": "Li Lei the second"}
    edited = desk.script.send("PATCH", "/customers/C9", changed, key="C2", If_Match='"1"')
    assert edited.status_code == 200
    told = desk.command("customer", "edit", "C9", "--seen", "1", "--name", changed["name"],
                        "--key", "C2")  # fmt: skip
    assert (told["replayed"], told["version"]) == (True, 2)


def test_approvals_replay_both_ways(everyone_at_desk: Desk, pages: Pages) -> None:
    desk, clerk = everyone_at_desk, script_with_role(pages, Role.ADMIN)
    for key in ("A1", "A2"):
        clerk.post("/staff", {"number": f"n{key}", "name": "N"})
        grant = {"role": "vendor", "node": "0011"}
        task = clerk.post(f"/staff/n{key}/grant", grant).json()["task"]
        if key == "A1":
            desk.command("task", "approve", task, "--key", key)
            again = desk.script.post(f"/tasks/{task}/approve", key=key).json()
        else:
            desk.script.post(f"/tasks/{task}/approve", key=key)
            again = desk.command("task", "approve", task, "--key", key)
        assert (again["replayed"], again["task"]) == (True, task)
