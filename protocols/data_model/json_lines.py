"""JSON Lines with exact numbers: one flat object a line, each value formatted by its kind.

The standard library cannot write a fixed-point number as a JSON number without a float; so the
kinds return JSON fragments, and only this module joins them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping


def line(fragments: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Return one JSON object from names and values that are JSON fragments."""
    pairs = fragments.items() if isinstance(fragments, Mapping) else fragments
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in pairs) + "}"


def array(fragments: Iterable[str]) -> str:
    """Return one JSON array from values that are JSON fragments."""
    return "[" + ", ".join(fragments) + "]"
