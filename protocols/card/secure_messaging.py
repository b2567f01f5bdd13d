"""Mutual authentication and secure messaging between terminal and card.

    card       RC, 8 random bytes                                               GET CHALLENGE
    terminal   RT, 8 random bytes || code(K, "T" RC RT card serial reference)   MUTUAL AUTHENTICATE
    card       code(K, "C" RT RC card serial reference)
    both       session keys = derive(K, "card session" or "card wrapping", RC RT)

Then each command of class 0C carries, at the end of its data, the first 8 bytes of CMAC(session
key, counter || CLA INS P1 P2 Lc || data), and each response the same over counter || data || SW1
SW2. The send sequence counter is 8 bytes, 2n for the n-th command and 2n + 1 for its response. Data
is not encrypted, but keys are wrapped (RFC 3394). This is a proprietary form (ISO/IEC 7816-4 leaves
class 0C to it); it has no TLV objects.
"""

from __future__ import annotations

import hmac

from protocols.card.apdu import CommandApdu, ResponseApdu
from protocols.errors import AuthenticationError
from protocols.keys import authentication_code, derive

NONCE_SIZE = 8
SHORT_CODE = 8
SECURED = 0x0C
"""Class of a command with a code."""


def terminal_proof(
    key: bytes, card_nonce: bytes, terminal_nonce: bytes, serial: bytes, reference: int
) -> bytes:
    """Return the proof to the card that the terminal has a key."""
    return authentication_code(
        key, b"T" + card_nonce + terminal_nonce + serial + bytes([reference])
    )[:SHORT_CODE]


def card_proof(
    key: bytes, card_nonce: bytes, terminal_nonce: bytes, serial: bytes, reference: int
) -> bytes:
    """Return the proof to the terminal that the card has a key."""
    return authentication_code(
        key, b"C" + terminal_nonce + card_nonce + serial + bytes([reference])
    )[:SHORT_CODE]


def same(one: bytes, other: bytes) -> bool:
    """Return whether two codes are equal; constant-time comparison."""
    return hmac.compare_digest(one, other)


class SecureChannel:
    """Session keys and counter after authentication; each end keeps its own."""

    __slots__ = ("_count", "_key", "_wrapping", "reference")

    def __init__(
        self, key: bytes, card_nonce: bytes, terminal_nonce: bytes, reference: int
    ) -> None:
        self._key = derive(key, "card session", card_nonce + terminal_nonce)
        self._wrapping = derive(key, "card wrapping", card_nonce + terminal_nonce)
        self._count = 0
        self.reference = reference

    # ---- the terminal's end

    def secure(self, ins: int, p1: int, p2: int, data: bytes) -> CommandApdu:
        """Return the next command, with its code."""
        self._count += 1
        header = bytes((SECURED, ins, p1, p2, len(data) + SHORT_CODE))
        return CommandApdu(SECURED, ins, p1, p2, data + self._code(0, header + data), 0)

    def open_response(self, response: ResponseApdu) -> bytes:
        """Return the data of the response to the last command; raises AuthenticationError."""
        data, code = response.data[:-SHORT_CODE], response.data[-SHORT_CODE:]
        if not same(code, self._code(1, data + response.status.to_bytes(2, "big"))):
            raise AuthenticationError("the code of the response is wrong")
        return data

    # ---- the card's end

    def open_command(self, command: CommandApdu) -> bytes:
        """Return the data of the next command; raises AuthenticationError."""
        self._count += 1
        data, code = command.data[:-SHORT_CODE], command.data[-SHORT_CODE:]
        if not same(code, self._code(0, command.header + bytes((len(command.data),)) + data)):
            raise AuthenticationError("the code of the command is wrong")
        return data

    def secure_response(self, response: ResponseApdu) -> ResponseApdu:
        """Return a response with its code."""
        code = self._code(1, response.data + response.status.to_bytes(2, "big"))
        return ResponseApdu(response.data + code, response.status)

    # ---- both

    def wrap(self, key: bytes) -> bytes:
        """Return a key for the other end, wrapped: 24 bytes."""
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap  # noqa: PLC0415 - slow to import

        return aes_key_wrap(self._wrapping, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return a key that the other end wrapped; raises AuthenticationError."""
        from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap  # noqa: PLC0415

        try:
            return aes_key_unwrap(self._wrapping, wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise AuthenticationError("the key is not wrapped for this session") from error

    def _code(self, answers: int, data: bytes) -> bytes:
        return authentication_code(
            self._key, (2 * self._count + answers).to_bytes(8, "big") + data
        )[:SHORT_CODE]
