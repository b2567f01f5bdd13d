"""Environments of `make pythons` and `make pins`, each in .cache, made once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"


class EnvironmentFailedError(Exception):
    """An environment that could not be made, or whose tests failed."""


def make(folder: Path, python: str, *installed: str) -> Path:
    """Return the Python of an environment in which `installed` is installed (options of pip)."""
    own = folder / "bin" / "python"
    if not own.exists():
        shutil.rmtree(folder, ignore_errors=True)
        call([python, "-m", "venv", str(folder)])
    call([str(own), "-m", "pip", "install", "-q", "--disable-pip-version-check", *installed])
    return own


def test(python: Path, *options: str) -> str:
    """Run pytest in an environment, outside the tree's own; return its last line.

    Raises:
        EnvironmentFailedError: a test failed.
    """
    environment = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    lines = done.stdout.strip().splitlines() or ["nothing was written"]
    if done.returncode:
        print(done.stdout)
        raise EnvironmentFailedError(f"{python.parent.parent.name}: {lines[-1]}")
    return lines[-1]


def call(command: Sequence[str]) -> str:
    """Run a command and return its output; raises EnvironmentFailedError."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise EnvironmentFailedError(f"{' '.join(command)}:\n{tail}")
    return done.stdout


def pythons(versions: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield each version with its interpreter, None where this machine has none.

    Looked for on the PATH, then among those of pyenv and of uv.
    """
    for version in versions:
        yield version, next(_candidates(version), None)


def _candidates(version: str) -> Iterator[str]:
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        yield sys.executable
    found = shutil.which(f"python{version}")
    if found is not None and _runs(found, version):
        yield found
    home = Path.home()
    folders = (
        Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions",
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR", home / ".local/share/uv/python")),
    )
    for folder in folders:
        for path in sorted(folder.glob(f"*{version}*/bin/python{version}"), reverse=True):
            if _runs(str(path), version):
                yield str(path)


def _runs(python: str, version: str) -> bool:
    """Return whether an interpreter is of that version and has venv: a shim of pyenv may not."""
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version
