"""The control socket of a `meter-sim run`: JSON Lines on a Unix socket, a line a command.

Through it a simulated desk moves the time of its meters, and the story does what people do to them.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meterctl.errors import UsageError

ANSWER_S = 600
"""Meters that are moved by years take their time."""


def require_listening(path: Path) -> None:
    """Raise UsageError where no simulator listens at a path."""
    _connected(path).close()


def tell(path: Path, words: Sequence[str], meter: str | None = None) -> list[dict[str, Any]]:
    """Give one command, and wait until it is done; return what each meter answered.

    A number with decimals is returned as its text.

    Args:
        words: of the command, such as "advance", "1d".
        meter: serial number of the meter that is meant; None: all meters of the simulator.

    Raises:
        UsageError: there is no answer, or a meter refused it.
    """
    request = {"words": list(words)} | ({} if meter is None else {"meter": meter})
    results = []
    with _connected(path) as client:
        try:
            client.sendall(json.dumps(request).encode() + b"\n")
            with client.makefile("rb") as answers:
                has_more = True
                while has_more:
                    answer = json.loads(answers.readline(), parse_float=str)
                    if not answer["ok"]:
                        raise UsageError(f"{path}: {answer['error']}")
                    results.append(answer.get("result") or {})
                    has_more = bool(answer.get("more"))
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{path}: the simulator gave no answer: {error}") from error
    return results


def _connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(ANSWER_S)
    try:
        client.connect(str(path))
    except OSError as error:
        client.close()
        raise UsageError(f"--control {path}: {error.strerror or error}") from error
    return client
