"""Cards and the slots of running meters: a file in this process, or whatever lies in a PC/SC
reader.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from firmware_sim.hosting.card_file import open_card
from firmware_sim.hosting.errors import HostingError
from firmware_sim.hosting.host import line_time
from firmware_sim.insertions import CardSession, describe
from firmware_sim.rack import CommandFailedError, Rack, RackStation
from protocols.card.applet import Card
from protocols.card.terminal import Transmit
from protocols.control import CardCommand, InsertCard
from protocols.errors import CardGoneError, QuantityError

SESSION_S = 3.0
"""Wall time that a card has from its insertion to the end; then it counts as pulled."""
POWER_WENT = (
    "the power went in the middle of a write; the meter started anew, and the card was not written"
)


def execute(rack: Rack, command: CardCommand, serial_number: str | None) -> Mapping[str, str]:
    """Do a command about a card in a file; return what became of it, as JSON values.

    Raises:
        HostingError: the file is no card, or another program holds it.
        CommandFailedError: the meter lost its power in the middle of a write.
    """
    station = station_of(rack, serial_number)
    if not isinstance(command, InsertCard):
        return {}
    if command.file is None:
        raise HostingError("a card in a reader is inserted by a running meter-sim only")
    with open_card(Path(command.file)) as card:
        return insert(rack, station, card, command.pull_after)


def insert(
    rack: Rack, station: RackStation, card: Card, pull_after: int | None = None
) -> Mapping[str, str]:
    """Put a card of this process into a meter's slot, and perhaps pull it after so many
    exchanges.
    """
    session = CardSession(rack, station, os.urandom)
    transmit = card.apdu if pull_after is None else pulled(card.apdu, pull_after)
    session.play(card.power_on(), transmit, line_time())
    card.power_off()
    return _result(session, station)


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


def station_of(rack: Rack, serial_number: str | None) -> RackStation:
    """Return the meter whose slot is meant; raises QuantityError where there are several and none
    is named.
    """
    stations = rack.chosen(serial_number)
    if len(stations) != 1:
        raise QuantityError("a card goes into one slot: say which meter with --meter SERIAL")
    return stations[0]


Contacts = tuple[bytes, Transmit, Callable[[], None]]
"""Of a card in a reader: its answer to reset, its contacts, and what gives it back."""


async def insert_slowly(
    rack: Rack,
    station: RackStation,
    connect: Callable[[], Contacts],
    pull_after: int | None = None,
    seconds: float = SESSION_S,
) -> Mapping[str, str]:
    """Put a card into a slot that may take its time: the meter goes on, and after `seconds` it
    counts as pulled.

    Args:
        connect: powers the card; called, like its contacts, on a thread of its own.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    worker = _Worker(loop)
    session = CardSession(rack, station, os.urandom)
    give_back: Callable[[], None] = _nothing
    try:
        try:
            answer_to_reset, transmit, give_back = await asyncio.wait_for(
                worker.call(connect), seconds
            )
        except TimeoutError:
            answer_to_reset, transmit = b"", _silent
        transmit = transmit if pull_after is None else pulled(transmit, pull_after)
        command = session.begin(answer_to_reset, line_time())
        while command is not None:
            response = await _response(worker, transmit, command, deadline - loop.time())
            command = session.answer(response, line_time())
    finally:
        worker.end(give_back)
    return _result(session, station)


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


def _result(session: CardSession, station: RackStation) -> Mapping[str, str]:
    if session.power_lost or session.inserted is None:
        raise CommandFailedError(POWER_WENT)
    return describe(station, session.inserted)


class _Worker:
    """A thread for one card: a reader that never answers blocks it, and nothing else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._work: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            SimpleQueue()
        )
        threading.Thread(target=self._run, daemon=True).start()

    def call(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Return what becomes of some work on the thread."""
        future = self._loop.create_future()
        self._work.put((work, future))
        return future

    def end(self, last: Callable[[], None]) -> None:
        """Let the thread do a last thing and end."""
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
                return  # the loop ended: nobody waits any more


def _complete(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # nobody waits any more
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
