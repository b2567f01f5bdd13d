"""Requests of Modbus to one unit: their refusals, and how often they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from meterctl.drivers import Trace
from meterctl.drivers.exchange import Exchange
from meterctl.drivers.pymodbus_client import TransportClient
from meterctl.drivers.rtu_exchange import RtuExchange
from meterctl.drivers.tcp_exchange import TcpExchange
from meterctl.errors import (
    CorruptAnswerError,
    MeterctlError,
    NoAnswerError,
    RefusedError,
    StillWorkingError,
)
from meterctl.transports import MonotonicClock, Transport
from protocols.errors import MODBUS_EXCEPTIONS, ProtocolError
from protocols.modbus.areas import Area
from protocols.modbus.pdu import Function

TRIES = 3
TOTAL_MS = 14_500
"""An exchange ends within it, with all its tries, and its command in 15 s (DESIGN.md 5.2)."""
BUSY_PAUSE_MS = 250
"""Pause before a request is sent again to a device that is busy (V1.1b3, section 7)."""


class ExtentRefusedError(RefusedError):
    """The device does not have all of the registers, or not in one request (02 and 03)."""


class AddressRefusedError(ExtentRefusedError):
    """The device does not have all of the registers (02)."""


class _NotReadyError(RefusedError):
    """The device did not execute the request now; it may be sent again later."""


class _WorkingError(_NotReadyError):
    """The device has the request and works on it."""


class ModbusRequests:
    """Requests to a unit on a transport, each sent once; `repeat` sends one again.

    `where` names port and unit in errors; `until` is the clock's time at which all must be over.

    Args:
        has_diagnostics: whether the device has function 8, for a serial line.

    Every request raises NoAnswerError, CorruptAnswerError or RefusedError.
    """

    def __init__(
        self,
        transport: Transport,
        unit: int,
        timeout_ms: int,
        clock: MonotonicClock,
        trace: Trace | None,
        *,
        has_diagnostics: bool,
    ) -> None:
        self.is_tcp = transport.framed
        self._wire: Exchange = (
            TcpExchange(transport, timeout_ms, clock, trace)
            if self.is_tcp
            else RtuExchange(transport, timeout_ms, clock, trace, has_diagnostics=has_diagnostics)
        )
        self._client = TransportClient(self._wire, is_tcp=self.is_tcp)
        self._unit, self._now, self._timeout_ms = unit, clock, timeout_ms
        self._longest_ms = 0
        """Longest time that a repeated request took until it was answered."""
        self.where = f"{transport.name} unit {unit}"

    @property
    def strays(self) -> int:
        """Replies received so far that nothing sent here explains."""
        return self._wire.strays

    def end(self) -> int:
        """Return `until` for a request that begins now."""
        return self._now() + TOTAL_MS

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Raise CorruptAnswerError for contents that no answer can have."""
        try:
            yield
        except ProtocolError as error:
            raise CorruptAnswerError(f"{self.where}: {error}") from error

    def read(
        self, area: Area, address: int, count: int, until: int, *, is_recognised: bool = False
    ) -> bytes:
        """Return registers of an area.

        `is_recognised`: the caller recognises the reply by its content (see Exchange).
        """
        client = self._client
        call = (
            client.read_holding_registers if area is Area.HOLDING else client.read_input_registers
        )
        reply = self._ask(call, until, is_recognised=is_recognised, address=address, count=count)
        return _registers(reply)

    def read_bits(
        self, area: Area, address: int, count: int, until: int, *, is_recognised: bool = False
    ) -> bytes:
        """Return coils or discrete inputs, a byte each, 0 or 1; see `read`."""
        client = self._client
        call = client.read_coils if area is Area.COIL else client.read_discrete_inputs
        reply = self._ask(call, until, is_recognised=is_recognised, address=address, count=count)
        return bytes(reply.bits[:count])

    def write(self, address: int, data: bytes, until: int) -> bytes:
        """Write whole registers (function 16); the reply has no data."""
        self._ask(self._client.write_registers, until, address=address, values=_words(data))
        return b""

    def write_once(self, function: Function, address: int, numbers: Sequence[int]) -> None:
        """Write by function 5, 6, 15 or 16; a device that works on it still has not answered."""
        client = self._client
        call: Callable[..., Any]
        match function:
            case Function.WRITE_SINGLE_COIL:
                call = partial(client.write_coil, value=bool(numbers[0]))
            case Function.WRITE_SINGLE_REGISTER:
                call = partial(client.write_register, value=numbers[0])
            case Function.WRITE_MULTIPLE_COILS:
                call = partial(client.write_coils, values=[*map(bool, numbers)])
            case _:
                call = partial(client.write_registers, values=[*numbers])
        try:
            self._ask(call, self.end(), address=address)
        except _WorkingError as error:
            raise StillWorkingError(str(error)) from error

    def await_late_replies(self) -> None:
        """Wait until no reply to a request that was repeated can follow any more.

        `may_be_late` stays True where fewer replies came than requests were sent.
        """
        silence_ms = max(2 * self._timeout_ms, self._longest_ms * 3 // 2)
        self._wire.pass_over_late(silence_ms, self.end())

    @property
    def may_be_late(self) -> bool:
        """Whether a late reply may come that is like the one to the next request."""
        return self._wire.outstanding > 0

    def exchange(
        self, read_address: int, count: int, address: int, data: bytes, until: int
    ) -> bytes:
        """Write and read in one request (function 23)."""
        reply = self._ask(
            self._client.readwrite_registers,
            until,
            read_address=read_address,
            read_count=count,
            write_address=address,
            values=_words(data),
        )
        return _registers(reply)

    def _ask(self, call: Callable[..., Any], until: int, **arguments: Any) -> Any:
        from pymodbus.exceptions import ModbusException

        try:
            reply = self._client.ask(call, self._unit, until, **arguments)
        except ModbusException as error:
            raise CorruptAnswerError(f"{self.where}: {error}") from error
        except MeterctlError as error:
            raise type(error)(f"{self.where}: {error}") from error
        if reply.isError():
            raise self._refusal(getattr(reply, "exception_code", 0))
        return reply

    def _refusal(self, code: int) -> MeterctlError:
        said = f"{self.where}: Modbus exception {code:02X}"
        said += f" ({MODBUS_EXCEPTIONS.get(code, 'unknown')})"
        match code:
            case 0x02:
                return AddressRefusedError(f"{said}; nothing was changed")
            case 0x03:
                return ExtentRefusedError(f"{said}; nothing was changed")
            case 0x05:
                return _WorkingError(f"{said}: the meter has the request and works on it still")
            case 0x06:
                return _NotReadyError(f"{said}; nothing was changed")
            case 0x0B:
                return NoAnswerError(
                    f"{self.where}: no answer, says its gateway (exception 0B): the meter is "
                    f"silent, or none has this unit number"
                )
            case _:
                return RefusedError(f"{said}; nothing was changed")

    def repeat(self, work: Callable[[int], bytes]) -> bytes:
        """Run a repeatable request, again if its answer was lost: at most 3 tries and TOTAL_MS.

        `work` takes the time at which all must be over. Of several failures the first is raised.
        """
        began, until = self._now(), self.end()
        first: MeterctlError | None = None
        for _ in range(TRIES):
            try:
                return work(until)
            except (NoAnswerError, CorruptAnswerError, _NotReadyError) as error:
                first = first or error
                if isinstance(error, _NotReadyError):
                    self.rest()
            finally:
                self._longest_ms = max(self._longest_ms, self._now() - began)
            if self._now() >= until:
                break
        assert first is not None
        raise first

    def confirmed(self, work: Callable[[int], bytes]) -> bytes:
        """Repeat a request as `repeat`; one whose address is refused is sent a second time.

        A refusal that stays says what the device lacks; a single one may be a late reply.
        """
        try:
            return self.repeat(work)
        except AddressRefusedError:
            return self.repeat(work)

    def rest(self) -> None:
        """Give a busy device its time; a wire that breaks meanwhile is found by the next try."""
        with suppress(NoAnswerError):
            self._wire.rest(BUSY_PAUSE_MS)


def _registers(reply: Any) -> bytes:
    return b"".join(int(word).to_bytes(2, "big") for word in reply.registers)


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
