"""The corpus: inputs by target, each of which reaches a new line, and crashes by name."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, Target


class HangError(Exception):
    """A target did not end in time."""


FOLDER = Path(__file__).parent / "corpus"
CRASH = "crash-"
MOST_FILES = 40
"""Limit of inputs kept of one target: every test run replays them."""
MOST_TRIED = 200
"""Limit of new inputs traced of one target, the shortest first: tracing each line is slow."""
_PACKAGES = re.compile(r".*/(protocols|firmware_sim|meterctl)/.*")


def files(name: str) -> list[Path]:
    """Return the inputs of a target, sorted by name."""
    return sorted(path for path in (FOLDER / name).glob("*") if path.is_file())


def keep(name: str, data: bytes, prefix: str = "") -> Path:
    """Write an input of a target under the hash of its contents."""
    path = FOLDER / name / f"{prefix}{hashlib.sha256(data).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def crash_name(error: BaseException) -> str:
    """Return a name of the exception and the innermost product function (outermost for a hang)."""
    places, where = [], error.__traceback__
    while where is not None:
        places += _place(where)
        where = where.tb_next
    place = (places[0] if isinstance(error, HangError) else places[-1]) if places else "assertion"
    return f"{CRASH}{type(error).__name__}-{place}-"


def _place(where: TracebackType) -> list[str]:
    code = where.tb_frame.f_code
    named = f"{Path(code.co_filename).stem}.{code.co_name.strip('<>')}"
    return [named] if _PACKAGES.fullmatch(code.co_filename) else []


def shortened(target: Target, data: bytes, tries: int = 2_000) -> bytes:
    """Return the shortest input found, by removal of bytes, that fails at the same place."""
    wanted = _failure(target, data)
    size = len(data) // 2
    while size and tries:
        at = 0
        while at < len(data) and tries:
            tries -= 1
            shorter = data[:at] + data[at + size :]
            if _failure(target, shorter) == wanted:
                data = shorter
            else:
                at += size
        size //= 2
    return data


def _failure(target: Target, data: bytes) -> str:
    try:
        target(data)
    except Exception as error:
        return crash_name(error)
    return ""


def minimise(found: dict[str, list[bytes]]) -> int:
    """Keep only inputs with coverage of their own, old and new; return the count of files."""
    return sum(_minimise(name, found.get(name, [])) for name in TARGETS)


def _minimise(name: str, found: list[bytes]) -> int:
    """Trace existing inputs before new ones, so that a run without findings changes no file."""
    reached: set[object] = set()
    for data in seeds()[name]:
        reached |= reach(TARGETS[name], data)
    count = 0
    for path in files(name):
        new = (
            set()
            if path.name.startswith(CRASH)
            else reach(TARGETS[name], path.read_bytes()) - reached
        )
        reached |= new
        if new or path.name.startswith(CRASH):
            count += 1
        else:
            path.unlink()
    for data in sorted(found, key=lambda data: (len(data), data))[:MOST_TRIED]:
        if count < MOST_FILES and (new := reach(TARGETS[name], data) - reached):
            reached |= new
            keep(name, data)
            count += 1
    return count


def reach(target: Target, data: bytes) -> set[object]:
    """Return the steps from line to line in the three packages that an input executes."""
    reached: set[object] = set()
    last: dict[FrameType, int] = {}

    def lines(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        if event == "line":
            reached.add((frame.f_code, last.get(frame), frame.f_lineno))
            last[frame] = frame.f_lineno
        elif event == "return":
            last.pop(frame, None)
        return lines

    def calls(frame: FrameType, _: str, __: Any) -> Callable[..., Any] | None:
        return lines if _PACKAGES.fullmatch(frame.f_code.co_filename) else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        target(data)
    except Exception:
        return set()  # a crash is kept as a file of its own
    finally:
        sys.settrace(before)
    return reached
