"""pysunspec2: scans a device and reads its models; see ../clients.py for the arguments.

A question is a model and a point, such as `203.PhVphA`; the value is scaled by the client, null
where the device does not have it.
"""

import json
import sys

from sunspec2.modbus.client import SunSpecModbusClientDeviceRTU, SunSpecModbusClientDeviceTCP


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
    values = []
    for (asked,) in task["questions"]:
        if asked == "models":
            values.append([key for key in device.models if isinstance(key, int)])
            continue
        number, point = asked.split(".")
        (model,) = device.models[int(number)]
        value = model.points[point].cvalue
        values.append(value)
    device.close()
    print(json.dumps(values))


main(json.loads(sys.argv[1]))
