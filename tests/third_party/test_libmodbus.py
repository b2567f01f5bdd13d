"""The client of libmodbus's own unit tests passes against its layout and its plan of faults."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conformance.running import Running, running
from tests.third_party.clients import RTU, TCP, WHOLE
from tools import libmodbus_client, third_party

CLIENT = third_party.FOLDER / "libmodbus" / libmodbus_client.PROGRAM
PLAN = Path(__file__).parents[2] / "examples" / "faults" / "libmodbus-unit-test.toml"
UNIT = 17
WITHIN_S = 60
PASSED = "ALL TESTS PASS WITH SUCCESS."
TIMED = ("Adequate response timeout", "Disable byte timeout", "Adapted byte timeout")
"""Checks of the client that a busy machine fails: replies within 600 ms, bytes within 7 ms."""
TRIES = 5

pytestmark = pytest.mark.skipif(
    not WHOLE or not CLIENT.exists(),
    reason="`make strangers` builds libmodbus's client and runs it",
)


@pytest.mark.parametrize("wire", [TCP, RTU])
def test_its_unit_tests_pass(wire: str, tmp_path: Path) -> None:
    options = ("--unit", str(UNIT), "--map", "libmodbus-unit-test", "--faults", PLAN)
    with running(tmp_path, *options) as meter:
        for _ in range(TRIES):
            done = run(wire, meter)
            failed = done.stdout.rpartition(": OK")[2]
            if done.returncode == 0 or not any(check in failed for check in TIMED):
                break
    assert PASSED in done.stdout, done.stdout[-2000:] + done.stderr[-1000:]
    assert done.returncode == 0


def run(wire: str, meter: Running) -> subprocess.CompletedProcess[str]:
    """Let the client test a meter on a wire."""
    places = {"METER_TCP_PORT": str(meter.tcp[1]), "METER_RTU": str(meter.pty)}
    return subprocess.run(
        [CLIENT, wire],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
        env=os.environ | places,
    )
