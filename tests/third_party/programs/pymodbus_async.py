"""pymodbus's asynchronous clients, from 3.8 to the newest; ../clients.py has the arguments."""

import asyncio
import json
import sys

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus_words import decoded, unit_of, width


async def main(task):
    if "tcp" in task:
        host, port = task["tcp"]
        client = AsyncModbusTcpClient(host, port=port, timeout=3, retries=0)
    else:
        client = AsyncModbusSerialClient(task["rtu"], baudrate=115200, timeout=3, retries=0)
    assert await client.connect(), "not connected"
    reads = {"input": client.read_input_registers, "holding": client.read_holding_registers}
    unit = unit_of(task, client)
    values = []
    for area, address, kind in task["questions"]:
        reply = await reads[area](address, count=width(kind), **unit)
        values.append(decoded(client, reply, kind))
    client.close()
    print(json.dumps(values))


asyncio.run(main(json.loads(sys.argv[1])))
