"""Options of the commands; those of keys and of wires derive from their tables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Annotated, Any

from firmware_sim.description.flags import MeterFlags
from firmware_sim.description.keys import FLAGS, Key
from firmware_sim.wire_kinds import WIRE_KINDS
from protocols.command_line import Option
from protocols.data_model.kinds import Choice, Fixed

METER, WIRES, TIME, FAULTS, OUTPUT = "The meter", "Wires", "Time and control", "Faults", "Output"
"""The groups of the options in the help."""

ConfigOption = Annotated[
    list[str] | None,
    Option(
        "--config",
        metavar="FILE",
        help="A meter described in TOML, as `meter-sim new` writes one; repeat it for several.",
        rich_help_panel=METER,
    ),
]
SeedOption = Annotated[
    int | None,
    Option(
        "--seed",
        metavar="N",
        help="Number from which all chance is drawn: the same seed gives the same run.",
        rich_help_panel=FAULTS,
    ),
]
ControlOption = Annotated[
    str | None,
    Option(
        "--control",
        metavar="PATH",
        help="Make a socket here, through which `meter-sim control` acts on the meters.",
        rich_help_panel=TIME,
    ),
]
SpeedOption = Annotated[
    str,
    Option(
        "--speed",
        metavar="N",
        help="How many times faster than the clock meter time runs, 0 to 100000; at 0 it stands "
        "still until `meter-sim control` advances it.",
        rich_help_panel=TIME,
    ),
]
JsonOption = Annotated[
    bool,
    Option("--json", help="Print JSON Lines: one object a line.", rich_help_panel=OUTPUT),
]
Command = Callable[..., None]


def with_wires(command: Command) -> Command:
    """Give a command an option for each kind of wire, in place of its parameter `wires`."""

    def take(given: dict[str, Any]) -> object:
        return {kind: tuple(given.pop(kind.name) or ()) for kind in WIRE_KINDS}

    options = [
        _option(
            kind.name,
            list[str] | None,
            Option(
                kind.flag,
                metavar=kind.medium.placeholder,
                help=f"Serve {kind.title} here; repeatable. {kind.medium.value}",
                rich_help_panel=WIRES,
            ),
        )
        for kind in WIRE_KINDS
    ]
    return _in_place_of("wires", options, take, command)


def with_flags(command: Command) -> Command:
    """Give a command the options that describe a meter, in place of its parameter `flags`."""

    def take(given: dict[str, Any]) -> MeterFlags:
        config = tuple(given.pop("config") or ())
        return MeterFlags(config, {key.name: value for key, value in _given(given)})

    options = [_option("config", ConfigOption), *(_flag(key) for key in FLAGS)]
    return _in_place_of("flags", options, take, command)


def _given(given: dict[str, Any]) -> Iterator[tuple[Key, object]]:
    """Yield the keys whose flags were given; takes the values of all flags out of `given`."""
    for key in FLAGS:
        value = given.pop(key.name)
        if value is not None and value is not False:
            yield key, value if key.flag is None or key.flag.value is None else key.flag.value


def _flag(key: Key) -> inspect.Parameter:
    assert key.flag is not None
    words = key.kind.words if isinstance(key.kind, Choice) else key.flag.words
    option = Option(
        key.option,
        metavar=key.flag.placeholder,
        help=key.flag.help,
        rich_help_panel=METER,
        show_default=key.flag.default or False,
        autocompletion=(lambda: list(words)) if words else None,
    )
    if key.flag.value is not None:
        return _option(key.name, bool, option, default=False)
    is_whole = isinstance(key.kind, Fixed) and key.kind.decimals == 0
    return _option(key.name, int | None if is_whole else str | None, option)


def _option(
    name: str, annotation: Any, option: Any = None, default: object = None
) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=annotation if option is None else Annotated[annotation, option],
    )


def _in_place_of(
    name: str,
    options: list[inspect.Parameter],
    take: Callable[[dict[str, Any]], object],
    command: Command,
) -> Command:
    """Return a command with `options` in place of its parameter `name`.

    `take` takes their values out of all that were given, and returns the value of the parameter.
    """

    @wraps(command)
    def wrapped(**given: Any) -> None:
        value = take(given)
        command(**given, **{name: value})

    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        keyword = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += options if parameter.name == name else [keyword]
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped
