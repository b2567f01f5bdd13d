"""Clients of other projects read our meters: `make strangers`.

Every client is installed into an environment of its own in .cache, in its newest version where no
other is named. What cannot be installed is named with the reason, and its tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import environments, libmodbus_client

FOLDER = environments.CACHE / "third-party"
TESTS = "tests/third_party"
WHOLE = "THIRD_PARTY"
"""Variable of the environment: set, every client reads; without it some of them."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a client is installed: packages of pip, or of npm where `node` is true."""

    name: str
    packages: tuple[str, ...]
    node: bool = False

    @property
    def folder(self) -> Path:
        """The folder of the environment."""
        return FOLDER / self.name

    @property
    def program(self) -> Path | None:
        """What runs a script in it; None where it is not installed."""
        if not (self.folder / "installed").exists():
            return None
        node = shutil.which("node")
        return Path(node) if self.node and node else self.folder / "bin" / "python"

    @property
    def variables(self) -> Mapping[str, str]:
        """Variables that its programs need."""
        return {"NODE_PATH": str(self.folder / "node_modules")} if self.node else {}

    def make(self) -> str:
        """Install the packages, and return their versions; raises EnvironmentFailedError."""
        (self.folder / "installed").unlink(missing_ok=True)
        versions = self._make_node() if self.node else self._make_python()
        (self.folder / "installed").write_text(f"{versions}\n")
        return versions

    def _make_python(self) -> str:
        own = environments.make(self.folder, sys.executable, "--upgrade", *self.packages)
        listed = environments.call(
            [str(own), "-m", "pip", "list", "--disable-pip-version-check", "--format=freeze"]
        )
        return " ".join(listed.split())

    def _make_node(self) -> str:
        if not shutil.which("npm") or not shutil.which("node"):
            raise environments.EnvironmentFailedError("node and npm are not on this machine")
        self.folder.mkdir(parents=True, exist_ok=True)
        npm = ["npm", "--prefix", str(self.folder)]
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        environments.call([*npm, "install", *quiet, *self.packages])
        listed = environments.call([*npm, "ls", "--depth=0", "--parseable", "--long"])
        return " ".join(line.rpartition(":")[2] for line in listed.split()[1:])


NEWEST = Environment(
    "newest",
    ("pymodbus", "pyserial", "minimalmodbus", "pyModbusTCP", "modbus-cli", "pysunspec2"),
)
PYMODBUS_3_8 = Environment("pymodbus-3.8", ("pymodbus==3.8.*", "pyserial"))
SDM_MODBUS = Environment("sdm-modbus", ("sdm_modbus", "pymodbus==3.6.*", "pyserial"))
"""sdm_modbus 0.7.0 imports a module that pymodbus has no more since 3.7."""
NODE = Environment("node", ("jsmodbus", "modbus-serial", "serialport"), node=True)
ENVIRONMENTS = (NEWEST, PYMODBUS_3_8, SDM_MODBUS, NODE)


def main() -> int:
    """Install all clients, then let them read; fail if a test fails."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for each in ENVIRONMENTS:
        try:
            print(f"{each.name}: {each.make()}", flush=True)
        except environments.EnvironmentFailedError as error:
            print(f"{each.name}: not installed, its tests will be skipped: {error}", flush=True)
    try:
        print(f"libmodbus: {libmodbus_client.make(FOLDER / 'libmodbus')}", flush=True)
    except environments.EnvironmentFailedError as error:
        print(f"libmodbus: not built, its tests will be skipped: {error}", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", "2", "-rs", *(sys.argv[1:] or [TESTS])]
    variables = os.environ | {WHOLE: "all"}
    return subprocess.run(command, cwd=environments.ROOT, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
