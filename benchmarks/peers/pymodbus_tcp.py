"""pymodbus's TCP server with one device, on a free port. Prints the port when it is ready."""

from __future__ import annotations

import asyncio
from typing import Any

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def _serve() -> None:
    registers = SimData(0, values=list(range(512)), datatype=DataType.REGISTERS)
    server = ModbusTcpServer(SimDevice(1, [registers]), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    transport: Any = server.transport
    print(transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
