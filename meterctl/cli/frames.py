"""frames decode."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.frame_output import Notices, moment_text, print_bytes, print_line
from meterctl.cli.options import options
from meterctl.cli.output import emit, emit_csv, print_json, say
from meterctl.cli.values import offered
from meterctl.drivers.table import MODBUS
from meterctl.errors import CorruptAnswerError, UsageError
from meterctl.named_files import read_named_bytes
from meterctl.operations.frame_decoding import decode_input, decode_pasted
from protocols.command_line import Argument, Context, Exit, Option, Program, examples
from protocols.decoded_frames import DecodedFrame, DecoderOptions
from protocols.errors import FrameError, QuantityError
from protocols.faults import Way
from protocols.named_files import MAX_SIZE, TOO_LARGE
from protocols.pasted_bytes import parse_pasted

FRAMINGS = MODBUS.framings
STDIN = "-"
_MAX_ADDRESS = 0xFFFF
_OPTION_LIKE = re.compile(r"--?[A-Za-z][A-Za-z-]*(=.*)?")
_NAMES = re.compile(r".*(/.*|\.[A-Za-z]\w*)")
_frames = Program("Explain the frames of a line.")
_DECODE = examples(
    ("meterctl frames decode 01 03 00 40 00 02 c5 df", "One frame, byte by byte."),
    ("meterctl --port m1.tty --trace status 2>&1 | meterctl frames decode -", "A trace."),
    ("meterctl frames decode night.pcap --short --map sdm630", "A capture, a line a frame."),
)

FramingOption = Annotated[
    str | None,
    Option(
        "--framing",
        metavar="|".join(FRAMINGS),
        help="Framing of the bytes.",
        show_default="found out",
        autocompletion=offered(*FRAMINGS),
    ),
]


def add_to(app: Program) -> None:
    """Add the commands of this file."""
    app.add_typer(_frames, name="frames", rich_help_panel=LOOK)


@_frames.command("decode", epilog=_DECODE, context_settings={"ignore_unknown_options": True})
def decode(
    context: Context,
    words: Annotated[
        list[str],
        Argument(
            metavar="HEX|FILE|-",
            help="Bytes in hexadecimal of any spelling; a file of such text, of bytes, or a pcap "
            "or pcapng capture; - for stdin.",
        ),
    ],
    framing: FramingOption = None,
    request: Annotated[bool, Option("--request", help="All frames are requests.")] = False,
    reply: Annotated[bool, Option("--reply", help="All frames are replies.")] = False,
    address: Annotated[
        str | None,
        Option(
            metavar="N",
            help="Wire address, such as 64 or 0x40, of the first value in a reply whose request "
            "is not among the frames.",
        ),
    ] = None,
    short: Annotated[bool, Option("--short", help="Show each frame in one line.")] = False,
    as_csv: CsvOption = False,
    for_excel: CsvExcelOption = False,
) -> None:
    """Explain frames byte by byte: Modbus RTU, TCP and ASCII, found in any bytes.

    Registers and values are named by --map, repeatable as NAME@UNIT, until a unit shows the mark of
    another map; with --unit only the frames of that unit are shown. Requests and replies are
    paired; bytes that are no frame are shown as such. Exit code 5: some bytes are no frame, or a
    frame has a wrong check. Codes of sealed messages are not verified.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    wanted = _options_of(framing, request, reply, address)
    kind = given.frame_kind()
    what = "" if _is_typed(words) else f"{words[0]}: "
    try:
        if _is_typed(words):
            pasted = parse_pasted(" ".join(words))
            decoded = decode_pasted(pasted, kind.decoder, wanted, kind.captures())
        else:
            decoded = decode_input(_read(words[0]), kind.decoder, wanted, kind.captures())
    except QuantityError as error:
        raise UsageError(f"{what}{error}; nothing was decoded") from error
    seen = _Seen()
    shown = _shown(decoded.frames, given_unit(context), seen)
    try:
        _print(shown, form, short=short)
    except FrameError as error:
        raise UsageError(f"{what}{error}; the frames before it were decoded") from error
    _conclude(seen, decoded.skipped)


@dataclass(slots=True)
class _Seen:
    """What was decoded: numbers of frames, and of bytes."""

    frames: int = 0
    hidden: int = 0
    size: int = 0
    undecoded: int = 0


def _shown(frames: Iterable[DecodedFrame], unit: int | None, seen: _Seen) -> Iterator[DecodedFrame]:
    """Yield the frames of a unit, or all of them."""
    notices = Notices()
    for frame in frames:
        seen.frames += 1
        seen.size += len(frame.raw)
        seen.undecoded += 0 if frame.is_right else len(frame.raw)
        if unit is None or is_of(frame, unit):
            notices.take(frame)
            yield frame
        else:
            seen.hidden += 1


def _options_of(
    framing: str | None, request: bool, reply: bool, address: str | None
) -> DecoderOptions:
    """Return what the user says of the bytes; raises UsageError."""
    if request and reply:
        raise UsageError("give --request or --reply, not both")
    direction = Way.REQUEST if request else Way.REPLY if reply else None
    return DecoderOptions(framing_of(framing), direction, _address(address))


def framing_of(text: str | None) -> str:
    """Return the word of --framing, empty without it; raises UsageError."""
    if text is not None and text not in FRAMINGS:
        raise UsageError(f"--framing {text}: allowed is {', '.join(FRAMINGS)}")
    return text or ""


def _address(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        address = int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError as error:
        raise UsageError(f"--address {text}: write it as 64 or 0x40") from error
    if not 0 <= address <= _MAX_ADDRESS:
        raise UsageError(f"--address {text}: allowed is 0 to {_MAX_ADDRESS}")
    return address


def given_unit(context: Context) -> int | None:
    """Return the unit of --unit, None where it was left to its default."""
    source = context.find_root().get_parameter_source("unit")
    is_given = source is not None and source.name == "COMMANDLINE"
    return options(context).unit if is_given else None


def _is_typed(words: list[str]) -> bool:
    """Return whether the words are bytes, and not the name of a file; raises UsageError."""
    for word in words:
        if _OPTION_LIKE.fullmatch(word):
            raise UsageError(f"there is no option {word}; nothing was decoded")
    if len(words) > 1:
        return True
    if words[0] == STDIN or os.path.exists(words[0]):
        return False
    return _NAMES.fullmatch(words[0]) is None


def _read(name: str) -> bytes:
    """Return the bytes of a file or of stdin; raises UsageError."""
    if name != STDIN:
        try:
            return read_named_bytes(Path(name))
        except UsageError as error:
            raise UsageError(f"file {name}: {error}; nothing was decoded") from error
    if sys.stdin is None:
        raise UsageError("stdin is closed; nothing was decoded")
    data = sys.stdin.buffer.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise UsageError(f"stdin: {TOO_LARGE}; nothing was decoded")
    return data


def _print(frames: Iterator[DecodedFrame], form: TableForm, *, short: bool) -> None:
    """Print frames; raises OutputError."""
    if form.is_csv:
        emit_csv((frame.fragments() for frame in frames), DecodedFrame.KEYS, form)
        return
    for place, frame in enumerate(frames):
        if form is TableForm.JSON:
            print_json(frame.fragments())
            continue
        if place and not short:
            emit("")
        before = "" if frame.at_us is None else f"{moment_text(frame.at_us)}  "
        print_line(frame, _notes(frame), before)
        if not short:
            print_bytes(frame)


def is_of(frame: DecodedFrame, unit: int) -> bool:
    """Return whether a frame is of a unit, or no frame."""
    return not frame.is_frame or frame.decoded.get("unit") == str(unit)


def _notes(frame: DecodedFrame) -> list[str]:
    """Return what the other frames say about one: the reply of a request."""
    reply = frame.decoded.get("answered_by")
    if reply is None or frame.direction is not Way.REQUEST:
        return []
    if frame.decoded.get("unit") == "0" and frame.decoded["framing"] != '"tcp"':
        return []
    return ["without a reply" if reply == "null" else f"answered by {reply}"]


def _conclude(seen: _Seen, skipped: int) -> None:
    """Say what was skipped; end with code 5 where bytes were not decoded."""
    if skipped:
        say(f"{skipped} lines hold no bytes of a line and were skipped")
    if not seen.frames:
        raise UsageError("there are no bytes to decode")
    if seen.hidden:
        say(f"{seen.hidden} of {seen.frames} are of other units and not shown")
    if seen.undecoded:
        say(f"meterctl: {seen.undecoded} of {seen.size} bytes are no frame without a fault")
        raise Exit(CorruptAnswerError.exit_code)
