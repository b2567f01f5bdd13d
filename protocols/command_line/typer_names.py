"""The one module that imports typer, and the names of it that both programs use.

typer up to 0.25 stands on click, from 0.26 on it holds a copy of it. Only names that every version
has are used here, and methods of their commands and parameters.
"""

from __future__ import annotations

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer up to 0.25 imports old names
    from typer import Abort, Argument, BadParameter, Context, Exit, Option, Typer, confirm, style
    from typer.core import TyperCommand, TyperGroup
    from typer.main import get_command

__all__ = [
    "Abort",
    "Argument",
    "BadParameter",
    "Context",
    "Exit",
    "Option",
    "Typer",
    "TyperCommand",
    "TyperGroup",
    "confirm",
    "get_command",
    "style",
]

UsageMistakeError: Any = BadParameter.__base__
"""The error of a command line that cannot be parsed; typer has no public name for it."""
