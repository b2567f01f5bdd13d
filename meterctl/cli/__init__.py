"""meterctl: read meters, top them up exactly once, command their supply (DESIGN.md 5.2)."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Run the program. It is imported here, so that an interrupt while it is being imported shows
    no traceback.
    """
    signal.signal(signal.SIGINT, _interrupted)
    from meterctl.cli.program import main as run

    run()


def _interrupted(_: int, __: FrameType | None) -> None:
    """End at once: nothing was begun yet."""
    if sys.stderr is not None:
        sys.stderr.write("meterctl: interrupted\n")
    os._exit(INTERRUPTED)
