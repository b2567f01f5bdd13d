"""The section of docs/register-map.md on the window of the tariff, in bytes."""

from __future__ import annotations

from pages import head, row
from protocols.data_model.tariff import Tariff, TariffChange, TariffSet
from protocols.modbus.pdu import Function
from protocols.modbus.tariff_window import (
    TARIFF_HEAD,
    TARIFF_PART,
    TARIFF_QUESTION,
    TARIFF_REGISTERS,
    TariffPart,
    TariffWindow,
)

_BODIES = (
    (
        0,
        "seasons",
        "count, then month, day, day table of each start; seven weekday tables, Monday first (0: "
        "that of the season); count (u8), then date (u32, days since 1970-01-01) and day table of "
        "each holiday. A holiday goes before a weekday, a weekday before a season",
    ),
    (
        1,
        "day_tables",
        "count, then of each table: count, then local minute of the day (u16) and rate of each "
        "entry. Before its first entry the last one holds",
    ),
    (2, "prices", "count, then the price of each rate (u32, 0.0001 account unit per kWh)"),
    (
        3,
        "steps",
        "number of limits n, 1 if they count by the year (0: by the month), billing day and hour, "
        "month and day of the billing year; n limits (u64, 0.000001 kWh), n + 1 additions to the "
        "price (u32, 0.0001 account unit per kWh)",
    ),
)


def tariff_window(window: TariffWindow) -> str:
    """Return how the tariff is read from its window, with an example."""
    shown = TariffChange(tuple((0, part) for part in Tariff().parts)).encode()
    return "".join(
        [
            "\n## The tariff window\n\n",
            "Shows the tariff set in force and the parts that wait for their activation. Anybody "
            "may read it at any time; reading has no effect. The question belongs to the session; "
            f"function {int(Function.READ_WRITE_MULTIPLE_REGISTERS)} asks and reads in one "
            "exchange.\n\n",
            head("address", "access", "content"),
            row(
                f"{window.address:#06x}",
                "write",
                "set (u16: 0 current, 1 pending) and offset (u16) of the first byte wanted",
            ),
            row(
                f"{window.read_address:#06x}",
                "read",
                f"{TARIFF_REGISTERS} registers: set and offset (u16 each) as asked, size of the "
                "whole encoding in bytes (u16), its CRC-32 (u32, that of zip and Ethernet), and "
                f"at most {TARIFF_PART} of its bytes from the offset on; what is left reads 0",
            ),
            "\nAn encoding has at most 844 bytes. To read it whole, ask for offsets 0, "
            f"{TARIFF_PART}, {2 * TARIFF_PART} and so on until its size is reached. Where size or "
            "CRC-32 differ between two answers, the set changed meanwhile: begin again.\n\n"
            "The encoding is that of the sealed message `tariff` (docs/sealed-messages.md): the "
            "number of parts (u8), then of each part its type (u8), its activation (u32, s since "
            "1970-01-01T00:00:00Z), the size of its body (u16) and the body. The current set has "
            "all four parts with activation 0; the pending set has those that wait, none as a "
            "single byte 0. An activation that was given as local time is shown as the instant "
            "that the meter made of it, so bit 7 of a type is never set here. Day tables and "
            "rates are numbered from 1; numbers without a type are u8.\n\n",
            head("type", "part", "body"),
            *(row(*body) for body in _BODIES),
            "\nOf a meter as it is delivered, the current set:\n\n```\n",
            f"request  {_request(window).hex(' ')}\n",
            f"answer   {_answer(shown).hex(' ')} 00 ...\n```\n",
            f"\n{int(shown[0])} parts in {len(shown)} bytes: one season with table 1, one table "
            "with rate 1 from 00:00, the price 0.5283, no step.\n",
        ]
    )


def _request(window: TariffWindow) -> bytes:
    question = TARIFF_QUESTION.pack(TariffSet.CURRENT, 0)
    words = (window.read_address, TARIFF_REGISTERS, window.address, len(question) // 2)
    function = bytes([Function.READ_WRITE_MULTIPLE_REGISTERS])
    return function + b"".join(word.to_bytes(2, "big") for word in words) + b"\x04" + question


def _answer(shown: bytes) -> bytes:
    data = TariffPart.of(shown, TariffSet.CURRENT, 0).encode()[: TARIFF_HEAD.size + len(shown)]
    function = bytes([Function.READ_WRITE_MULTIPLE_REGISTERS])
    return function + bytes([2 * TARIFF_REGISTERS]) + data
