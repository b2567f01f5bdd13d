"""Initial inputs: a few valid ones for each target, since faults are near them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from firmware_sim.state import State
from firmware_sim.storage import record
from protocols.data_model.items import ITEMS
from protocols.data_model.tables import Event, Freeze, ProfileRecord, Purchase
from protocols.data_model.tariff import Tariff, TariffChange
from protocols.data_model.words import AccountState, Cause, SupplyState
from protocols.modbus import rtu, tcp
from protocols.modbus.pdu import read_request, write_request
from protocols.modbus.sealed_windows import MESSAGE_HEAD, STATUS_QUESTION, STATUS_REGISTERS
from protocols.sealed_message import (
    FORMER_VERSION,
    Answer,
    MessageKind,
    Origin,
    Outcome,
    Receipt,
    SealedMessage,
    encode_limits,
)
from protocols.sealed_status import LastOfJournal, SealedStatus
from tests.fuzz.benches import make_meter
from tests.fuzz.host import REQUESTS
from tests.fuzz.targets import TARGETS
from tests.support.maps import PURCHASE_LIST, SCRATCH, WINDOWS

_EXAMPLES = Path(__file__).parents[2] / "examples"
_UNUSED_KEY = b"an unused key 01"
_MESSAGE = SealedMessage(MessageKind.CREDIT, "000000000001", 1, 1, 5000, origin=Origin(7, 9)).seal(
    _UNUSED_KEY
)
_FORMER_MESSAGE = SealedMessage(
    MessageKind.CREDIT, "000000000001", 1, 1, 5000, expires_at=9, version=FORMER_VERSION
).seal(_UNUSED_KEY)
_COMMAND = SealedMessage(
    MessageKind.GUARANTEE, "000000000001", 1, 1, expires_at=9, parameters=b"\1", origin=Origin(7, 9)
).seal(_UNUSED_KEY)
_RECEIPT = Receipt(
    MessageKind.CREDIT, "000000000001", 1, 1, 5000, b"code", 10**12, 1, 2, 3, 4, 5, 6, 0
).seal(_UNUSED_KEY)
_STATUS = SealedStatus(
    0,
    "000000000001",
    1,
    bytes(range(8)),
    7,
    0,
    AccountState.OPEN,
    156,
    "000000001001",
    3,
    4,
    10**12,
    5,
    -6,
    7,
    8,
    9,
    b"code",
    10**12,
    LastOfJournal(9, 3, b"code"),
    2,
).seal(_UNUSED_KEY)
_ANSWER = Answer(
    Outcome.ACCEPTED, 1, b"code", 10, 20, 0, 0, SupplyState.CONNECTED, Cause.REMOTE, 5
).encode()
_TARIFF = Tariff()
_CHANGE = TariffChange(
    tuple(
        (0, part) for part in (_TARIFF.seasons, _TARIFF.day_tables, _TARIFF.prices, _TARIFF.steps)
    )
)
_PDUS = (
    read_request(3, 0, 10),
    read_request(4, PURCHASE_LIST.address, 32),
    read_request(1, 0, 16),
    read_request(2, 0, 32),
    bytes.fromhex("11"),
    bytes.fromhex("16200000f20025"),
    write_request(SCRATCH.address, b"1234"),
    write_request(
        WINDOWS.message, MESSAGE_HEAD.pack(len(_MESSAGE), 0, len(_MESSAGE), 1) + _MESSAGE + b"\0"
    ),
    read_request(3, WINDOWS.answer, 20),
    write_request(WINDOWS.status, STATUS_QUESTION.pack(bytes(range(8)), 7, 0)),
    read_request(3, WINDOWS.status_read, STATUS_REGISTERS),
    bytes((43, 14, 1, 0)),
    bytes((5, 0, 1, 255, 0)),
    bytes((0x41, 1, 2)),
)
_TEXTS = (
    b"12.345",
    b"-0.5",
    b"2.5kW",
    b"1h30m",
    b"2026-01-31T08:00:00+01:00",
    b"22:00-06:00",
    b"cover magnet",
    b"off",
    b"CNY",
    b"9\xff\x50",
    b"1.\xc2\xb2",
)
_TOML = (
    b'credit = "5.00"\nprofile_days = 1\nload = "2kW"\naccount = "open"\n',
    b'time_zone = "Europe/Berlin"\n',
    b'epoch = "0000000a"\nstart = 2026-01-01\nutc_offset_minutes = 60\ndrift_ppm = -5\n',
    b'[tariff]\nprices = [0.5, "0.7"]\nstep_limits_kwh = [100]\nstep_additions = [0, '
    b'0.1]\nstep_period = "year"\n'
    b'weekdays = { sunday = 1 }\nday_tables = [{ entries = ["00:00 1", "08:00 2"] }]\n'
    b'seasons = [{ start = "05-01", day_table = 1 }]\nholidays = [{ date = 2026-01-01, '
    b"day_table = 1 }]\n",
    b'tariff = "tariff.toml"\n',
    b'load = "load.csv"\n',
    b"credit = 9\xff\x02\n",
    b"x = [\xff\x20]\n",
)
_CSV = (
    b"time,power_w\n2026-01-01T00:00:00Z,123.4\n2026-01-01T00:15:00Z,5\n",
    b"offset,power_kw\n0s,1\n15m,2.345\n",
    b"offset_s,power_l1_w,power_l2_w,power_l3_w,power_factor\n0,1,2,3,0.95\n900,1,2,3,1\n",
)
_KEYS = (
    json.dumps(
        {
            "serial_number": "000000000001",
            "keys": [{"version": 1, "credit": "00" * 16, "command": "11" * 16}],
        }
    ).encode(),
    json.dumps({"masters": {"1": "00" * 16}}).encode(),
    b"[\xff\x20",
)
_COMMANDS = (
    (0, 0),
    (0, 1),
    (1, 2),
    (1, 3),
    (1, 4),
    (2, 5),
    (2, 6),
    (3, 7),
    (3, 8),
    (4, 7),
    (5, 9),
    (5, 10),
    (6, 11),
    (6, 12),
    (6, 13),
    (7, 0),
    (8, 0),
    (9, 0),
)
"""Indices of a command and of its argument in `edges`."""
_LINES = (
    b'{"words": ["advance", "5h"], "meter": "000000000001"}\n{"words": ["state"], '
    b'"meter": "000000000002"}\n',
    b'{"words": ["load", "3kW"]}\n{"words": ["advance", "1d"]}\n{"words": ["power", '
    b'"cut"]}\n{"words": ["button"]}\n',
    b'{"words": ["load", "x.csv"]}\n{"words": ["speed", "0.5"]}\n{"words": ["stop"]}\n',
    b'{"words": ["magnet", "on"], "meter": 7}\n[]\n5\n"words"\nnull\n',
    b"[\xff\x20\n",
)


_APDUS = (
    bytes.fromhex("00a4040006f0505043310100"),
    bytes.fromhex("0084000008"),
    bytes.fromhex("00b0810020"),
    bytes.fromhex("008200021000112233445566778899aabbccddeeff00"),
    bytes.fromhex("0cd6820009000001020304050607"),
    bytes.fromhex("80d8000110") + bytes(16),
    bytes.fromhex("80440000"),
    bytes.fromhex("00b2012c18"),
    b"\0",
    b"",
)


@cache
def seeds() -> dict[str, tuple[bytes, ...]]:
    """Return the initial inputs of every target."""
    by_name: dict[str, tuple[bytes, ...]] = dict.fromkeys(TARGETS, (b"",))
    for meters in ("one_meter", "two_meters"):
        by_name[f"rtu_{meters}"] = tuple(b"\2\3\4" + rtu.encode(1, pdu) for pdu in _PDUS)
        by_name[f"tcp_{meters}"] = tuple(b"\2\3\4" + tcp.encode(1, 1, pdu) for pdu in _PDUS)
    shapes = tuple(
        bytes((unit, what, 5, 120, 20, 3, 130)) + _MESSAGE[:20]
        for unit in range(3)
        for what in range(8)
    )
    handed = bytes((0, 5, len(_MESSAGE))) + _MESSAGE + bytes((1,))
    touched = tuple(
        bytes((0, kind, 0, 9, what, 0, 0, 30, 1)) * 2 for kind in range(15) for what in range(4)
    )
    by_name |= {
        "rtu_right_frames": (*shapes, handed),
        "tcp_right_frames": (*shapes, handed),
        "touched_messages": touched,
        "control_lines": _LINES,
        "control_commands": tuple(
            bytes((word, 1, index, 0, 0, 1, 0, 0)) for word, index in _COMMANDS
        ),
        "host_rtu_reply": tuple(
            bytes((i, 1, 3, 1)) + rtu.encode(1, _reply(pdu)) for i, pdu in enumerate(REQUESTS)
        ),
        "host_tcp_reply": tuple(
            bytes((i, 1, 3, 1)) + tcp.encode(1, 1, _reply(pdu)) for i, pdu in enumerate(REQUESTS)
        ),
        "host_rtu_contents": tuple(bytes((what, 5)) + _ANSWER for what in range(6)),
        "host_tcp_contents": tuple(bytes((what, 5)) + _ANSWER for what in range(6)),
        "sealed_message": (_MESSAGE, _FORMER_MESSAGE, _COMMAND),
        "answer": (_ANSWER,),
        "receipt": (_RECEIPT,),
        "sealed_status": (_STATUS,),
        "parameters": _parameters(),
        "rows": tuple(
            bytes((index, 128, 60)) + bytes(size)
            for index, size in enumerate(
                (
                    Purchase.PACKING.size,
                    Event.PACKING.size,
                    Freeze.PACKING.size,
                    ProfileRecord.PACKING.size,
                )
            )
        ),
        "registers": tuple(bytes((1, index, 0, 0, 0, 1)) for index in range(len(ITEMS))),
        "rtu_frames": tuple(b"\2\1\3" + rtu.encode(1, pdu) for pdu in _PDUS),
        "tcp_frames": tuple(b"\1\3" + tcp.encode(1, 1, pdu) for pdu in _PDUS),
        "replies": tuple(b"\2\0\0\0\2" + _reply(pdu) for pdu in REQUESTS),
        "texts": tuple(bytes((index,)) + text for index in range(9) for text in _TEXTS),
        "kinds": tuple(bytes((1, index)) + _TEXTS[index % 11] for index in range(len(ITEMS))),
        "control_words": (
            b"advance\x0017h",
            b"load\x003kW",
            b"power\0cut",
            b"speed\x000.5",
            b"magnet\0on",
            b"button",
        ),
        "json_line": (b'credit\x0012.50\0"\\\0\n',),
        "storage_record": (record.encode(_small_state()), b"[\xff\x20"),
        "storage_image_of_layout_1": tuple(
            bytes((0, place, 0, 5, what, 3)) for place in range(7) for what in range(6)
        ),
        "storage_image": tuple(
            bytes((0, place, 0, 5, what, 3)) for place in range(7) for what in range(6)
        ),
        "configuration": (
            *_TOML,
            *(path.read_bytes() for path in sorted(_EXAMPLES.glob("meters/*.toml"))),
        ),
        "tariff_file": (
            b'activation = { prices = "2026-07-01T00:00", steps = "now" }\nprices = [0.5, "0.7"]\n'
            b'step_period = "year"\n',
            *(path.read_bytes() for path in sorted(_EXAMPLES.glob("tariffs/*.toml"))),
        ),
        "load_csv": tuple(bytes((phases,)) + text for phases in (0, 1) for text in _CSV),
        "key_files": _KEYS,
        "card_commands": tuple(
            bytes((card, session)) + b"".join(bytes((len(apdu),)) + apdu for apdu in _APDUS)
            for card in range(4)
            for session in range(2)
        ),
        "card_image": tuple(
            bytes((card, 0, place, 3, 1, 2, 3)) for card in range(3) for place in range(0, 60, 7)
        ),
        "card_responses": tuple(
            bytes((1,)) + bytes(n) + bytes((kind, 5, 9)) for n in range(13) for kind in (1, 2, 3)
        ),
        "card_files": (bytes((1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 3, 9, 9, 9)), bytes(range(60))),
    }
    return by_name


def _reply(asked: bytes) -> bytes:
    size = 2 * int.from_bytes(asked[3:5], "big") % 250
    return bytes((asked[0], size)) + bytes(size) if asked[0] in (3, 4, 23) else asked[:5]


def _parameters() -> tuple[bytes, ...]:
    kinds = list(MessageKind)
    number = bytes((kinds.index(MessageKind.CLOCK),)) + bytes(8)
    limits = bytes((kinds.index(MessageKind.LIMITS),)) + encode_limits({1: 5, 2: 3})
    return number, limits, bytes((kinds.index(MessageKind.TARIFF),)) + _CHANGE.encode()


def _small_state() -> State:
    state = make_meter().state.clone()
    state.tail.clear()
    return state
