"""meterctl: read meters, top them up exactly once, command their supply (DESIGN.md 5.2)."""

import os
import signal
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Run the program. The late imports let an interrupt during them end without a traceback."""
    signal.signal(signal.SIGINT, _interrupted)
    _use_own_packages()
    from io import TextIOWrapper

    from protocols.replacements import replace_in

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            replace_in(stream)
    from meterctl.cli.program import main as run

    run()


def _use_own_packages() -> None:
    """Import the `protocols` of this installation, also where PYTHONPATH names another one.

    Both programs have this function, because it runs before anything that they share is imported.
    """
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    spec = PathFinder.find_spec("protocols", [root])
    if spec is not None and spec.loader is not None and "protocols" not in sys.modules:
        own = sys.modules["protocols"] = module_from_spec(spec)
        spec.loader.exec_module(own)


def _interrupted(_: int, __: FrameType | None) -> None:
    """End at once: no command was begun yet."""
    if sys.stderr is not None:
        sys.stderr.write("meterctl: interrupted\n")
    os._exit(INTERRUPTED)
