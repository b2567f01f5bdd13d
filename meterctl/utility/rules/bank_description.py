"""What a bank's files look like: a TOML text for each bank, with a table for each kind it sends.

A column that is not named has its shipped name, so a bank without columns of its own writes
`reference,party,amount,paid_at`. Other columns of a file are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from meterctl.utility.errors import Invalid
from protocols.errors import QuantityError
from protocols.toml_text import parse_toml, with_lines
from protocols.toml_values import (
    ConfigurationError,
    Reader,
    Words,
    list_of,
    read_all,
    reader_of,
    table_of,
)

COLUMNS = ("reference", "party", "amount", "paid_at")
"""The columns of the desk, and their shipped names."""
OUTCOME = "outcome"
"""A further column of `returns`, where the bank has one."""


class BankFileKind(StrEnum):
    """What a file of a bank is about; `debits` goes out, the others come in (UTILITY S9)."""

    COLLECTED = "collected"
    """Money that the bank took for customers (代收), or that they transferred."""
    STATEMENT = "statement"
    """The bank's account of what came in, what went out, and its fees."""
    RETURNS = "returns"
    """What became of debits that were sent to it (代扣)."""
    DEBITS = "debits"
    """Due bills that the bank is asked to debit."""


COMES_IN = (BankFileKind.COLLECTED, BankFileKind.STATEMENT, BankFileKind.RETURNS)


class CollectedBy(StrEnum):
    """How the customers of a `collected` file paid; words of the channels of payments."""

    DEPUTED = "deputed"
    TRANSFER = "transfer"


class AmountFormat(StrEnum):
    """How a bank writes twelve hundred and thirty-four yuan and fifty-six fen."""

    POINT = "1234.56"
    GROUPED = "1,234.56"
    FEN = "123456"


@dataclass(frozen=True, slots=True)
class KindDescription:
    """The files of one kind.

    Attributes:
        columns: the desk's column -> its heading in the file.
        fees: of a statement: texts in the column `party` that mark a fee.
        collected_by: of `collected`.
        paid_words: of `returns`: texts in the column `outcome` that say that the bank has the
            money; every other text says why not.
    """

    columns: Mapping[str, str]
    fees: tuple[str, ...] = ()
    collected_by: CollectedBy = CollectedBy.DEPUTED
    paid_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BankDescription:
    """A bank and its files.

    Attributes:
        code: a short word by which commands and accounts name it.
        encoding: of Python: "utf-8-sig" or "gb18030".
        moments: the forms of `paid_at` that are read, in letters YYYY MM DD hh mm ss.
    """

    code: str
    title: str
    encoding: str
    delimiter: str
    amounts: AmountFormat
    moments: tuple[str, ...]
    kinds: Mapping[BankFileKind, KindDescription] = field(default_factory=dict)


ENCODINGS: Mapping[str, str] = MappingProxyType({"UTF-8": "utf-8-sig", "GB18030": "gb18030"})
MOMENTS = ("YYYY-MM-DD hh:mm:ss", "YYYY-MM-DD hh:mm", "YYYY-MM-DD")
FEES = ("fee", "手续费")
PAID_WORDS = ("paid", "成功")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,15}")
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_LONGEST = 80
_MOMENT_PARTS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S"}
_MOMENT = re.compile("|".join(_MOMENT_PARTS))


def read_bank(text: str) -> BankDescription:
    """Return the description of a bank from its TOML.

    Raises:
        Invalid: code `bank`; each mistake is named with its line.
    """
    try:
        table = parse_toml(text)
        values = read_all((_READERS, table))
        missing = [f"{name}: this key is missing" for name in ("name",) if name not in values]
        if not any(kind.value in values for kind in COMES_IN):
            missing.append(f"no table of a kind: write one of {_tables()}")
        if missing:
            raise ConfigurationError("\n".join(missing))
    except QuantityError as error:
        raise Invalid("bank", f"{error}; nothing was changed") from error
    except ConfigurationError as error:
        told = with_lines(str(error).split("\n"), text)
        raise Invalid("bank", "\n".join([*told, "nothing was changed"])) from error
    return BankDescription(
        code=values["name"],
        title=values.get("title", values["name"]),
        encoding=values.get("encoding", ENCODINGS["UTF-8"]),
        delimiter=values.get("delimiter", ","),
        amounts=values.get("amounts", AmountFormat.POINT),
        moments=(values["paid_at"],) if "paid_at" in values else MOMENTS,
        kinds={kind: _kind(kind, values[kind.value]) for kind in COMES_IN if kind.value in values},
    )


def directives(moment: str) -> str:
    """Return a form of `paid_at` as `strptime` takes it."""
    return _MOMENT.sub(lambda part: _MOMENT_PARTS[part[0]], moment.replace("%", "%%"))


def _tables() -> str:
    return ", ".join(f"[{kind}]" for kind in COMES_IN)


def _kind(kind: BankFileKind, values: Mapping[str, Any]) -> KindDescription:
    """Return the description of a kind from the values of its table."""
    named = values.get("columns", {})
    columns = {name: named.get(name, name) for name in COLUMNS}
    if OUTCOME in named:
        columns[OUTCOME] = named[OUTCOME]
    return KindDescription(
        columns=columns,
        fees=values.get("fees", FEES) if kind is BankFileKind.STATEMENT else (),
        collected_by=values.get("channel", CollectedBy.DEPUTED),
        paid_words=values.get("paid", PAID_WORDS),
    )


def _line_of_text(place: str, value: object) -> str:
    """Read a short text of one line."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise ConfigurationError(f"{place} = {value!r}: allowed is a text of 1 to {_LONGEST} signs")
    return text


def _code(place: str, value: object) -> str:
    if not (isinstance(value, str) and _CODE.fullmatch(value)):
        raise ConfigurationError(
            f"{place} = {value!r}: allowed are 1 to 16 of a to z, 0 to 9 and -, such as lakeside"
        )
    return value


def _moment(place: str, value: object) -> str:
    """Read a form of `paid_at`; it has a date at least."""
    text = _line_of_text(place, value)
    parts = _MOMENT.findall(text)
    if len(parts) != len(set(parts)) or not {"YYYY", "MM", "DD"} <= set(parts):
        raise ConfigurationError(
            f"{place} = {value!r}: write YYYY, MM and DD once each, and hh, mm, ss where the file "
            f"has them, such as {MOMENTS[0]!r}"
        )
    return text


_COLUMN_READERS: dict[str, Reader] = dict.fromkeys(COLUMNS, _line_of_text)
_KIND_READERS: Mapping[BankFileKind, Mapping[str, Reader]] = {
    BankFileKind.COLLECTED: {
        "columns": table_of(_COLUMN_READERS),
        "channel": reader_of(Words({each.value: each for each in CollectedBy})),
    },
    BankFileKind.STATEMENT: {
        "columns": table_of(_COLUMN_READERS),
        "fees": list_of(_line_of_text),
    },
    BankFileKind.RETURNS: {
        "columns": table_of({**_COLUMN_READERS, OUTCOME: _line_of_text}),
        "paid": list_of(_line_of_text, 1),
    },
}
_READERS: dict[str, Reader] = {
    "name": _code,
    "title": _line_of_text,
    "encoding": reader_of(Words(ENCODINGS)),
    "delimiter": reader_of(Words(_DELIMITERS)),
    "amounts": reader_of(Words({each.value: each for each in AmountFormat})),
    "paid_at": _moment,
    **{kind.value: table_of(readers) for kind, readers in _KIND_READERS.items()},
}
