"""pysunspec2: scans a device and reads its models; see ../clients.py for the arguments.

A question is a model and a point, such as `203.PhVphA`. The answer is null where the client finds
that the device does not have it, a text, or a number as the client scales it with its step; that of
`models` is the list of models.
"""

import json
import sys

from sunspec2.modbus.client import SunSpecModbusClientDeviceRTU, SunSpecModbusClientDeviceTCP


def read(device, asked):
    if asked == "models":
        return [number for number in device.models if isinstance(number, int)]
    number, name = asked.split(".")
    (model,) = device.models[int(number)]
    point = model.points[name]
    if point.cvalue is None or isinstance(point.cvalue, str):
        return point.cvalue
    factor = point.pdef.get("sf")
    return [point.cvalue, 10 ** model.points[factor].value if factor else 1]


def main(task):
    if "tcp" in task:
        host, port = task["tcp"]
        device = SunSpecModbusClientDeviceTCP(
            slave_id=task["unit"], ipaddr=host, ipport=port, timeout=3
        )
    else:
        device = SunSpecModbusClientDeviceRTU(
            slave_id=task["unit"], name=task["rtu"], baudrate=115200, timeout=3
        )
    device.scan()
    values = [read(device, asked) for (asked,) in task["questions"]]
    device.close()
    print(json.dumps(values))


main(json.loads(sys.argv[1]))
