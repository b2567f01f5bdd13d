"""The process that imports meterctl once and runs each command in a child, which may be killed.

It reads requests, a JSON object a line, and answers each with the command's end. A child that is to
die ends itself with SIGKILL at its point: no handler of it runs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from typing import Any

from tests.desk.kill.commands import Ended, KillPoint
from tests.desk.kill.killing import arm, run


def serve() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if not pid:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                _child(request)
            _, status = os.waitpid(pid, 0)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
            ended = Ended(os.waitstatus_to_exitcode(status), *texts)
        print(json.dumps(asdict(ended)), flush=True)


def _child(request: dict[str, Any]) -> None:
    """Run a command and end."""
    code = 1
    try:
        os.environ.update(request["environment"])
        if request["point"] is not None:
            arm(KillPoint(request["point"]))
        code = run(request["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
