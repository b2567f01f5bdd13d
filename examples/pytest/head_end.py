"""A user's small head-end in two versions: with plain pyserial, and with pymodbus.

It uses docs/register-map.md only, and decides by itself when to call the customer.
"""

from __future__ import annotations

import struct
import time

import serial
from pymodbus.client import ModbusTcpClient

CREDIT, SUPPLY_STATE = 64, 32
STATES = ("connected", "ready_for_reconnection", "disconnected")


class SilentError(Exception):
    """No answer."""


class CorruptError(Exception):
    """An invalid answer."""


class BusyError(Exception):
    """Exception 06: the device is busy."""


def crc(data: bytes) -> bytes:
    """Return the CRC of Modbus RTU."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")


class SerialHeadEnd:
    """Reads one meter over a serial port, with pyserial only."""

    def __init__(self, port: str, unit: int = 1, timeout: float = 0.3, tries: int = 1) -> None:
        self.line = serial.Serial(port, 9600, timeout=timeout)
        self.unit, self.tries = unit, tries

    def read(self, address: int, count: int) -> bytes:
        """Return registers, with repeats after silence, a corrupt answer or busy."""
        for attempt in range(1, self.tries + 1):
            try:
                return self._read(address, count)
            except (SilentError, CorruptError, BusyError):
                if attempt == self.tries:
                    raise
                time.sleep(0.05)
                self.line.reset_input_buffer()
        raise AssertionError

    def _read(self, address: int, count: int) -> bytes:
        request = struct.pack(">BBHH", self.unit, 3, address, count)
        self.line.write(request + crc(request))
        reply = self.line.read(5 + 2 * count)
        if not reply:
            raise SilentError
        if crc(reply[:-2]) != reply[-2:] or reply[0] != self.unit:
            raise CorruptError(reply.hex(" "))
        if reply[1] == 0x83:
            raise BusyError if reply[2] == 6 else CorruptError(f"exception {reply[2]}")
        return reply[3:-2]

    def credit(self) -> float:
        """Return the available credit."""
        return int.from_bytes(self.read(CREDIT, 2), "big", signed=True) / 100

    def supply_state(self) -> str:
        """Return the state of the supply."""
        return STATES[int.from_bytes(self.read(SUPPLY_STATE, 1), "big")]

    def close(self) -> None:
        """Close the port."""
        self.line.close()


class TcpHeadEnd:
    """Reads one meter over TCP, with pymodbus."""

    def __init__(self, host: str, port: int, unit: int = 1) -> None:
        self.client = ModbusTcpClient(host, port=port, timeout=1, retries=0)
        self.client.connect()
        self.unit = unit

    def credit(self) -> float:
        """Return the available credit."""
        registers = self.client.read_holding_registers(
            CREDIT, count=2, device_id=self.unit
        ).registers
        return int.from_bytes(struct.pack(">HH", *registers), "big", signed=True) / 100

    def customers_to_call(self, below: float) -> bool:
        """Return whether the customer should be called."""
        return self.credit() < below

    def close(self) -> None:
        """Close the connection."""
        self.client.close()
