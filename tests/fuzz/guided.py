"""The coverage-guided run: libFuzzer by atheris, one target after another, each in a fork.

    python -m tests.fuzz.guided FOLDER SECONDS SEED NAME…

Reads FOLDER/begin/<target>/; writes FOLDER/found/<target>/ and a tally, FOLDER/<target>.json.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

MAX_SIZE = 512
MEMORY_MB = 2048


def main(folder: Path, seconds: float, seed: int, names: list[str]) -> None:
    """Run all targets; one ended by libFuzzer itself has a FOLDER/<target>.log but no tally."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["protocols", "firmware_sim", "meterctl"]):
        from tests.fuzz.runs import Tally
        from tests.fuzz.targets import shares

    def fuzz(name: str, share: float) -> None:
        tally, end = Tally(), time.monotonic() + seconds * share

        def one(data: bytes) -> None:
            tally.run(name, data)
            if time.monotonic() >= end:
                tally.write(folder / f"{name}.json")
                os._exit(0)

        log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        flags = [
            f"-max_len={MAX_SIZE}",
            f"-seed={seed}",
            f"-rss_limit_mb={MEMORY_MB}",
            "-timeout=0",
            "-verbosity=0",
            f"-artifact_prefix={folder}/{name}.artifact-",
        ]
        atheris.Setup(
            [sys.argv[0], *flags, str(folder / "found" / name), str(folder / "begin" / name)], one
        )
        atheris.Fuzz()

    for name, share in shares(names).items():
        child = os.fork()
        if child == 0:
            fuzz(name, share)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
