"""monitor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from meterctl.cli.arguments import LOOK
from meterctl.cli.frame_output import Notices, moment_text, print_bytes, print_line
from meterctl.cli.frames import FramingOption, framing_of, given_unit, is_of
from meterctl.cli.options import Options, options
from meterctl.cli.output import print_json, say
from meterctl.errors import UsageError
from meterctl.operations.monitoring import GARBAGE_BYTES, GarbageWatch, LineMonitor, RelayMonitor
from meterctl.written_files import GrowingFile, require_other
from protocols.command_line import Context, Exit, Option, Program, examples
from protocols.decoded_frames import DecodedFrame, DecoderOptions, RelayedData
from protocols.quantities import parse_duration

_US = 1000
_MONITOR = examples(
    ("meterctl --port /dev/ttyUSB1 monitor", "Show what passes on a line, until Ctrl-C."),
    ("meterctl --port /dev/ttyUSB1 monitor --pcap night.pcap --for 8h", "Keep it for Wireshark."),
    (
        "meterctl --port tcp://192.168.1.50:502 monitor --listen 127.0.0.1:5020",
        "Show what a host that connects to port 5020 asks of that meter.",
    ),
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
    listen: Annotated[
        str | None,
        Option(
            "--listen",
            metavar="HOST:PORT",
            help="Listen here for the hosts of a TCP meter, and relay them to its --port "
            "tcp://HOST:PORT.",
        ),
    ] = None,
    framing: FramingOption = None,
    long: Annotated[bool, Option("--long", help="Show each frame byte by byte.")] = False,
) -> None:
    """Show the frames of others on a serial line as they pass; no byte is ever sent.

    Needs an adapter of its own on the line; on TCP connections are relayed by --listen. Each line
    has the time of arrival (UTC), the pause since the frame before, and what the frame says, with
    names by --map, repeatable as NAME@UNIT; with --unit only of that unit. Ctrl-C ends it with exit
    code 0.
    """
    given = options(context)
    if count is not None and count < 1:
        raise UsageError(f"--count {count}: allowed is 1 and more")
    milliseconds = None if duration is None else parse_duration(duration)
    if milliseconds is not None and milliseconds < 1:
        raise UsageError(f"--for {duration}: allowed is above 0")
    for path in filter(None, (raw, pcap)):
        require_other(path, given.own_files)
    wanted = DecoderOptions(framing_of(framing))
    printer = _Printer(given.json, long, given_unit(context), given.port or "")
    with contextlib.ExitStack() as files:
        kept = _Files(files.enter_context(_kept(raw)), files.enter_context(_kept(pcap)))
        opened = (
            _listening(given, wanted, kept)
            if listen is None
            else _relaying(given, wanted, kept, listen)
        )
        with opened as (line, captured):
            try:
                _show(_until(line, milliseconds, count), kept, captured, printer)
            except KeyboardInterrupt:
                _show(line.rest(), kept, captured, printer)
            printer.conclude(line.unanswered())
    if kept.have_failed:
        raise Exit(UsageError.exit_code)


_Captured = Callable[[DecodedFrame], bytes]
"""From a frame to what the capture file gets for it."""


@contextlib.contextmanager
def _listening(
    given: Options, wanted: DecoderOptions, kept: _Files
) -> Iterator[tuple[LineMonitor, _Captured]]:
    """Open the port of --port to listen to it; raises UsageError."""
    from meterctl.transports.wires import open_listening, wall_microseconds

    if given.port is None:
        raise UsageError("no port: give --port PATH of an adapter on the line")
    kind = given.frame_kind()
    captures = kind.captures()
    kept.begin(captures.header())
    given.release_port()
    transport = open_listening(given.port, say)
    try:
        decoder = kind.decoder(wanted)
        line = LineMonitor(transport, decoder, wall_microseconds, kept.raw.write)
        yield line, captures.packet
    finally:
        transport.close()


@contextlib.contextmanager
def _relaying(
    given: Options, wanted: DecoderOptions, kept: _Files, listen: str
) -> Iterator[tuple[RelayMonitor, _Captured]]:
    """Listen for hosts at --listen, and connect them to the meter of --port; raises UsageError."""
    from meterctl.transports.wires import open_relay, wall_microseconds

    if given.port is None:
        raise UsageError("no port: give --port tcp://HOST:PORT of the meter")
    kind = given.frame_kind()
    capture = kind.captures().of_relay()
    kept.begin(capture.header())

    def received(at_us: int, passed: RelayedData) -> None:
        kept.raw.write(passed.data)
        kept.pcap.write(capture.packets(at_us, passed))

    relay = open_relay(listen, given.port, say)
    say(f"{relay.address}: hosts connect here; Ctrl-C ends it")
    try:
        line = RelayMonitor(relay, kind.decoder, wanted, wall_microseconds, received)
        yield line, lambda _: b""
    finally:
        relay.close()


def _until(
    line: LineMonitor | RelayMonitor, milliseconds: int | None, count: int | None
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
    frames: Iterable[DecodedFrame], kept: _Files, captured: _Captured, printer: _Printer
) -> None:
    for frame in frames:
        kept.pcap.write(captured(frame))
        printer.show(frame)


@dataclass(slots=True)
class _Kept:
    """A file beside the output. One that cannot be written is named, once, and then left."""

    file: GrowingFile | None
    has_failed: bool = False

    def write(self, data: bytes) -> None:
        """Append bytes."""
        if self.file is None or self.has_failed or not data:
            return
        try:
            self.file.write(data)
        except UsageError as error:
            self.has_failed = True
            say(f"meterctl: {error}")


class _Files(NamedTuple):
    """The files beside the output."""

    raw: _Kept
    pcap: _Kept

    def begin(self, header: bytes) -> None:
        """Write the beginning of a capture file; ends the program where that cannot be written."""
        self.pcap.write(header)
        if self.pcap.has_failed:
            raise Exit(UsageError.exit_code)

    @property
    def have_failed(self) -> bool:
        """Whether something is missing in one of them."""
        return self.raw.has_failed or self.pcap.has_failed


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
        self._notices = Notices()
        self._ended_us: int | None = None
        self._frames = self._faulty = self._noise = 0

    def show(self, frame: DecodedFrame) -> None:
        """Print a frame; raises OutputError."""
        self._count(frame)
        if self._unit is None or is_of(frame, self._unit):
            self._notices.take(frame)
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
