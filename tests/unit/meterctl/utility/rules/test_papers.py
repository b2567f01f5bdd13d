"""Which content may be a document, by its bytes and not by its name."""

from __future__ import annotations

import pytest

from meterctl.utility.errors import Invalid
from meterctl.utility.rules.papers import LONGEST_NAME, MOST_BYTES, Paper, media_type_of


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"%PDF-1.7\nrest", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"<!DOCTYPE html>\n<html>", "text/html"),
        ("\ufeff  <HTML lang=zh>".encode(), "text/html"),
        ("签字\r\n\tdone\f".encode(), "text/plain"),
    ],
)
def test_a_content_says_what_it_is(content: bytes, media_type: str) -> None:
    assert media_type_of(content) == media_type
    assert Paper("x.exe", content).media_type == media_type


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"x" * (MOST_BYTES + 1), "larger than 10 MiB"),
        (b"MZ\x90\x00", "allowed are PDF"),
        (b"\x1b[2Jtext", "allowed are PDF"),
        (b"PK\x03\x04", "allowed are PDF"),
        ("签字".encode("gb18030"), "allowed are PDF"),
        (b" %PDF-1.7\x00", "allowed are PDF"),
    ],
)
def test_other_contents_are_refused(content: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=f"{why}.*nothing was changed"):
        Paper("a.pdf", content)


def test_the_largest_document_is_kept() -> None:
    assert media_type_of(b"x" * MOST_BYTES) == "text/plain"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("signed.pdf", "signed.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\1.png", "1.png"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("", "document"),
        ("x" * 300, "x" * LONGEST_NAME),
    ],
)
def test_a_name_has_no_folders_and_steers_no_terminal(name: str, kept: str) -> None:
    assert Paper(name, b"x").kept_name == kept
