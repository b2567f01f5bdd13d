"""Names of functions, sub-functions and objects of the Modbus Application Protocol V1.1b3."""

from __future__ import annotations

from protocols.modbus.pdu import EXCEPTION_FLAG

_FUNCTIONS = {
    1: "read coils",
    2: "read discrete inputs",
    3: "read holding registers",
    4: "read input registers",
    5: "write single coil",
    6: "write single register",
    7: "read exception status",
    8: "diagnostics",
    11: "get comm event counter",
    12: "get comm event log",
    15: "write multiple coils",
    16: "write multiple registers",
    17: "report server id",
    20: "read file record",
    21: "write file record",
    22: "mask write register",
    23: "read/write multiple registers",
    24: "read fifo queue",
    43: "encapsulated interface",
}
DIAGNOSTICS = {
    0: "return query data",
    1: "restart communications",
    2: "return diagnostic register",
    3: "change ASCII input delimiter",
    4: "force listen only mode",
    10: "clear counters and diagnostic register",
    11: "return bus message count",
    12: "return bus communication error count",
    13: "return bus exception error count",
    14: "return server message count",
    15: "return server no response count",
    16: "return server NAK count",
    17: "return server busy count",
    18: "return bus character overrun count",
    20: "clear overrun counter and flag",
}
IDENTIFICATION_CODES = {1: "basic", 2: "regular", 3: "extended", 4: "one object"}
OBJECTS = {
    0: "vendor name",
    1: "product code",
    2: "revision",
    3: "vendor URL",
    4: "product name",
    5: "model name",
    6: "application name",
}


def function_name(function: int) -> str:
    """Return the name of a function code, without its exception flag."""
    return _FUNCTIONS.get(function & ~EXCEPTION_FLAG, "unknown function")
