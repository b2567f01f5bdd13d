"""`meter-sim new`: a commented example of a meter, with every key."""

from __future__ import annotations

from pathlib import Path

from firmware_sim.description.example import example
from firmware_sim.hosting.errors import HostingError


def write_example(path: Path) -> None:
    """Write the example; raises HostingError, and never overwrites a file."""
    try:
        with path.open("x") as out:
            out.write(example())
    except OSError as error:
        raise HostingError(f"{path}: {error.strerror}; nothing was changed") from error
