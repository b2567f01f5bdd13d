"""shell."""

from __future__ import annotations

import glob
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated

from meterctl.cli import common_options, program
from meterctl.cli.arguments import SET_UP, port_of, require_unit
from meterctl.cli.interruption import interrupts, restoring_on_quit, settings_of_terminal
from meterctl.cli.line_editor import LineEditor
from meterctl.cli.options import options
from meterctl.cli.output import RESULTS, emit, print_table, say
from meterctl.cli.values import map_names
from meterctl.errors import MeterctlError, UsageError
from meterctl.named_maps import read_map
from meterctl.transports.held_wire import HeldWire
from protocols.command_line import Context, Exit, Option, Program, completions, examples
from protocols.command_line.tables import Table
from protocols.errors import ProtocolError
from protocols.replacements import printable

_EXAMPLES = examples(
    ("meterctl --port /dev/ttyUSB0 shell", "Open one session on a port: `status`, `topup 50`."),
    ("meterctl --port m1.tty shell < visit.txt", "Run the commands of a file, line by line."),
    ("meterctl --port m1.tty shell --stop < visit.txt", "End at the first one that fails."),
)
_OWN = {
    "port": ("port [PORT]", "Show or change the port, with its ?baud= and ?parity=."),
    "unit": ("unit [N]", "Show or change the unit number."),
    "map": ("map [NAME|FILE]", "Show or change the register map; `map native` for none."),
    "help": ("help [COMMAND]", "Explain a command, or list all."),
    "exit": ("exit", "End the shell; Ctrl-D too."),
}
"""Words of the shell itself, and their help."""
_MEANINGS = {**RESULTS, program.INTERRUPTED: "interrupted"}
_NATIVE = "native"
_DEFAULTS = {
    "port": ("METERCTL_PORT", "none"),
    "unit": ("", "1"),
    "map": ("METERCTL_MAP", _NATIVE),
}
"""Common option that the shell changes -> its variable, and what it is without a value."""


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("shell", rich_help_panel=SET_UP, epilog=_EXAMPLES)(shell)


def shell(
    context: Context,
    stop: Annotated[
        bool, Option("--stop", help="End at the first command that fails, with its exit code.")
    ] = False,
) -> None:
    """Type the commands without their options: one session on one port, until `exit`.

    The port stays open between commands; the options given to the shell hold for each of them, and
    a command may give others. Input that is no terminal is a script: one command a line, # begins a
    comment; a command that fails does not end it, and the exit code is that of the last one.
    """
    given = options(context)
    if given.wire is not None:
        raise UsageError("this is a shell already; `exit` ends it")
    if given.yes:
        raise UsageError("give --yes behind each command that shall not ask, not to the shell")
    if sys.stdin is None:
        raise UsageError("stdin is closed: a shell reads its commands there")
    made = Shell(_values_of(context), _flags_of(context), stop=stop)
    lines = made.typed_lines() if sys.stdin.isatty() else made.script_lines()
    with restoring_on_quit(settings_of_terminal()):
        code = made.run(lines)
    raise Exit(code)


class Shell:
    """The commands of one session, one after the other.

    Args:
        values: the common options that hold for every command, with their values.
        flags: those without a value.
        stop: end at the first command that fails.
    """

    def __init__(
        self, values: Mapping[str, str], flags: Sequence[str] = (), *, stop: bool = False
    ) -> None:
        self._values, self._flags = dict(values), flags
        self._stop = stop
        self._wire = HeldWire()
        self._is_ended = False
        self._number = 0
        self._is_typed = False
        self._interrupts = interrupts()
        self._stdout = _identity_of_stdout()

    # ---- lines

    def typed_lines(self) -> Iterator[str]:
        """Yield the lines that are typed at a terminal; Ctrl-C discards one, Ctrl-D ends."""
        self._is_typed = True
        read, close = self._reader()
        try:
            while not self._is_ended:
                self._arm()
                try:
                    yield read(self.prompt)
                except KeyboardInterrupt:
                    say("")
                except EOFError:
                    say("")
                    return
        finally:
            close()

    def _reader(self) -> tuple[Callable[[str], str], Callable[[], None]]:
        if sys.stdout is not None and sys.stdout.isatty():
            editor = LineEditor(history_path(), self.completed)
            return editor.read, editor.close
        return _read_without_editing, lambda: None

    def script_lines(self) -> Iterator[str]:
        """Yield the lines of stdin; raises KeyboardInterrupt."""
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="surrogateescape")
        while not self._is_ended:
            self._arm()
            line = sys.stdin.readline()
            if not line:
                return
            self._number += 1
            yield line.removeprefix("\ufeff") if self._number == 1 else line

    @property
    def prompt(self) -> str:
        """The prompt: the unit, and the map if it is not the native one."""
        named = self._values.get("--map")
        shown = f" {printable(named)}" if named else ""
        return f"unit {self._shown_value('unit')}{shown}> "

    # ---- commands

    def run(self, lines: Iterator[str]) -> int:
        """Run commands; return the exit code of the shell: 0 where they were typed."""
        code = 0
        try:
            for line in lines:
                result = self.execute(line)
                if result is None:
                    break
                code = result if line.strip() else code
                if self._ends_after(code):
                    break
        except KeyboardInterrupt:
            say("meterctl: interrupted")
            code = program.INTERRUPTED
        finally:
            self._wire.release()
            for number in self._interrupts:
                signal.signal(number, signal.default_int_handler)
        if self._is_ended:
            return program.INTERRUPTED
        return code if self._stop or not self._is_typed else 0

    def _ends_after(self, code: int) -> bool:
        """Return whether the shell ends behind a command with this exit code."""
        if _identity_of_stdout() != self._stdout:
            say("meterctl: stdout cannot be written any more; the shell ends")
            return True
        if code == program.INTERRUPTED and not self._is_typed:
            return True
        return bool(code) and self._stop

    def execute(self, line: str) -> int | None:
        """Run the command of a line and return its exit code; None for `exit`."""
        try:
            words = shlex.split(line.strip(), comments=False)
        except ValueError as error:
            return self._told(f"{str(error).lower()} in the line")
        if not words or words[0].startswith("#"):
            return 0
        if words[0] == program.NAME and len(words) > 1:
            words = words[1:]
        name, *rest = words
        if name in ("exit", "quit"):
            return None
        if name == "help":
            return self._help(rest)
        if name in _OWN:
            return self._change(name, rest)
        self._arm()
        return self._shown(program.run([*self._common(), *words], self._wire))

    def _common(self) -> list[str]:
        """Return the options that stand before every command; its own, behind them, hold."""
        return [*(word for pair in self._values.items() for word in pair), *self._flags]

    def _shown(self, code: int) -> int:
        """Print an exit code that is not 0."""
        if code:
            where = "" if self._is_typed else f"line {self._number}: "
            say(f"{where}exit code {code} ({_MEANINGS.get(code, 'internal fault')})")
        return code

    def _told(self, text: str) -> int:
        say(f"meterctl: {text}")
        return self._shown(UsageError.exit_code)

    def _help(self, words: list[str]) -> int:
        if words[:1] and words[0] in _OWN:
            _print_own(words[0])
            return 0
        if words:
            return self._shown(program.run([*words, "-h"], self._wire))
        _print_own(*_OWN)
        return self._shown(program.run(["-h"], self._wire))

    def _change(self, name: str, words: list[str]) -> int:
        """Show or change a common option; a value that is not allowed changes nothing."""
        option = f"--{name}"
        if not words:
            emit(printable(self._shown_value(name)))
            return 0
        if len(words) > 1:
            return self._told(f"{words[1]!r} is more than {name} takes")
        try:
            self._set(name, option, words[0])
        except (MeterctlError, ProtocolError) as error:
            return self._told(str(error))
        return 0

    def _shown_value(self, name: str) -> str:
        """Return the value of a common option: as given here, by its variable, or the default."""
        variable, default = _DEFAULTS[name]
        given = self._values.get(f"--{name}")
        return (os.environ.get(variable, "") if given is None else given) or default

    def _set(self, name: str, option: str, value: str) -> None:
        if name == "unit":
            if not (value.isascii() and value.isdigit()):
                raise UsageError(f"--unit {printable(value)}: it is no number; 1 to 247 is allowed")
            require_unit(int(value), self._shown_value("port"))
        elif name == "port":
            value = port_of(value, {}) or value
            self._wire.release()
            for setting in ("--baud", "--parity"):  # they were those of the other port
                self._values.pop(setting, None)
        elif value == _NATIVE:
            value = ""  # not left out: METERCTL_MAP may name another one
        else:
            read_map(value)
        self._values[option] = value

    # ---- completion

    def completed(self, before: str) -> list[str]:
        """Return what the last word of a line may become, with a blank behind a whole word."""
        words = before.split()
        incomplete = words.pop() if words and not before.endswith((" ", "\t")) else ""
        if words == ["map"]:
            found = [_NATIVE, *map_names()]
        elif words[:1] == ["help"]:
            found = self._offered(words[1:], incomplete)
        elif words == ["port"]:
            found = _files(incomplete)
        elif words and words[0] in _OWN:
            found = []
        else:
            found = self._offered(words, incomplete) + ([*_OWN] if not words else [])
        begun = dict.fromkeys(each for each in found if each.startswith(incomplete))
        return [each if each.endswith(("=", "/")) else f"{each} " for each in begun]

    def _offered(self, words: list[str], incomplete: str) -> list[str]:
        line = [*self._common(), *words]
        offered = completions(program.app, program.NAME, line, incomplete)
        may_be_file = words and (words[-1].startswith("--") or "/" in incomplete)
        return offered or (_files(incomplete) if may_be_file else [])

    # ---- signals

    def _arm(self) -> None:
        """Let Ctrl-C interrupt a command, and the other signals the shell too.

        A command that had its effect ignores them until it has printed its result.
        """
        for number in self._interrupts:
            ends = number is not signal.SIGINT
            signal.signal(number, self._end if ends else signal.default_int_handler)

    def _end(self, _: int, __: FrameType | None) -> None:
        self._is_ended = True
        raise KeyboardInterrupt


def history_path() -> Path:
    """Return the file of the history (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(
        os.path.expanduser("~"), ".local", "state"
    )
    return Path(base) / "meterctl" / "history"


def _print_own(*names: str) -> None:
    """Explain words of the shell; raises OutputError."""
    print_table(Table(("in the shell", "meaning"), [_OWN[name] for name in names]))


def _files(begun: str) -> list[str]:
    """Return the names of files that begin so; that of a directory ends with a slash."""
    found = sorted(glob.glob(f"{glob.escape(begun)}*"))
    return [f"{each}/" if os.path.isdir(each) else each for each in found]


def _values_of(context: Context) -> dict[str, str]:
    """Return the common options with values that were typed: the others have their defaults."""
    return {
        name: str(value)
        for name, value in _typed(context)
        if name in common_options.WITH_VALUE and value is not None
    }


def _flags_of(context: Context) -> list[str]:
    return [name for name, value in _typed(context) if name in common_options.FLAGS and value]


def _typed(context: Context) -> Iterator[tuple[str, object]]:
    """Yield the common options of the command line, each with its value."""
    root = context.find_root()
    for option in root.command.params:
        source = root.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            yield option.opts[0], root.params[option.name or ""]


def _read_without_editing(prompt: str) -> str:
    """Read a line at a terminal whose output goes elsewhere; raises EOFError."""
    if sys.stderr is not None:
        print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _identity_of_stdout() -> tuple[int, int] | None:
    """Return which file stdout is; another one where a command had to discard what it holds."""
    try:
        status = os.fstat(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
