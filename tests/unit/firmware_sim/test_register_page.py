"""A reader with only the tables of the pages decodes what a meter shows (docs/*.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from itertools import takewhile

import pytest

from firmware_sim.calendar_work import offset_changes
from firmware_sim.meter import Meter
from firmware_sim.rack.rack import Rack
from firmware_sim.readings import GETTERS, read
from protocols.data_model import items
from protocols.data_model.tables import Event, ProfileRecord, Purchase
from protocols.modbus.native_map import NATIVE_MAP
from protocols.quantities import HOUR, format_date, format_moment
from protocols.sealed_message import MessageKind, Outcome, encode_limits
from tests.support.meters import Host, make
from tests.support.racks import tcp_server
from tests.unit.firmware_sim.test_all_readings import (
    NEW_YEAR,
    PAGE,
    command,
    in_use,
    of_page,
    registers,
)

REGISTERS, EVENTS = PAGE.read_text(), (PAGE.parent / "events.md").read_text()
Codes = dict[str, dict[int, str]]


def first_table(text: str) -> list[list[str]]:
    """Return the rows of the first table of a text."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = takewhile(lambda line: line.startswith("|"), lines[first + 2 :])
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in rows]


def table_after(page: str, title: str) -> list[list[str]]:
    """Return the rows of the first table after a heading."""
    return first_table(f"\n{page}".partition(f"\n{title}\n")[2])


def codes_of(page: str) -> Codes:
    """Return the word of each number under each name of the section of codes."""
    codes: Codes = {}
    section = page.partition("\n## Codes\n")[2]
    for found in re.finditer(r"^Of (`[^:]+):\n", section, re.MULTILINE):
        words = {
            int(re.sub(r".*\(|\)", "", number)): word
            for number, word in first_table(section[found.end() :])
        }
        for name in re.findall(r"`(\w+)`", found[1]):
            codes[name] = words
    return codes


def decoded(name: str, raw: int | str, unit: str, codes: Codes) -> object:
    """Return what a value is as JSON, read by the unit and the codes of a page only."""
    if isinstance(raw, str):
        return raw[-int(unit.split(maxsplit=1)[0]) :]
    unit, _, off = unit.partition("; all ones: ")
    if off and raw + 1 in (2**16, 2**32, 2**64):
        return None
    if unit == "code":
        word = codes[name][raw]
        return word == "on" if word in ("on", "off") else word
    if unit == "bits":
        return [word for bit, word in codes[name].items() if raw & bit]
    if unit.startswith("ms since 1970-01-01T00:00:00Z"):
        return format_moment(raw) if raw else None
    if unit.startswith("days since 1970-01-01"):
        return format_date(raw) if raw else None
    if found := re.match(r"identifier of (\d+) hexadecimal digits", unit):
        return f"{raw:0{found[1]}x}"
    if unit.startswith("minutes of two windows"):
        end_2, start_2, end_1, start_1 = raw.to_bytes(8, "big").hex(" ", 2).split()
        pairs = [(int(a, 16), int(b, 16)) for a, b in ((start_1, end_1), (start_2, end_2))]
        times = [
            [f"{m // 60:02d}:{m % 60:02d}" for m in pair] for pair in pairs if len({*pair}) > 1
        ]
        return ",".join("-".join(pair) for pair in times) or "off"
    one = "1" if unit == "number" else unit.split()[0]
    return raw * Decimal(one)


def as_shown(shown: object, of_page_value: object) -> object:
    """Return a shown number with the decimals of the page, cut towards zero."""
    if isinstance(shown, Decimal) and isinstance(of_page_value, Decimal):
        return shown.quantize(of_page_value, ROUND_DOWN)
    return shown


def json_of(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize("of", [in_use, make], ids=["in use", "new, much of it off"])
def test_a_reader_of_the_page_decodes_every_register(of: Callable[[], Meter]) -> None:
    meter, codes = of(), codes_of(REGISTERS)
    shown = {item.name: json_of(item.kind.json(read(meter, item))) for item in GETTERS}
    rows = re.findall(
        r"^\| (\d+) \| (\d+) \| (\w+) \| `(\w+)` \| ([^|]*) \|", REGISTERS, re.MULTILINE
    )
    for address, count, kind, name, unit in rows:
        assert unit, name
        raw = of_page(registers(meter, int(address), int(count)), kind)
        value = decoded(name, raw, unit, codes)
        assert value == as_shown(shown[name], value), name
    assert {name for *_, name, _ in rows} == set(shown)


def row_of(data: bytes, title: str, codes: Codes) -> dict[str, object]:
    """Return the columns of a row, read by the table under a title."""
    values, at = {}, 0
    for name, kind, unit in table_after(REGISTERS, title):
        size = int(kind[1:]) // 8
        raw = int.from_bytes(data[at : at + size], "big", signed=kind[0] == "i")
        values[name] = decoded(name, raw, unit, codes)
        at += size
    return values


def test_a_reader_of_the_page_decodes_purchases() -> None:
    data = registers(in_use(), 512, 34)
    row = row_of(data, "## Purchase records", codes_of(REGISTERS))
    shown = {n: json_of(text) for n, text in Purchase.unpack(data).fragments().items()}
    assert row == {name: as_shown_wide(value, row[name]) for name, value in shown.items()}
    assert (row["kind"], row["carrier"], row["amount"]) == ("credit", "wire", Decimal("12.5"))


def as_shown_wide(shown: object, value: object) -> object:
    """Return what was read where the shown money, cut to 0.01, is the same."""
    if isinstance(shown, Decimal) and isinstance(value, Decimal):
        return value if value.quantize(shown, ROUND_DOWN) == shown else shown
    return shown


def events_of(meter: Meter) -> list[bytes]:
    """Return the rows of the newest events, which one exchange of function 23 reads."""
    window = next(w for w in NATIVE_MAP.row_windows if w.table.name == "events")
    pdu = bytes.fromhex("17 1002 0075 1000 0002 04 00000000")
    request = b"\0\7\0\0" + (1 + len(pdu)).to_bytes(2, "big") + b"\1" + pdu
    rows = tcp_server(Rack([(1, meter)], 0)).receive(request, 0)[9 + 6 :]
    size = window.table.row_size
    return [rows[at : at + size] for at in range(0, window.rows * size, size)]


def test_a_reader_of_the_pages_decodes_events_and_their_details() -> None:
    codes = codes_of(EVENTS)
    kinds = {int(code): (name, a, b) for code, name, a, b in table_after(EVENTS, "# Events")}
    told = []
    for data in events_of(in_use()):
        row, event = row_of(data, "### Rows of events", {}), Event.unpack(data)
        name, *details = kinds[int(str(row["code"]))]
        found: dict[str, object] = {}
        for column, detail in zip("ab", details, strict=True):
            if detail:
                what, _, unit = detail.partition("`: ")
                found[what] = decoded(what, int(str(row[column])), unit, codes)
        shown = {n: json_of(text) for n, text in event.detail_fragments().items()}
        as_lists = {n: [v] if isinstance(found[n], list) else v for n, v in shown.items()}
        assert found == {n: as_shown_wide(v, found[n]) for n, v in as_lists.items()}
        assert name == event.name
        told.append(name)
    assert {"credit_refunded", "trip_pending", "moratorium_set"} <= {*told}


def test_the_page_tells_the_bits_of_profile_rows() -> None:
    bits = {
        "import": (ProfileRecord(0, 5, 0, power_down=True), ProfileRecord(0, 5, 0, clock_set=True)),
        "export": (ProfileRecord(0, 0, 5, supply_open=True),),
    }
    for name, _, unit in table_after(REGISTERS, "### Rows of profile")[1:]:
        flags = [int(bit) for bit in re.findall(r"(\d+) `", unit)]
        at = 4 if name == "import" else 8
        found = [int.from_bytes(record.pack()[at : at + 4], "big") for record in bits[name]]
        assert found == [5 | 1 << bit for bit in flags]


def test_the_page_says_what_a_reader_of_registers_alone_cannot_see() -> None:
    text = " ".join(REGISTERS.split())
    assert "On TCP unit 0 and unit 255 address the meter when it is alone on the port" in text
    assert "exists on serial framings only" in text
    assert "no NaN" in text


def test_the_page_says_what_setting_the_clock_back_does_to_the_rows_of_offsets() -> None:
    meter = make(start=NEW_YEAR)
    host = Host(meter)

    def set_offset(minutes: int, elapsed_ms: int) -> None:
        meter.advance(elapsed_ms)
        parameters = encode_limits({items.UTC_OFFSET.setting: minutes})
        assert host.send(MessageKind.LIMITS, parameters=parameters).outcome is Outcome.ACCEPTED

    set_offset(60, HOUR)
    set_offset(120, 3 * HOUR)
    changes = ((0, 0), (NEW_YEAR + HOUR, 60), (NEW_YEAR + 3 * HOUR, 120))
    assert offset_changes(meter.state) == changes
    command(host, MessageKind.CLOCK, NEW_YEAR + 2 * HOUR)
    assert offset_changes(meter.state) == ((0, 0), (NEW_YEAR + HOUR, 120))
    assert (
        "setting the clock back drops the rows that began after its new instant, and the last row "
        "that is left has the offset in force, for the records made since its beginning too"
    ) in " ".join(REGISTERS.split())
