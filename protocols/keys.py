"""Keys: derivation of a meter's own keys from a master, and their check values (METER.md 7).

The meter never holds the master. Derivation is NIST SP 800-108 in counter mode with AES-CMAC: label
`credit`, `command` or `card`, context serial number (12 BCD digits) and key version. The keys of a
card are derived in `protocols/card/keys.py`. Codes are AES-CMAC (NIST SP 800-38B, RFC 4493), 16
bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from protocols.errors import AuthenticationError

KEY_SIZE = 16
CODE_SIZE = 16
DEVELOPMENT_MASTER = hashlib.sha256(b"prepaid-meter published development master").digest()[
    :KEY_SIZE
]
"""Published, so it protects no credit; both sides use it without a key ring, and say so."""
DEVELOPMENT_KEY_VERSION = 0
CARD_LABEL = "card"
"""Label of the meter's card key, from which its keys to single cards are derived."""


class MessageClass(Enum):
    """Classes of sealed messages, each with its key and sequence; the value is the key's label."""

    CREDIT = "credit"
    COMMAND = "command"


def authentication_code(key: bytes, data: bytes) -> bytes:
    """Return the 16-byte AES-CMAC of `data`."""
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.cmac import CMAC  # noqa: PLC0415

    code = CMAC(AES(key))
    code.update(data)
    return code.finalize()


def verify_code(key: bytes, data: bytes, code: bytes) -> None:
    """Raise AuthenticationError unless `code` is the code of `data`; constant-time comparison."""
    if not hmac.compare_digest(authentication_code(key, data), code):
        raise AuthenticationError("the authentication code is not right under this key")


def bcd(digits: str) -> bytes:
    """Return decimal digits as packed BCD, high digit first."""
    return bytes.fromhex(digits)


def derive(key: bytes, label: str, context: bytes) -> bytes:
    """Return 16 bytes derived from a key (SP 800-108, counter mode, CMAC)."""
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode  # noqa: PLC0415

    return KBKDFCMAC(
        AES,
        Mode.CounterMode,
        KEY_SIZE,
        4,
        4,
        CounterLocation.BeforeFixed,
        label.encode(),
        context,
        None,
    ).derive(key)


def derive_key(master: bytes, label: str, serial_number: str, key_version: int) -> bytes:
    """Return the 16-byte key of one label for one meter."""
    return derive(master, label, bcd(serial_number) + bytes([key_version]))


@dataclass(frozen=True, slots=True)
class MeterKeys:
    """One meter's own keys of one version.

    `card` is empty in key files of older exports: then the slot refuses cards. `further` are keys
    of other proofs by their name in the key file, such as the decoder key of tokens.
    """

    version: int
    credit: bytes = field(repr=False)
    command: bytes = field(repr=False)
    card: bytes = field(default=b"", repr=False)
    further: Mapping[str, bytes] = field(default_factory=dict, repr=False, hash=False, kw_only=True)
    _check_value: int | None = field(default=None, init=False, repr=False, compare=False)

    def key(self, message_class: MessageClass) -> bytes:
        """Return the key of a class."""
        return self.credit if message_class is MessageClass.CREDIT else self.command

    @property
    def check_value(self) -> int:
        """Three bytes that identify the keys without revealing them."""
        if self._check_value is None:
            both = authentication_code(self.credit, b"check") + authentication_code(
                self.command, b"check"
            )
            value = int.from_bytes(hashlib.sha256(both).digest()[:3], "big")
            object.__setattr__(
                self, "_check_value", value
            )  # computed once: every reading of the map needs it
            return value
        return self._check_value


def derive_meter_keys(master: bytes, serial_number: str, key_version: int) -> MeterKeys:
    """Return the keys of one meter."""
    labels = (MessageClass.CREDIT.value, MessageClass.COMMAND.value, CARD_LABEL)
    return MeterKeys(
        key_version, *(derive_key(master, label, serial_number, key_version) for label in labels)
    )


def development_keys(serial_number: str) -> MeterKeys:
    """Return the published development keys of a meter."""
    return derive_meter_keys(DEVELOPMENT_MASTER, serial_number, DEVELOPMENT_KEY_VERSION)
