"""The four areas of Modbus addresses."""

from __future__ import annotations

from enum import Flag

ADDRESSES = 0x10000
"""Addresses of an area."""


class Area(Flag):
    """An area of addresses, or several."""

    COIL = 1
    DISCRETE = 2
    HOLDING = 4
    INPUT = 8
    REGISTERS = HOLDING | INPUT
    BITS = COIL | DISCRETE
