"""The result of a command: one object and one exit code, for any stdout and any prompt."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import (
    BIN,
    TIMEOUT_S,
    meter_sim,
    meterctl,
    meterctl_json,
    running,
    signalled_at_import,
)

SERIAL, OTHER = "000000000042", "000000000043"
PORT = ("--port", "./m.tty")
KEYS = {"result", "outcome", "serial_number", "entry", "exit_code", "message"}


@contextlib.contextmanager
def metered(folder: Path, *more: str) -> Iterator[str]:
    """Run a meter with its own keys and a state file; yield its TCP port."""
    if not (folder / "k.json").exists():
        meterctl("keys", "init", "--out", "k.json", cwd=folder)
    if not (folder / "m.json").exists():
        meterctl(
            "keys", "export", "--meter", SERIAL, "--keys", "k.json", "--out", "m.json", cwd=folder
        )
    words = (
        "--serial-number",
        SERIAL,
        "--keys",
        "m.json",
        "--modbus-rtu",
        "./m.tty",
        "--modbus-tcp",
        "127.0.0.1:0",
        "--control",
        "./c",
        "--speed",
        "0",
        "--state",
        "./m.nv",
        *more,
    )
    with running(*words, cwd=folder) as ready:
        yield f"tcp://{ready['modbus_tcp'][0]}"


def result(*words: str, cwd: Path, check: int) -> dict[str, Any]:
    """Return the object that ends a command's output; the lines before it are rows."""
    done = meterctl(*words, "--json", cwd=cwd, check=check)
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert last.keys() >= KEYS, last
    assert last["exit_code"] == check
    return last


def test_every_command_that_changes_something_ends_with_one_object(tmp_path: Path) -> None:
    own = ("--keys", "k.json", "--yes")
    with metered(tmp_path, "--credit", "20.00"):
        done = result(*PORT, *own, "topup", "5.00", "--sale", "s1", cwd=tmp_path, check=0)
        assert (
            done["result"],
            done["outcome"],
            done["serial_number"],
            done["entry"],
            done["amount"],
        ) == (
            "done",
            "accepted",
            SERIAL,
            1,
            5.00,
        )
        again = result(*PORT, *own, "topup", "5.00", "--sale", "s1", cwd=tmp_path, check=0)
        assert (again["entry"], again["sequence"], again["credit_after"]) == (1, 1, 25.00)
        for words in (("topup", "6.00"), ("account", "refund", "5.00")):
            usage = result(*PORT, *own, *words, "--sale", "s1", cwd=tmp_path, check=2)
            assert (usage["result"], usage["entry"]) == ("usage", 1)
        planned = result(*PORT, *own, "--dry-run", "topup", "5.00", cwd=tmp_path, check=0)
        assert (planned["result"], planned["serial_number"], planned["entry"]) == (
            "planned",
            SERIAL,
            None,
        )
        refused = result(*PORT, *own, "account", "refund", "99.00", cwd=tmp_path, check=3)
        assert (refused["result"], refused["outcome"], refused["entry"]) == (
            "refused",
            "out_of_range",
            2,
        )
        opened = result(*PORT, *own, "account", "open", "1.00", cwd=tmp_path, check=3)
        assert (opened["result"], opened["entry"]) == ("refused", None), (
            "nothing is sealed for an open account"
        )
        other = result(*PORT, *own, "topup", "5.00", "--meter", OTHER, cwd=tmp_path, check=6)
        assert (other["result"], other["entry"]) == ("not_permitted", None)
        for words in (
            ("switch", "interrupt"), ("switch", "restore", "--valid-for", "30s"),
            ("guarantee", "on"),
            ("guarantee", "off"), ("moratorium", "until", "2099-01-01"), ("moratorium", "off"),
            ("tamper", "clear"),
            ("clock", "set", "2026-06-01T00:00:00Z"), ("limits", "set", "overdraft_limit=1.00"),
        ):  # fmt: skip
            command = result(*PORT, *own, *words, "--meter", SERIAL, cwd=tmp_path, check=0)
            assert (command["result"], command["serial_number"], command["entry"]) == (
                "done",
                SERIAL,
                None,
            ), words
        for words in (("topup", "1.00"), ("account", "close")):
            assert (
                result(*PORT, *own, *words, "--valid-for", "5m", cwd=tmp_path, check=2)["result"]
                == "usage"
            )
        assert result(*PORT, *own, "topup", "nonsense", cwd=tmp_path, check=2)["result"] == "usage"
        assert result("topup", "1.00", cwd=tmp_path, check=2)["result"] == "usage"
        assert (
            result(*PORT, "--keys", "k.json", "topup", "1.00", cwd=tmp_path, check=2)["result"]
            == "usage"
        )
        renewed = result("journal", "renew", "--yes", cwd=tmp_path, check=0)
        assert renewed["number"] != renewed["old"]
        shown = meterctl_json("journal", "show", "2", cwd=tmp_path)[0]
        assert (shown["state"], shown["voids"], len(shown["message"])) == ("refused", [3], 126)
        resolved = result(*PORT, *own, "journal", "resolve", cwd=tmp_path, check=0)
        assert (resolved["result"], resolved["entry"]) == ("done", None)
    gone = result(*PORT, *own, "topup", "1.00", cwd=tmp_path, check=2)
    assert gone["result"] == "usage"


def test_no_answer_ends_with_an_object_too(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        port = os.ttyname(slave)
        silent = result(
            "--port", port, "--timeout", "50ms", "topup", "1.00", "--yes", cwd=tmp_path, check=4
        )
        assert silent["result"] == "no_answer"
        assert (
            result("--port", port, "--timeout", "50ms", "read", cwd=tmp_path, check=4)["result"]
            == "no_answer"
        )
    finally:
        os.close(master)
        os.close(slave)


def run_with_stdout(words: tuple[str, ...], stdout: int, cwd: Path) -> tuple[int, str]:
    """Run meterctl with a given stdout; return its exit code and its error output."""
    environment = os.environ | {"XDG_STATE_HOME": str(cwd / "xdg")}
    done = subprocess.run(
        [BIN / "meterctl", *words],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["table", "json"])
@pytest.mark.parametrize("how", ["closed pipe", "full disk"])
def test_after_an_effect_the_exit_code_is_the_outcomes_whatever_happens_to_stdout(
    tmp_path: Path, how: str, json_: tuple[str, ...]
) -> None:
    own = (*PORT, "--keys", "k.json", "--yes", *json_)
    with metered(tmp_path, "--unopened"):
        card = ("--file", "c.img")
        meterctl(
            "--keys",
            "k.json",
            "card",
            "format",
            *card,
            "--card-serial",
            "0011223344556677",
            cwd=tmp_path,
        )
        done = {
            "account": ("account", "open", "30.00", "--customer", "000000001001"),
            "topup": ("topup", "5.00"),
            "refund": ("account", "refund", "1.00"),
            "switch": ("switch", "interrupt"),
            "limits": ("limits", "set", "overdraft_limit=1.00"),
            "replace": ("card", "replace", "--meter", SERIAL, *card),
            "sell": ("card", "sell", "2.00", *card),
        }
        for name, words in done.items():
            if how == "closed pipe":
                reader, stdout = os.pipe()
                os.close(reader)
            else:
                stdout = os.open("/dev/full", os.O_WRONLY)
            try:
                code, said = run_with_stdout((*own, *words), stdout, tmp_path)
            finally:
                os.close(stdout)
            assert code == 0, (name, said)
            assert "cannot be printed" in said, name
            assert name in ("switch", "limits", "replace") or "journal entry" in said, name
        entries = [(e["kind"], e["state"]) for e in meterctl_json("journal", "list", cwd=tmp_path)]
        assert entries == [
            ("open", "confirmed"),
            ("credit", "confirmed"),
            ("refund", "confirmed"),
            ("credit", "on_card"),
        ]
        reader, stdout = os.pipe()
        os.close(reader)
        assert run_with_stdout((*own, "read"), stdout, tmp_path)[0] == 0, (
            "a read whose reader went away is no fault"
        )
        os.close(stdout)
        full = os.open("/dev/full", os.O_WRONLY)
        assert run_with_stdout((*own, "read"), full, tmp_path)[0] == 2
        os.close(full)


def test_a_locale_that_cannot_show_the_output_hides_no_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    with metered(tmp_path, "--credit", "20.00"):
        own = (*PORT, "--keys", "k.json", "--yes")
        for _ in range(2):
            shown = meterctl(
                *own, "topup", "5.00", "--sale", "\N{GREEK SMALL LETTER ALPHA}", cwd=tmp_path
            )
            assert "accepted" in shown.stdout
        assert len(meterctl_json("journal", "list", cwd=tmp_path)) == 1


def test_processes_of_one_journal_wait_and_are_not_accused(tmp_path: Path) -> None:
    """Twelve processes at once are all done, and the sum is the meter's."""
    with metered(tmp_path, "--credit", "0.00") as tcp:
        words = ("--port", tcp, "--keys", "k.json", "--yes", "topup", "1.00")
        with ThreadPoolExecutor(12) as pool:
            codes = [
                done.returncode
                for done in pool.map(
                    lambda _: meterctl(*words, cwd=tmp_path, check=None), range(12)
                )
            ]
        assert codes == [0] * 12
        (read,) = meterctl_json(
            "--port", tcp, "read", "available_credit", "purchase_count", cwd=tmp_path
        )
        assert read == {"available_credit": 12.00, "purchase_count": 12}
        assert {e["state"] for e in meterctl_json("journal", "list", cwd=tmp_path)} == {"confirmed"}


def test_two_journals_selling_at_once_sum_to_what_the_meter_has(tmp_path: Path) -> None:
    """The same second and the same amount, from two journals and real processes."""
    with metered(tmp_path, "--credit", "0.00") as tcp:

        def sell(name: str) -> int:
            words = (
                "--port",
                tcp,
                "--keys",
                "k.json",
                "--journal",
                f"{name}.sqlite",
                "--yes",
                "topup",
                "50.00",
            )
            return meterctl(*words, cwd=tmp_path, check=None).returncode

        with ThreadPoolExecutor(4) as pool:
            codes = list(pool.map(sell, ["A", "B"] * 6))
        assert set(codes) <= {0, 3, 6}
        sold = [
            entry["amount"]
            for name in ("A", "B")
            for entry in meterctl_json(
                "--journal", f"{name}.sqlite", "journal", "list", cwd=tmp_path
            )
            if entry["state"] == "confirmed"
        ]
        assert len(sold) == codes.count(0)
        (read,) = meterctl_json("--port", tcp, "read", "available_credit", cwd=tmp_path)
        assert read["available_credit"] == sum(sold) == 50.00 * codes.count(0)


def test_a_port_that_leads_to_another_meter_is_refused_in_a_script(tmp_path: Path) -> None:
    """The port's address is unchanged, but another meter answers there."""
    with metered(tmp_path) as tcp:
        own = ("--port", tcp, "--keys", "k.json", "--yes")
        meterctl(*own, "topup", "1.00", cwd=tmp_path)
    meterctl(
        "keys", "export", "--meter", OTHER, "--keys", "k.json", "--out", "o.json", cwd=tmp_path
    )
    where = tcp.removeprefix("tcp://")
    unrelated = (
        "--serial-number",
        OTHER,
        "--keys",
        "o.json",
        "--modbus-tcp",
        where,
        "--credit",
        "5.00",
        "--speed",
        "0",
    )
    with running(*unrelated, cwd=tmp_path):
        refused = result(*own, "topup", "50.00", cwd=tmp_path, check=6)
        assert f"--meter {OTHER}" in refused["message"]
        (read,) = meterctl_json("--port", tcp, "read", "available_credit", cwd=tmp_path)
        assert read == {"available_credit": 5.00}
        meterctl(*own, "topup", "50.00", "--meter", OTHER, cwd=tmp_path)
        meterctl(*own, "topup", "50.00", cwd=tmp_path)


def test_keys_are_retired_and_advanced(tmp_path: Path) -> None:
    meterctl("keys", "init", "--out", "k.json", cwd=tmp_path)
    ring = json.loads((tmp_path / "k.json").read_text())
    ring["masters"]["2"] = "00112233445566778899aabbccddeeff"
    (tmp_path / "k.json").write_text(json.dumps(ring))
    own = (*PORT, "--keys", "k.json", "--yes")
    with metered(tmp_path):
        meterctl(*own, "topup", "1.00", cwd=tmp_path)
        advanced = result(*own, "keys", "advance", "--meter", SERIAL, cwd=tmp_path, check=0)
        assert (advanced["outcome"], advanced["key_version"]) == ("accepted", 2)
        (read,) = meterctl_json(*PORT, "read", "key_version", "available_credit", cwd=tmp_path)
        assert read == {"key_version": 2, "available_credit": 21.00}
        result(*own, "keys", "advance", cwd=tmp_path, check=6)
        result("--keys", "k.json", "--yes", "keys", "retire", "9", cwd=tmp_path, check=2)
        result("--keys", "k.json", "--yes", "keys", "retire", "1", cwd=tmp_path, check=0)
        result("--keys", "k.json", "--yes", "keys", "retire", "2", cwd=tmp_path, check=2)
        shown = meterctl_json("--keys", "k.json", "keys", "show", cwd=tmp_path)
        assert [(row["version"], row["retired"]) for row in shown] == [(1, True), (2, False)]
        assert (tmp_path / "k.json").stat().st_mode & 0o777 == 0o600
        meterctl(*own, "topup", "1.00", cwd=tmp_path)


def test_a_person_closes_an_entry_after_a_resolve_that_proved_nothing(tmp_path: Path) -> None:
    own = (*PORT, "--keys", "k.json", "--yes")
    with metered(tmp_path):
        meter_sim("control", "./c", "fault", "storage_full", "on", cwd=tmp_path)
        result(*own, "topup", "5.00", cwd=tmp_path, check=7)
        closed = result(*own, "journal", "resolve", "1", "--as", "refused", cwd=tmp_path, check=0)
        assert (closed["state"], closed["outcome"]) == ("refused", "by_hand")
        assert "until the meter has reached sequence 1" in closed["message"]
        audited = meterctl_json("journal", "audit", cwd=tmp_path)
        assert audited[-1]["what"] == "closed_by_hand"
        meter_sim("control", "./c", "fault", "off", cwd=tmp_path)
        result(*own, "topup", "7.00", cwd=tmp_path, check=0)
        result(*own, "journal", "resolve", "1", "--as", "refused", cwd=tmp_path, check=2)


def test_a_resolve_that_proves_goes_before_a_persons_word(tmp_path: Path) -> None:
    own = (*PORT, "--keys", "k.json", "--yes")
    with metered(tmp_path):
        meter_sim("control", "./c", "fault", "storage_full", "on", cwd=tmp_path)
        result(*own, "topup", "5.00", cwd=tmp_path, check=7)
        meter_sim("control", "./c", "fault", "off", cwd=tmp_path)
        proved = result(*own, "journal", "resolve", "1", "--as", "refused", cwd=tmp_path, check=3)
        assert (proved["state"], proved["outcome"]) == ("confirmed", "accepted")


def test_read_says_when_items_are_of_several_answers_and_the_books_are_of_one(
    tmp_path: Path,
) -> None:
    """The items of a set of books come from one answer, all items from several."""
    books = (
        "opening_balance_exact",
        "credited_exact",
        "refunded_exact",
        "settled_exact",
        "consumption_charged_exact",
        "standing_charged_exact",
        "instalments_taken_exact",
        "debt_entered_exact",
        "debt_from_top_ups_exact",
        "available_credit_exact",
    )
    with metered(tmp_path, "--load", "2kW"):
        meter_sim("control", "./c", "advance", "90m", cwd=tmp_path)
        done = meterctl(*PORT, "read", *books, "--json", cwd=tmp_path)
        assert "answers" not in done.stderr
        values = {name: round(value * 10**10) for name, value in json.loads(done.stdout).items()}
        taken = (
            "refunded_exact",
            "settled_exact",
            "consumption_charged_exact",
            "standing_charged_exact",
            "instalments_taken_exact",
        )
        credit = (
            values["opening_balance_exact"]
            + values["credited_exact"]
            - sum(values[name] for name in taken)
        )
        assert credit == values["available_credit_exact"]
        assert "answers of the meter" in meterctl(*PORT, "read", cwd=tmp_path).stderr


# ---- on a terminal


def at_terminal(words: tuple[str, ...], typed: bytes, cwd: Path) -> tuple[int, str]:
    """Run meterctl on a terminal and answer its prompt; return exit code and screen text."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(cwd)
        os.environ["XDG_STATE_HOME"] = str(cwd / "xdg")
        os.execv(BIN / "meterctl", ["meterctl", *words])
    seen, rounds = b"", 0
    with contextlib.suppress(OSError):
        while rounds < TIMEOUT_S:
            if select.select([terminal], [], [], 1.0)[0]:
                seen += os.read(terminal, 4096)
                asked = b"[y/N]" in seen and not rounds
            else:
                # An interrupt just before the line is read is detected at the next key only.
                asked = b"[y/N]" in seen and typed == b"\x03"
            if asked:
                os.write(terminal, typed)
            rounds += asked
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.decode()


@pytest.mark.parametrize(
    ("typed", "code"), [(b"\x03", 130), (b"\x04", 130), (b"n\n", 2), (b"y\n", 0)]
)
def test_a_prompt_that_is_ended_is_130_and_nothing_was_sealed(
    tmp_path: Path, typed: bytes, code: int
) -> None:
    with metered(tmp_path):
        words = (*PORT, "--keys", "k.json", "topup", "5.00", "--json")
        ended, seen = at_terminal(words, typed, tmp_path)
        assert ended == code, seen
        assert "Traceback" not in seen
        last = json.loads(seen.splitlines()[-1])
        assert last["exit_code"] == code
        assert last["serial_number"] is not None
        entries = meterctl_json("journal", "list", cwd=tmp_path)
        assert len(entries) == (code == 0), (
            "asked for a status only after the yes, and sealed only then"
        )


@pytest.mark.parametrize(
    "imported",
    ["protocols.replacements", "meterctl.cli.program", "typer", "meterctl.cli.item_list"],
)
def test_an_interrupt_while_the_program_starts_shows_no_traceback(
    tmp_path: Path, imported: str
) -> None:
    done = subprocess.run(
        signalled_at_import("meterctl.cli", signal.SIGINT, imported, "items"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "meterctl: interrupted\n"


def test_a_host_clock_beyond_2106_is_no_internal_fault(tmp_path: Path) -> None:
    """The issue instant is for people only, and is limited to four bytes."""
    with metered(tmp_path):
        code = (
            "import meterctl.transports.wires as wires, sys\n"
            "wires.wall_seconds = lambda: 4_300_000_000\n"
            "sys.argv = ['meterctl', '--port', './m.tty', '--keys', 'k.json', '--yes', "
            "*sys.argv[1:]]\n"
            "from meterctl.cli import main\n"
            "main()\n"
        )
        environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "xdg")}
        card = ("--file", "c.img")
        commands = (
            ("topup", "1.00"),
            ("switch", "interrupt"),
            ("card", "format", *card, "--card-serial", "0011223344556677"),
            ("card", "replace", "--meter", SERIAL, *card),
            ("card", "sell", "1.00", *card),
        )
        for words in commands:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code, *words],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            assert done.returncode == 0, (words, done.stderr)
