"""The program `modbus` of modbus-cli, as a person calls it; ../clients.py has the arguments."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("modbus")
AREAS = {"holding": "h", "input": "i"}
FORMATS = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q", "f32": "f"}


def read(task, area, kind, addresses):
    """Return what one call prints, by address."""
    port = ":".join(map(str, task["tcp"])) if "tcp" in task else task["rtu"]
    wire = [] if "tcp" in task else ["-b", "115200", "-P", "n", "-p", "1"]
    accesses = [f"{AREAS[area]}@{address}/{FORMATS[kind]}" for address in addresses]
    command = [PROGRAM, "-s", str(task["unit"]), "-t", "3", *wire, port, *accesses]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.split(": ") for line in done.stdout.splitlines() if ": " in line)
    return {int(address): float(value.split()[0]) for address, value in lines}


def main(task):
    questions = task["questions"]
    values = {}
    for area, kind in {(area, kind) for area, _, kind in questions}:
        addresses = [at for other, at, asked in questions if (other, asked) == (area, kind)]
        for address, value in read(task, area, kind, addresses).items():
            values[area, address, kind] = value
    print(json.dumps([values[tuple(question)] for question in questions]))


main(json.loads(sys.argv[1]))
