"""CRC of Modbus RTU (Serial Line V1.02, section 2.5.1.2): polynomial A001H, low byte first."""

from __future__ import annotations


def _table() -> tuple[int, ...]:
    out = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
        out.append(value)
    return tuple(out)


_TABLE = _table()


def crc16(data: bytes | bytearray, value: int = 0xFFFF) -> int:
    """Return the CRC of `data`; it is 0 for a whole frame including its CRC."""
    table = _TABLE
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value


def with_crc(data: bytes) -> bytes:
    """Return `data` followed by its CRC."""
    return data + crc16(data).to_bytes(2, "little")
