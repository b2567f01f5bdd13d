"""A card in the slot of a running meter: from a file in this process, or in a PC/SC reader."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from firmware_sim.hosting.cards.card_file import open_card
from firmware_sim.hosting.clock import line_time
from firmware_sim.hosting.errors import HostingError
from firmware_sim.rack.errors import POWER_FAILED, CommandFailedError
from firmware_sim.rack.stations import Station
from firmware_sim.rack.values import Value
from firmware_sim.token_carriers.insertion import CardInsertion, describe
from protocols.card.applet import Card
from protocols.card.terminal import Transmit
from protocols.control import InsertCard
from protocols.errors import CardGoneError

SESSION_S = 3.0
"""Wall time from a card's insertion to its end; then the card counts as pulled."""
NOT_WRITTEN = f"{POWER_FAILED}, and the card was not written"


def insert_file(station: Station, command: InsertCard) -> Mapping[str, Value]:
    """Insert a card in a file; return the result of the insertion.

    Raises:
        HostingError: the file is no card, or another program holds it.
        CommandFailedError: the power of the meter failed in the middle of a write.
    """
    if command.file is None:
        raise HostingError("a card in a reader is inserted by a running meter-sim only")
    with open_card(Path(command.file)) as card:
        return insert(station, card, command.pull_after)


def insert(station: Station, card: Card, pull_after: int | None = None) -> Mapping[str, Value]:
    """Insert a card of this process; pull it after so many exchanges."""
    insertion = CardInsertion(station, os.urandom)
    transmit = card.apdu if pull_after is None else pulled(card.apdu, pull_after)
    insertion.play(card.power_on(), transmit, line_time())
    card.power_off()
    return _result(insertion, station)


def pulled(transmit: Transmit, exchanges: int) -> Transmit:
    """Return contacts that break after so many exchanges."""
    left = exchanges

    def touch(command: bytes) -> bytes:
        nonlocal left
        if left <= 0:
            raise CardGoneError("the card was pulled")
        left -= 1
        return transmit(command)

    return touch


Contacts = tuple[bytes, Transmit, Callable[[], None]]
"""A card in a reader: its answer to reset, its contacts, and a function that releases it."""


async def insert_slowly(
    station: Station,
    connect: Callable[[], Contacts],
    pull_after: int | None = None,
    seconds: float = SESSION_S,
) -> Mapping[str, Value]:
    """Insert a slow card: the meter runs on, and after `seconds` the card counts as pulled.

    Args:
        connect: powers the card; called, like its contacts, on a thread of its own.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    worker = _Worker(loop)
    insertion = CardInsertion(station, os.urandom)
    give_back: Callable[[], None] = _nothing
    try:
        try:
            answer_to_reset, transmit, give_back = await asyncio.wait_for(
                worker.call(connect), seconds
            )
        except TimeoutError:
            answer_to_reset, transmit = b"", _silent
        transmit = transmit if pull_after is None else pulled(transmit, pull_after)
        command = insertion.begin(answer_to_reset, line_time())
        while command is not None:
            response = await _response(worker, transmit, command, deadline - loop.time())
            command = insertion.answer(response, line_time())
    finally:
        worker.end(give_back)
    return _result(insertion, station)


async def _response(
    worker: _Worker, transmit: Transmit, command: bytes, left: float
) -> bytes | None:
    if left <= 0:
        return None
    try:
        response: bytes = await asyncio.wait_for(worker.call(lambda: transmit(command)), left)
    except (TimeoutError, CardGoneError):
        return None
    return response


def _silent(_: bytes) -> bytes:
    raise CardGoneError("the card is silent")


def _nothing() -> None:
    pass


def _result(insertion: CardInsertion, station: Station) -> Mapping[str, Value]:
    station.require_running()
    if insertion.inserted is None:
        raise CommandFailedError(NOT_WRITTEN)
    return describe(station, insertion.inserted)


class _Worker:
    """A thread for one card: a reader that never answers blocks only this thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._work: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            SimpleQueue()
        )
        threading.Thread(target=self._run, daemon=True).start()

    def call(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Do work on the thread; return its future."""
        future = self._loop.create_future()
        self._work.put((work, future))
        return future

    def end(self, last: Callable[[], None]) -> None:
        """Do a last work on the thread, then end it."""
        self.call(last)
        self._work.put(None)

    def _run(self) -> None:
        while (taken := self._work.get()) is not None:
            work, future = taken
            try:
                result, error = work(), None
            except BaseException as raised:
                result, error = None, raised
            try:
                self._loop.call_soon_threadsafe(_complete, future, result, error)
            except RuntimeError:
                return  # the loop ended


def _complete(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # it was cancelled
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
