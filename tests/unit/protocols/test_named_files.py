"""Rules for files named by a person (money.md A8, A9, A20, A21)."""

from __future__ import annotations

import stat

import pytest

from protocols.named_files import (
    MAX_SIZE,
    NOT_REGULAR,
    TOO_LARGE,
    decode_text,
    others_may_read,
    others_may_write,
    refusal,
)

KINDS = (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFDIR, stat.S_IFSOCK, stat.S_IFLNK)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_regular_file_may_be_read(kind: int) -> None:
    assert refusal(kind | 0o600, 0) == NOT_REGULAR
    assert refusal(kind | 0o600, 0, max_size=None) == NOT_REGULAR
    assert refusal(stat.S_IFREG | 0o600, 0) is None


def test_a_file_above_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    assert MAX_SIZE == 64 * 1024 * 1024
    assert TOO_LARGE == "it is larger than 64 MiB"
    assert refusal(stat.S_IFREG, MAX_SIZE) is None
    assert refusal(stat.S_IFREG, MAX_SIZE + 1) == TOO_LARGE
    assert refusal(stat.S_IFREG, MAX_SIZE + 1, max_size=None) is None


def test_every_line_of_a_text_ends_alike() -> None:
    assert decode_text("a\r\nb\rc\n剩余".encode()) == "a\nb\nc\n剩余"
    with pytest.raises(UnicodeDecodeError):
        decode_text(b"\xff")


@pytest.mark.parametrize(
    ("mode", "write", "read"),
    [
        (0o600, False, False),
        (0o400, False, False),
        (0o640, False, True),
        (0o604, False, True),
        (0o620, True, False),
        (0o602, True, False),
        (0o666, True, True),
        (0o700, False, False),
    ],
)
def test_who_may_write_and_read_a_file(mode: int, write: bool, read: bool) -> None:
    assert others_may_write(stat.S_IFREG | mode) is write
    assert others_may_read(stat.S_IFREG | mode) is read
