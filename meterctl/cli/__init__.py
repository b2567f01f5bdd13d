"""meterctl: read meters, top them up exactly once, command their supply (DESIGN.md 5.2)."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Run the program. The late imports let an interrupt during them end without a traceback."""
    signal.signal(signal.SIGINT, _interrupted)
    from io import TextIOWrapper

    from protocols.replacements import replace_in

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            replace_in(stream)
    from meterctl.cli.program import main as run

    run()


def _interrupted(_: int, __: FrameType | None) -> None:
    """End at once: no command was begun yet."""
    if sys.stderr is not None:
        sys.stderr.write("meterctl: interrupted\n")
    os._exit(INTERRUPTED)
