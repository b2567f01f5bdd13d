"""`meter-sim new`: a commented example of a meter, with every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firmware_sim.description.example import example
from firmware_sim.hosting.named_files import create_text


def write_example(path: Path, given: Mapping[str, str] | None = None) -> None:
    """Write the example, perhaps with the texts of some keys; never overwrite a file.

    Raises:
        HostingError: the file exists or cannot be written, or a text that its key does not allow.
    """
    create_text(path, example(given or {}))
