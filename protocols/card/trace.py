"""APDUs as text for a trace."""

from __future__ import annotations

from protocols.card.apdu import CommandApdu, Instruction, ResponseApdu, status_text
from protocols.card.files import SIZES, CardFile
from protocols.card.keys import KeyReference
from protocols.card.secure_messaging import SECURED
from protocols.errors import ApduError


def command_text(command: CommandApdu) -> str:
    """Return the name of a command and of its file or key."""
    try:
        name = Instruction(command.ins).name.replace("_", " ")
    except ValueError:
        return f"INS {command.ins:02X}"
    return f"{name}{_object(command)}{', secured' if command.cla == SECURED else ''}"


def _object(command: CommandApdu) -> str:
    match command.ins:
        case Instruction.READ_BINARY | Instruction.UPDATE_BINARY if (
            command.p1 & 0x80 and command.p1 & 0x1F in SIZES
        ):
            return f" {CardFile(command.p1 & 0x1F).name.lower()}"
        case Instruction.READ_RECORD | Instruction.APPEND_RECORD:
            return " log"
        case Instruction.MUTUAL_AUTHENTICATE | Instruction.PUT_KEY if command.p2 in tuple(
            KeyReference
        ):
            return f" {KeyReference(command.p2).name.lower()}"
    return ""


def command_line(data: bytes) -> str:
    """Return a command's name and bytes; the data of PUT KEY is left out."""
    shown = data.hex(" ")
    if data[1:2] == bytes((Instruction.PUT_KEY,)) and data[5:]:
        shown = f"{data[:5].hex(' ')} (the key is not shown)"
    try:
        return f"-> {shown}  {command_text(CommandApdu.decode(data))}"
    except ApduError:
        return f"-> {shown}  no command"


def response_line(data: bytes) -> str:
    """Return a response's bytes and the name of its status word."""
    try:
        response = ResponseApdu.decode(data)
    except ApduError:
        return f"<- {data.hex(' ')}  no response"
    return f"<- {data.hex(' ')}  {response.status:04X} {status_text(response.status)}"
