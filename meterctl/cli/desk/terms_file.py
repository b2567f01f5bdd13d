"""The terms of an agreement from a file, with the text of the tariff file that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meterctl.errors import UsageError
from meterctl.named_files import read_named_bytes
from meterctl.operations.tariff.file import parse_tariff_file
from meterctl.utility.errors import Invalid
from meterctl.utility.rules.terms import json_of_terms, read_terms
from protocols.errors import QuantityError
from protocols.named_files import decode_text


def read_terms_file(path: Path, *, in_meter: bool) -> dict[str, Any]:
    """Return the terms of a file, JSON.

    Args:
        in_meter: the credit is kept in the meter.

    Raises:
        UsageError: it, or the tariff file beside it that it names, cannot be read; or a value is
            wrong: each mistake is named.
    """
    try:
        terms = json_of_terms(read_terms(_text(path), in_meter=in_meter))
    except Invalid as error:
        raise UsageError(f"{path}: {error}") from error
    if terms["tariff"] is not None:
        tariff = path.parent / terms["tariff"]
        text = _text(tariff)
        try:
            parse_tariff_file(text)
        except UsageError as error:
            raise UsageError(f"{tariff}: {error}") from error
        terms["tariff_text"] = text
    return terms


def _text(path: Path) -> str:
    try:
        return decode_text(read_named_bytes(path))
    except QuantityError as error:
        raise UsageError(f"{path}: {error}") from error
