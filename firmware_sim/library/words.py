"""Arguments of a call: as the words that the programs take, or refused in one sentence."""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal

from firmware_sim.errors import HostingError, QuantityError
from protocols.card.applet import Card

FileName = str | os.PathLike[str]
Address = str | tuple[str, int]
"""HOST:PORT, or the same as a pair."""


def written(value: object) -> str:
    """Return a value as a person would type it: a number, date, moment to the ms, or a word."""
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def file_name(name: str, value: object) -> str:
    """Return the path that an argument gives; raises HostingError."""
    if not isinstance(value, str | os.PathLike):
        raise HostingError(f"{name}={value!r}: allowed is a path")
    return os.fspath(value)


def address(value: Address) -> str:
    """Return an address as HOST:PORT; raises HostingError for neither form of it."""
    match value:
        case str():
            return value
        case (str(host), int(port)):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            raise HostingError(f'{value!r} is no address: write "127.0.0.1:0" or a host and a port')


def card_of(value: object) -> Card:
    """Return a card that was bought; raises QuantityError."""
    if not isinstance(value, Card):
        raise QuantityError(f"{value!r} is no card: give one that buy_card returned")
    return value


def exchanges(value: object) -> int | None:
    """Return the exchanges after which a card is pulled, None for never; raises QuantityError."""
    if value is None or (isinstance(value, int) and value >= 0):
        return value
    raise QuantityError(f"pull_after={value!r}: allowed is a number of exchanges, 0 and more")
