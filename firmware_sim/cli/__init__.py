"""meter-sim: run, simulate and control simulated meters (DESIGN.md 5.1)."""

import os
import signal
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def main() -> None:
    """Run the program. An interrupt while its modules are imported ends it without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _use_own_packages()
    from io import TextIOWrapper

    from protocols.replacements import replace_in

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            replace_in(stream)
    from firmware_sim.cli.program import main as run

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
