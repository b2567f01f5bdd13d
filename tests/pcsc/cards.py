"""Cards for the virtual reader: sold in this process, inserted by a program or by a test."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware_sim.hosting.cards import vpcd
from firmware_sim.hosting.cards.card_file import create_blank, open_card
from firmware_sim.hosting.errors import HostingError
from protocols.card.answer_to_reset import Transmission
from protocols.card.applet import Card
from protocols.card.files import CardIdentity, CardType, CreditRecord
from protocols.card.issuing import bind, give_keys, read_as_vendor, write_sale
from protocols.card.keys import derive_card_keys, meter_access_of
from protocols.card.terminal import Terminal, Transmit, drive
from protocols.keys import DEVELOPMENT_KEY_VERSION, DEVELOPMENT_MASTER, development_keys
from protocols.sealed_message import MessageKind, SealedMessage
from tests.pcsc.contacts import wait_for_card
from tests.pcsc.stack import READERS
from tests.support.programs import BIN

METER, CUSTOMER = "000000000001", "000000004711"
SERIAL = bytes.fromhex("0102030405060708")
KEYS = derive_card_keys(DEVELOPMENT_MASTER, SERIAL, DEVELOPMENT_KEY_VERSION)
CENTS = 50_00
START_S, END_S = 20, 10


def issue(transmit: Transmit, meter: str = METER) -> None:
    """Issue a blank card for a meter and `CUSTOMER`."""
    terminal = Terminal(os.urandom)
    assert drive(terminal.select(), transmit).serial == SERIAL
    drive(give_keys(terminal, KEYS, DEVELOPMENT_KEY_VERSION), transmit)
    access = meter_access_of(DEVELOPMENT_MASTER, meter, SERIAL, DEVELOPMENT_KEY_VERSION)
    drive(
        bind(terminal, KEYS, CardIdentity(meter, CUSTOMER, DEVELOPMENT_KEY_VERSION), access),
        transmit,
    )


def sell_opening(transmit: Transmit) -> None:
    """Sell `CENTS` on an issued card: the message that opens the meter's account."""
    message = SealedMessage(MessageKind.OPEN, METER, 0, 1, CENTS, customer_number=CUSTOMER)
    terminal = Terminal(os.urandom)
    drive(terminal.select(), transmit)
    contents = drive(read_as_vendor(terminal, KEYS), transmit)
    record = CreditRecord(
        CardType.OPEN,
        contents.credit_slots.next_number,
        message.seal(development_keys(METER).credit),
    )
    drive(write_sale(terminal, contents, record), transmit)


def make(
    path: Path,
    transmission: Transmission = Transmission.T1,
    *,
    sold: bool = False,
    meter: str = METER,
) -> Path:
    """Make an issued card in a file; if `sold`, with the opening sale on it."""
    create_blank(path, SERIAL, transmission)
    with open_card(path) as card:
        card.power_on()
        issue(card.apdu, meter)
        if sold:
            sell_opening(card.apdu)
    return path


class Served:
    """A card that a `meter-sim card serve` process holds in a slot."""

    def __init__(self, process: subprocess.Popen[str], reader: str) -> None:
        self.process, self.reader = process, reader

    def pull(self, how: signal.Signals = signal.SIGINT) -> int:
        """Remove the card by ending its program; return its exit code after the reader noticed."""
        self.process.send_signal(how)
        code = self.process.wait(END_S)
        wait_for_card(self.reader, present=False)
        return code


@contextmanager
def serving(path: Path, slot: int = 0) -> Iterator[Served]:
    """Hold a card in a slot by a program until the block ends or the card is pulled."""
    # So that the reader does not take an earlier card for this one.
    wait_for_card(READERS[slot], present=False)
    command = [BIN / "meter-sim", "card", "serve", path, "--slot", str(slot), "--json"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=path.parent,
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert select.select([process.stdout], [], [], START_S)[0], "no ready line"
            line = process.stdout.readline()
            assert line, process.stderr.read()
            served = Served(process, _reader_of(line))
            assert served.reader == READERS[slot]
            wait_for_card(served.reader)
            yield served
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                assert process.wait(END_S) == 0, process.stderr.read()
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def holding(path: Path, slot: int = 0) -> Iterator[None]:
    """Hold a card in a slot by the program's functions in this process, which is faster."""
    wait_for_card(READERS[slot], present=False)
    with open_card(path) as card, vpcd.connect(("127.0.0.1", vpcd.FIRST_PORT + slot)) as wire:
        thread = threading.Thread(target=_serve, args=(card, wire), daemon=True)
        thread.start()
        try:
            wait_for_card(READERS[slot])
            yield
        finally:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            thread.join(END_S)
            assert not thread.is_alive()


def _serve(card: Card, wire: socket.socket) -> None:
    # The wire is closed while vpcd serves it.
    with suppress(HostingError):
        vpcd.serve(card, wire)


def _reader_of(line: str) -> str:
    """Return the reader that a ready line names."""
    ready = json.loads(line)
    assert (ready["event"], ready["card"]) == ("ready", SERIAL.hex())
    reader: str = ready["reader"]
    return reader


PULLED = b""
"""Instead of a response: the card is removed during its command."""
SETTLE_S = 0.6
"""Delay after a disconnection during a command.

Before it has passed, a failing disconnection reports "no card" before pcscd has polled; a card
inserted before the next poll, every 0.4 s, is never detected.
"""


class ScriptedCard:
    """A card in the virtual reader whose answers a test makes.

    An answer is bytes, `PULLED`, or None for silence from then on. It implements vpcd's wire
    protocol itself, so that no code of the product is between the test and the driver.
    """

    def __init__(
        self, card: Card, slot: int = 0, answer: Callable[[bytes], bytes | None] | None = None
    ) -> None:
        self.answer = card.apdu if answer is None else answer
        self.mute = self._abrupt = False
        self._card, self._reader = card, READERS[slot]
        self._wire = socket.create_connection(("127.0.0.1", vpcd.FIRST_PORT + slot), START_S)
        self._wire.settimeout(None)
        self._let_go = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for_card(self._reader)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.go()

    def go(self) -> None:
        """Remove the card; return when the reader has noticed."""
        self._let_go.set()
        with suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        self._thread.join(END_S)
        assert not self._thread.is_alive()
        wait_for_card(self._reader, present=False)
        if self._abrupt:
            time.sleep(SETTLE_S)

    def _serve(self) -> None:
        with self._wire, self._wire.makefile("rb") as incoming, suppress(OSError):
            while head := incoming.read(2):
                response = self._respond(incoming.read(int.from_bytes(head, "big")))
                self._abrupt = not response or self.mute
                if response is None or self.mute:
                    self._let_go.wait()
                if not response or self._let_go.is_set():
                    return
                if response is not _NO_REPLY:
                    self._wire.sendall(len(response).to_bytes(2, "big") + response)

    def _respond(self, message: bytes) -> bytes | None:
        match message:
            case b"\x00":
                self._card.power_off()
                return _NO_REPLY
            case b"\x01" | b"\x02":
                self._card.power_on()
                return _NO_REPLY
            case b"\x04":
                return self._card.answer_to_reset
        return self.answer(message)


_NO_REPLY = b"none is wanted"
