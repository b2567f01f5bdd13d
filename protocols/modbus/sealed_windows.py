"""The windows for sealed messages: registers through which messages, receipts and statuses pass.

    address            receipt   write class (u16: 0 credit, 1 command) and sequence (u32)
    address + 3                  read size in bytes (u16; 0: none) and the sealed receipt
    address + 0x100    message   write total, offset and size in bytes, commit (each u16), then the
                                 part, padded to registers; commit 1 delivers the message
    address + 0x200    answer    read state (u16: 0 none, 1 answered), answer, size of the receipt
                                 (u16), receipt: of this session's last message
    address + 0x300    status    write a nonce (8 bytes), the number of a journal (u32) and the key
                                 version (u16, high byte 0)
    address + 0x307              read size in bytes (u16; 0: no status under this version) and the
                                 sealed status

Function 23 asks and reads in one exchange. The windows belong to the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from struct import Struct
from typing import NamedTuple

from protocols.sealed_message import Answer, Receipt
from protocols.sealed_status import SealedStatus

MESSAGE_HEAD = Struct(">HHHH")
MESSAGE_PART = 200
"""Bytes in one part of a message: fits function 16 and function 23."""
RECEIPT_QUESTION = Struct(">HI")
RECEIPT_REGISTERS = 1 + (Receipt.SIZE + 1) // 2
ANSWER_HEAD_REGISTERS = 1 + Answer.SIZE // 2
ANSWER_REGISTERS = ANSWER_HEAD_REGISTERS + RECEIPT_REGISTERS
STATUS_QUESTION = Struct(">8sIH")
STATUS_REGISTERS = 1 + SealedStatus.SIZE // 2


class SealedWindow(Enum):
    """One of the windows for sealed messages."""

    RECEIPT = "receipt"
    MESSAGE = "message"
    ANSWER = "answer"
    STATUS = "status"


class SealedWindows(NamedTuple):
    """The four windows, `address` being the first."""

    address: int

    @property
    def receipt(self) -> int:
        """Where the question for a receipt is written."""
        return self.address

    @property
    def receipt_read(self) -> int:
        """First register of the receipt."""
        return self.receipt + RECEIPT_QUESTION.size // 2

    @property
    def message(self) -> int:
        """Where the parts of a message are written."""
        return self.address + 0x100

    @property
    def answer(self) -> int:
        """First register of the answer."""
        return self.address + 0x200

    @property
    def status(self) -> int:
        """Where the question for a status is written."""
        return self.address + 0x300

    @property
    def status_read(self) -> int:
        """First register of the status."""
        return self.status + STATUS_QUESTION.size // 2

    def written_at(self, address: int) -> SealedWindow | None:
        """Return the window that takes a write at an address."""
        return {
            self.receipt: SealedWindow.RECEIPT,
            self.message: SealedWindow.MESSAGE,
            self.status: SealedWindow.STATUS,
        }.get(address)

    @property
    def readable(self) -> Mapping[SealedWindow, range]:
        """The registers that each window shows."""
        return {
            SealedWindow.RECEIPT: range(self.receipt_read, self.receipt_read + RECEIPT_REGISTERS),
            SealedWindow.STATUS: range(self.status_read, self.status_read + STATUS_REGISTERS),
            SealedWindow.ANSWER: range(self.answer, self.answer + ANSWER_REGISTERS),
        }

    @property
    def extents(self) -> tuple[range, ...]:
        """All registers of the windows, by address."""
        part = (MESSAGE_HEAD.size + MESSAGE_PART) // 2
        return (
            range(self.receipt, self.receipt_read + RECEIPT_REGISTERS),
            range(self.message, self.message + part),
            range(self.answer, self.answer + ANSWER_REGISTERS),
            range(self.status, self.status_read + STATUS_REGISTERS),
        )


assert Answer.SIZE % 2 == 0, "an answer fills whole registers"
