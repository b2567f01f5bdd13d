"""What pymodbus calls our types, and the unit: its name changed with 3.10."""

import inspect

_NAMES = {"u": "UINT", "s": "INT", "f": "FLOAT"}


def width(kind):
    """Return the number of registers of a type, such as u32, or of a block, such as f32*40."""
    single, _, count = kind.partition("*")
    return int(single[1:]) // 16 * int(count or 1)


def unit_of(task, client):
    """Return the keyword for the unit."""
    named = inspect.signature(client.read_input_registers).parameters
    return {"device_id" if "device_id" in named else "slave": task["unit"]}


def decoded(client, reply, kind):
    """Return the value of a reply, or the values of a block, decoded by the client."""
    assert not reply.isError(), str(reply)
    kinds = client.DATATYPE
    single = kind.partition("*")[0]
    return client.convert_from_registers(reply.registers, kinds[_NAMES[kind[0]] + single[1:]])
