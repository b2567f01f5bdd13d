"""monitor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.frame_output import moment_text, print_bytes, print_line
from meterctl.cli.frames import FramingOption, framing_of, given_unit, is_of
from meterctl.cli.options import Options, options
from meterctl.cli.output import print_json, say
from meterctl.errors import UsageError
from meterctl.operations.monitoring import GARBAGE_BYTES, GarbageWatch, LineMonitor
from meterctl.written_files import GrowingFile
from protocols.command_line import Context, Exit, Option, Program, examples
from protocols.decoded_frames import CaptureFormat, DecodedFrame, DecoderOptions
from protocols.quantities import parse_duration

_US = 1000
_MONITOR = examples(
    ("meterctl --port /dev/ttyUSB1 monitor", "Show what passes on a line, until Ctrl-C."),
    ("meterctl --port /dev/ttyUSB1 monitor --pcap night.pcap --for 8h", "Keep it for Wireshark."),
)


def add_to(app: Program) -> None:
    """Add the command of this file."""
    app.command("monitor", rich_help_panel=LOOK, epilog=_MONITOR)(monitor)


def monitor(
    context: Context,
    raw: Annotated[
        Path | None,
        Option("--raw", metavar="FILE", help="Keep the bytes as they pass in a new file."),
    ] = None,
    pcap: Annotated[
        Path | None,
        Option("--pcap", metavar="FILE", help="Keep the frames in a new file for Wireshark."),
    ] = None,
    count: Annotated[
        int | None, Option("--count", metavar="N", help="End after so many frames.")
    ] = None,
    duration: Annotated[
        str | None, Option("--for", metavar="TIME", help="End after this time, such as 10m.")
    ] = None,
    framing: FramingOption = None,
    long: Annotated[bool, Option("--long", help="Show each frame byte by byte.")] = False,
) -> None:
    """Show the frames of others on a serial line as they pass; no byte is ever sent.

    Needs an adapter of its own on the line. Each line has the time of arrival (UTC), the pause
    since the frame before, and what the frame says, with names by --map; with --unit only of that
    unit. Ctrl-C ends it with exit code 0.
    """
    given = options(context)
    if count is not None and count < 1:
        raise UsageError(f"--count {count}: allowed is 1 and more")
    milliseconds = None if duration is None else parse_duration(duration)
    if milliseconds is not None and milliseconds < 1:
        raise UsageError(f"--for {duration}: allowed is above 0")
    wanted = DecoderOptions(framing_of(framing))
    printer = _Printer(given.json, long, given_unit(context), given.port or "")
    with contextlib.ExitStack() as files:
        raw_file = files.enter_context(_kept(raw))
        pcap_file = files.enter_context(_kept(pcap))
        kind = given.frame_kind()
        captures = kind.captures()
        pcap_file.write(captures.header())
        if pcap_file.has_failed:
            raise Exit(UsageError.exit_code)
        with _listening(given, wanted, raw_file) as line:
            passing = _until(line, milliseconds, count)
            with contextlib.suppress(KeyboardInterrupt):
                _show(passing, pcap_file, captures, printer)
            _show(line.rest(), pcap_file, captures, printer)
            printer.conclude(line.unanswered())
    if raw_file.has_failed or pcap_file.has_failed:
        raise Exit(UsageError.exit_code)


@contextlib.contextmanager
def _listening(given: Options, wanted: DecoderOptions, raw: _Kept) -> Iterator[LineMonitor]:
    """Open the port of --port to listen to it; raises UsageError."""
    from meterctl.transports.wires import open_listening, wall_microseconds

    if given.port is None:
        raise UsageError("no port: give --port PATH of an adapter on the line")
    transport = open_listening(given.port, say)
    try:
        decoder = given.frame_kind().decoder(wanted)
        yield LineMonitor(transport, decoder, wall_microseconds, raw.write)
    finally:
        transport.close()


def _until(
    line: LineMonitor, milliseconds: int | None, count: int | None
) -> Iterator[DecodedFrame]:
    """Yield the frames up to the end that was asked for."""
    from meterctl.transports.wires import wall_microseconds

    until_us = None if milliseconds is None else wall_microseconds() + _US * milliseconds
    seen = 0
    for frame in line.frames(until_us):
        yield frame
        seen += frame.is_frame
        if seen == count:
            return


def _show(
    frames: Iterable[DecodedFrame], pcap: _Kept, captures: CaptureFormat, printer: _Printer
) -> None:
    for frame in frames:
        pcap.write(captures.packet(frame))
        printer.show(frame)


@dataclass(slots=True)
class _Kept:
    """A file beside the output. One that cannot be written is named, once, and then left."""

    file: GrowingFile | None
    has_failed: bool = False

    def write(self, data: bytes) -> None:
        """Append bytes."""
        if self.file is None or self.has_failed:
            return
        try:
            self.file.write(data)
        except UsageError as error:
            self.has_failed = True
            say(f"meterctl: {error}")


@contextlib.contextmanager
def _kept(path: Path | None) -> Iterator[_Kept]:
    """Open a new file; raises UsageError."""
    if path is None:
        yield _Kept(None)
        return
    with GrowingFile(path) as file:
        yield _Kept(file)


class _Printer:
    """Prints frames as they pass, and doubts the settings of the port where none is right."""

    def __init__(self, as_json: bool, long: bool, unit: int | None, port: str) -> None:
        self._json, self._long, self._unit, self._port = as_json, long, unit, port
        self._garbage = GarbageWatch()
        self._ended_us: int | None = None
        self._frames = self._faulty = self._noise = 0

    def show(self, frame: DecodedFrame) -> None:
        """Print a frame; raises OutputError."""
        self._count(frame)
        if self._unit is None or is_of(frame, self._unit):
            self._print(frame)
        self._ended_us = frame.ended_us
        if self._garbage.is_doubtful(frame):
            say(
                f"{GARBAGE_BYTES} bytes on {self._port} and no frame among them: is it another "
                f"speed or parity? Try --baud and --parity"
            )

    def conclude(self, unanswered: int) -> None:
        """Say what was seen."""
        say(
            f"{self._frames} frames, {self._faulty} of them faulty; {self._noise} bytes that are "
            f"no frame; {unanswered} requests without a reply"
        )

    def _count(self, frame: DecodedFrame) -> None:
        if frame.is_frame:
            self._frames += 1
            self._faulty += not frame.is_right
        else:
            self._noise += len(frame.raw)

    def _print(self, frame: DecodedFrame) -> None:
        if self._json:
            print_json(frame.fragments())
            return
        at_us = frame.at_us or 0
        pause = "" if self._ended_us is None else f" +{(at_us - self._ended_us) / 1000:.1f} ms"
        left = frame.decoded.get("unanswered", "[]").strip("[]")
        notes = [f"no reply to {left}"] if left else []
        print_line(frame, notes, f"{moment_text(at_us)}{pause}  ")
        if self._long:
            print_bytes(frame)
