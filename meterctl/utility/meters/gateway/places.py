"""Where the desk finds a meter or a card."""

from __future__ import annotations

import re
from dataclasses import dataclass

from meterctl.errors import UsageError

_SERIAL = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class MeterPlace:
    """A meter on a wire.

    `serial` is the serial number, 12 digits: another meter that answers there is refused. `url` is
    the port as `meterctl --port` takes it. `protocol` is a word of --protocol, `unit` the unit
    number there; `map_name` is a word of --map, empty for the native map. A meter without a wire
    has an empty `url`.

    Raises:
        UsageError: a serial number that has not 12 digits.
    """

    serial: str
    url: str
    protocol: str = "modbus"
    unit: int = 1
    map_name: str = ""

    def __post_init__(self) -> None:
        if not _SERIAL.fullmatch(self.serial):
            raise UsageError(f"meter {self.serial!r}: a serial number has 12 digits")


@dataclass(frozen=True, slots=True)
class CardPlace:
    """A card at the counter.

    `reader` is the path of a simulated card, recognised by a slash in it, or the name of a PC/SC
    reader, or how it begins; empty is the first reader.
    """

    reader: str = ""

    @property
    def is_file(self) -> bool:
        """Whether the card is a simulated one in a file."""
        return "/" in self.reader
