"""meter-sim: run, simulate and control simulated meters (DESIGN.md 5.1)."""

import signal
import sys


def main() -> None:
    """Run the program. An interrupt while its modules are imported ends it without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from io import TextIOWrapper

    from protocols.replacements import replace_in

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            replace_in(stream)
    from firmware_sim.cli.program import main as run

    run()
