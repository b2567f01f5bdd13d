"""What pymodbus calls our types, and the unit: its name changed with 3.10."""

import inspect

WIDTHS = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "f32": 2, "u64": 4, "s64": 4}
_NAMES = {"u": "UINT", "s": "INT", "f": "FLOAT"}


def unit_of(task, client):
    """Return the keyword for the unit."""
    named = inspect.signature(client.read_input_registers).parameters
    return {"device_id" if "device_id" in named else "slave": task["unit"]}


def decoded(client, reply, kind):
    """Return the value of a reply, decoded by the client."""
    assert not reply.isError(), str(reply)
    kinds = client.DATATYPE
    return client.convert_from_registers(reply.registers, kinds[_NAMES[kind[0]] + kind[1:]])
