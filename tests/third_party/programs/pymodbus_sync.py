"""pymodbus's synchronous clients, from 3.8 to the newest; see ../clients.py for the arguments."""

import json
import sys

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus_words import decoded, unit_of, width


def main(task):
    if "tcp" in task:
        host, port = task["tcp"]
        client = ModbusTcpClient(host, port=port, timeout=3, retries=0)
    else:
        client = ModbusSerialClient(task["rtu"], baudrate=115200, timeout=3, retries=0)
    assert client.connect(), "not connected"
    reads = {"input": client.read_input_registers, "holding": client.read_holding_registers}
    unit = unit_of(task, client)
    values = []
    for area, address, kind in task["questions"]:
        reply = reads[area](address, count=width(kind), **unit)
        values.append(decoded(client, reply, kind))
    client.close()
    print(json.dumps(values))


main(json.loads(sys.argv[1]))
