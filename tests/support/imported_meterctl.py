"""`meterctl` for a script: a process imports the program once, and each command is a child of it.

Importing takes most of the time of a short command. A child has the words, the environment, the
folder and the three streams of the shell that asks, and ends with the program's exit code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from traceback import print_exc

ROOT = Path(__file__).parents[2]
COMMANDS = "meterctl.cli.desk"
ASKED = "asked"
ASKING = r"""meterctl() {
    { set +x; } 2> /dev/null
    local code call="$CALLS/$BASHPID"
    printf '%s\0' "$@" > "$call.words"
    env -0 > "$call.environment"
    mkfifo "$call.code"
    (echo "${call##*/}" > "$CALLS/asked")
    read -r code < "$call.code"
    rm "$call".*
    { set -x; return "$code"; } 2> /dev/null
}
"""
"""The function of bash that asks; `CALLS` is the folder of `imported_meterctl`.

A shell of its own says who asks: the streams of the one that asks have to stay what they are.
"""


@contextmanager
def imported_meterctl(folder: Path) -> Iterator[None]:
    """Answer what `ASKING` asks in a folder, which is made, until the end of the block."""
    folder.mkdir()
    os.mkfifo(folder / ASKED)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.imported_meterctl", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def serve(folder: Path) -> None:
    """Run commands until this process is ended."""
    for module in iter_modules(import_module(COMMANDS).__path__):
        import_module(f"{COMMANDS}.{module.name}")
    both_ends = os.open(folder / ASKED, os.O_RDWR)  # a writer is there always: no end of file
    with open(both_ends, buffering=1) as asked:
        while shell := asked.readline().strip():
            pid = os.fork()
            if not pid:
                _child(folder, shell)
            _, status = os.waitpid(pid, 0)
            (folder / f"{shell}.code").write_text(f"{os.waitstatus_to_exitcode(status)}\n")


def _child(folder: Path, shell: str) -> None:
    """Run the command of a shell in its place, and end."""
    code = 1
    try:
        words = _parts(folder / f"{shell}.words")
        os.environ.clear()
        for name, _, value in (
            part.partition("=") for part in _parts(folder / f"{shell}.environment")
        ):
            os.environ[name] = value
        of_shell = Path("/proc") / shell
        os.chdir(of_shell / "cwd")
        for stream, flags in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
            end = os.O_APPEND if flags else 0  # others write to the same file
            os.dup2(os.open(of_shell / "fd" / str(stream), flags | end), stream)
        from meterctl.cli.program import run

        code = run(words)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        print_exc()
    finally:
        os._exit(code)


def _parts(path: Path) -> list[str]:
    return path.read_text().split("\0")[:-1]


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
