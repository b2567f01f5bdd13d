"""Commands of the archive, the staff, settings, tasks and the clock, as a user types them."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from meterctl.utility.rules.rights import Role
from meterctl.utility.services import staff
from meterctl.utility.store.authentication import draw_token
from tests.support.desk_commands import DeskCommand, Ran
from tests.support.desk_founded import FoundedDesk

Typed = Callable[..., Ran]


@pytest.fixture
def clerk_token(sqlite_desk: FoundedDesk) -> str:
    """The token of a clerk of the station."""
    sqlite_desk.person("c1", Role.CLERK, "0101")
    drawn = draw_token()
    sqlite_desk.do(
        sqlite_desk.admin,
        lambda work: staff.set_token(work, number="c1", token_hash=drawn.token_hash),
    )
    return drawn.token


@pytest.fixture
def typed(sqlite_desk: FoundedDesk, desk_command: DeskCommand) -> Typed:
    """Type a command at the founded desk, as its first admin unless a token is given."""

    def type_(*words: str, token: str = sqlite_desk.token) -> Ran:
        return desk_command(*words, token=token, url=sqlite_desk.url)

    return type_


def test_the_admin_of_a_new_desk_works_with_the_token(
    desk_command: DeskCommand, tmp_path: Path
) -> None:
    url = str(tmp_path / "new.sqlite")
    (made,) = desk_command("init", "--simulated", "--json", url=url).objects
    status = desk_command("status", "--json", url=url, token=made["token"]).objects[0]
    assert (status["staff_number"], status["simulated"], status["nodes"]) == ("admin", True, 1)


def test_a_command_needs_a_known_token_and_a_desk(
    typed: Typed, desk_command: DeskCommand, tmp_path: Path
) -> None:
    unknown = typed("org", "list", token="x")
    assert (unknown.code, unknown.err) == (
        6, "meterctl: the token is not known here; nothing was changed\n",
    )  # fmt: skip
    assert desk_command("org", "list").code == 6
    absent = desk_command("org", "list", token="x", url=str(tmp_path / "absent.sqlite"))
    assert (absent.code, "see `meterctl desk init`" in absent.err) == (2, True)


def test_the_same_key_answers_again_and_another_body_is_refused(typed: Typed) -> None:
    words = ("org", "add", "district", "D2", "--in", "0101", "--json", "--key", "K-1")
    first, again = (typed(*words, "Second").objects[0] for _ in range(2))
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert {**first, "replayed": 0, "message": 0} == {**again, "replayed": 0, "message": 0}
    other = typed(*words, "Third")
    assert (other.code, other.objects[0]["code"]) == (2, "key_reused")
    assert [row["code"] for row in typed("org", "list", "--json").objects] == [
        "company", "0101", "D1", "D2",
    ]  # fmt: skip
    renamed = typed("org", "rename", "D2", "New", "--seen", "1", "--json").objects[0]
    assert (renamed["name"], renamed["version"]) == ("New", 2)
    assert typed("org", "rename", "D2", "x", "--seen", "1").code == 3


def test_a_role_of_money_is_approved_by_another_person(typed: Typed) -> None:
    typed("staff", "add", "v1", "A Vendor")
    granted = typed("staff", "grant", "v1", "vendor", "--node", "0101")
    assert "when another person has approved T1" in granted.err
    assert typed("task", "approve", "T1").code == 6
    token = typed("staff", "token", "admin2", "--json").objects[0]["token"]
    (mine,) = typed("task", "list", "--mine", "--json", token=token).objects
    assert (mine["number"], mine["action"], mine["proposer"]) == ("T1", "grant_propose", "admin")
    assert typed("task", "show", "T1", "--json").objects[0]["proposal"]["staff"] == "v1"
    assert "T1 is taken" in typed("task", "take", "T1", token=token).err
    assert "T1 is open" in typed("task", "put-back", "T1", token=token).err
    assert "T1 is approved" in typed("task", "approve", "T1", token=token).err
    roles = {row["number"]: row["roles"] for row in typed("staff", "list", "--json").objects}
    assert roles["v1"] == ["vendor at 0101"]
    assert typed("staff", "revoke", "v1", "vendor", "--node", "0101").code == 0
    assert typed("staff", "deactivate", "v1", "--reason", "left").code == 0
    wrong = typed("staff", "grant", "v1", "vendr")
    assert (wrong.code, "did you mean vendor?" in wrong.err) == (2, True)


def test_a_dry_run_says_what_would_be_and_changes_nothing(typed: Typed) -> None:
    ran = typed("staff", "add", "x1", "X", "--dry-run", "--json")
    assert (ran.code, ran.objects[0]["result"]) == (0, "planned")
    assert "token" not in typed("staff", "token", "admin2", "--dry-run", "--json").objects[0]
    assert len(typed("staff", "list", "--json").objects) == 2


def test_an_archive_is_typed_and_imported(typed: Typed, clerk_token: str, tmp_path: Path) -> None:
    typed("port", "add", "P1", "m1.tty?baud=19200", "--node", "0101")
    (port,) = typed("port", "list", "--json").objects
    assert (port["url"], port["baud"]) == (f"{Path.cwd()}/m1.tty?baud=19200", 19200)
    file = tmp_path / "ports.csv"
    file.write_text(
        "name,node,url,protocol\nP2,0101,m2.tty,\nR1,0101,./c.img,card\nR2,0101,ACS,card\n"
    )
    assert typed("port", "import", str(file)).code == 0
    urls = [row["url"] for row in typed("port", "list", "--json").objects[1:]]
    assert urls == [f"{tmp_path}/m2.tty", f"{tmp_path}/c.img", "ACS"]
    assert typed("port", "edit", "P1", "--seen", "1", "--address", "tcp://h:1").code == 0

    added = typed("point", "add", "1 First street", "--node", "D1", "--json", token=clerk_token)
    number = added.objects[0]["number"]
    edited = typed("point", "edit", number, "--seen", "1", "--route", "R1", token=clerk_token)
    assert edited.code == 0
    serial = "000000000007"
    words = ("meter", "add", serial, "--on", "P1", "--unit", "7", "--point", number)
    assert typed(*words, token=clerk_token).code == 0
    assert typed("meter", "show", serial, "--json").objects[0]["unit"] == 7
    assert typed("port", "show", "P1", "--json").objects[0]["meters"] == [serial]
    assert typed("meter", "remove", serial, "--reason", "x", token=clerk_token).code == 0
    assert typed("meter", "install", serial, number, token=clerk_token).code == 0
    (point,) = typed("point", "list", "--json", "--node", "0101", token=clerk_token).objects
    assert (point["route"], point["meter"]) == ("R1", serial)


def test_the_same_file_twice_changes_nothing_and_mistakes_have_lines(
    typed: Typed, clerk_token: str, tmp_path: Path
) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes("node;address;class;capacity\r\nD1;东街1号;resident;8kW\r\n".encode("gb18030"))
    first, again = (
        typed("point", "import", str(file), "--json", token=clerk_token) for _ in range(2)
    )
    assert [ran.objects[0]["replayed"] for ran in (first, again)] == [False, True]
    (point,) = typed("point", "list", "--json", token=clerk_token).objects
    assert point["address"] == "东街1号"
    file.write_text("node,address,class,capacity\nD1,,resident,8kW\nD1,a,resident,x\n")
    wrong = typed("point", "import", str(file), token=clerk_token)
    assert wrong.code == 2
    assert wrong.err.startswith(
        f"meterctl: {file}: line 2: a supply point needs an address\nline 3: "
    )
    assert typed("point", "import", str(tmp_path / "none.csv"), token=clerk_token).code == 2


def test_a_customer_is_masked_and_unmasking_is_in_the_audit(
    typed: Typed, clerk_token: str, sqlite_desk: FoundedDesk
) -> None:
    words = ("customer", "add", "王芳", "--id", "11010519491231002X", "--phone", "13800138000")
    assert typed(*words, token=clerk_token).code == 0
    shown = typed("customer", "show", "C0000001", token=clerk_token)
    assert "138****8000" in shown.out
    assert "1949" not in shown.out
    unmask = ("customer", "show", "C0000001", "--unmask", "--reason", "calls", "--json")
    assert typed(*unmask, token=clerk_token).objects[0]["phones"] == ["13800138000"]
    assert typed(*unmask, "--dry-run", token=clerk_token).code == 2
    sqlite_desk.person("u1", Role.AUDITOR, "company")
    token = typed("staff", "token", "u1", "--json").objects[0]["token"]
    rows = typed("audit", "--action", "customer_unmask", "--json", token=token).objects
    assert [(row["staff"], row["subject"], row["reason"]) for row in rows] == [
        ("c1", "party/1", "calls")
    ]
    assert typed("audit").code == 6
    listed = typed("customer", "list", "王", "--json", token=clerk_token).objects
    assert [row["number"] for row in listed] == ["C0000001"]


def test_settings_are_shown_and_set(typed: Typed) -> None:
    assert typed("setting", "set", "cash_limit", "100.00", "--node", "0101").code == 0
    rows = typed("setting", "show", "cash_limit", "--json").objects
    assert [(row["node"], row["value"]) for row in rows] == [
        ("company", "20000.00"), ("0101", "100.00"),
    ]  # fmt: skip
    shown = {r["code"]: r for r in typed("setting", "show", "--node", "0101", "--json").objects}
    assert shown["cash_limit"]["value"] == "100.00"
    assert "approved T1" in typed("setting", "set", "bill_due", "20").err
    assert typed("setting", "set", "cash_limit", "1", "--from", "1.1.2026").code == 2
    assert typed("duty", "set", "admin2", "read", "--node", "D1").code == 0
    (duty,) = typed("duty", "list", "--json").objects
    assert (duty["staff"], duty["kind"], duty["node"]) == ("admin2", "read", "D1")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[tuple[Path, list[object]]]:
    """A control socket that answers `ok` for two meters, and the words that it was sent."""
    path, told = tmp_path / "meters.sock", list[object]()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            with accepted, accepted.makefile("rwb") as stream:
                for line in stream:
                    told.append(json.loads(line)["words"])
                    wrong = told[-1] == ["advance", "2h"]
                    last = b'{"ok": false, "error": "no"}' if wrong else b'{"ok": true}'
                    stream.write(b'{"ok": true, "more": true}\n' + last + b"\n")
                    stream.flush()

    server = Thread(target=serve, daemon=True)
    server.start()
    yield path, told
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    server.join(10)


def test_the_meters_are_moved_before_the_desks_clock_and_once_a_key(
    typed: Typed, simulator: tuple[Path, list[object]]
) -> None:
    path, told = simulator
    words = ("time", "advance", "1d", "--control", str(path), "--key", "K-1", "--json")
    assert typed(*words, "--dry-run").code == 0
    assert told == []
    before = typed("time", "show", "--json").objects[0]["today"]
    assert [typed(*words).objects[0]["replayed"] for _ in range(2)] == [False, True]
    assert told == [["advance", "1d"]]
    assert typed("time", "show", "--json").objects[0]["today"] > before
    refused = typed("time", "advance", "2h", "--control", str(path))
    assert (refused.code, refused.err.endswith(f"{path}: no\n")) == (2, True)
    assert typed("time", "advance", "1h", "--control", f"{path}.none").code == 2
    assert typed("time", "advance", "4000d").code == 2
