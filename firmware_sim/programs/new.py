"""`meter-sim new`: a commented example of a meter, with every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firmware_sim.description.example import example
from firmware_sim.hosting.errors import HostingError


def write_example(path: Path, given: Mapping[str, str] | None = None) -> None:
    """Write the example, perhaps with the texts of some keys; never overwrite a file.

    Raises:
        HostingError: the file exists or cannot be written, or a text that its key does not allow.
    """
    text = example(given or {})
    try:
        with path.open("x") as out:
            out.write(text)
    except OSError as error:
        raise HostingError(f"{path}: {error.strerror}; nothing was changed") from error
