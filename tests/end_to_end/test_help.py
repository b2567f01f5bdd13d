"""Help, completion and man pages of the installed programs, as a person meets them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import BIN, TIMEOUT_S

ROOT = Path(__file__).parents[2]
BASH, MAN = shutil.which("bash"), shutil.which("man")
ASK = """
answers() { # PROGRAM WORD...
    program=$1; shift
    COMP_WORDS=("$program" "$@"); COMP_CWORD=$#; COMPREPLY=()
    "_${program//-/_}_completion" "$program"
    echo "${COMPREPLY[@]}"
}
eval "$(_METERCTL_COMPLETE=source_bash meterctl)"
eval "$(_METER_SIM_COMPLETE=source_bash meter-sim)"
"""
QUESTIONS = (
    ("meterctl read --port x avail", "available_credit available_credit_exact"),
    ("meterctl limits set low_", "low_credit_threshold_1= low_credit_threshold_2="),
    ("meterctl limits set trip_m", "trip_mode= trip_mode=two_stage trip_mode=direct "
                                   "trip_mode=delayed"),
    ("meterctl limits set trip_mode = de", "delayed"),
    ("meterctl status --tr", "--trace"),
    ("meterctl topup --no-", ""),
    ("meter-sim control x.sock power ''", "cut return"),
    ("meterctl --port tcp : //h : 502 read avail", "available_credit available_credit_exact"),
    ("meterctl --port=/dev/ttyS0?baud = 9600 topup --parity = ''", ""),
    ("meterctl --parity = E", "E"),
    ("meterctl --unit = 1 limits set trip_mode=two_stage trip_mode = de", "delayed"),
    ("meter-sim run --trip-mode = di", "direct"),
    ("meter-sim run --trip-mode ''", "two_stage direct delayed"),
    ("meter-sim map show nat", "native"),
)  # fmt: skip


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_bash_completes_values_without_a_port(tmp_path: Path) -> None:
    script = ASK + "\n".join(f"answers {words}" for words, _ in QUESTIONS)
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("METERCTL_PORT", None)
    done = subprocess.run(
        [str(BASH), "--norc", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [answer for _, answer in QUESTIONS]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(MAN is None, reason="man is not installed (package man-db)")
@pytest.mark.parametrize("page", ["meterctl.1", "meter-sim.1"])
def test_man_shows_the_pages_without_a_warning(page: str) -> None:
    done = subprocess.run(
        [str(MAN), "--warnings", "-l", str(ROOT / "docs" / "man" / page)],
        env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert done.stderr == ""
    assert "EXIT STATUS" in done.stdout


@pytest.mark.parametrize(
    ("module", "name"), [("meterctl", "meterctl"), ("firmware_sim", "meter-sim")]
)
def test_a_module_run_by_python_has_the_name_of_its_program(module: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, "nosuch"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    told = f"{name}: there is no command 'nosuch'. {name} -h lists them\n"
    assert (done.returncode, done.stderr) == (2, told)
