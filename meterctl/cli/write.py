"""write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

from meterctl.cli.arguments import SUPPLY, PayeeOption, serial_number
from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import Options, options
from meterctl.cli.output import item_text, print_result, print_table, reporting_unprinted, say
from meterctl.cli.values import writable_items
from meterctl.errors import MeterctlError, NotPermittedError, UsageError
from meterctl.operations.plain_writes import (
    PlainWrite,
    Written,
    fields_of,
    plain_writes,
    read_all,
    write_each,
)
from meterctl.session import Session
from protocols.command_line import Argument, Context, Option, Program, examples
from protocols.command_line.tables import Table
from protocols.data_model import items
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.value_layout import NAN

_EXAMPLES = examples(
    (
        "meterctl --port m1.tty --map ./mine.toml write low_credit_threshold_1=10",
        "Write a setting that the map marks writable, and read it back.",
    ),
    ("meterctl --port m1.tty write --register 0x2000=0x00ff", "Try a write on scratch."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("write", rich_help_panel=SUPPLY, epilog=_EXAMPLES)(write)


def write(
    context: Context,
    settings: Annotated[
        list[str] | None,
        Argument(
            metavar="ITEM=VALUE...",
            help="Settings that the map marks writable, and their new values.",
            autocompletion=writable_items,
        ),
    ] = None,
    registers: Annotated[
        list[str] | None,
        Option(
            "--register",
            metavar="ADDRESS=VALUE",
            help="Write a scratch register of the map, or several from there on: "
            "0x2000=1,2,0xff. Repeatable.",
        ),
    ] = None,
    coils: Annotated[
        list[str] | None,
        Option(
            "--coil",
            metavar="ADDRESS=VALUE",
            help="Write a scratch coil of the map, or several: 0=1,0,1. Repeatable.",
        ),
    ] = None,
    meter: PayeeOption = None,
) -> None:
    """Write settings without a seal, where the map has them; they are read back and compared.

    Each is one request, sent once: settings first, then registers, then coils, each in the order
    given; the first that fails ends it.
    """
    given = options(context)
    payee = serial_number(meter)
    register_map = given.register_map() or NATIVE_MAP
    writes = plain_writes(register_map, settings or (), registers or (), coils or ())
    if not writes:
        raise UsageError("nothing to write: give ITEM=VALUE, --register or --coil")
    with given.session() as session:
        with _named(None, writes):
            serial = _serial_of(session, payee, register_map.name)
        with _named(serial, writes):
            before = read_all(session.driver, writes)
        where = f"meter {serial}" if serial else f"port {given.port} unit {given.unit}"
        asked = ", ".join(
            f"{one.name}={one.text(one.value)} (now {one.text(old)})"
            for one, old in zip(writes, before, strict=True)
        )
        if not given.confirm(f"{where}: write {asked}", serial):
            return
        looks = "meterctl read shows what stands there"
        with carrying_out(where, meter=serial, looks=looks), _named(serial, writes):
            done = write_each(session.driver, writes, before)
    _print(given, done, serial)


@contextmanager
def _named(serial: str | None, writes: Sequence[PlainWrite]) -> Iterator[None]:
    """Let an error name the meter, and the writes: none was sent where it lists none."""
    try:
        yield
    except MeterctlError as error:
        error.serial_number = error.serial_number or serial
        error.fields = error.fields or fields_of((), writes)
        raise


def _serial_of(session: Session, payee: str | None, map_name: str) -> str | None:
    """Return the serial number that the meter shows, None where its map has none.

    Raises:
        UsageError, NotPermittedError: it is not the one of --meter.
    """
    if not session.driver.holds(items.SERIAL_NUMBER):
        if payee is not None:
            raise UsageError(
                f"--meter {payee}: map {map_name} has no serial_number to compare; nothing was sent"
            )
        return None
    serial: str = session.driver.read([items.SERIAL_NUMBER])[items.SERIAL_NUMBER]
    if payee not in (None, serial):
        raise NotPermittedError(
            f"meter {serial} answers on this port, --meter names {payee}; nothing was written",
            serial_number=serial,
        )
    return serial


def _print(given: Options, done: list[Written], serial: str | None) -> None:
    notes = "; ".join(each.note for each in done if each.note)
    if notes:
        say(f"meterctl: {notes}")
    if given.json:
        values = {each.write.name: each.write.json(each.after) for each in done}
        lists = {name: json.dumps(words) for name, words in fields_of(done, ()).items()}
        print_result(
            {**values, **lists}, as_json=True, outcome=None, serial_number=serial, message=notes
        )
        return
    rows = [
        (each.write.name, _shown(each.write, each.before), _shown(each.write, each.after))
        for each in done
    ]
    with reporting_unprinted(serial):
        print_table(Table(("written", "before", "read back"), rows, ("before", "read back")))


def _shown(write: PlainWrite, value: object) -> str:
    if write.item is None or value is NAN:
        return write.text(value)
    return item_text(write.item, value, 0)
