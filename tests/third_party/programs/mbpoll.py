"""mbpoll, one call a value, as a person does; see ../clients.py for the arguments.

It prints six digits of a float: the value of such a number is a pair, with the step of its digits.
"""

import json
import math
import re
import subprocess
import sys

AREAS = {"holding": "4", "input": "3"}
FORMATS = {"u16": "", "s32": ":int", "f32": ":float"}
DIGITS = 6


def with_step(value):
    """Return a number that was printed, and the value of its last digit."""
    return value, 10.0 ** (math.floor(math.log10(abs(value))) + 1 - DIGITS) if value else 0


def main(task):
    if "tcp" in task:
        host, port = task["tcp"]
        wire, target = ["-m", "tcp", "-p", str(port)], host
    else:
        wire, target = ["-m", "rtu", "-b", "115200", "-P", "none"], task["rtu"]
    values = []
    for area, address, kind in task["questions"]:
        what = ["-t", AREAS[area] + FORMATS[kind], "-r", str(address), "-a", str(task["unit"])]
        command = ["mbpoll", "-0", "-1", "-B", "-o", "3", *wire, *what, target]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
        assert done.returncode == 0, done.stdout + done.stderr
        (value,) = re.findall(r"^\[\d+\]:\s+(\S+)", done.stdout, re.MULTILINE)
        values.append(with_step(float(value)) if kind == "f32" else int(value))
    print(json.dumps(values))


main(json.loads(sys.argv[1]))
