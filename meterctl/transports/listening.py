"""A serial port that is listened to: nothing is ever sent, and no control line is moved.

The operating system itself may raise DTR and RTS when it opens a port; nothing here does.
"""

from __future__ import annotations

from typing import Any

from meterctl.errors import UsageError
from meterctl.transports import Notice
from meterctl.transports.serial_port import SerialTransport


class ListeningTransport(SerialTransport):
    """A serial port without a way to send. It is waited for without an end when it goes away."""

    def __init__(self, port: str, notice: Notice) -> None:
        super().__init__(port, notice, float("inf"))

    def _device(self, path: str, **given: Any) -> Any:
        return _quiet_serial()(path, **given)

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Refuse to send; raises UsageError."""
        raise UsageError(f"port {self.name}: it is listened to; nothing was sent")


def _quiet_serial() -> Any:
    """Return the class of a port whose control lines are left as they are."""
    import serial

    class QuietSerial(serial.Serial):  # type: ignore[misc]
        """A serial port that is opened as it stands."""

        def _update_dtr_state(self) -> None:
            """Leave DTR alone."""

        def _update_rts_state(self) -> None:
            """Leave RTS alone."""

        def write(self, _: bytes) -> int:
            raise OSError("it is listened to")

    return QuietSerial
