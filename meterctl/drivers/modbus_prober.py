"""Finds the devices of a Modbus line or host, and recognises their maps.

A device is asked for holding registers 0 and 1: the native map has its mark there, and any other
device answers, or refuses, which is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache

from meterctl.drivers import Trace
from meterctl.drivers.map_evidence import SUNSPEC, Candidate, fits, has_mark, shown
from meterctl.drivers.probe_exchange import (
    LONGEST_MS,
    ProbeExchange,
    SerialProbes,
    TcpProbes,
    is_no_unit,
    silent_ms,
)
from meterctl.drivers.probing import Identity, ProberKind
from meterctl.errors import CorruptAnswerError
from meterctl.transports import MonotonicClock, Transport
from protocols.data_model import items
from protocols.modbus.areas import Area
from protocols.modbus.named_maps import shipped_map, shipped_names
from protocols.modbus.pdu import (
    EXCEPTION_FLAG,
    READ_DEVICE_IDENTIFICATION,
    Function,
    read_request,
)
from protocols.modbus.register_map import RegisterMap

UNITS = range(1, 248)
HOST_ITSELF = 0xFF
"""The unit of a host that is the device itself (Messaging on TCP/IP V1.0b, section 4.4.1.2)."""
IDENTIFY_MS = 500
"""Time-out of a request to a device that has answered, at least; twice what its answer took."""
LONGEST_IDENTIFY_MS = 10_000
"""Time after which no further request is sent to a device that is identified."""
TRIES = 2
COPY_MS = 50
"""Time in which the second copy of a reply comes."""
MOST_SILENCES = 4
"""Requests in a row that a device may leave unanswered while it is identified."""
LONGEST_LINGER_MS = 400
_PROBED = 0, 2
_PROBE = read_request(Function.READ_HOLDING_REGISTERS, *_PROBED)
_IDENTIFICATION = bytes((Function.ENCAPSULATED_INTERFACE, READ_DEVICE_IDENTIFICATION, 1, 0))
_VENDOR = 0
_SUNSPEC_BASES = (40_000, 50_000, 0)
_COMMON_MODEL, _MANUFACTURER, _SERIAL, _COMMON_SIZE = 2, 4, 52, 66
"""Registers behind the SunSpec mark: header of the common model, its Mn and SN."""


def prober_kind(register_map: RegisterMap | None, map_name: str | None) -> ProberKind:
    """Return how devices are found on Modbus; a map of the user's own is tried before others."""

    @lru_cache
    def candidates() -> Sequence[Candidate]:
        return _candidates(register_map, map_name)

    def open_prober(
        transport: Transport, timeout_ms: int, clock: MonotonicClock, trace: Trace | None
    ) -> ModbusProber:
        return ModbusProber(transport, timeout_ms, clock, trace, candidates)

    return ProberKind(UNITS, (HOST_ITSELF,), silent_ms, linger_ms, open_prober)


def linger_ms(timeout_ms: int) -> int:
    """Return how long a late reply of the last unit is waited for."""
    return min(2 * timeout_ms, LONGEST_LINGER_MS)


def _candidates(register_map: RegisterMap | None, map_name: str | None) -> Sequence[Candidate]:
    """Return the user's own map, then the shipped ones."""
    own = [] if register_map is None else [Candidate(map_name or register_map.name, register_map)]
    further = [name for name in shipped_names() if not own or name != own[0].name]
    return [*own, *(Candidate(name, shipped_map(name)) for name in further)]


class ModbusProber:
    """Asks units; see `Prober`.

    `candidates` returns the maps that a device may have, and is called when one has answered.
    """

    def __init__(
        self,
        transport: Transport,
        timeout_ms: int,
        clock: MonotonicClock,
        trace: Trace | None,
        candidates: Callable[[], Sequence[Candidate]],
    ) -> None:
        exchange = TcpProbes if transport.framed else SerialProbes
        self._exchange: ProbeExchange = exchange(transport, timeout_ms, clock, trace)
        self._now, self._given_ms, self._candidates = clock, timeout_ms, candidates
        self._is_silent = False
        self._asked_at = clock()
        self._probed: dict[int, tuple[int, bytes]] = {}
        """Latencies and replies of the units that answered."""

    @property
    def late(self) -> Mapping[int, int]:
        """Units whose replies came late, ms after the request."""
        return self._exchange.late

    @property
    def unasked(self) -> int:
        """Whole frames of others that nothing sent here explains."""
        return self._exchange.unasked

    @property
    def noise(self) -> int:
        """Received bytes that belong to no frame."""
        return self._exchange.noise

    @property
    def silent_ms(self) -> int:
        """The longest time that a unit without a device takes."""
        return self._exchange.silent_ms

    def probe(self, address: int, least_timeout_ms: int = 0) -> int | None:
        """Ask a unit once; see `Prober`."""
        timeout_ms = max(self._exchange.timeout_ms, least_timeout_ms)
        self._is_silent = False
        began = self._asked_at = self._now()
        reply = self._exchange.ask(address, _PROBE, timeout_ms)
        self._is_silent = reply is None
        if reply is None or is_no_unit(reply):
            return None
        latency_ms = self._now() - began
        self._probed[address] = latency_ms, reply
        return latency_ms

    def linger(self) -> None:
        """Wait for late replies: longer where some were seen; see `Prober`."""
        exchange = self._exchange
        if self._is_silent:
            exchange.wait(linger_ms(self._given_ms))
            self._is_silent = False
        while (left_ms := self._latest_ms() - self._now()) > 0:
            exchange.wait(left_ms)

    def _latest_ms(self) -> int:
        """Return when the last unit asked has answered, if it is as slow as those seen so far."""
        slowest_ms = max(self.late.values(), default=0)
        return self._asked_at + min(slowest_ms * 3 // 2, LONGEST_MS)

    def identify(self, address: int) -> Identity:
        """Return what the device of a unit is."""
        latency_ms, reply = self._probed.get(address, (0, None))
        latency_ms = max(latency_ms, self.late.get(address, 0))
        timeout_ms = max(self._exchange.timeout_ms, IDENTIFY_MS, 2 * latency_ms)
        device = _Device(self._exchange, address, timeout_ms, reply, self._now)
        return device.identity(self._candidates())


class _Device:
    """A device that has answered. Each of its registers is read once."""

    def __init__(
        self,
        exchange: ProbeExchange,
        unit: int,
        timeout_ms: int,
        probed: bytes | None,
        clock: MonotonicClock,
    ) -> None:
        self._now, self._deadline = clock, clock() + LONGEST_IDENTIFY_MS
        self._is_cut = False
        """Whether a request was left out because the time was over."""
        self._exchange, self._unit, self._timeout_ms = exchange, unit, timeout_ms
        self._silences = 0
        self._unanswered: set[int] = set()
        """Functions to which a reply may still come."""
        self._answered = {int(Function.READ_HOLDING_REGISTERS)}
        self._last: tuple[bytes, bytes | None] = _PROBE, probed
        """The last request and its reply."""
        self._read: dict[tuple[Area, int, int], bytes | None] = {}
        if probed is not None:
            is_refused = probed[0] & EXCEPTION_FLAG
            self._read[Area.HOLDING, *_PROBED] = None if is_refused else probed[2:]

    def identity(self, candidates: Sequence[Candidate]) -> Identity:
        """Return what it is: by a mark, else by what it answers where each map has its values."""
        marked = next((one for one in candidates if has_mark(one, self.read)), None)
        vendor, serial_number = self._vendor, None
        if marked is not None:
            found: list[Candidate] = [marked]
        else:
            vendor, serial_number = self._sunspec(vendor)
            others = [one for one in candidates if one.register_map.mark is None]
            found = [fit.candidate for fit in fits(others, self.read)]
        if self._is_cut and marked is None:
            return Identity(None, (), serial_number, vendor, is_cut=True)
        if not found:
            return Identity(None, (), serial_number, vendor)
        best = found[0]
        if serial_number is None:
            serial_number = shown(best, items.SERIAL_NUMBER, self.read)
        also_fits = tuple(one.name for one in found[1:])
        return Identity(best.name, also_fits, serial_number, vendor, self._is_cut)

    def read(self, area: Area, address: int, count: int) -> bytes | None:
        """Return registers; None where the device refuses them or gives no right answer."""
        key = area, address, count
        if key not in self._read:
            function = (
                Function.READ_HOLDING_REGISTERS
                if area is Area.HOLDING
                else Function.READ_INPUT_REGISTERS
            )
            reply = self._ask(read_request(function, address, count))
            self._read[key] = None if reply is None else reply[2:]
        return self._read[key]

    @cached_property
    def _vendor(self) -> str | None:
        """The vendor by function 43/14, None where the device does not say it."""
        reply = self._ask(_IDENTIFICATION)
        return None if reply is None else _text(_objects(reply).get(_VENDOR, b""))

    def _sunspec(self, vendor: str | None) -> tuple[str | None, str | None]:
        """Return vendor and serial number of a SunSpec device, as far as they are there."""
        for base in _SUNSPEC_BASES:
            if self.read(Area.HOLDING, base, 2) != SUNSPEC:
                continue
            common = self.read(Area.HOLDING, base + _COMMON_MODEL, _COMMON_SIZE)
            if common is None:
                break
            maker = _registers(common, _MANUFACTURER - _COMMON_MODEL, 16)
            return _text(maker) or vendor, _text(_registers(common, _SERIAL - _COMMON_MODEL, 16))
        return vendor, None

    def _ask(self, pdu: bytes) -> bytes | None:
        """Return the reply to a request; None for a refusal, and for silence or damage, twice.

        A function that never answered is asked once: a device may ignore it.
        """
        function = pdu[0]
        for _ in range(TRIES):
            self._is_cut |= self._now() >= self._deadline
            if self._is_cut or self._silences >= MOST_SILENCES:
                return None
            try:
                reply = self._asked_once(pdu)
            except CorruptAnswerError:
                self._unanswered.add(function)
                continue
            if reply is None:
                self._silences += 1
                self._unanswered.add(function)
                if function not in self._answered:
                    return None
                continue
            self._silences = 0
            self._answered.add(function)
            return None if reply[0] & EXCEPTION_FLAG else reply
        return None

    def _asked_once(self, pdu: bytes) -> bytes | None:
        """Return the reply to a request, None for silence.

        On a serial line it may be one to a request before it: one that is late is waited for, and
        one that is like the last reply may be its second copy, so it is asked for again.
        """
        exchange, function = self._exchange, pdu[0]
        if exchange.names_requests:
            return exchange.ask(self._unit, pdu, self._timeout_ms)
        if function in self._unanswered:
            exchange.wait(self._timeout_ms)
            self._unanswered.discard(function)
        reply = exchange.ask(self._unit, pdu, self._timeout_ms)
        if reply is not None and reply == self._last[1] and pdu != self._last[0]:
            exchange.wait(COPY_MS)
            reply = exchange.ask(self._unit, pdu, self._timeout_ms)
        self._last = pdu, reply
        return reply


def _objects(reply: bytes) -> dict[int, bytes]:
    """Return the objects of a reply of function 43/14."""
    found: dict[int, bytes] = {}
    at = 7
    while at + 2 <= len(reply):
        size = reply[at + 1]
        found[reply[at]] = reply[at + 2 : at + 2 + size]
        at += 2 + size
    return found


def _registers(data: bytes, first: int, count: int) -> bytes:
    return data[2 * first : 2 * (first + count)]


def _text(data: bytes) -> str | None:
    """Return printable text, None where it is none, or empty."""
    text = data.decode("latin-1").strip(" \0\xff")
    return text if text and text.isprintable() and text.isascii() else None
