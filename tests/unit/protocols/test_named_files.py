"""Rules for files named by a person (money.md A8, A9, A20, A21)."""

from __future__ import annotations

import stat

import pytest

from protocols.errors import QuantityError
from protocols.named_files import (
    MAX_SIZE,
    NOT_REGULAR,
    TOO_LARGE,
    TextDecoder,
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


TEXT = "unit = 1\n# 剩余 😀\r\ncredit = 5.00\r\r\nend"
LINES = "unit = 1\n# 剩余 😀\ncredit = 5.00\n\nend"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_text_is_read_as_it_was_saved_whole_and_in_pieces(codec: str, size: int) -> None:
    data = TEXT.encode(codec)
    assert decode_text(data) == LINES
    assert decoded([data[at : at + size] for at in range(0, len(data), size)]) == LINES


def decoded(pieces: list[bytes]) -> str:
    decoder = TextDecoder()
    texts = [decoder.decode(piece) for piece in pieces]
    return "".join(texts) + decoder.decode(b"", final=True)


def test_utf_16_of_either_byte_order_is_read_and_an_empty_file_is_empty() -> None:
    for mark, codec in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert decode_text(mark + "剩余\r".encode(codec)) == "剩余\n"
    assert decode_text(b"") == decode_text(b"\xef\xbb\xbf") == ""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff", "line 1: it is not UTF-8 text (byte FFH): save it as UTF-8"),
        (b"a\r\nb\rc\n\xe9t\xe9", "line 4: it is not UTF-8 text (byte E9H)"),
        ("a\n剩".encode()[:-1], "line 2: it is not UTF-8 text"),
        ("a\nb".encode("utf-16-le"), "line 1: a zero byte, so it is no text"),
        ("a\nb".encode("utf-32"), "it is UTF-32 text: save it as UTF-8"),
        ("ab".encode("utf-16")[:-1], "it begins as UTF-16 and is no such text"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line_and_never_with_a_codec(
    data: bytes, says: str
) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        with pytest.raises(QuantityError) as caught:
            decoded(pieces)
        assert says in str(caught.value)
        assert "codec" not in str(caught.value)


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
