"""Warnings of keys of a map file that change nothing where they stand."""

from __future__ import annotations

from collections.abc import Iterable

from protocols.data_model.kinds import Optional
from protocols.modbus.areas import Area
from protocols.modbus.map_mistakes import Findings, Row
from protocols.modbus.pdu import Function
from protocols.modbus.register_parts import Constant, Register


def check_keys(row: Row, part: Register | Constant, findings: Findings) -> None:
    """Warn of keys of a row that change nothing; [defaults] are for other rows too."""
    if isinstance(part, Register) and not isinstance(part.item.kind, Optional):
        item = part.item
        if "off" in row:
            instead = "; a phase that the meter lacks has `absent`" if item.phases > 1 else ""
            findings.warning(row.at("off"), f"{item.name} is never off{instead}")
        elif "absent" in row and item.phases < 2:
            told = f"{item.name} is never absent: every meter has its phase"
            findings.warning(row.at("absent"), told)
    for key, told in _needless_orders(row, part):
        if key in row:
            findings.warning(row.at(key), f"it changes nothing: {told}")


def _needless_orders(row: Row, part: Register | Constant) -> Iterable[tuple[str, str]]:
    """Yield the orders that a row does not have, and why."""
    if part.area & Area.BITS:
        yield from ((key, "bits have no order") for key in ("word_order", "byte_order"))
    elif "hex" in row:
        yield from ((key, "hex is written as it is") for key in ("word_order", "byte_order"))
    elif len(part.extent) == 1:
        yield "word_order", "the value is one register"


def check_identification(row: Row, functions: frozenset[Function], findings: Findings) -> None:
    """Warn of an identification that no function tells."""
    by_43, by_17 = Function.ENCAPSULATED_INTERFACE, Function.REPORT_SERVER_ID
    for key in row.values:
        telling = {by_17} if key == "server_id" else {by_43}
        if key in ("product_name", "product_code"):
            telling.add(by_17)
        if not functions & telling:
            either = " or ".join(str(int(one)) for one in sorted(telling))
            findings.warning(row.at(key), f"nothing tells it: requests.functions lacks {either}")
