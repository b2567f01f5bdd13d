"""Faults as data: faults of a line, a reply, a storage and a meter, and a frozen plan of them.

One plan works in the deterministic simulation, on a live line (`meter-sim run --faults`, `meter-sim
control PATH fault`) and in fixtures. `FAULTS` is the registry; docs/faults.md is generated from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from protocols.errors import QuantityError
from protocols.quantities import format_duration, format_fixed, parse_duration, parse_fixed
from protocols.toml_text import parse_toml, with_lines

ALWAYS = 1_000_000
"""Probabilities are held in parts per million."""


class FaultScope(Enum):
    """Part that a fault applies to; the value describes it in texts."""

    LINE = "the line: bytes of a transmission, either way"
    REPLY = "the reply: frames, before they become bytes"
    STORAGE = "the storage: its writes and flushes"
    METER = "the meter itself, while the fault is in force"


class Way(Enum):
    """Direction of a transmission."""

    REQUEST = "request"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One fault of the registry. `takes` describes `value`; a fault without it takes no value.

    `echoes` is the direction of the transmissions that an echo gives back to their sender.
    """

    name: str
    scope: FaultScope
    meaning: str
    takes: str = ""
    default: int = 0
    parse: Callable[[str], int] | None = None
    show: Callable[[int], str] = str
    echoes: Way | None = None


def _duration(text: str) -> int:
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)


def _forward(text: str) -> int:
    return parse_duration(text)


def _show_duration(ms: int) -> str:
    return ("-" if ms < 0 else "") + format_duration(abs(ms))


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = parse_fixed(text, 0)
        if not low <= value <= high:
            raise QuantityError(f"{text!r}: allowed is {low} to {high}")
        return value

    return read


def _timed(name: str, scope: FaultScope, meaning: str, takes: str, ms: int) -> FaultKind:
    return FaultKind(name, scope, meaning, takes, ms, _forward, _show_duration)


_KINDS = (
    FaultKind("flip", FaultScope.LINE, "One bit is inverted."),
    FaultKind("drop", FaultScope.LINE, "One byte is lost."),
    FaultKind("duplicate", FaultScope.LINE, "One byte arrives twice."),
    FaultKind("insert", FaultScope.LINE, "One byte is inserted."),
    FaultKind("truncate", FaultScope.LINE, "The transmission ends early."),
    FaultKind(
        "noise",
        FaultScope.LINE,
        "Bytes that belong to no frame precede it.",
        "bytes",
        3,
        _number(1, 64),
    ),
    _timed("delay", FaultScope.LINE, "The bytes from one position on arrive late.", "delay", 50),
    FaultKind(
        "echo",
        FaultScope.LINE,
        "The host receives its own request, as with some RS-485 adapters. Serial lines only.",
        echoes=Way.REQUEST,
    ),
    FaultKind(
        "meter_echo",
        FaultScope.LINE,
        "The meter receives its own reply, as with such an adapter at its end. Serial lines only.",
        echoes=Way.REPLY,
    ),
    FaultKind(
        "pacing",
        FaultScope.LINE,
        "Bytes take the transmission time of the line's speed.",
        "baud",
        9600,
        _number(50, 4_000_000),
    ),
    FaultKind(
        "packets",
        FaultScope.LINE,
        "Bytes arrive in packets, as from a USB adapter: when one is full, and every 16 ms.",
        "bytes of a full packet",
        62,
        _number(1, 512),
    ),
    _timed(
        "stall",
        FaultScope.LINE,
        "From a position in the transmission on, nothing arrives for a time, either way; then "
        "all of it at once.",
        "how long nothing arrives",
        50,
    ),
    _timed(
        "hang_up",
        FaultScope.LINE,
        "The port is removed for a time and returns; a connection is closed.",
        "how long it is absent",
        1000,
    ),
    FaultKind(
        "request_lost",
        FaultScope.REPLY,
        "The request is lost: it is not executed and not answered.",
    ),
    FaultKind("reply_lost", FaultScope.REPLY, "The request is executed; its reply is lost."),
    _timed("reply_late", FaultScope.REPLY, "The reply is sent late.", "delay", 500),
    FaultKind("reply_twice", FaultScope.REPLY, "The reply is sent twice."),
    FaultKind("wrong_unit", FaultScope.REPLY, "The reply names another unit."),
    FaultKind("wrong_transaction", FaultScope.REPLY, "The reply names another transaction (TCP)."),
    FaultKind(
        "wrong_length",
        FaultScope.REPLY,
        "The reply has fewer registers than requested and is otherwise right.",
        "registers missing",
        1,
        _number(1, 125),
    ),
    _timed(
        "byte_by_byte",
        FaultScope.REPLY,
        "The reply is sent byte by byte.",
        "pause between two bytes",
        5,
    ),
    FaultKind(
        "busy", FaultScope.REPLY, "Exception 06, server device busy: the request is not executed."
    ),
    FaultKind(
        "exception",
        FaultScope.REPLY,
        "An exception: the request is not executed.",
        "exception code",
        4,
        _number(1, 11),
    ),
    FaultKind(
        "torn_write",
        FaultScope.STORAGE,
        "The power fails during a write; the meter restarts from its storage.",
        "bytes of the write that are kept; drawn by default",
        -1,
        _number(0, 1 << 20),
        lambda value: "drawn" if value < 0 else str(value),
    ),
    FaultKind(
        "lost_writes",
        FaultScope.STORAGE,
        "With a torn write, some of the unflushed writes are lost, drawn for each.",
    ),
    FaultKind("storage_full", FaultScope.STORAGE, "A write is refused, as on a full disk."),
    FaultKind(
        "flush_fails",
        FaultScope.STORAGE,
        "A flush fails: the meter stops, because the stored state is unknown.",
    ),
    FaultKind(
        "clock_step",
        FaultScope.METER,
        "The clock jumps once.",
        "size of the jump; may be negative",
        3_600_000,
        _duration,
        _show_duration,
    ),
    FaultKind(
        "clock_drift",
        FaultScope.METER,
        "The clock runs fast or slow.",
        "ppm; may be negative",
        200,
        _number(-100_000, 100_000),
    ),
    FaultKind("clock_lost", FaultScope.METER, "The clock is invalid until it is set."),
    FaultKind(
        "switch_welded", FaultScope.METER, "The supply control switch is welded: it does not open."
    ),
    FaultKind(
        "switch_stuck_open",
        FaultScope.METER,
        "The supply control switch opens and does not close.",
    ),
    FaultKind(
        "lost_phase",
        FaultScope.METER,
        "A supply phase is lost: no voltage, no current; no event is recorded.",
        "phase",
        1,
        _number(1, 3),
    ),
    FaultKind("cover_open", FaultScope.METER, "The meter cover is open."),
    FaultKind("terminal_cover_open", FaultScope.METER, "The terminal cover is open."),
    FaultKind("magnet", FaultScope.METER, "A magnet is held to the meter."),
    FaultKind(
        "reverse_flow", FaultScope.METER, "The current is reversed: import counts as export."
    ),
    _timed(
        "brown_out",
        FaultScope.METER,
        "The supply is too low for the meter: it saves, powers down and restarts.",
        "how long it is without power",
        1000,
    ),
)
FAULTS: Mapping[str, FaultKind] = {kind.name: kind for kind in _KINDS}


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One fault of a plan with its value, probability, times and addressees.

    Args:
        value: in the fault's own unit; None is its default.
        probability: of applying to a transmission, reply, write or flush, in parts per million.
        count: how often it applies at most; None is unlimited.
        begins: ms after the start of the plan or the command (line time; faults of the meter: meter
            time).
        lasts: ms from then on; None is unlimited.
        unit: only this unit; None is every unit.
        way: line faults: only this direction; None is both.
        address: reply faults: only requests whose first register or coil this is.
        quantity: reply faults: only requests for this number of registers or coils.
        function: reply faults: only requests with this function code.
    """

    name: str
    value: int | None = None
    probability: int = ALWAYS
    count: int | None = None
    begins: int = 0
    lasts: int | None = None
    unit: int | None = None
    way: Way | None = None
    address: int | None = None
    quantity: int | None = None
    function: int | None = None

    def __post_init__(self) -> None:
        kind = FAULTS.get(self.name)
        if kind is None:
            raise QuantityError(f"{self.name!r} is no fault: allowed are {', '.join(FAULTS)}")
        if self.value is not None and kind.parse is None:
            raise QuantityError(f"{self.name} takes no value")
        if kind.echoes is not None and self.way is not None and self.way is not kind.echoes:
            raise QuantityError(
                f"{self.name} echoes a {kind.echoes.value}: way = {self.way.value} has no effect"
            )
        allowed = _ALLOWED[kind.scope]
        for name in (f.name for f in fields(self)):
            if name in _DEFAULTS and getattr(self, name) != _DEFAULTS[name] and name not in allowed:
                raise QuantityError(
                    f"{self.name} works on {kind.scope.value}, where {_WORD[name]!r} has no effect"
                )

    @property
    def kind(self) -> FaultKind:
        """The registry's entry for this fault."""
        return FAULTS[self.name]

    @property
    def amount(self) -> int:
        """The value, or the default where none is given."""
        return self.kind.default if self.value is None else self.value

    def words(self) -> list[str]:
        """Return the options as `parse_rule` reads them, without the name."""
        return [
            f"{option}={write(value, self.kind)}"
            for option, (name, _, write) in _OPTIONS.items()
            if (value := getattr(self, name)) != _DEFAULTS.get(name)
        ]


def _probability(text: str) -> int:
    value = parse_fixed(text, 6, "a probability")
    if not 0 < value <= ALWAYS:
        raise QuantityError(f"{text!r} is no probability: above 0 and at most 1")
    return value


def _way(text: str) -> Way:
    try:
        return Way(text)
    except ValueError:
        raise QuantityError(f"{text!r}: allowed are request and reply") from None


_Parse = Callable[[str, FaultKind], Any]
_Write = Callable[[Any, FaultKind], str]


def _value(text: str, kind: FaultKind) -> int:
    if kind.parse is None:
        raise QuantityError(f"{kind.name} takes no value")
    return kind.parse(text)


def _plain(value: Any, _: FaultKind) -> str:
    return str(value)


def _span(value: int, _: FaultKind) -> str:
    return format_duration(value)


_OPTIONS: dict[str, tuple[str, _Parse, _Write]] = {
    "value": ("value", _value, lambda value, kind: kind.show(value)),
    "probability": (
        "probability",
        lambda t, _: _probability(t),
        lambda v, _: format_fixed(v, 6, 6).rstrip("0"),
    ),
    "count": ("count", lambda t, _: _number(1, 1 << 31)(t), _plain),
    "from": ("begins", lambda t, _: parse_duration(t), _span),
    "for": ("lasts", lambda t, _: parse_duration(t), _span),
    "unit": ("unit", lambda t, _: _number(1, 247)(t), _plain),
    "way": ("way", lambda t, _: _way(t), lambda v, _: str(v.value)),
    "address": ("address", lambda t, _: _number(0, 65_535)(t), _plain),
    "quantity": ("quantity", lambda t, _: _number(1, 2_000)(t), _plain),
    "function": ("function", lambda t, _: _number(1, 127)(t), _plain),
}
"""Key of the plan and option of the command line -> field, parser, writer."""
_WORD = {name: option for option, (name, _, _) in _OPTIONS.items()}
_DEFAULTS = {f.name: f.default for f in fields(FaultRule) if f.name != "name"}
_ALLOWED = {
    FaultScope.LINE: {"value", "probability", "count", "begins", "lasts", "unit", "way"},
    FaultScope.REPLY: {
        "value",
        "probability",
        "count",
        "begins",
        "lasts",
        "unit",
        "address",
        "quantity",
        "function",
    },
    FaultScope.STORAGE: {"value", "probability", "count", "unit"},
    FaultScope.METER: {"value", "begins", "lasts", "unit"},
}
OPTIONS = tuple(_OPTIONS)


def takes(scope: FaultScope, option: str) -> bool:
    """Return whether the faults of a scope take an option."""
    return _OPTIONS[option][0] in _ALLOWED[scope]


def parse_rule(name: str, options: Mapping[str, str]) -> FaultRule:
    """Return the rule of a fault and its options as text; raises QuantityError."""
    kind = FAULTS.get(name)
    if kind is None:
        raise QuantityError(f"{name!r} is no fault: allowed are {', '.join(FAULTS)}")
    values = {}
    for option, text in options.items():
        if option not in _OPTIONS:
            raise QuantityError(
                f"{name}: {option!r} is no option: allowed are {', '.join(_OPTIONS)}"
            )
        field_name, parse, _ = _OPTIONS[option]
        try:
            values[field_name] = parse(text, kind)
        except QuantityError as error:
            raise QuantityError(f"{name}: {option} = {text}: {error}") from error
    return FaultRule(name, **values)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults and the seed of their draws: one plan alters the same bytes of the same traffic."""

    rules: tuple[FaultRule, ...] = ()
    seed: int = 0


def parse_plan(text: str) -> FaultPlan:
    """Return the plan of a TOML text: `seed`, and a table [[fault]] for each rule.

    Raises:
        QuantityError: invalid TOML, or keys or values that are not allowed: a line for each.
    """
    table = parse_toml(text)
    seed, tables = table.pop("seed", 0), table.pop("fault", [])
    mistakes = []
    if table:
        unknown = ", ".join(table)
        mistakes.append(f"{unknown}: there is no such key; allowed are seed and [[fault]]")
    if not isinstance(seed, int) or isinstance(seed, bool):
        mistakes.append(f"seed = {seed!r}: write a whole number")
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        mistakes.append("fault: write each as a table of its own, [[fault]]")
        tables = []
    rules = []
    for number, each in enumerate(tables, 1):
        try:
            rules.append(_rule_of(each))
        except QuantityError as error:
            mistakes.append(f"fault.{number}: {error}")
    if mistakes:
        raise QuantityError("\n".join(with_lines(mistakes, text)))
    return FaultPlan(tuple(rules), seed)


def _rule_of(table: dict[str, Any]) -> FaultRule:
    options = dict(table)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise QuantityError(f"a fault without a name; allowed are {', '.join(FAULTS)}")
    for option, value in options.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise QuantityError(f"{name}: {option} = {value!r}: write a text or a number")
    return parse_rule(name, {option: str(value) for option, value in options.items()})


def parse_words(name: str, words: Sequence[str]) -> FaultRule:
    """Return the rule of `--count 3 --for 10s`; `--count=3` is accepted too."""
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise QuantityError(
                f"{name}: {word!r} is no option: write --count 3, with one of {', '.join(_OPTIONS)}"
            )
        option, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            if not rest:
                raise QuantityError(f"{name}: --{option} needs a value")
            value = rest.pop(0)
        options[option] = value
    return parse_rule(name, options)


@dataclass(slots=True)
class RandomDraws:
    """Draws by a hash of (seed, point, number), the same on every machine."""

    seed: int
    point: str
    drawn: int = field(default=0)

    def below(self, bound: int) -> int:
        """Return a number from 0 to `bound` - 1."""
        self.drawn += 1
        text = f"{self.seed}/{self.point}/{self.drawn}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % bound
