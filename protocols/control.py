"""Commands to a simulated meter beyond its wires: time, load, power, button, covers, card, faults.

One definition serves control socket, fixtures and panel. The words of a command are its grammar:
`meter-sim control PATH advance 17h` sends ["advance", "17h"].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocols.data_model.words import Tamper
from protocols.errors import QuantityError
from protocols.faults import FAULTS, FaultRule, parse_words
from protocols.quantities import DAY, parse_duration, parse_fixed
from protocols.suggestions import did_you_mean, one_of

MAX_SPEED = 100_000
MAX_ADVANCE = 3660 * DAY
SPEED_SCALE = 1000
"""Speeds are held in thousandths."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Move meter time forward, ms."""

    duration_ms: int


@dataclass(frozen=True, slots=True)
class ChangeLoad:
    """Change the load: a power, a file or `household`, as `--load` takes it."""

    text: str


@dataclass(frozen=True, slots=True)
class CutPower:
    """The meter's own supply fails; hold-up energy lets it save exactly."""


@dataclass(frozen=True, slots=True)
class ReturnPower:
    """The meter's own supply returns."""


@dataclass(frozen=True, slots=True)
class PressButton:
    """The customer presses the button for long enough."""


@dataclass(frozen=True, slots=True)
class Sense:
    """A cover is opened or closed, a magnet attached or removed: its sensor changes."""

    sensor: Tamper
    present: bool


Direct = CutPower | ReturnPower | PressButton | Sense
"""A command that is a request of the meter as it stands."""


@dataclass(frozen=True, slots=True)
class InsertCard:
    """Insert a card: an image file, or the card in a PC/SC reader.

    `pull_after` removes it after that number of exchanges; None leaves it in.
    """

    file: str | None = None
    reader: str | None = None
    pull_after: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveCard:
    """Remove the card from the slot."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Set the speed: thousandths of meter time to wall time."""

    thousandths: int


@dataclass(frozen=True, slots=True)
class Show:
    """Show every item of a meter."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the process in an orderly way."""


@dataclass(frozen=True, slots=True)
class BeginFault:
    """Put a fault in force, on every wire or on the meters."""

    rule: FaultRule


@dataclass(frozen=True, slots=True)
class EndFaults:
    """End every fault of a name; None ends all."""

    name: str | None


@dataclass(frozen=True, slots=True)
class ShowFaults:
    """List the faults in force, and how often each has applied."""


Command = (
    Advance
    | ChangeLoad
    | Direct
    | InsertCard
    | RemoveCard
    | Speed
    | Show
    | Stop
    | BeginFault
    | EndFaults
    | ShowFaults
)


def parse_speed(text: str) -> int:
    """Return thousandths from "1", "0.5" or "100000"."""
    value = parse_fixed(text, 3, "a speed")
    if not 0 <= value <= MAX_SPEED * SPEED_SCALE:
        raise QuantityError(f"{text!r} is no speed: allowed is 0 to {MAX_SPEED}")
    return value


def _bounded(duration: int) -> int:
    if duration > MAX_ADVANCE:
        raise QuantityError("an advance is at most 3660d: while it runs no wire is served")
    return duration


def _either(words: tuple[str, str]) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text not in words:
            raise QuantityError(f"{text!r}: allowed are {words[0]} and {words[1]}")
        return text == words[0]

    return read


def _sensor(sensor: Tamper, words: tuple[str, str]) -> Callable[[str], Command]:
    read = _either(words)
    return lambda text: Sense(sensor, read(text))


_WITH_ARGUMENT: dict[str, Callable[[str], Command]] = {
    "advance": lambda text: Advance(_bounded(parse_duration(text))),
    "load": ChangeLoad,
    "power": lambda text: ReturnPower() if _either(("return", "cut"))(text) else CutPower(),
    "cover": _sensor(Tamper.COVER, ("open", "close")),
    "terminal-cover": _sensor(Tamper.TERMINAL_COVER, ("open", "close")),
    "magnet": _sensor(Tamper.MAGNET, ("on", "off")),
    "speed": lambda text: Speed(parse_speed(text)),
}
_ALONE: dict[str, Callable[[], Command]] = {"button": PressButton, "state": Show, "stop": Stop}
GRAMMAR_ROWS = (
    ("advance TIME", "Let meter time pass at once, such as 17h. For all meters."),
    ("load LOAD", "Change what is drawn: a power such as 3kW, FILE.csv or household."),
    ("power cut|return", "Cut or return the meter's own power; it saves and restarts."),
    ("button", "Press the button, as a customer does to close the supply."),
    ("cover open|close", "Open or close the cover of the meter."),
    ("terminal-cover open|close", "Open or close the cover of its terminals."),
    ("magnet on|off", "Hold a magnet to the meter, or take it away."),
    ("card insert FILE", "Insert the card in a file; with --pull-after N it is pulled out early."),
    ("card insert --reader NAME", "Insert the card that lies in a PC/SC reader."),
    ("card remove", "Remove the card."),
    (
        "fault FAULT on",
        "Put a fault in force; limit it with --count N, --for 10s, --unit N, --value V or "
        "--probability P.",
    ),
    ("fault FAULT off", "End a fault."),
    ("fault off", "End every fault."),
    ("fault list", "Show the faults in force, and how often each has applied."),
    ("speed N", "Let meter time run N times as fast as the clock; 0 stops it. For all meters."),
    ("state", "Show every item of the meter as JSON."),
    ("stop", "Save all meters and stop the program that runs them."),
)
"""Every command as it is typed, and what it does: for help, completion and error texts."""
NAMES = tuple(dict.fromkeys(grammar.split()[0] for grammar, _ in GRAMMAR_ROWS))
_PLACEHOLDERS: dict[str, Sequence[str]] = {"FAULT": tuple(FAULTS), "LOAD": ("household",)}


def next_words(words: Sequence[str]) -> dict[str, str]:
    """Return the words that may follow these of a command that is being typed, with meanings."""
    found: dict[str, str] = {}
    for grammar, meaning in GRAMMAR_ROWS:
        parts = grammar.split()
        if len(parts) > len(words) and all(map(_fits, parts, words)):
            for word in _words_of(parts[len(words)]):
                found.setdefault(word, meaning)
    return found


def _words_of(part: str) -> Sequence[str]:
    return _PLACEHOLDERS.get(part, ()) if part.isupper() else part.split("|")


def _fits(part: str, word: str) -> bool:
    return part.isupper() or word in _words_of(part)


def _written(name: str) -> str:
    """Return how the commands of a name are written."""
    return one_of(grammar for grammar, _ in GRAMMAR_ROWS if grammar.split()[0] == name)


def _fault(words: Sequence[str]) -> Command:
    if list(words) == ["list"]:
        return ShowFaults()
    if list(words) == ["off"]:
        return EndFaults(None)
    if len(words) < 2 or words[0] not in FAULTS or words[1] not in ("on", "off"):
        raise QuantityError(f"'{' '.join(['fault', *words])}': {_fault_hint(words)}")
    name, turn, options = words[0], words[1], words[2:]
    if turn == "on":
        return BeginFault(parse_words(name, options))
    if options:
        raise QuantityError(f"'fault {name} off' takes no options")
    return EndFaults(name)


def _fault_hint(words: Sequence[str]) -> str:
    if words and words[0] not in FAULTS:
        hint = did_you_mean(words[0], [*FAULTS, "off", "list"], f"faults are {', '.join(FAULTS)}")
        return f"there is no fault {words[0]!r}; {hint}"
    return f"write {_written('fault')}"


_INSERT = (
    "write card insert FILE, card insert --reader NAME (both take --pull-after N) or card remove"
)


def _card(words: Sequence[str]) -> Command:
    if list(words) == ["remove"]:
        return RemoveCard()
    if not words or words[0] != "insert":
        raise QuantityError(f"'card {' '.join(words)}': {_INSERT}")
    files: list[str] = []
    given: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        if word in ("--reader", "--pull-after") and word not in given:
            given[word] = next(rest, "")
        else:
            files.append(word)
    reader, pulled = given.get("--reader"), given.get("--pull-after")
    if (
        len(files) != (reader is None)
        or "" in (*files, reader)
        or any(file.startswith("--") for file in files)
    ):
        raise QuantityError(f"'card {' '.join(words)}': {_INSERT}")
    if pulled is not None and not (pulled.isascii() and pulled.isdigit()):
        raise QuantityError(f"--pull-after {pulled}: allowed is a number of exchanges, 0 and more")
    return InsertCard(files[0] if files else None, reader, None if pulled is None else int(pulled))


def parse_command(words: Sequence[str]) -> Command:
    """Return the command of these words; raises QuantityError, which names the allowed ones."""
    if not words:
        raise QuantityError(f"no command: commands are {', '.join(NAMES)}")
    name, arguments = words[0], words[1:]
    if name in _ALONE and not arguments:
        return _ALONE[name]()
    if name in _WITH_ARGUMENT and len(arguments) == 1:
        return _WITH_ARGUMENT[name](arguments[0])
    if name == "fault":
        return _fault(arguments)
    if name == "card":
        return _card(arguments)
    if name in NAMES:
        raise QuantityError(f"{' '.join(words)!r}: write {_written(name)}")
    hint = did_you_mean(name, NAMES, f"commands are {', '.join(NAMES)}")
    raise QuantityError(f"there is no command {name!r}; {hint}")
