"""Papers that are kept: their kinds, their names, and which content may be one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256

from meterctl.utility.errors import Invalid
from protocols.replacements import printable

MOST_BYTES = 10 << 20
"""Size of a document at most."""
LONGEST_NAME = 200
"""Characters of a name that are kept."""
HTML = "text/html"
_MAGIC = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}
"""First bytes of a content -> its media type."""
_MARKUP = ("<!doctype html", "<html")
_IN_TEXT = "\t\n\f\r"


class DocumentKind(StrEnum):
    """What a document is."""

    PRINTED_AGREEMENT = "printed_agreement"
    """The page of an agreement with its user notice (须知), as it was printed."""
    SIGNED_AGREEMENT = "signed_agreement"
    MANDATE = "mandate"
    """The customer's word that bills may be debited (代扣)."""
    IDENTITY = "identity"
    RULING = "ruling"
    PHOTO = "photo"
    OTHER = "other"


ADDED_BY_HAND = tuple(kind for kind in DocumentKind if kind is not DocumentKind.PRINTED_AGREEMENT)
"""Kinds that a person adds."""


@dataclass(frozen=True)
class Paper:
    """The content of a document, with the name of its file.

    Raises:
        Invalid: it is empty, too large, or none of the kinds of files that are kept.
    """

    name: str
    content: bytes

    def __post_init__(self) -> None:
        _ = self.media_type

    @cached_property
    def media_type(self) -> str:
        """The media type, by the content alone."""
        return media_type_of(self.content)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content, hex."""
        return sha256(self.content).hexdigest()

    @property
    def kept_name(self) -> str:
        """The name without its folders; what steers a terminal is an escape."""
        last = self.name.replace("\\", "/").rpartition("/")[2]
        return printable(last)[:LONGEST_NAME] or "document"


def media_type_of(content: bytes) -> str:
    """Return the media type of a content: PDF, PNG, JPEG, HTML or text in UTF-8.

    Raises:
        Invalid: code `document`.
    """
    if not content:
        raise _refusal("it is empty")
    if len(content) > MOST_BYTES:
        raise _refusal(f"it is larger than {MOST_BYTES >> 20} MiB")
    for magic, media_type in _MAGIC.items():
        if content.startswith(magic):
            return media_type
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if any(ord(letter) < 0x20 and letter not in _IN_TEXT for letter in set(text)):
        raise _refusal("allowed are PDF, PNG, JPEG, HTML and text in UTF-8")
    return HTML if text.lstrip()[:20].lower().startswith(_MARKUP) else "text/plain"


def _refusal(why: str) -> Invalid:
    return Invalid("document", f"the document is not kept: {why}; nothing was changed")
