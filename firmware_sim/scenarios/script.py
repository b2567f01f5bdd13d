"""A scenario as data: TOML text, checked by pydantic; all texts are parsed before the play.

name = "warning and trip"
[meter]                                  # keys of a meter's TOML, and `price`
credit = "20.00"
load = "2.345kW"
[[step]]
at = "+2h"
do = "topup 50.00"                       # a command of `control`, or an order of a vending point
[[step]]
within = ["+10h", "+11h"]
expect = { supply_state = "disconnected", available_credit = "<= 0" }
[[step]]
events = ["low_credit_warning", "supply_disconnected"]    # in this order, others may be between
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from firmware_sim.rack.values import Value, word
from firmware_sim.vending import ORDERS, Order, parse_order
from protocols.control import (
    MAX_ADVANCE,
    NAMES,
    Advance,
    Command,
    InsertCard,
    RemoveCard,
    Show,
    ShowFaults,
    Speed,
    Stop,
    parse_command,
)
from protocols.data_model.events import EVENTS
from protocols.data_model.items import BY_NAME
from protocols.data_model.kinds import (
    Boolean,
    Choice,
    Fixed,
    Flags,
    Kind,
    Moment,
    Optional,
)
from protocols.errors import ProtocolError, QuantityError
from protocols.faults import FaultRule, parse_rule
from protocols.quantities import LocalMoment, format_duration, parse_duration, parse_written_moment
from protocols.sealed_message import Outcome
from protocols.suggestions import did_you_mean
from protocols.toml_text import line_of, lines_of, parse_toml

_LENGTH_OF_LOCAL_TIME = len("2026-01-31T08:00:00.000")


class ScenarioError(Exception):
    """A wrong scenario; the text names the key, its value and what is allowed."""


_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq, "<": operator.lt,
    ">": operator.gt,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one item: "<= 0", "!= connected", "has moratorium", "disconnected", 5.

    A moment is compared as an instant; without an offset it is local time of the meter.
    """

    item: str
    text: str
    sign: str
    wanted: Decimal | str | int | LocalMoment

    def holds(self, value: Value) -> bool:
        """Return whether a value meets the condition."""
        if isinstance(self.wanted, int | LocalMoment):
            return _moment_holds(self.sign, self.wanted, value)
        if self.sign == "has":
            return isinstance(value, tuple) and self.wanted in value
        shown = value if isinstance(value, Decimal) else word(value)
        if isinstance(shown, Decimal) != isinstance(self.wanted, Decimal):
            return self.sign == "!="
        return _SIGNS[self.sign](shown, self.wanted)


def _moment_holds(sign: str, wanted: int | LocalMoment, value: Value) -> bool:
    """Compare the moment that a meter shows, None for never, with a wanted one."""
    if not isinstance(value, str):
        return sign == "!="
    if isinstance(wanted, LocalMoment):
        local = parse_written_moment(value[:_LENGTH_OF_LOCAL_TIME])
        return _SIGNS[sign](local, wanted)
    return _SIGNS[sign](parse_written_moment(value), wanted)


def _condition(item: str, given: object) -> Condition:
    if item not in BY_NAME:
        raise ValueError(
            f"{item!r} is no item; {did_you_mean(item, BY_NAME, '`meterctl items` lists them')}"
        )
    text = str(given).strip()
    sign = next(
        (s for s in ("has", *_SIGNS) if text.startswith(s) and (s != "has" or text[3:4] == " ")), ""
    )
    wanted = _wanted(BY_NAME[item].kind, text[len(sign) :].strip())
    condition = Condition(item, text, sign or "==", wanted)
    if problem := _problem(condition):
        raise ValueError(f"{item} = {text!r}: {problem}")
    return condition


def _conditions(given: object) -> dict[str, Condition]:
    if not isinstance(given, dict):
        raise ValueError("write items and what they shall be: { supply_state = 'disconnected' }")
    found, problems = {}, []
    for item, wanted in given.items():
        try:
            found[item] = _condition(item, wanted)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return found


def _problem(condition: Condition) -> str:
    """Return why a condition could never fail or never hold; empty if it can do both."""
    kind, wanted = BY_NAME[condition.item].kind, condition.wanted
    if isinstance(kind, Choice):
        allowed = condition.sign in ("==", "!=") and wanted in kind.words
        return "" if allowed else f"allowed are {', '.join(kind.words)}, or != before one"
    if isinstance(kind, Flags):
        words = kind.words if condition.sign == "has" else (*kind.words, "none")
        known = isinstance(wanted, str) and all(word in words for word in wanted.split(","))
        allowed = known and condition.sign in ("has", "==", "!=")
        return (
            ""
            if allowed
            else f"allowed is has before one of {', '.join(kind.words)}; or a list of them, or none"
        )
    if isinstance(kind, Fixed | Optional):
        may_be_off = (
            isinstance(kind, Optional) and wanted == "off" and condition.sign in ("==", "!=")
        )
        allowed = may_be_off or (isinstance(wanted, Decimal) and condition.sign != "has")
        return "" if allowed else "a number, with <, <=, >, >= or != before it where wanted"
    if isinstance(kind, Moment):
        known = isinstance(wanted, int | LocalMoment) or condition.sign in ("==", "!=")
        allowed = known and condition.sign != "has"
        return "" if allowed else "a moment, with <, <=, >, >= or != before it where wanted"
    if isinstance(kind, Boolean):
        return (
            ""
            if wanted in ("on", "off") and condition.sign in ("==", "!=")
            else "allowed are true and false"
        )
    return "" if condition.sign in ("==", "!=") else "allowed is a value, or != before one"


def _wanted(kind: Kind, text: str) -> Decimal | str | int | LocalMoment:
    if isinstance(kind, Moment):
        try:
            return "off" if text in ("off", "never") else parse_written_moment(text)
        except QuantityError as error:
            raise ValueError(str(error)) from error
    if isinstance(kind, Optional) and text == kind.off:
        return "off"
    try:
        return Decimal(text)
    except InvalidOperation:
        return {"true": "on", "false": "off"}.get(text.lower(), text)


def _instant(text: object) -> int:
    if not isinstance(text, str) or not text.startswith("+"):
        raise ValueError("write an instant as +2h30m, counted from the start")
    duration: int = parse_duration(text[1:])
    if duration > MAX_ADVANCE:
        raise ValueError(
            f"{text!r}: an instant is at most {format_duration(MAX_ADVANCE)} after the start"
        )
    return duration


def _own_errors(read: Callable[[Any], Any]) -> BeforeValidator:
    def validate(value: object) -> Any:
        try:
            return read(value)
        except ProtocolError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(validate)


def _doing(value: object) -> list[Command | Order]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("write a command, or a list of commands")
    return [_one(text.split()) for text in texts]


def _one(words: list[str]) -> Command | Order:
    known = (*ORDERS, *NAMES)
    if words and words[0] not in known:
        hint = did_you_mean(words[0], known, f"there are {', '.join(known)}")
        raise ValueError(f"there is no command or order {words[0]!r}; {hint}")
    doing = parse_order(words) if words and words[0] in ORDERS else parse_command(words)
    if isinstance(doing, InsertCard | RemoveCard):
        raise ValueError("a scenario has no cards; the same credit goes in with topup")
    if isinstance(doing, Advance | Speed | Show | ShowFaults | Stop):
        raise ValueError(f"{words[0]!r} moves no meter; time passes by itself, from step to step")
    return doing


def _outcome(value: object) -> Outcome:
    refusals = {each.name.lower(): each for each in Outcome if each is not Outcome.ACCEPTED}
    outcome = refusals.get(str(value).lower())
    if outcome is None:
        raise ValueError(f"{value!r} is no refusal: allowed are {', '.join(refusals)}")
    return outcome


def _event(value: object) -> str:
    if value not in EVENTS:
        raise ValueError(f"{value!r} is no event; docs/events.md lists them")
    return str(value)


Instant = Annotated[int, _own_errors(_instant)]


class Step(BaseModel):
    """One step of the timeline: commands and orders, or expectations."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    at: Instant | None = None
    within: tuple[Instant, Instant] | None = None
    do: Annotated[list[Any], _own_errors(_doing)] = []
    refused: Annotated[Outcome | None, _own_errors(_outcome)] = None
    expect: Annotated[dict[str, Condition], BeforeValidator(_conditions)] = {}
    events: list[Annotated[str, _own_errors(_event)]] = []
    text: str = Field(default="", alias="note")

    @model_validator(mode="after")
    def _whole(self) -> Step:
        if bool(self.do) + bool(self.expect) + bool(self.events) != 1:
            raise ValueError("a step has one of do, expect and events")
        if self.do and (self.at is None or self.within is not None):
            raise ValueError("what is done has an instant: at = '+2h'")
        if self.expect and (self.at is None) == (self.within is None):
            raise ValueError("an expectation has either at = '+2h' or within = ['+2h', '+3h']")
        if self.within is not None and self.within[0] > self.within[1]:
            raise ValueError("within ends before it begins")
        if self.refused is not None and not (len(self.do) == 1 and isinstance(self.do[0], Order)):
            raise ValueError("refused belongs to one order, such as do = 'topup 50.00'")
        return self

    @property
    def conditions(self) -> list[Condition]:
        """The conditions on items."""
        return list(self.expect.values())


class Scenario(BaseModel):
    """A whole scenario."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    name: str
    about: str = ""
    meter: dict[str, Any] = {}
    seed: int = 0
    lasts: Instant | None = None
    fault: list[dict[str, str | int]] = []
    step: list[Step] = []
    _source: str = PrivateAttr("")

    @model_validator(mode="after")
    def _whole(self) -> Scenario:
        _ = self.rules
        if not any(step.expect or step.events for step in self.step):
            raise ValueError("a scenario without an expectation proves nothing")
        return self

    @property
    def source(self) -> str:
        """The TOML text, in which a mistake of the meter has its line."""
        return self._source

    @property
    def rules(self) -> list[FaultRule]:
        """The faults, each from its own instant."""
        rules = []
        for number, table in enumerate(self.fault, 1):
            options = {name: str(value) for name, value in table.items() if name != "name"}
            try:
                rules.append(parse_rule(str(table.get("name")), options))
            except ProtocolError as error:
                raise ValueError(f"fault {number}: {error}") from error
        return rules

    @property
    def end(self) -> int:
        """The end, ms after the start: as given, or the last step."""
        instants = [
            i for step in self.step for i in (step.at, *(step.within or ())) if i is not None
        ]
        end: int = max([self.lasts or 0, *instants])
        return end


def parse_scenario(text: str) -> Scenario:
    """Return the scenario of a TOML text; raises ScenarioError, a line for each mistake."""
    try:
        scenario = Scenario.model_validate(parse_toml(text))
    except QuantityError as error:
        raise ScenarioError(str(error)) from error
    except ValidationError as error:
        lines = lines_of(text)
        told = [_mistake(one["loc"], one["type"], one["msg"], lines) for one in error.errors()]
        raise ScenarioError("\n".join(told)) from error
    scenario._source = text
    return scenario


_NUMBERED = re.compile(r"Value error, (fault) (\d+): ")


def _mistake(place: Sequence[str | int], kind: str, message: str, lines: Mapping[str, int]) -> str:
    """Return a mistake with its line and its key, whose steps are numbered from 1."""
    found = _NUMBERED.match(message)
    where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in place)
    line = line_of(lines, f"{found[1]}.{found[2]}" if found else where)
    if kind == "extra_forbidden":
        model = Step if place[0] == "step" else Scenario
        names = [field.alias or name for name, field in model.model_fields.items()]
        hint = did_you_mean(str(place[-1]), names, f"allowed are {', '.join(names)}")
        message = f"there is no such key; {hint}"
    elif kind == "missing":
        message = "this key is missing"
    told = f"{where or 'scenario'}: {message.removeprefix('Value error, ')}"
    return f"line {line}: {told}" if line else told
