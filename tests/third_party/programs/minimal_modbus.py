"""minimalmodbus, on a serial line; see ../clients.py for the arguments."""

import json
import sys

import minimalmodbus

FUNCTIONS = {"holding": 3, "input": 4}


def main(task):
    meter = minimalmodbus.Instrument(task["rtu"], task["unit"])
    meter.serial.baudrate = 115200
    meter.serial.timeout = 3
    values = []
    for area, address, kind in task["questions"]:
        at = {"registeraddress": address, "functioncode": FUNCTIONS[area]}
        if kind == "f32":
            values.append(meter.read_float(**at))
        elif kind in ("u16", "s16"):
            values.append(meter.read_register(**at, signed=kind == "s16"))
        else:
            size = {"32": 2, "64": 4}[kind[1:]]
            values.append(meter.read_long(**at, signed=kind[0] == "s", number_of_registers=size))
    print(json.dumps(values))


main(json.loads(sys.argv[1]))
