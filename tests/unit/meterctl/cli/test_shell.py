"""meterctl shell: one port held, the options given once, a script or typed lines."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware_sim.meter import Meter
from meterctl.cli import program
from meterctl.cli.line_editor import LineEditor
from meterctl.cli.options import Options
from meterctl.cli.shell import Shell, history_path
from meterctl.drivers.table import MODBUS
from meterctl.errors import UsageError
from meterctl.transports import Transport
from tests.support.field_wires import too_wide
from tests.support.meters import make
from tests.support.wire import PipeTransport, connect

PORT = "tcp://127.0.0.1:15020"
"""Loopback, so that the published test key is allowed; nothing is opened there."""


@dataclass
class Wires:
    """The wires of a test: which were opened and closed, and what fails on them."""

    meter: Meter = field(default_factory=make)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    fails: Exception | KeyboardInterrupt | None = None

    def open(self, port: str, *_: object) -> Transport:
        self.opened.append(port)
        wires, made = self, connect(self.meter, framed=True)[1]

        class Wire(PipeTransport):
            def send(self, data: bytes, timeout_ms: int) -> None:
                if wires.fails is not None:
                    failure, wires.fails = wires.fails, None
                    raise failure
                super().send(data, timeout_ms)

            def close(self) -> None:
                wires.closed.append(port)

        return Wire(made.line, framed=True)


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wires:
    made = Wires()
    monkeypatch.setattr("meterctl.transports.wires.open_transport", made.open)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("METERCTL_MAP", raising=False)
    monkeypatch.delenv("METERCTL_PORT", raising=False)
    return made


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


RunScript = Callable[..., Ran]


@pytest.fixture
def script(
    wires: Wires, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunScript:
    """Run lines as the input of `meterctl shell`."""

    def run(text: str, *words: str, options: tuple[str, ...] = ("--port", PORT)) -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        code = program.run([*options, "shell", *words])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run


# ---- scripts


def test_the_port_is_opened_once_and_held_until_the_end(script: RunScript, wires: Wires) -> None:
    ran = script("read debt\nstatus\nread available_credit\n", options=("--port", PORT, "--json"))
    assert ran.code == 0
    assert [*ran.objects[0]] == ["debt"]
    assert [*ran.objects[2]] == ["available_credit"]
    assert (wires.opened, wires.closed) == ([PORT], [PORT])


def test_a_command_that_fails_does_not_end_a_script_and_the_last_code_is_its_own(
    script: RunScript,
) -> None:
    ran = script("read nothing\nread debt --json\n")
    assert (ran.code, ran.objects) == (0, [{"debt": 0.0}])
    assert "line 1: exit code 2 (usage)" in ran.err
    assert script("read debt\nread nothing").code == 2, "a last line without an end counts"


def test_a_script_that_is_to_stop_ends_at_the_first_failure(script: RunScript) -> None:
    ran = script("read debt --json\nread nothing\nread debt --json\n", "--stop")
    assert (ran.code, len(ran.objects)) == (2, 1)
    assert script("read debt\n", "--stop").code == 0


def test_comments_quotes_and_the_name_of_the_program_are_understood(script: RunScript) -> None:
    text = "\ufeff# a visit\r\n\r\n  \nmeterctl read 'debt' --json\r\n#read nothing\n"
    ran = script(text)
    assert (ran.code, ran.objects, ran.err) == (0, [{"debt": 0.0}], "")
    ran = script("read 'debt\n")
    assert ran.code == 2
    assert "meterctl: no closing quotation in the line" in ran.err


def test_every_command_states_its_own_exit_code_with_json_too(script: RunScript) -> None:
    ran = script("read nothing --json\n")
    assert ran.objects[0]["exit_code"] == ran.code == 2


def test_exit_ends_a_script(script: RunScript) -> None:
    for word in ("exit", "quit"):
        ran = script(f"{word}\nread nothing\n")
        assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_commands_that_move_money_ask_and_a_script_answers_each(
    script: RunScript, wires: Wires, tmp_path: Path
) -> None:
    options = ("--port", PORT, "--journal", str(tmp_path / "j.sqlite"))
    ran = script("topup 5\n", options=options)
    assert ran.code == 2
    assert "give --yes, there is no terminal to ask on" in ran.err
    ran = script("topup 5 --yes --json\nreceipt --last --json\n", options=options)
    assert [each["exit_code"] for each in ran.objects] == [0, 0]
    assert wires.meter.state.account.credit > 0
    ran = script("read debt\n", options=(*options, "--yes"))
    assert ran.code == 2
    assert "give --yes behind each command" in ran.err


def test_a_shell_in_a_shell_is_refused(script: RunScript) -> None:
    ran = script("shell\nread debt --json\n")
    assert (ran.code, len(ran.objects)) == (0, 1)
    assert "this is a shell already" in ran.err


def test_options_hold_for_every_command_and_a_command_may_give_others(
    script: RunScript, wires: Wires
) -> None:
    other = "tcp://127.0.0.1:15021"
    ran = script(
        f"read debt\nread debt --port {other} --json\nread debt\nread debt --unit 300\n",
        options=("--port", PORT, "--dry-run"),
    )
    assert wires.opened == [PORT, other, PORT]
    assert "--unit 300: allowed is 1 to 247" in ran.err
    assert len(ran.out.splitlines()) > 3, "not all in JSON"


def test_port_unit_and_map_change_what_follows(
    script: RunScript, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "tcp://127.0.0.1:15021"
    ran = script(f"port\nport {other}\nport\nread debt --json\nunit\nunit 7\nunit\nmap\n")
    assert ran.out.splitlines() == [PORT, other, '{"debt": 0.00}', "1", "7", "native"]
    assert wires.opened == [other]
    monkeypatch.setenv("METERCTL_MAP", "sdm630")
    ran = script("map\nmap native\nread debt --json\nmap sdm120\nmap\n")
    assert ran.out.splitlines() == ["sdm630", '{"debt": 0.00}', "sdm120"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("unit 0", "allowed is 1 to 247"),
        ("unit x", "it is no number"),
        ("unit 1 2", "'2' is more than unit takes"),
        ("map absent", "absent"),
        ("port 192.168.1.5:502", "write tcp://192.168.1.5:502"),
    ],
)
def test_a_value_that_is_not_allowed_changes_nothing(
    script: RunScript, line: str, words: str
) -> None:
    ran = script(f"{line}\nunit\nport\nmap\n")
    assert words in ran.err
    assert "line 1: exit code 2" in ran.err
    assert ran.out.splitlines() == ["1", PORT, "native"]


def test_help_lists_all_commands_and_explains_one_on_a_screen_of_40_columns(
    script: RunScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    ran = script("help\nhelp topup\nhelp unit\nhelp absent\n")
    assert "unit [N]" in ran.out
    assert "Usage: meterctl topup" in ran.out
    assert ran.code == 2
    assert [line.strip() for line in too_wide(ran.out)] == [
        "$XDG_STATE_HOME/meterctl/journal.sqlite]"
    ], "one word, which is never broken"


def test_a_closed_stdin_is_named(monkeypatch: pytest.MonkeyPatch, wires: Wires) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert program.run(["--port", PORT, "shell"]) == 2


# ---- the wire between commands


def test_an_interrupt_ends_a_script_as_in_every_shell(script: RunScript, wires: Wires) -> None:
    wires.fails = KeyboardInterrupt()
    ran = script("read debt\nread debt --json\n")
    assert (ran.code, ran.out) == (130, "")
    assert wires.closed == [PORT]


def test_a_port_that_cannot_be_opened_is_tried_again_by_the_next_command(
    script: RunScript, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = iter([UsageError("port m1.tty: no such file"), None])

    def open_transport(port: str, *rest: object) -> Transport:
        failure = next(opens)
        if failure is not None:
            raise failure
        return wires.open(port, *rest)

    monkeypatch.setattr("meterctl.transports.wires.open_transport", open_transport)
    ran = script("read debt\nread debt --json\n")
    assert "no such file" in ran.err
    assert (ran.code, ran.objects) == (0, [{"debt": 0.0}])


def test_a_command_that_opens_ports_on_its_own_gets_the_port(wires: Wires) -> None:
    made = _shell()
    made.execute("read debt")
    given = Options(PORT, MODBUS, 1, None, None, 1000, *[False] * 5, wire=made._wire)
    given.release_port()
    assert wires.closed == [PORT]


@pytest.mark.parametrize("command", ["scan --units 1", "monitor"])
def test_a_scan_and_a_monitor_find_the_port_closed(
    script: RunScript, wires: Wires, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    closed = []

    def opening(*_: object, **__: object) -> Transport:
        closed.append(list(wires.closed))
        raise UsageError("enough")

    def opened(port: str, *rest: object, **named: object) -> Transport:
        return opening() if wires.opened else wires.open(port, *rest)

    monkeypatch.setattr("meterctl.transports.wires.open_transport", opened)
    monkeypatch.setattr("meterctl.transports.wires.open_listening", opening)
    script(f"read debt\n{command}\n")
    assert closed[0] == [PORT]


# ---- typed lines


def _shell(**values: str) -> Shell:
    return Shell({"--port": PORT, **{f"--{name}": value for name, value in values.items()}})


def typed(shell: Shell, *lines: str | BaseException) -> int:
    """Run lines as if they were typed; an exception is raised at the prompt."""
    given: Iterator[str | BaseException] = iter((*lines, EOFError()))

    def read(_: str) -> str:
        line = next(given)
        if isinstance(line, BaseException):
            raise line
        return line

    shell._reader = lambda: (read, lambda: None)  # type: ignore[method-assign]
    return shell.run(shell.typed_lines())


def test_typed_commands_end_with_ctrl_d_and_exit_code_0(
    wires: Wires, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(_shell(), "read debt --json", "read nothing") == 0
    printed = capsys.readouterr()
    assert printed.out == '{"debt": 0.00}\n'
    assert "\nexit code 2 (usage)\n" in printed.err


def test_ctrl_c_ends_the_command_or_the_line_and_not_the_shell(
    wires: Wires, capsys: pytest.CaptureFixture[str]
) -> None:
    wires.fails = KeyboardInterrupt()
    assert typed(_shell(), KeyboardInterrupt(), "read debt", "read debt --json") == 0
    printed = capsys.readouterr()
    assert "exit code 130 (interrupted)" in printed.err
    assert printed.out == '{"debt": 0.00}\n'


def test_a_command_that_ignored_interrupts_behind_its_effect_leaves_the_shell_none_ignored(
    wires: Wires, tmp_path: Path
) -> None:
    made = _shell(journal=str(tmp_path / "j"))
    seen = []

    def lines() -> Iterator[str]:
        yield "topup 5 --yes"
        yield "read debt"
        seen.append(signal.getsignal(signal.SIGINT))

    made.run(lines())
    assert seen == [signal.default_int_handler]


def test_a_hang_up_ends_the_shell_too(wires: Wires) -> None:
    made = _shell()

    def lines() -> Iterator[str]:
        made._arm()
        signal.raise_signal(signal.SIGTERM)
        yield "read debt"

    assert made.run(lines()) == 130
    assert wires.opened == []


def test_the_prompt_names_the_unit_and_the_map() -> None:
    made = _shell()
    assert made.prompt == "unit 1> "
    made.execute("unit 2")
    made.execute("map sdm630")
    assert made.prompt == "unit 2 sdm630> "


# ---- completion and history


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("top", ["topup "]),
        ("ex", ["exit "]),
        ("journal s", ["show "]),
        ("read available_c", ["available_credit ", "available_credit_exact "]),
        ("limits set overdraft_l", ["overdraft_limit=", "overdraft_limit=0.00 "]),
        ("topup 5 --y", ["--yes "]),
        ("map sdm6", ["sdm630 "]),
        ("help rece", ["receipt "]),
        ("unit ", []),
        ("absent x", []),
    ],
)
def test_commands_options_and_items_are_completed(before: str, found: list[str]) -> None:
    program.add_commands(None)
    assert _shell().completed(before) == found


def test_names_of_files_are_completed_where_a_file_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slips").mkdir()
    (tmp_path / "slip.html").touch()
    program.add_commands(None)
    made = _shell()
    assert made.completed("receipt --html sl") == ["slip.html ", "slips/"]
    assert made.completed("port ./sl") == ["./slip.html ", "./slips/"]


def test_items_are_those_of_the_map() -> None:
    program.add_commands(None)
    made = _shell()
    made.execute("map sdm120")
    assert made.completed("read available_c") == []


def test_the_history_is_readable_by_its_user_only_and_holds_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = history_path()
    editor = LineEditor(path, lambda _: [])
    monkeypatch.setattr("builtins.input", lambda _: "status")
    assert [editor.read("> ") for _ in range(2)] == ["status", "status"]
    editor.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().splitlines().count("status") == 1


def test_a_history_that_cannot_be_kept_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "history").mkdir()
    editor = LineEditor(tmp_path / "history", lambda _: [])
    monkeypatch.setattr("builtins.input", lambda _: "status")
    editor.read("> ")
    editor.close()
    assert capsys.readouterr().err.endswith("the lines of this shell are not kept\n")


def test_a_python_without_readline_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "readline", None)
    editor = LineEditor(tmp_path / "history", lambda _: [])
    monkeypatch.setattr("builtins.input", lambda _: "status")
    assert editor.read("> ") == "status"
    editor.close()
    assert capsys.readouterr().err.startswith("this Python has no readline")


def test_a_command_gets_no_option_that_was_not_typed(script: RunScript, wires: Wires) -> None:
    ran = script("scan --dry-run\nread debt\nscan --dry-run --unit 3\n")
    assert "247" in ran.err, "a scan of all units: none was named"
    assert wires.opened == [PORT]


def test_a_watch_opens_the_port_on_its_own_and_an_interrupt_of_it_ends_no_script(
    script: RunScript, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meterctl.transports.short_waits.open_transport", wires.open)
    ran = script("read debt --json\nwatch debt --count 1 --json\nread debt --json\n")
    assert (ran.code, [one["debt"] for one in ran.objects]) == (0, [0.0] * 3)
    assert wires.opened == wires.closed == [PORT] * 3
    wires.fails = KeyboardInterrupt()
    ran = script("watch debt\nread debt --json\n")
    assert (ran.code, ran.objects) == (0, [{"debt": 0.0}])
