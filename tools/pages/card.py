"""docs/card.md: commands, files, types, errors and attacks of the card."""

from __future__ import annotations

import re
from dataclasses import fields

from firmware_sim.acceptance.cards import ERRORS, LEAVES_UNUSED
from pages import NOTE, ROOT, head, row
from protocols.card.apdu import Instruction
from protocols.card.files import (
    APPLICATION,
    CREDIT_SLOT,
    MAY_WRITE,
    RETURN_SLOT,
    SIZES,
    CardFile,
    CardType,
)
from protocols.card.keys import KeyReference
from protocols.card.write_back import WriteBack
from protocols.data_model.insertion import InsertionError
from protocols.sealed_message import Outcome

_COMMANDS = (
    (
        "00 A4 04 00",
        Instruction.SELECT,
        "the application; control information: name, serial, life, key versions",
    ),
    ("00 A4 02 00", Instruction.SELECT, "a file, EF01 to EF05"),
    ("00 84 00 00", Instruction.GET_CHALLENGE, "8 bytes"),
    ("00 82 00 kk", Instruction.MUTUAL_AUTHENTICATE, "with key kk: RT and proof in, proof out"),
    (
        "00 B0",
        Instruction.READ_BINARY,
        "P1 = 80 + file, P2 = offset; or offset of the current file",
    ),
    ("00 B2 rr 2C", Instruction.READ_RECORD, "row rr of the log, 1 is the newest"),
    ("00 C0 00 00", Instruction.GET_RESPONSE, "the data that 61xx announced (T=0)"),
    ("0C B0", Instruction.READ_BINARY, "secured; P1 = 80 + file"),
    ("0C D6", Instruction.UPDATE_BINARY, "secured; P1 = 80 + file"),
    ("0C E2 00 28", Instruction.APPEND_RECORD, "secured; a row of the log"),
    (
        "0C D8 vv kk",
        Instruction.PUT_KEY,
        "secured, issuing key: key kk of version vv, wrapped (RFC 3394)",
    ),
    ("80 D8 vv kk", Instruction.PUT_KEY, "blank card: key kk of version vv"),
    ("80 44 00 00", Instruction.ACTIVATE, "blank card: becomes an issued card"),
)
_WIDTHS = {"B": 1, "H": 2, "I": 4, "Q": 8, "q": 8}
_TYPES = {
    CardType.OPEN: "open account: the first credit, sold before the meter was ever read (epoch 0)",
    CardType.PURCHASE: "purchase",
    CardType.REPLACEMENT: "replacement for a lost card",
    CardType.PRESET: "parameter preset: sealed commands, no credit",
    CardType.SERVICE: "service: brings back the state of the meter only",
}


def write_back() -> str:
    """Return the byte table of the write-back's fixed part."""
    lines, at = [], 0
    widths = []
    for count, code in re.findall(r"(\d*)([BHIQqs])", WriteBack.PACKING.format):
        widths += [int(count)] if code == "s" else [_WIDTHS[code]]
    for field, width in zip(fields(WriteBack), widths, strict=False):
        lines.append(f"{at:4} {width:6}    {field.name}")
        at += width
    return "\n".join(lines)


def attacks() -> str:
    """Return the table of attacks with the tests that are named after its rows."""
    rows = (ROOT / "docs" / "card-attacks.csv").read_text().splitlines()[1:]
    source = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    out = head("row", "attack or fault", "defence", "tests")
    for line in rows:
        number, attack, defence = line.split(";", 2)
        digits = f"{int(number):02d}"
        wanted = rf"def (test_(?:row_\d\d_and_)?row_{digits}_\w+|test_row_\d\d_and_{digits}_\w+)"
        names = sorted(set(re.findall(wanted, source)))
        if not names:
            raise SystemExit(f"docs/card.md: no test is named after row {number}")
        out += row(number, attack, defence, ", ".join(f"`{name}`" for name in names))
    return out


def card() -> str:
    """Return docs/card.md."""
    text = (ROOT / "docs" / "card.in.md").read_text()
    writers = {key: key.name.lower() for key in KeyReference}
    parts = {
        "aid": APPLICATION.hex(" ").upper(),
        "credit_slot": str(CREDIT_SLOT),
        "return_slot": str(RETURN_SLOT),
        "commands": head("command", "name", "effect")
        + "".join(row(f"`{c}`", i.name, what) for c, i, what in _COMMANDS),
        "files": head("file", "name", "bytes", "written with key")
        + "".join(
            row(
                f"EF{f:02d}",
                f.name.lower(),
                SIZES[f],
                ", ".join(writers[k] for k in sorted(MAY_WRITE[f])),
            )
            for f in CardFile
        ),
        "types": head("type", "number", "purpose")
        + "".join(row(f"`{t.word}`", int(t), what) for t, what in _TYPES.items()),
        "write_back": write_back(),
        "errors": head("error", "name", "display", "counted as illegal")
        + "".join(
            row(int(e), f"`{e.word}`", e.display, "yes" if e.illegal else "")
            for e in InsertionError
        ),
        "outcomes": head("outcome of the transfer", "insertion error", "written back")
        + "".join(
            row(
                o.name,
                f"{int(e)} `{e.word}`" if (e := ERRORS[o]) else "",
                "" if o in LEAVES_UNUSED else "yes",
            )
            for o in Outcome
        ),
        "attacks": attacks(),
    }
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return NOTE + text
