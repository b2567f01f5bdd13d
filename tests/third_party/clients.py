"""Clients of other projects: programs that read meters and know nothing of this one.

Each runs as a process of its own, in its own environment (tools/third_party.py). Its argument is
one JSON object: `tcp` (host and port) or `rtu` (the path of a port), `unit`, and `questions`; it
prints the values as one JSON list. A question to a client that knows no map is (area, address,
type); a client with a map of its own is asked in its own words.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tools import third_party
from tools.third_party import Environment

PROGRAMS = Path(__file__).parent / "programs"
WHOLE = bool(os.environ.get(third_party.WHOLE))
"""Whether every client reads, as in `make strangers`."""
WITHIN_S = 60
TCP, RTU = "tcp", "rtu"
TYPES = ("u16", "s16", "u32", "s32", "u64", "s64", "f32")


@dataclass(frozen=True, slots=True)
class Client:
    """A client: its script, the wires that it speaks and the types that it decodes.

    Outside `make strangers` it runs in this environment where `package` can be imported. A client
    with `program` is a program of the distribution.
    """

    name: str
    script: str
    environment: Environment
    package: str = ""
    wires: tuple[str, ...] = (TCP, RTU)
    types: tuple[str, ...] = TYPES
    program: str = ""

    def read(self, wire: str, target: object, unit: int, questions: Sequence[Any]) -> list[Any]:
        """Return the values that the client reads; skips the test, by name, where it is absent."""
        task = json.dumps({wire: target, "unit": unit, "questions": questions})
        runner = self._runner()
        variables = os.environ | self.environment.variables
        if runner != Path(sys.executable):
            variables.pop("PYTHONPATH", None)
        done = subprocess.run(
            [runner, PROGRAMS / self.script, task],
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN_S,
            env=variables,
        )
        assert done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"
        values: list[Any] = json.loads(done.stdout.splitlines()[-1])
        assert len(values) == len(questions)
        return values

    def _runner(self) -> Path:
        """Return what runs the script."""
        if self.program:
            if shutil.which(self.program) is None:
                pytest.skip(f"{self.name} is not installed")
            return Path(sys.executable)
        if not WHOLE and self.package and find_spec(self.package):
            return Path(sys.executable)
        if self.environment.program is None:
            pytest.skip(f"{self.name} is not installed: see what `make strangers` says of it")
        return self.environment.program


PYMODBUS = Client("pymodbus", "pymodbus_sync.py", third_party.NEWEST, "pymodbus")
PYMODBUS_ASYNC = Client("pymodbus-async", "pymodbus_async.py", third_party.NEWEST, "pymodbus")
MINIMALMODBUS = Client(
    "minimalmodbus", "minimal_modbus.py", third_party.NEWEST, "minimalmodbus", (RTU,)
)
PYMODBUSTCP = Client("pyModbusTCP", "py_modbus_tcp.py", third_party.NEWEST, "pyModbusTCP", (TCP,))
MBPOLL = Client(
    "mbpoll", "mbpoll.py", third_party.NEWEST, types=("u16", "s32", "f32"), program="mbpoll"
)
GENERAL = (
    PYMODBUS,
    PYMODBUS_ASYNC,
    MINIMALMODBUS,
    PYMODBUSTCP,
    MBPOLL,
    Client("pymodbus-3.8", "pymodbus_sync.py", third_party.PYMODBUS_3_8),
    Client("pymodbus-3.8-async", "pymodbus_async.py", third_party.PYMODBUS_3_8),
    Client("modbus-cli", "modbus_cli.py", third_party.NEWEST),
    Client("jsmodbus", "jsmodbus_client.js", third_party.NODE),
    Client("modbus-serial", "modbus_serial.js", third_party.NODE),
)
"""Clients that know no map."""
THIN = (PYMODBUS, PYMODBUS_ASYNC, MINIMALMODBUS, PYMODBUSTCP)
"""Those of them that are packages of `make test`."""
PYSUNSPEC2 = Client("pysunspec2", "sunspec.py", third_party.NEWEST, "sunspec2")
SDM_MODBUS = Client("sdm_modbus", "sdm.py", third_party.SDM_MODBUS)
