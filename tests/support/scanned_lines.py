"""Lines with several devices in virtual time, for a scan: a serial line, and a TCP host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from meterctl.errors import NoAnswerError
from protocols.data_model.items import Item
from protocols.modbus import rtu, tcp
from protocols.modbus.areas import Area
from protocols.modbus.pdu import Function, exception_reply
from protocols.modbus.register_map import RegisterMap

Registers = dict[tuple[Area, int], bytes]
_AREAS = {Function.READ_HOLDING_REGISTERS: Area.HOLDING, Function.READ_INPUT_REGISTERS: Area.INPUT}


def registers_of(register_map: RegisterMap, values: Mapping[Item, int | str]) -> Registers:
    """Return the registers of a device with a map: its constants, some values, zeros elsewhere."""
    found: Registers = {}
    for span in register_map.zeros:
        _put(found, span.area, span.address, bytes(2 * span.size))
    for register in register_map.registers:
        if register.area & Area.REGISTERS and not register.layout.bit:
            value = values.get(register.item)
            data = bytes(2 * register.width) if value is None else register.packer()(value)
            _put(found, register.area, register.address, data)
    for constant in register_map.fixed:
        _put(found, constant.area, constant.address, constant.data)
    return found


def _put(found: Registers, areas: Area, address: int, data: bytes) -> None:
    for area in _AREAS.values():
        if area in areas:
            for at in range(0, len(data), 2):
                found[area, address + at // 2] = data[at : at + 2]


@dataclass
class Device:
    """A device at a unit: it answers reads of its registers, and refuses all else.

    `latency_ms` is how long it takes, for its n-th answer that of the n-th place, the last for all
    further; `answers` replaces what it sends on the wire. It keeps silent to `ignored` functions.
    """

    registers: Registers = field(default_factory=dict)
    latency_ms: tuple[int, ...] = (10,)
    answers: Callable[[bytes], bytes] | None = None
    ignored: tuple[int, ...] = ()
    vendor: bytes = b""
    asked: int = 0

    def reply(self, pdu: bytes) -> bytes:
        """Return the PDU of the reply."""
        function = pdu[0]
        if function == Function.ENCAPSULATED_INTERFACE and self.vendor:
            return bytes((43, 14, 1, 1, 0, 0, 1, 0, len(self.vendor))) + self.vendor
        if function not in _AREAS:
            return exception_reply(function, 1)
        address, count = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        area = _AREAS[Function(function)]
        words = [self.registers.get((area, one)) for one in range(address, address + count)]
        if None in words:
            return exception_reply(function, 2)
        return bytes((function, 2 * count)) + b"".join(filter(None, words))

    def delay_ms(self) -> int:
        """Return the delay of the next answer."""
        self.asked += 1
        return self.latency_ms[min(self.asked, len(self.latency_ms)) - 1]


class ScannedLine:
    """A transport to several devices; virtual time passes only while it is waited for.

    Args:
        echo: whether an adapter returns what is sent, in two pieces.
        vanishes_after: requests after which the wire breaks.
        framed: a TCP host; a unit that is not there gives `absent`, after `absent_ms`.
    """

    name = "line"
    pause_ms = 0

    def __init__(
        self,
        devices: Mapping[int, Device],
        *,
        baud: int = 9600,
        echo: bool = False,
        vanishes_after: int | None = None,
        framed: bool = False,
        absent: bytes = b"",
        absent_ms: int = 1000,
    ) -> None:
        self.devices, self.echo, self.vanishes_after = devices, echo, vanishes_after
        self.framed, self.absent, self.absent_ms = framed, absent, absent_ms
        self.character_us = 0 if framed else 10_000_000 // baud
        self.silence_ms = 0 if framed else 4
        self.now = 0
        self.sent: list[bytes] = []
        self.coming: list[tuple[int, bytes]] = []
        self.is_closed = False

    def clock(self) -> int:
        """Return virtual milliseconds."""
        return self.now

    @property
    def asked(self) -> list[int]:
        """The units of all requests, in order."""
        return [data[6 if self.framed else 0] for data in self.sent]

    def prepare(self, timeout_ms: int) -> None:
        """Do nothing: the line is open until it breaks."""
        if self.is_closed:
            raise NoAnswerError("the port went away")

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Hand a request to the line."""
        self.sent.append(data)
        if self.vanishes_after is not None and len(self.sent) > self.vanishes_after:
            self.is_closed = True
            raise NoAnswerError("the port went away: Input/output error")
        end = self.now + self._ms(data)
        if self.echo:
            self._arrives(end + 1, data[:3])
            self._arrives(end + 2, data[3:])
        if self.framed:
            self._answer_tcp(data, end)
        else:
            self._answer(data[0], data[1:-2], end)

    def _answer(self, unit: int, pdu: bytes, end: int) -> None:
        device = self.devices.get(unit)
        if device is None or pdu[0] in device.ignored:
            return
        frame = rtu.encode(unit, device.reply(pdu))
        frame = frame if device.answers is None else device.answers(frame)
        self._arrives(end + device.delay_ms() + self._ms(frame), frame)

    def _answer_tcp(self, data: bytes, end: int) -> None:
        transaction, _, _, unit = tcp.HEADER.unpack_from(data)
        pdu = data[tcp.HEADER_SIZE :]
        device = self.devices.get(unit)
        if device is not None and pdu[0] not in device.ignored:
            frame = tcp.encode(transaction, unit, device.reply(pdu))
            self._arrives(end + device.delay_ms(), frame)
        elif device is None and self.absent:
            self._arrives(end + self.absent_ms, tcp.encode(transaction, unit, self.absent))

    def _ms(self, data: bytes) -> int:
        return self.character_us * len(data) // 1000

    def _arrives(self, at: int, data: bytes) -> None:
        self.coming = sorted([*self.coming, (at, data)], key=lambda each: each[0])

    def receive(self, timeout_ms: int) -> bytes:
        """Return what arrives next."""
        if not self.coming or self.coming[0][0] > self.now + timeout_ms:
            self.now += timeout_ms
            return b""
        at, data = self.coming.pop(0)
        self.now = max(self.now, at)
        return data

    def close(self) -> None:
        """Do nothing."""
