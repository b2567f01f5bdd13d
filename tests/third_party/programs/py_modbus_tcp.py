"""pyModbusTCP, which decodes words by its own functions; ../clients.py has the arguments."""

import json
import sys

from pyModbusTCP import utils
from pyModbusTCP.client import ModbusClient

BITS = {"u16": 16, "s16": 16, "u32": 32, "s32": 32, "u64": 64, "s64": 64}


def decoded(words, kind):
    if kind == "f32":
        return utils.decode_ieee(utils.word_list_to_long(words)[0])
    if BITS.get(kind) == 16:
        (number,) = words
    else:
        (number,) = utils.word_list_to_long(words, long_long=BITS[kind] == 64)
    return utils.get_2comp(number, BITS[kind]) if kind[0] == "s" else number


def main(task):
    host, port = task["tcp"]
    client = ModbusClient(host, port, unit_id=task["unit"], timeout=3)
    reads = {"input": client.read_input_registers, "holding": client.read_holding_registers}
    values = []
    for area, address, kind in task["questions"]:
        words = reads[area](address, BITS.get(kind, 32) // 16)
        assert words is not None, f"{area} {address}: {client.last_error_as_txt}"
        values.append(decoded(words, kind))
    client.close()
    print(json.dumps(values))


main(json.loads(sys.argv[1]))
