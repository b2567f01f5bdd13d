"""The error tree of everything that is agreed on a wire.

ProtocolError                what came is not what the protocol allows
├── QuantityError            a text that is no quantity: names the text and what is allowed
├── FrameError               bytes that are no frame (corrupt: count, resynchronise, stay silent on
a bus)
├── MalformedMessageError    a sealed message or reply whose fields cannot be
│   └── UnsupportedVersionError  a sealed message of a format that is not known
├── AuthenticationError      a code that is not right under the key
├── ApduError                bytes that are no APDU or no answer to reset
├── CardError                what a card said or did that ends a session with it
│   ├── CardRefusedError         a status word that is no success
│   ├── CardForgedError          a card that does not know its key, or a response whose code is
wrong
│   ├── CardFormatError          a file whose content cannot be
│   │   └── CardTypeError            a type of card that nobody knows
│   └── CardGoneError            no response: pulled, or silent
├── CardMemoryError          a card's memory that refuses a write
├── CardImageError           bytes that hold no card
└── ModbusError              a refusal with its Modbus exception code
    ├── IllegalFunctionError      01
    ├── IllegalAddressError       02
    ├── IllegalValueError         03
    └── DeviceFailureError        04
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Root of the package: whatever bytes or text come in, nothing else is raised."""


class QuantityError(ProtocolError):
    """A text that is no quantity of the wanted kind."""


class FrameError(ProtocolError):
    """Bytes that are no frame: a wrong CRC, a wrong length, a field that cannot be."""


class MalformedMessageError(ProtocolError):
    """A sealed message, outcome or receipt whose layout or fields cannot be."""


class UnsupportedVersionError(MalformedMessageError):
    """A sealed message whose first byte names a format that is not known."""


class AuthenticationError(ProtocolError):
    """An authentication code that does not hold under the key."""


class ApduError(ProtocolError):
    """Bytes that are no APDU, or no answer to reset."""


class CardError(ProtocolError):
    """What a card said or did that ends a session with it."""


class CardRefusedError(CardError):
    """A status word that is no success; `status` is the word."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class CardForgedError(CardError):
    """A card that does not know its key, or a response whose code does not hold."""


class CardFormatError(CardError):
    """A file of a card whose content cannot be."""


class CardTypeError(CardFormatError):
    """A type of card that nobody knows."""


class CardGoneError(CardError):
    """No response: the card was pulled, or is silent. What the last command did is not known."""


class CardMemoryError(ProtocolError):
    """A card's memory that refuses a write: nothing of it counts."""


class CardImageError(ProtocolError):
    """Bytes that hold no card."""


class ModbusError(ProtocolError):
    """A request refused with a Modbus exception (Application Protocol V1.1b3, section 7)."""

    code: int = 4


class IllegalFunctionError(ModbusError):
    """Exception 01: the function is not supported."""

    code = 1


class IllegalAddressError(ModbusError):
    """Exception 02: an address of the range does not exist or cannot be written."""

    code = 2


class IllegalValueError(ModbusError):
    """Exception 03: a quantity or a value of the request cannot be."""

    code = 3


class DeviceFailureError(ModbusError):
    """Exception 04: the device failed while it executed the request."""

    code = 4


MODBUS_EXCEPTIONS: dict[int, str] = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
"""The exception codes of the specification and their names."""
