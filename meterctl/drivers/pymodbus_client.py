"""pymodbus's client over our exchanges (ADR 0004).

pymodbus builds the requests and decodes the values of the replies. An `Exchange` sends the requests
and checks what comes back first, so pymodbus gets valid frames only. Nothing is repeated here:
retries are the driver's decision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymodbus.client.base import ModbusBaseSyncClient
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU
from pymodbus.transport import CommParams, CommType

from meterctl.drivers.exchange import Exchange

NEVER_S = 3_600.0
"""Time-out of pymodbus itself: the exchange ends long before."""
_KEYWORDS = ModbusBaseSyncClient.read_holding_registers.__kwdefaults__ or {}
UNIT = "device_id" if "device_id" in _KEYWORDS else "slave"
"""Keyword of the unit number: `device_id` from pymodbus 3.10 on, `slave` before."""


class TransportClient(ModbusBaseSyncClient):
    """A pymodbus client whose frames go through an exchange; one request at a time, sent once."""

    def __init__(self, exchange: Exchange, *, is_tcp: bool) -> None:
        framer = FramerType.SOCKET if is_tcp else FramerType.RTU
        kind = CommType.TCP if is_tcp else CommType.SERIAL
        parameters = CommParams(comm_type=kind, comm_name="meterctl", timeout_connect=NEVER_S)
        super().__init__(framer, 0, parameters, None, None, None)
        self._exchange = exchange
        self._request = b""
        self._until_ms, self._is_recognised = 0, False

    def connect(self) -> bool:
        """Return True: the transport is open already."""
        return True

    def close(self) -> None:
        """Do nothing: the session closes the transport."""

    def send(self, request: bytes, addr: Any = None) -> int:
        """Hold a request until its reply is asked for."""
        self._request = bytes(request)
        return len(request)

    def recv(self, size: int | None) -> bytes:
        """Send the request and return its reply; raises as `Exchange.ask`."""
        return self._exchange.ask(self._request, self._until_ms, is_recognised=self._is_recognised)

    def ask(
        self,
        call: Callable[..., ModbusPDU],
        unit: int,
        until_ms: int,
        *,
        is_recognised: bool = False,
        **arguments: Any,
    ) -> ModbusPDU:
        """Make a request to a unit by a method of pymodbus and return its reply PDU.

        Args:
            until_ms: the clock's time at which all must be over.
            is_recognised: the caller recognises the reply by its content.
        """
        self._until_ms, self._is_recognised = until_ms, is_recognised
        return call(**{UNIT: unit}, **arguments)
