"""The household: its numbers, and the purchase agreement that its meter runs."""

from __future__ import annotations

import json
from dataclasses import dataclass

from protocols.quantities import CENT, format_money

SERIAL_NUMBER, CUSTOMER = "000000000001", "000000001001"
CARD_SERIAL = bytes.fromhex("0011223344556677")
START = "2026-01-05T05:00:00Z"
"""A Monday morning in winter, an hour before the household wakes."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The customer's purchase agreement, derived from the opening credit, in ledger units."""

    credit: int
    price: int
    load: str

    def part(self, eighths: int) -> int:
        """Return this many eighths of the opening credit, in whole cents."""
        return self.credit * eighths // 8 // CENT * CENT

    def toml(self) -> str:
        """Return the meter's description in TOML."""
        lines = {
            "account": "unopened",
            "load": self.load,
            "start": START,
            "serial_number": SERIAL_NUMBER,
            "low_credit_threshold_1": format_money(self.part(5)),
            "low_credit_threshold_2": format_money(self.part(3)),
            "overdraft_limit": format_money(self.part(2)),
        }
        body = "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
        return f'{body}\n[tariff]\nprices = ["{self.price // 10000}.{self.price % 10000:04d}"]\n'
