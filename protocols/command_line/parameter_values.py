"""How the values of parameters are read, and their help, the same with every version of typer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

from protocols.command_line.typer_names import BadParameter


class _Reader:
    """Reads the value of a parameter, in place of the adapter that typer 0.26 builds for it."""

    def __init__(self, own: Callable[[], Any], read: Callable[[Any], Any]) -> None:
        self._own, self._read = own, read

    def __call__(self) -> _Reader:
        """Return what reads the value, as `get_runtime_param` of the parameter did."""
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value; what cannot be read is left to typer, which refuses it in its words."""
        try:
            return self._read(value)
        except ValueError as error:
            raise BadParameter(f"{value!r} is not a whole number", ctx, param) from error
        except TypeError:
            return self._own().coerce(value, param=param, ctx=ctx)


def explained_arguments(callback: Any, parameters: list[Any]) -> list[Any]:
    """Give arguments the help of their annotation: with a new click an old typer loses it."""
    for parameter in parameters:
        if parameter.param_type_name == "argument" and not parameter.help:
            annotation = get_type_hints(callback, include_extras=True).get(parameter.name)
            described = getattr(annotation, "__metadata__", ())
            parameter.help = next((each.help for each in described if hasattr(each, "help")), None)
    return parameters


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_READERS: dict[object, Callable[[Any], Any]] = {
    str: _text,
    int: lambda value: value if isinstance(value, int) else int(_text(value)),
    Path: lambda value: value if isinstance(value, Path) else Path(_text(value)),
}


def read_plainly(of_command: list[Any]) -> list[Any]:
    """Let texts, whole numbers, paths and flags among these parameters be read without pydantic.

    typer from 0.26 on imports it and builds an adapter for each parameter of a command that runs:
    0.15 s. Parameters of a typer without `get_runtime_param` are left as they are.
    """
    for parameter in of_command:
        own = getattr(parameter, "get_runtime_param", None)
        read = _reader_of(parameter)
        if own is not None and read is not None and not isinstance(own, _Reader):
            parameter.get_runtime_param = _Reader(own, read)
    return of_command


def _reader_of(parameter: Any) -> Callable[[Any], Any] | None:
    """Return what reads a parameter's value: None, one value, or the values of a list."""
    described: Any = getattr(parameter, "type_descriptor", None)
    info = getattr(described, "parameter_info", None)
    if info is None or any(getattr(info, name, None) is not None for name in ("min", "max")):
        return None
    annotation = described.annotation
    if annotation is bool:
        return _nothing
    several = parameter.multiple or parameter.nargs == -1
    one = _READERS.get(annotation.__args__[0] if several else annotation)
    if one is None:
        return None
    if several:
        return lambda values: [one(value) for value in values or ()]
    return lambda value: None if value is None else one(value)


def _nothing(value: Any) -> None:
    """Return None for a flag that was not given; a flag's True and False are never read."""
    if value is not None:
        raise TypeError
