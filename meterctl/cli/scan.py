"""scan."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.lists import Columns, Extent, listing_of, print_list
from meterctl.cli.options import Options, options, print_frame
from meterctl.cli.output import print_json, say
from meterctl.cli.scan_settings import (
    AUTO,
    FRAMINGS,
    duration_text,
    settings_of,
    time_out_ms,
    units_of,
)
from meterctl.cli.values import offered
from meterctl.drivers.table import modbus
from meterctl.errors import NoAnswerError, UsageError
from meterctl.operations.scan import FoundMeter, Notice, Progress, Scan, nothing_found, units_text
from protocols.command_line import Context, Option, Program, examples

if TYPE_CHECKING:
    from meterctl.cli.scan_progress import ScanProgress
    from meterctl.drivers.probing import Prober, ProberKind
    from meterctl.operations.scan import Setting

_SHOWN = ("unit", "map", "serial_number", "vendor", "line", "latency_ms")
_KEYS = (
    "unit",
    "address",
    "baud",
    "parity",
    "framing",
    "map",
    "serial_number",
    "vendor",
    "latency_ms",
    "also_fits",
)
_MOST_COMMANDS = 5
"""Meters for which the command to go on with is shown."""
_RETURN_S = 3.0
"""How long a host that closed its connection is waited for; a serial port is not."""
_SCAN = examples(
    ("meterctl --port /dev/ttyUSB0 scan", "Ask all 247 units at 9600 baud."),
    ("meterctl --port /dev/ttyUSB0 scan --baud auto", "Find speed and parity of the line too."),
    ("meterctl --port tcp://192.168.1.50 scan --framing auto", "A gateway of either framing."),
    ("meterctl --port /dev/ttyUSB0 scan --units 1-20,100 --json", "For a script."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("scan", rich_help_panel=LOOK, epilog=_SCAN)(scan)


def scan(
    context: Context,
    units: Annotated[
        str | None,
        Option(
            "--units",
            metavar="LIST",
            help="Ask these units, such as 1,2,5-9.",
            show_default="1-247",
        ),
    ] = None,
    framing: Annotated[
        str | None,
        Option(
            "--framing",
            metavar="|".join((*FRAMINGS, AUTO)),
            help="How frames are packed. auto tries both on a TCP port; ASCII is not supported.",
            show_default="that of the port: tcp:// is tcp, socket:// is rtu-over-tcp",
            autocompletion=offered(*FRAMINGS, AUTO),
        ),
    ] = None,
    all_settings: Annotated[
        bool,
        Option(
            "--all-settings",
            help="Try every setting to the end, also where one has meters already.",
        ),
    ] = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Find the meters on a line or a host, and what each is. Nothing is written to any.

    --baud and --parity take auto and lists such as 9600,19200 here; --baud auto tries the usual
    speeds, each with the parities N, E and O. The first ten units are asked under every setting
    before the others; the scan ends with the first setting that has meters. --timeout is the time
    for one unit, 200ms by default (500ms over a network); a unit that gave damaged bytes or
    answered late is asked again. A map is named where its mark is there, or where it puts a voltage
    and a frequency that are right; --map FILE is tried first.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    if not given.port:
        raise UsageError("no port: give --port PATH or tcp://HOST:PORT, or set METERCTL_PORT")
    register_map = given.register_map()
    driver = given.driver if register_map is None else modbus(register_map, given.map_name)
    kind = driver.prober()
    timeout_ms = given.timeout_ms if _is_given(context, "timeout") else None
    settings = settings_of(given.port, framing, timeout_ms, kind)
    if units is None and _is_given(context, "unit"):
        units = str(given.unit)
    addresses = units_of(units, settings, kind)
    opened = _Opened(given, kind, timeout_ms)
    planned = Scan(settings, addresses, opened.prober, all_settings)
    if given.rehearses(_forecast(planned)):
        return
    say(_forecast(planned))
    given.release_port()
    _carry_out(planned, _Output(given, form))


def _is_given(context: Context, name: str) -> bool:
    """Return whether a common option was given on the command line."""
    source = context.find_root().get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _forecast(planned: Scan) -> str:
    """Return what is asked, and how long that takes at most where no unit answers."""
    settings, asked = planned.settings, units_text(planned.addresses)
    longest = f"takes at most {duration_text(planned.longest_ms)} where no unit answers"
    found = "each meter that is found adds a moment, one that answers late some 10 s"
    if len(settings) == 1:
        return f"asking {asked} ({settings[0].name}) {longest}; {found}"
    first, last = settings[0].name, settings[-1].name
    ends = "" if planned.every_setting else "; it ends with the first that has meters"
    tried = f"under {len(settings)} settings ({first} to {last})"
    return f"asking {asked} {tried} {longest}{ends}; {found}"


@dataclass(frozen=True, slots=True)
class _Opened:
    """Opens the settings of a scan."""

    given: Options
    kind: ProberKind
    timeout_ms: int | None

    @contextlib.contextmanager
    def prober(self, setting: Setting) -> Iterator[Prober]:
        """Open a setting, and ask on it."""
        from meterctl.transports.wires import monotonic_ms, open_transport

        patience_s = _RETURN_S if setting.port.startswith("tcp://") else 0.0
        transport = open_transport(setting.port, patience_s=patience_s)
        try:
            trace = print_frame if self.given.trace else None
            timeout_ms = self.timeout_ms or time_out_ms(setting.port)
            yield self.kind.open(transport, timeout_ms, monotonic_ms, trace)
        finally:
            transport.close()


@dataclass(slots=True)
class _Output:
    """Shows the meters of a scan: as they are found, and at the end."""

    given: Options
    form: TableForm
    shown: list[FoundMeter] = field(default_factory=list)

    def bar(self) -> ScanProgress | None:
        """Return the progress bar, None where it would disturb other output."""
        is_screen = sys.stderr is not None and sys.stderr.isatty()
        mixes = self.form is not TableForm.PEOPLE and sys.stdout and sys.stdout.isatty()
        if not is_screen or mixes or self.given.trace:
            return None
        from meterctl.cli.scan_progress import ScanProgress

        return ScanProgress()

    def found(self, meter: FoundMeter, bar: ScanProgress | None) -> None:
        """Show a meter that was found just now."""
        self.shown.append(meter)
        if self.form is TableForm.JSON:
            print_json(fragments(meter))
        elif bar is not None:
            bar.say(_line(meter))

    def end(self) -> None:
        """Print what was found, and how to go on with it."""
        if self.form is TableForm.JSON:
            return
        if self.shown or self.form is not TableForm.PEOPLE:
            rows = [_row(one) for one in self.shown]
            columns = Columns(_SHOWN, ("unit", "latency_ms"), _KEYS, "-")
            print_list(Extent(None, True, self.form), listing_of(rows), columns)
        if self.form is TableForm.PEOPLE:
            for one in self.shown:
                if one.identity.also_fits:
                    say(f"unit {one.unit}: {' and '.join(one.identity.also_fits)} fits too")
            for one in self.shown[:_MOST_COMMANDS]:
                say(f"go on with: {command(one)}")


def _carry_out(planned: Scan, output: _Output) -> None:
    """Run a scan and show it; what was found is printed also where it is cut short."""
    bar = output.bar()
    try:
        with bar or contextlib.nullcontext():
            for step in planned.run():
                match step:
                    case Progress() if bar is not None:
                        bar.show(step)
                    case FoundMeter():
                        output.found(step, bar)
                    case Notice():
                        (bar.say if bar is not None else say)(step.text)
                    case _:
                        pass
    except KeyboardInterrupt as interrupt:
        output.end()
        raise KeyboardInterrupt(f"interrupted; {_so_far(planned)}") from interrupt
    except NoAnswerError as error:
        output.end()
        raise NoAnswerError(f"{output.given.port}: {error}; {_so_far(planned)}") from error
    output.end()
    if not planned.found:
        raise nothing_found(planned)


def _so_far(planned: Scan) -> str:
    asked, found = planned.asked, len(planned.found)
    return f"{asked} unit{'s were' if asked != 1 else ' was'} asked, {found} found"


def fragments(meter: FoundMeter) -> dict[str, str]:
    """Return a meter that was found as JSON values."""
    setting, identity = meter.setting, meter.identity
    values = {
        "unit": meter.unit,
        "address": setting.port,
        "baud": setting.baud,
        "parity": setting.parity,
        "framing": setting.framing,
        "map": identity.map,
        "serial_number": identity.serial_number,
        "vendor": identity.vendor,
        "latency_ms": meter.latency_ms,
        "also_fits": list(identity.also_fits),
    }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}


def _row(meter: FoundMeter) -> dict[str, str]:
    """Return a meter for a table, with its line in one column."""
    return {**fragments(meter), "line": json.dumps(meter.setting.name)}


def _line(meter: FoundMeter) -> str:
    """Return a meter in one line."""
    identity = meter.identity
    known = filter(None, [identity.map or "map unknown", identity.serial_number, identity.vendor])
    return f"unit {meter.unit}: {', '.join(known)} ({meter.setting.name}, {meter.latency_ms} ms)"


def command(meter: FoundMeter) -> str:
    """Return the command that reads a meter, or looks what it may be."""
    words = ["meterctl", "--port", meter.setting.port, "--unit", str(meter.unit)]
    if meter.identity.map is None:
        return f"{shlex.join(words)} --map FILE read (its map is not known: meter-sim map new)"
    named = [] if meter.identity.map == "native" else ["--map", meter.identity.map]
    return shlex.join([*words, *named, "read"])
