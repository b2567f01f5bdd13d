"""sdm_modbus: reads a whole Eastron meter by its own map; see ../clients.py for the arguments.

A question is a model of the package and one of its keys, such as `SDM630`, `l1_voltage`.
"""

import json
import sys

import sdm_modbus


def main(task):
    ((model, _), *_) = task["questions"]
    if "tcp" in task:
        host, port = task["tcp"]
        wire = {"host": host, "port": port}
    else:
        wire = {"device": task["rtu"], "baud": 9600, "parity": "N"}
    meter = getattr(sdm_modbus, model)(**wire, unit=task["unit"], timeout=3)
    assert meter.connected(), "not connected"
    read = meter.read_all(sdm_modbus.registerType.INPUT)
    meter.disconnect()
    print(json.dumps([read[key] for _, key in task["questions"]]))


main(json.loads(sys.argv[1]))
