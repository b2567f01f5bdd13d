"""`python -m meterctl.utility.story`: the story of the desk on the screen."""

from __future__ import annotations

import sys

from meterctl.errors import MeterctlError
from meterctl.utility.story.plan import SMALL, WHOLE
from meterctl.utility.story.play import play


def main() -> int:
    """Play the story, the short one with the word `short`; return 0 if everything was proved.

    At a terminal the pages are served at the end, until Ctrl-C.

    Returns:
        0; 1 where something was not proved, each named, or the story could not go on; 130 if a
        person interrupted it.
    """
    try:
        if sys.argv[1:] == ["short"]:
            return 0 if play(SMALL) else 1
        keeps = sys.stdin.isatty() and sys.stdout.isatty()
        return 0 if play(WHOLE, keeps=keeps) else 1
    except MeterctlError as error:
        print(f"desk: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("desk: interrupted; its meters have ended and its folder is removed", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
