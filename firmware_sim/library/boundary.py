"""The edge of the library: errors that say all leave it without the frames of its inside."""

from __future__ import annotations

from types import TracebackType

from firmware_sim.errors import PrepaidMeterError

__tracebackhide__ = True


class Boundary:
    """Raises errors of `firmware_sim.errors` at the line of the caller, without their causes.

    Any other error is a fault of the library and keeps all its frames.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, PrepaidMeterError):
            raise error.with_traceback(None) from None
