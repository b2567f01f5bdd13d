"""The register map of each unit on a line, until the line shows that it is another one.

A map with a mark is that of a unit only while the unit shows the mark. Once its reply has another
one, nothing of the unit is named any more, until it shows the mark after all.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.modbus.dissection.long_messages import LongMessages
from protocols.modbus.dissection.placed import Asked, MapView
from protocols.modbus.dissection.values import text_or_hex
from protocols.modbus.pdu import EXCEPTION_FLAG
from protocols.modbus.register_map import RegisterMap

_NOTHING = RegisterMap("nothing", ())
_NO_SUCH_ADDRESS = 2


class UnitMaps:
    """Register maps by unit.

    Args:
        register_map: that of the units that have none of their own.
        by_unit: maps of single units.
    """

    def __init__(self, register_map: RegisterMap, by_unit: Mapping[int, RegisterMap]) -> None:
        self._view = MapView(register_map)
        self._views = {unit: MapView(each) for unit, each in by_unit.items()}
        self._unnamed = MapView(_NOTHING)
        self._others: set[int] = set()
        """Units that have another mark than their map."""
        self._messages: dict[int, LongMessages] = {}

    def view(self, unit: int) -> MapView:
        """Return what names the registers of a unit."""
        return self._unnamed if unit in self._others else self._given(unit)

    def messages(self, unit: int) -> LongMessages:
        """Return the parts of messages to a unit."""
        return self._messages.setdefault(unit, LongMessages(self._given(unit).map.windows))

    def learn(self, unit: int, asked: Asked | None, reply: bytes) -> str:
        """Take a reply; return a sentence where it is the first with another mark, else nothing."""
        chosen = self._given(unit).map
        mark = chosen.mark
        if mark is None or asked is None or asked.area not in mark.area:
            return ""
        extent, extent_asked = mark.extent, range(asked.address, asked.address + asked.size)
        if reply[:1] and reply[0] & EXCEPTION_FLAG:
            if extent_asked != extent or reply[1:] != bytes((_NO_SUCH_ADDRESS,)):
                return ""
            found = b""
        elif extent.start in extent_asked and extent[-1] in extent_asked:
            at = 2 + 2 * (extent.start - asked.address)
            found = reply[at : at + len(mark.data)]
        else:
            return ""
        if found == mark.data:
            self._others.discard(unit)
            return ""
        if unit in self._others:
            return ""
        self._others.add(unit)
        shown = text_or_hex(found).text if found else "not there"
        return (
            f"unit {unit} has not the map {chosen.name}: its mark is {shown}. From there on its "
            f"registers have no names; give --map NAME@{unit} with its own"
        )

    def _given(self, unit: int) -> MapView:
        return self._views.get(unit, self._view)
