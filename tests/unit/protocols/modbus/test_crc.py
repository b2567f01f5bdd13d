"""The CRC against published vectors and against a bitwise division."""

from __future__ import annotations

import random

import pytest

from protocols.modbus.crc import crc16, with_crc


def divided_bit_by_bit(data: bytes) -> int:
    """Return the CRC by the flow chart of MODBUS over Serial Line V1.02, section 6.2.2."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return register


@pytest.mark.parametrize(
    ("data", "on_the_wire"),
    [
        ("01 03 00 00 00 0a", "c5 cd"),
        ("11 03 00 6b 00 03", "76 87"),  # Modicon PI-MBUS-300, read holding registers
        ("01 04 02 ff ff", "b8 80"),
        ("02 07", "41 12"),  # Serial Line V1.02, section 6.2.2, example
        ("", "ff ff"),
        ("00", "bf 40"),
    ],
)
def test_known_vectors(data: str, on_the_wire: str) -> None:
    assert with_crc(bytes.fromhex(data)) == bytes.fromhex(data + on_the_wire)


def test_the_check_value_of_the_catalogue() -> None:
    assert crc16(b"123456789") == 0x4B37


def test_it_is_the_division_of_the_specification() -> None:
    rng = random.Random(20)
    for size in range(257):
        data = rng.randbytes(size)
        assert crc16(data) == divided_bit_by_bit(data)


def test_of_a_whole_frame_it_is_zero_and_it_can_go_on_from_a_part() -> None:
    frame = with_crc(bytes.fromhex("01 03 00 00 00 0a"))
    assert crc16(frame) == 0
    assert crc16(bytearray(frame)) == 0
    for cut in range(len(frame) + 1):
        assert crc16(frame[cut:], crc16(frame[:cut])) == 0


def test_every_flip_of_one_or_two_bits_is_seen() -> None:
    frame = with_crc(bytes.fromhex("01 03 00 00 00 0a"))
    bits = 8 * len(frame)
    number = int.from_bytes(frame, "big")
    for first in range(bits):
        for second in range(first, bits):
            flipped = number ^ 1 << first ^ (1 << second if second > first else 0)
            assert crc16(flipped.to_bytes(len(frame), "big")) != 0
