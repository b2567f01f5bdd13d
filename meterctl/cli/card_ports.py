"""The card of --file or --reader, with its trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from meterctl.card_readers import CardPort
from meterctl.cli.output import say
from meterctl.errors import UsageError

if TYPE_CHECKING:
    from protocols.card.terminal import Transmit

CARD_SECONDS = 3.0
"""Shortest time-out for one response of a card in a reader; --timeout may extend it."""


@contextlib.contextmanager
def card_port(
    file: Path | None, reader: str | None, timeout_ms: int, *, is_traced: bool
) -> Iterator[CardPort]:
    """Power the card of a file or of a PC/SC reader; a trace shows its APDUs by name.

    Raises:
        UsageError: both are given, or it cannot be used.
        NoAnswerError: no card is in the reader.
    """
    if file is not None and reader is not None:
        raise UsageError("give --file or --reader, not both; nothing was changed")
    if file is not None:
        from meterctl.card_readers.image import open_image

        opened = open_image(file)
    else:
        from meterctl.card_readers.pcsc import open_reader, reader_names

        if reader is None and not reader_names():
            raise UsageError(
                "no PC/SC reader is connected: give a simulated card with --file; "
                "nothing was changed"
            )
        opened = open_reader(reader, max(CARD_SECONDS, timeout_ms / 1000))
    with opened as port:
        yield CardPort(port.name, _traced(port.transmit), port.is_desk) if is_traced else port


def _traced(transmit: Transmit) -> Transmit:
    from protocols.card.trace import command_line, response_line

    def touch(command: bytes) -> bytes:
        say(command_line(command))
        response = transmit(command)
        say(response_line(response))
        return response

    return touch
