"""APDUs and status words (ISO/IEC 7816-4), short lengths only.

CLA INS P1 P2                  no data in, no data out
CLA INS P1 P2 Le               data out: at most Le bytes, 00 is 256
CLA INS P1 P2 Lc data          data in
CLA INS P1 P2 Lc data Le       data in and out

data SW1 SW2                   the response
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from protocols.errors import ApduError

MAX_DATA = 255
SHORTEST = 4
"""Minimum length of a command; shorter ones block some reader drivers and are never sent."""


class Instruction(IntEnum):
    """INS bytes of the application."""

    ACTIVATE = 0x44
    MUTUAL_AUTHENTICATE = 0x82
    GET_CHALLENGE = 0x84
    SELECT = 0xA4
    READ_BINARY = 0xB0
    READ_RECORD = 0xB2
    GET_RESPONSE = 0xC0
    UPDATE_BINARY = 0xD6
    PUT_KEY = 0xD8
    APPEND_RECORD = 0xE2


class StatusWord(IntEnum):
    """SW1 SW2. In 61xx, 6Cxx and 63Cx the last digits are a count; see `status_text`."""

    OK = 0x9000
    MORE_DATA = 0x6100
    AUTHENTICATION_FAILED = 0x63C0
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    AUTHENTICATION_BLOCKED = 0x6983
    CHALLENGE_INVALID = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_FILE = 0x6986
    SECURE_MESSAGING_MISSING = 0x6987
    SECURE_MESSAGING_WRONG = 0x6988
    WRONG_DATA = 0x6A80
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NO_SPACE = 0x6A84
    WRONG_PARAMETERS = 0x6A86
    KEY_NOT_FOUND = 0x6A88
    WRONG_OFFSET = 0x6B00
    LENGTH_IS = 0x6C00
    INSTRUCTION_NOT_SUPPORTED = 0x6D00
    CLASS_NOT_SUPPORTED = 0x6E00
    FAULT = 0x6F00


_COUNTED = {0x61: "more data", 0x6C: "the length is"}


def status_text(word: int) -> str:
    """Return the name of a status word, with its count where it has one."""
    if word >> 8 in _COUNTED:
        return f"{_COUNTED[word >> 8]} {word & 0xFF}"
    if word & 0xFFF0 == StatusWord.AUTHENTICATION_FAILED:
        return f"authentication failed, {word & 0xF} tries left"
    try:
        return StatusWord(word).name.lower().replace("_", " ")
    except ValueError:
        return "unknown"


@dataclass(frozen=True, slots=True)
class CommandApdu:
    """A command. `le` is the maximum size of the response data (0 is 256), None for no data."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    def encode(self) -> bytes:
        """Return the bytes; raises ApduError for data that does not fit a short command."""
        if len(self.data) > MAX_DATA:
            raise ApduError(f"{len(self.data)} bytes do not fit a short command")
        if self.le is not None and not 0 <= self.le <= 255:
            raise ApduError(f"Le is 0 (for 256) to 255, not {self.le}")
        body = bytes((len(self.data),)) + self.data if self.data else b""
        return self.header + body + (b"" if self.le is None else bytes((self.le,)))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the command; raises ApduError for lengths that do not fit or are extended."""
        if len(data) < SHORTEST:
            raise ApduError(f"{len(data)} bytes are no command")
        cla, ins, p1, p2 = data[:4]
        body = data[4:]
        if len(body) <= 1:
            return cls(cla, ins, p1, p2, b"", body[0] if body else None)
        size = body[0]
        if size == 0 or len(body) not in (1 + size, 2 + size):
            raise ApduError("Lc does not fit the command, or the length is extended")
        return cls(
            cla, ins, p1, p2, body[1 : 1 + size], body[-1] if len(body) == 2 + size else None
        )


@dataclass(frozen=True, slots=True)
class ResponseApdu:
    """A response: data, and the status word."""

    data: bytes = b""
    status: int = StatusWord.OK

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.data + self.status.to_bytes(2, "big")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the response; raises ApduError without a status word or with over 256 bytes."""
        if not 2 <= len(data) <= 258:
            raise ApduError(f"{len(data)} bytes are no response")
        return cls(data[:-2], int.from_bytes(data[-2:], "big"))
