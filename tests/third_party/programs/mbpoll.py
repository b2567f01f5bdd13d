"""mbpoll, one call a value, as a person does; see ../clients.py for the arguments."""

import json
import re
import subprocess
import sys

AREAS = {"holding": "4", "input": "3"}
FORMATS = {"u16": "", "s32": ":int", "f32": ":float"}


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
        values.append(float(value))
    print(json.dumps(values))


main(json.loads(sys.argv[1]))
