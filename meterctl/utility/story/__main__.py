"""`python -m meterctl.utility.story`: the story of the desk on the screen."""

from __future__ import annotations

import sys

from meterctl.errors import MeterctlError
from meterctl.utility.story.plan import SMALL, WHOLE
from meterctl.utility.story.play import play


def main() -> int:
    """Play the story, the short one with the word `short`; return 0 if everything was proved.

    Returns:
        0; 1 where something was not proved, each named, or the story could not go on; 130 if a
        person interrupted it.
    """
    try:
        return 0 if play(SMALL if sys.argv[1:] == ["short"] else WHOLE) else 1
    except MeterctlError as error:
        print(f"desk: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("desk: interrupted; its meters have ended and its folder is removed", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
