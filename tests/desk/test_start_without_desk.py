"""Commands that are not the desk's start without it: neither its rooms nor its packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OF_THE_DESK = ("sqlalchemy", "alembic", "psycopg", "argon2", "stdnum", "chinese_calendar")
PROGRAM = """
import sys
name, *arguments = sys.argv[1:]
sys.argv = [name, *arguments]
if name == "meterctl":
    from meterctl.cli import main
else:
    from firmware_sim.cli import main
try:
    main()
except SystemExit:
    pass
print("\\nloaded:", *sorted(sys.modules))
"""


@pytest.mark.parametrize(
    "words",
    [
        ("meterctl", "--help"),
        ("meterctl", "read", "--help"),
        ("meterctl", "read", "available_credit", "--port", "tcp://127.0.0.1:1"),
        ("meterctl", "journal", "list"),
        ("meterctl", "not_a_command"),
        ("meter-sim", "--help"),
        ("meter-sim", "run", "--help"),
    ],
    ids=" ".join,
)
def test_a_command_loads_nothing_of_the_desk(words: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=ROOT,
        env={"METERCTL_JOURNAL": str(tmp_path / "journal"), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert "protocols.command_line" in loaded, done.stderr
    assert not [name for name in loaded if name.startswith("meterctl.utility")]
    assert not {name.partition(".")[0] for name in loaded} & {*OF_THE_DESK}
