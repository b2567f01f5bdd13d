"""frames decode."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated

from meterctl.cli.arguments import LOOK
from meterctl.cli.forms import CsvExcelOption, CsvOption, TableForm, table_form
from meterctl.cli.frame_output import moment_text, print_bytes, print_line
from meterctl.cli.options import options
from meterctl.cli.output import emit, emit_csv, print_json, say
from meterctl.cli.values import offered
from meterctl.errors import CorruptAnswerError, UsageError
from meterctl.named_files import read_named_bytes
from meterctl.operations.frame_decoding import Decoded, decode_input, decode_pasted
from protocols.command_line import Argument, Context, Exit, Option, Program, examples
from protocols.decoded_frames import DecodedFrame, DecoderOptions
from protocols.errors import FrameError, QuantityError
from protocols.faults import Way
from protocols.named_files import MAX_SIZE, TOO_LARGE
from protocols.pasted_bytes import parse_pasted

FRAMINGS = ("rtu", "tcp", "ascii")
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
            metavar="HEX...|FILE|-",
            help="Bytes in hexadecimal of any spelling; a file of such text, of bytes, or a pcap "
            "capture; - for stdin.",
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

    Registers and values are named by --map; with --unit only the frames of that unit are shown.
    Requests and replies are paired; bytes that are no frame are shown as such. Exit code 5: some
    bytes are no frame, or a frame has a wrong check. Codes of sealed messages are not verified.
    """
    given = options(context)
    form = table_form(given.json, as_csv, for_excel)
    wanted = _options_of(framing, request, reply, address)
    kind = given.frame_kind()
    try:
        if _is_typed(words):
            decoded = decode_pasted(parse_pasted(" ".join(words)), kind.decoder, wanted)
        else:
            decoded = decode_input(_read(words[0]), kind.decoder, wanted, kind.captures())
    except (QuantityError, FrameError) as error:
        what = "" if _is_typed(words) else f"{words[0]}: "
        raise UsageError(f"{what}{error}; nothing was decoded") from error
    if not decoded.frames:
        raise UsageError("there are no bytes to decode")
    unit = given.unit if _is_given(context, "unit") else None
    _print(decoded, unit, form, short=short)
    _conclude(decoded)


def _options_of(
    framing: str | None, request: bool, reply: bool, address: str | None
) -> DecoderOptions:
    """Return what the user says of the bytes; raises UsageError."""
    if framing is not None and framing not in FRAMINGS:
        raise UsageError(f"--framing {framing}: allowed is {', '.join(FRAMINGS)}")
    if request and reply:
        raise UsageError("give --request or --reply, not both")
    direction = Way.REQUEST if request else Way.REPLY if reply else None
    return DecoderOptions(framing or "", direction, _address(address))


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


def _is_given(context: Context, name: str) -> bool:
    """Return whether a common option was given, and not left to its default."""
    source = context.find_root().get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


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


def _print(decoded: Decoded, unit: int | None, form: TableForm, *, short: bool) -> None:
    """Print the frames of a unit, or all of them; raises OutputError."""
    shown = [frame for frame in decoded.frames if unit is None or _is_of(frame, unit)]
    if form.is_csv:
        emit_csv((frame.fragments() for frame in shown), DecodedFrame.KEYS, form)
    for place, frame in enumerate(() if form.is_csv else shown):
        if form is TableForm.JSON:
            print_json(frame.fragments())
            continue
        before = "" if frame.at_us is None else f"{moment_text(frame.at_us)}  "
        print_line(frame, _notes(frame) if len(decoded.frames) > 1 else (), before)
        if not short:
            print_bytes(frame)
            if place < len(shown) - 1:
                emit("")
    hidden = len(decoded.frames) - len(shown)
    if hidden:
        say(f"{hidden} of {len(decoded.frames)} are not of unit {unit} and not shown")


def _is_of(frame: DecodedFrame, unit: int) -> bool:
    return not frame.is_frame or frame.decoded.get("unit") == str(unit)


def _notes(frame: DecodedFrame) -> list[str]:
    """Return what the other frames say about one: the reply of a request."""
    reply = frame.decoded.get("answered_by")
    if reply is None or frame.direction is not Way.REQUEST:
        return []
    if frame.decoded.get("unit") == "0" and frame.decoded["framing"] != '"tcp"':
        return []
    return ["without a reply" if reply == "null" else f"answered by {reply}"]


def _conclude(decoded: Decoded) -> None:
    """Say what was skipped; end with code 5 where bytes were not decoded."""
    if decoded.skipped:
        say(f"{decoded.skipped} lines hold no bytes of a line and were skipped")
    if decoded.undecoded:
        say(f"meterctl: {decoded.undecoded} of {decoded.size} bytes are no frame without a fault")
        raise Exit(CorruptAnswerError.exit_code)
