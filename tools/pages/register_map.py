"""docs/register-map.md: items, tables, windows and areas of a register map."""

from __future__ import annotations

from pages import NOTE, head, row
from pages.codings import FRIENDLY_HOURS, UNITS, code_tables, coding
from pages.tariff_window import tariff_window
from protocols.data_model.kinds import Kind
from protocols.data_model.tables import (
    TABLES,
    UTC_OFFSETS,
    Event,
    Freeze,
    OffsetChange,
    Purchase,
    Row,
)
from protocols.data_model.words import Status
from protocols.modbus.areas import Area
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RUNNING, SERVER_ID, RegisterMap
from protocols.modbus.register_parts import Register, Section
from protocols.modbus.sealed_windows import (
    ANSWER_REGISTERS,
    MESSAGE_PART,
    RECEIPT_REGISTERS,
    STATUS_REGISTERS,
)
from protocols.modbus.value_layout import ValueType


def unit_of(register: Register) -> str:
    """Return how the number of a value on the wire is read, such as 0.01 kWh."""
    return coding(register.item.name, register.item.kind, register.layout.decimals)


def type_of(register: Register) -> str:
    """Return the type of a value on the wire, such as u32."""
    if register.layout.type is ValueType.BCD:
        return "BCD"
    return ("i" if register.layout.signed else "u") + str(16 * register.width)


def register_map(m: RegisterMap = NATIVE_MAP) -> str:
    """Return docs/register-map.md, the page of the native map."""
    assert m.mark is not None
    out = [
        "# The native Modbus map\n\n",
        NOTE,
        "\n",
        "A meter has this map where no other one is named (docs/maps.md). "
        "Holding and input registers carry the same map. Addresses are wire addresses, from 0; "
        "numbers are big-endian, the high register first. Registers 0 to "
        f"{m.zeros[0].extent.stop - 1} have no gaps: unused registers read 0, and a read may begin "
        "and end anywhere. Energy wraps at 1,000,000.00 kWh, money saturates at 999,999.99 with a "
        'status bit. "Off" is all ones.\n\n'
        "There are no floating-point numbers and no NaN. What a meter does not have reads 0: "
        "voltage, current and power of phases that it is not wired for or that have failed, "
        "instants that are never, prices and additions beyond its tariff. A step limit beyond its "
        "tariff and an energy that the meter does not keep (docs/energies.md) read off.\n\n"
        "On TCP unit 0 and unit 255 address the meter when it is alone on the port; of several "
        "each has its own unit. Broadcast (unit 0, executed by each meter and answered by none) "
        "exists on serial framings only.\n\nNo register moves credit or the switch; only sealed "
        "messages in the message window do (docs/sealed-messages.md).\n\n## Identity mark\n\n",
        f"Registers 0 and 1 hold `{m.mark.data.decode()}`; registers 0 to 9 never change.\n",
    ]
    out += [item_table(s) for s in m.sections if s.registers[0].area & Area.REGISTERS]
    assert m.tariff is not None
    out += [row_tables(m), sealed_windows(m), tariff_window(m.tariff)]
    return "".join([*out, scratch_and_inputs(m), code_section(m)])


def item_table(section: Section) -> str:
    """Return the registers of a section as a table."""
    return "".join(
        [
            f"\n## {section.title}\n\n",
            head("address", "registers", "type", "item", "unit", "meaning"),
            *(
                row(r.address, r.width, type_of(r), f"`{r.item.name}`", unit_of(r), r.item.meaning)
                for r in section.registers
            ),
        ]
    )


def row_tables(m: RegisterMap) -> str:
    """Return where a map has rows of tables: one list, and cursor windows."""
    (purchases,) = m.row_lists
    assert purchases.rows == 10
    out = [
        "\n## Purchase records\n\n",
        f"From {purchases.address}: ten rows of {purchases.row_registers} registers, newest first; "
        f"absent rows read 0.\n\n{columns(Purchase)}",
        "\n## Cursor windows\n\n",
        "Write the number of the first row (u32; 0 is the newest rows), then read from two "
        "registers on: the number of the first row (u32), the row count (u16), the rows. Function "
        "23 does both in one exchange. The cursor belongs to the session (TCP connection or serial "
        "line).\n\n",
        head("cursor at", "read at", "registers", "table", "rows per read"),
    ]
    for w in m.row_windows:
        out.append(
            row(
                f"{w.address:#06x}",
                f"{w.read_address:#06x}",
                w.read_registers,
                w.table.name + " in rows of older builds" * w.older_rows,
                w.rows,
            )
        )
    out.append(
        "\nRows of freezes have 76 bytes. Builds before state layout 5 showed 68, without the last "
        "column; the windows at 0x1200 and 0x1300 still do, so that what reads them goes on. A "
        "meter of such a build refuses the newer windows with exception 02. A freeze that such a "
        "build made is off in the last column.\n"
    )
    for title, columns_table in (
        ("events", columns(Event)),
        ("profile", _PROFILE_ROW),
        ("daily_freezes and billing_freezes", columns(Freeze)),
        ("utc_offsets", columns(OffsetChange)),
    ):
        out.append(f"\n### Rows of {title}\n\n{columns_table}")
    out.append(
        "\ndocs/events.md lists the events: `code`, and what `a` and `b` are. The meter keeps: "
        + ", ".join(f"{t.depth} {name}" for name, t in TABLES.items() if t != UTC_OFFSETS)
        + " (profile: `profile_days` x 96).\n\nRecords carry instants of UTC. `utc_offsets` says "
        "which offset local time had or will have at each: from the instant of a row on, until "
        "that of the next. Row 1 covers all before row 2. Of a meter with a time zone these are "
        "all changes to 2106, else the values that `utc_offset_minutes` had; setting the clock "
        "back drops the rows that began after its new instant, and the last row that is left has "
        "the offset in force, for the records made since its beginning too. "
        "Without a number the rows up to the next change are shown.\n"
    )
    return "".join(out)


def sealed_windows(m: RegisterMap) -> str:
    """Return where a map has the windows for sealed messages."""
    assert m.windows is not None
    w = m.windows
    rows = (
        (
            w.message,
            "write",
            "total, offset and size in bytes, commit (each u16), then at most "
            f"{MESSAGE_PART} bytes, padded to whole registers. Parts are consecutive; the part "
            "with commit 1 completes the message and delivers it. Function 16 or 23",
        ),
        (
            w.answer,
            "read",
            f"{ANSWER_REGISTERS} registers: state (0 none, 1 answered), the answer, "
            "the size of the receipt (u16), the sealed receipt. For this session's last message",
        ),
        (
            w.receipt,
            "write",
            "class (0 credit, 1 command; u16) and sequence (u32) of a receipt",
        ),
        (
            w.receipt_read,
            "read",
            f"{RECEIPT_REGISTERS} registers: its size (0: none), the sealed receipt",
        ),
        (
            w.status,
            "write",
            "nonce (8 bytes), number of a journal (u32), key version (u16) of a question",
        ),
        (
            w.status_read,
            "read",
            f"{STATUS_REGISTERS} registers: its size (0: none under that version), the "
            "sealed status. Function 23 does both",
        ),
    )
    return (
        "\n## The message window\n\n"
        + head("address", "access", "content")
        + "".join(row(f"{address:#06x}", access, content) for address, access, content in rows)
    )


def scratch_and_inputs(m: RegisterMap) -> str:
    """Return the scratch registers and coils, the discrete inputs and the identification."""
    registers, coils = m.scratch
    inputs = m.runs(Area.DISCRETE)[0]
    bits = [
        row(flag.value.bit_length() - 1, name.lower())
        for name, flag in Status.__members__.items()
        if flag.value
    ]
    return "".join(
        [
            "\n## Scratch, inputs, identification\n\n",
            f"Registers {registers.address:#06x} to {registers.extent.stop - 1:#06x} and coils "
            f"0 to {coils.size - 1} have no effect: use them for write tests, broadcast included. "
            f"Discrete inputs 0 to {inputs.stop - 1} are the bits of `status`:\n\n",
            head("bit", "status"),
            *bits,
            "\nFunction 43/14 returns: ",
            ", ".join(value.decode() for value in m.identification.values()),
            f". Function 17 returns the server identifier {SERVER_ID:02X}, {RUNNING:02X} (running) "
            f"and `{m.server_data('000000000001')[2:].decode()}`: product name and serial number.\n"
            f"\nFunctions: {', '.join(map(str, sorted(map(int, m.functions))))}. Function 22, like "
            "function 6, writes scratch registers only.\n",
        ]
    )


def columns(kind: type[Row]) -> str:
    """Return the columns of a row as a table, with type and unit."""
    letters = kind.PACKING.format.removeprefix(">")
    return head("column", "type", "unit") + "".join(
        row(f"`{name}`", _CODES[letter], coding(name, column))
        for letter, (name, column) in zip(letters, kind.columns().items(), strict=True)
    )


_CODES = {"I": "u32", "Q": "u64", "H": "u16", "h": "i16", "q": "i64", "B": "u8"}
_PROFILE_ROW = head("column", "type", "unit") + "".join(
    (
        row("`end`", "u32", "s since 1970-01-01T00:00:00Z"),
        row("import", "u32", "bits 0 to 29: 0.000001 kWh; bit 30 `power_down`, 31 `clock_set`"),
        row("export", "u32", "bits 0 to 29: 0.000001 kWh; bit 30 `supply_open`"),
    )
)


def code_section(m: RegisterMap) -> str:
    """Return the codes of all values that are words, and the windows of time."""
    named: dict[str, Kind] = {f"`{r.item.name}`": r.item.kind for r in m.registers}
    for name, column in Purchase.columns().items():
        named[f"`{name}` of purchases"] = column
    return f"\n## Codes\n\n{UNITS}\n{FRIENDLY_HOURS}{code_tables(named)}"
