"""The error tree of the protocols. ProtocolError is a PrepaidMeterError, as the meter's errors are.

ProtocolError                    bytes or text that the protocol does not allow
├── QuantityError                text that is not a quantity; names the text and the allowed values
├── FrameError                   bytes that are not a frame: count, resynchronise, silent on a bus
├── MalformedMessageError        a sealed message or reply with invalid fields
│   ├── UnsupportedVersionError  a sealed message of an unknown format
│   └── NotFiniteError           a float that is NaN or infinite where a number is due
├── AuthenticationError          a code that does not verify under the key
├── ApduError                    bytes that are not an APDU or an answer to reset
├── CardError                    a failure of a card that ends its session
│   ├── CardRefusedError         a status word other than success
│   ├── CardForgedError          a card without the right key, or a response with a wrong code
│   ├── CardFormatError          a file with invalid content
│   │   └── CardTypeError        an unknown card type
│   └── CardGoneError            no response: the card was pulled or is silent
├── CardMemoryError              a card's memory that refuses a write
├── CardImageError               bytes that do not hold a card
└── ModbusError                  a refusal with its Modbus exception code
    ├── IllegalFunctionError     01
    ├── IllegalAddressError      02
    ├── IllegalValueError        03
    └── DeviceFailureError       04
"""

from __future__ import annotations


class PrepaidMeterError(Exception):
    """Root of all errors that a user of the library meets (`firmware_sim.errors`)."""


class ProtocolError(PrepaidMeterError):
    """Root of the package: no bytes and no text raise anything else."""


class QuantityError(ProtocolError):
    """Text that is not a quantity of the expected kind."""


class FrameError(ProtocolError):
    """Bytes that are not a frame: wrong CRC, wrong length or an invalid field."""


class MalformedMessageError(ProtocolError):
    """A sealed message, answer or receipt with an invalid layout or field."""


class UnsupportedVersionError(MalformedMessageError):
    """A sealed message whose first byte names an unknown format."""


class NotFiniteError(MalformedMessageError):
    """A float that is NaN or infinite where a number is due."""


class AuthenticationError(ProtocolError):
    """An authentication code that does not verify under the key."""


class ApduError(ProtocolError):
    """Bytes that are not an APDU or an answer to reset."""


class CardError(ProtocolError):
    """A failure of a card that ends its session."""


class CardRefusedError(CardError):
    """A status word other than success; `status` is the word."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class CardForgedError(CardError):
    """A card without the right key, or a response with a wrong code."""


class CardFormatError(CardError):
    """A file of a card with invalid content."""


class CardTypeError(CardFormatError):
    """An unknown card type."""


class CardGoneError(CardError):
    """No response: the card was pulled or is silent; the last command may have been executed."""


class CardMemoryError(ProtocolError):
    """A card's memory refused a write; the state before it stays in force."""


class CardImageError(ProtocolError):
    """Bytes that do not hold a card."""


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
    """Exception 03: a quantity or a value of the request is not allowed."""

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
