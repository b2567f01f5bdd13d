"""Sealed messages, receipts and the sealed status by the windows of a register map."""

from __future__ import annotations

from functools import partial

from meterctl.drivers import Delivery
from meterctl.drivers.modbus_requests import ModbusRequests
from meterctl.errors import CorruptAnswerError
from protocols.errors import ProtocolError
from protocols.keys import MessageClass
from protocols.modbus.sealed_windows import (
    ANSWER_HEAD_REGISTERS,
    ANSWER_REGISTERS,
    MESSAGE_HEAD,
    MESSAGE_PART,
    RECEIPT_QUESTION,
    RECEIPT_REGISTERS,
    STATUS_QUESTION,
    STATUS_REGISTERS,
    SealedWindows,
)
from protocols.sealed_message import Answer
from protocols.sealed_status import StatusQuestion


class SealedRequests:
    """What a meter with windows for sealed messages is asked by them; raises as a `Reader`."""

    def __init__(self, requests: ModbusRequests, windows: SealedWindows) -> None:
        self._requests, self._windows = requests, windows

    def deliver(self, message: bytes) -> Delivery:
        """Deliver a sealed message. The last part is sent exactly once, others may be repeated."""
        windows = self._windows
        parts = [message[i : i + MESSAGE_PART] for i in range(0, len(message), MESSAGE_PART)]
        for index, part in enumerate(parts[:-1]):
            head = MESSAGE_HEAD.pack(len(message), index * MESSAGE_PART, len(part), 0)
            self._requests.repeat(partial(self._requests.write, windows.message, head + part))
        last = parts[-1]
        head = MESSAGE_HEAD.pack(len(message), len(message) - len(last), len(last), 1)
        padded = head + last + bytes(len(last) % 2)
        until = self._requests.end()
        data = self._requests.exchange(
            windows.answer, ANSWER_REGISTERS, windows.message, padded, until
        )
        where = self._requests.where
        if data[:2] != b"\0\1":
            raise CorruptAnswerError(
                f"{where}: the message was delivered, but the answer window is empty"
            )
        try:
            answer = Answer.decode(data[2 : 2 * ANSWER_HEAD_REGISTERS])
        except ProtocolError as error:
            raise CorruptAnswerError(f"{where}: {error}") from error
        return Delivery(answer, _sized(data[2 * ANSWER_HEAD_REGISTERS :]))

    def receipt(self, message_class: MessageClass, sequence: int) -> bytes:
        """Return the sealed receipt of an accepted sequence; b"" if the meter has none."""
        windows = self._windows
        which = 0 if message_class is MessageClass.CREDIT else 1
        asked = RECEIPT_QUESTION.pack(which, sequence)
        return _sized(
            self._requests.repeat(
                lambda until: self._requests.exchange(
                    windows.receipt_read, RECEIPT_REGISTERS, windows.receipt, asked, until
                )
            )
        )

    def status(self, question: StatusQuestion) -> bytes:
        """Return the sealed status; b"" if the meter has none under that key version."""
        windows = self._windows
        asked = STATUS_QUESTION.pack(question.nonce, question.journal, question.key_version)
        return _sized(
            self._requests.repeat(
                lambda until: self._requests.exchange(
                    windows.status_read, STATUS_REGISTERS, windows.status, asked, until
                )
            )
        )


def _sized(data: bytes) -> bytes:
    size = int.from_bytes(data[:2], "big")
    return data[2 : 2 + size]
