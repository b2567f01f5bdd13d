"""Passwords of the staff: Argon2id; the database has the hash alone (RFC 9106)."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from meterctl.utility.errors import Invalid

SHORTEST, LONGEST = 12, 200
"""Characters of a password."""
_HASHER = PasswordHasher()
_NONE = _HASHER.hash("of a person who has none")
"""Compared where there is no such person, so that the time does not tell."""
_TURN = threading.BoundedSemaphore(2)
"""Each comparison takes 64 MiB: of many at once the others wait."""


def hash_password(password: str) -> str:
    """Return what the database keeps of a password.

    Raises:
        Invalid: it is too short or too long; nothing was changed.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(
            "password", f"a password has {SHORTEST} to {LONGEST} characters; nothing was changed"
        )
    with _TURN:
        return _HASHER.hash(password)


def is_password(password_hash: str | None, password: str) -> bool:
    """Return whether a password is the one of a hash; None, of a person without one, never is."""
    with _TURN:
        try:
            found = _HASHER.verify(password_hash or _NONE, password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
    return found and password_hash is not None
