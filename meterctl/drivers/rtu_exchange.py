"""Requests on a serial line, whose replies carry no number.

A reply that comes late looks like the reply to the next request of the same shape. So the line is
*settled* while everything sent on it has been answered. When it is not - after a try without a
reply, and at the begin, where the process before may have left something - a *probe* precedes the
next request: function 8, return query data (V1.1b3, section 6.8), with a number of its own. A
device answers in order, so once the number is back no reply to anything before it can follow.

    request, no reply in time | probe, late reply, number back | next request

A late reply to the request that is repeated is its reply; any other one is discarded. For devices
without function 8 the line must be silent for a whole time-out instead; so must one on which a
*stray* came, a frame that nothing sent here explains: more of them may follow, in any order.
"""

from __future__ import annotations

from functools import partial
from struct import pack

from meterctl.drivers import Trace
from meterctl.drivers.exchange import Exchange
from meterctl.drivers.strays import LEAST_FRAME, Strays
from meterctl.errors import CorruptAnswerError
from meterctl.transports import MonotonicClock, Transport
from protocols.errors import FrameError
from protocols.modbus import rtu
from protocols.modbus.crc import crc16
from protocols.modbus.pdu import (
    EXCEPTION_FLAG,
    INCOMPLETE,
    UNKNOWN,
    Function,
    check_reply,
    expected_reply,
    reply_length,
)

PROBES = 3
"""Probes in a row, as long as something comes back."""
LEAST_SILENCE_MS = 1000
"""Silence after a stray, at least."""
_READS = frozenset(
    {
        Function.READ_COILS,
        Function.READ_DISCRETE_INPUTS,
        Function.READ_HOLDING_REGISTERS,
        Function.READ_INPUT_REGISTERS,
    }
)
_REPEATING = frozenset(
    {
        Function.WRITE_SINGLE_COIL,
        Function.WRITE_SINGLE_REGISTER,
        Function.DIAGNOSTICS,
        Function.MASK_WRITE_REGISTER,
    }
)
"""Functions whose reply repeats the request, so that it looks like an adapter's echo."""
_REFUSED_PROBE = Function.DIAGNOSTICS | EXCEPTION_FLAG


class RtuExchange(Exchange):
    """Requests on a serial line. An adapter's echo of what was sent is skipped, whole or in parts.

    The time-out is that of the device: the transmission times of request and reply at the speed of
    the line are added to it. A device that answered late is given its time from then on.

    Args:
        has_diagnostics: whether the device has function 8.
    """

    def __init__(
        self,
        wire: Transport,
        timeout_ms: int,
        clock: MonotonicClock,
        trace: Trace | None = None,
        *,
        has_diagnostics: bool = True,
    ) -> None:
        super().__init__(wire, timeout_ms, clock, trace)
        self._buffer = b""
        self._unshown = b""
        """What was received and the trace has not seen."""
        self._last_byte_at = clock()
        self._echo = b""
        """What was sent last and may come back once."""
        self._echoes: bool | None = None
        """Whether the adapter echoes, None while that is unknown."""
        self._has_diagnostics = has_diagnostics
        self._settled = not has_diagnostics
        self._awaited = b""
        """The only request whose reply may still come, empty where there may be others."""
        self._unanswered = 0
        """How often it was sent without a reply."""
        self._asked_at = 0
        self._slowest_ms = 0
        self._number = clock() & 0xFFFF
        self._probes: dict[bytes, int] = {}
        """Probes that have not returned, with the times at which they were sent."""
        self._returned = b""
        """The probe that returned last."""
        self._last: tuple[bytes, bytes] = b"", b""
        """The last request and its reply."""
        self._strays = Strays()
        self._has_sent = False
        self._outstanding = 0
        """Reads sent, less replies to reads that the unit sent."""
        self._unit = 0

    @property
    def strays(self) -> int:
        return self._strays.count

    @property
    def outstanding(self) -> int:
        return 0 if self._has_diagnostics else self._outstanding  # probes settle the line

    def ask(self, request: bytes, until_ms: int, *, is_recognised: bool = False) -> bytes:
        """Send a request and return its reply; see Exchange."""
        late = None if is_recognised else self._settle(request, until_ms)
        reply = self._ask(request, until_ms, is_recognised) if late is None else late
        if self._has_diagnostics and reply == self._last[1] and request != self._last[0]:
            reply = self._own_reply(request, until_ms) or self._ask_again(
                request, reply, until_ms, is_recognised
            )
        self._last = request, reply
        return reply

    def _own_reply(self, request: bytes, until_ms: int) -> bytes | None:
        """Return the reply to a request that follows a second copy of the reply before, if any."""
        self._settled, self._awaited, self._last = False, request, (b"", b"")
        return self._settle(request, until_ms)

    def _ask_again(self, request: bytes, reply: bytes, until_ms: int, is_recognised: bool) -> bytes:
        """Return the reply to a request whose reply was like the one before, with no other behind.

        Either its contents are the same, or it was a second copy and the request was lost. On the
        line, settled by now, no copy can come any more, so a read is sent again.

        Raises:
            CorruptAnswerError: the request is no read, and the caller does not recognise its reply.
        """
        if request[1] in _READS:
            return self._ask(request, until_ms, is_recognised)
        if not is_recognised:
            raise CorruptAnswerError("the reply may be the one before, received twice")
        return reply

    def _ask(self, request: bytes, until_ms: int, is_recognised: bool) -> bytes:
        settled = self._settled
        if request != self._awaited:
            self._awaited = request if settled or is_recognised else b""
            self._unanswered, self._asked_at = 0, self._now()
        self._settled = False
        self._unanswered += 1
        self._transmit(request, until_ms, settled)
        self._unit = request[0]
        self._outstanding += request[1] in _READS
        reply = self._reply_to(request, until_ms, settled)
        self._settled = settled
        if settled:
            self._awaited = b""
        return reply

    # ---- a line that is settled

    def _settle(self, request: bytes, until_ms: int) -> bytes | None:
        """Settle the line; return a late reply to `request`, if one came.

        Raises:
            NoAnswerError: nothing came back, or only frames that are not for us.
            CorruptAnswerError: only damaged bytes came back.
        """
        if self._strays.has_some:
            self._awaited = b""
            late = self._await_silence(request, until_ms, LEAST_SILENCE_MS)
            if late is not None:
                return late
            self._settled = not self._has_diagnostics
        if self._settled:
            return None
        if not self._has_diagnostics:
            return self._await_silence(request, until_ms)
        for _ in range(PROBES):
            returned, late = self._probe(request, until_ms)
            if returned or late is not None:
                return late
            if not self._received:
                break
        raise self._failure(self._timeout_ms, is_incomplete=False)

    def _probe(self, request: bytes, until_ms: int) -> tuple[bool, bytes | None]:
        """Send a probe; return whether it returned, and a late reply to `request`."""
        self._number = (self._number + 1) & 0xFFFF
        probe = rtu.encode(request[0], pack(">BHH", Function.DIAGNOSTICS, 0, self._number))
        self._transmit(probe, until_ms)
        began = self._probes[probe] = self._now()
        self._strays.know(probe)
        late: bytes | None = None
        while (frame := self._next(self._deadline(probe, began, until_ms))) is not None:
            self._passed_over = True
            if frame[0] != probe[0]:
                continue
            if self._is_last_return(frame, probe, until_ms):
                self._settled = True
                self._awaited, self._returned = b"", probe
                self._probes.clear()
                return True, late
            late = late or self._late_reply(request, frame)
        return False, late

    def _is_last_return(self, frame: bytes, probe: bytes, until_ms: int) -> bool:
        """Return whether a frame is the last return that is due."""
        if frame[1] == _REFUSED_PROBE and self._probes:
            del self._probes[next(iter(self._probes))]
            return not self._probes
        self._learn_from_return(frame)
        if frame == probe and self._echoes is None:
            self._pass_over_second(probe, min(until_ms, self._now() + self._timeout_ms))
        return frame == probe

    def _pass_over_second(self, probe: bytes, deadline: int) -> None:
        """Wait for a second copy of a probe: the first may have been the echo of an adapter."""
        while self._next(deadline) not in (None, probe):
            pass

    def _learn_from_return(self, frame: bytes) -> None:
        """A probe that returns tells how long the device takes."""
        sent_at = self._probes.get(frame)
        if sent_at is not None:
            self._slowest_ms = max(self._slowest_ms, self._now() - sent_at)

    def _await_silence(self, request: bytes, until_ms: int, least_ms: int = 0) -> bytes | None:
        """Wait until the line was silent for a time-out, or everything sent was answered."""
        late: bytes | None = None
        self._show_rest()
        self._received, self._buffer, self._echo = b"", b"", b""
        silence_ms = max(self._timeout_ms, least_ms)
        silent_since = self._now()
        while (end := min(until_ms, silent_since + silence_ms)) > self._now():
            frame = self._next(end)
            silent_since = max(silent_since, self._last_byte_at)
            found = self._late_reply(request, frame) if frame else None
            if found is not None:
                late = found
                self._unanswered -= 1
                if self._unanswered <= 0:
                    break
        self._show_rest()
        self._settled, self._awaited, self._strays.has_some = True, b"", False
        return late

    def pass_over_late(self, silence_ms: int, until_ms: int) -> None:
        self._show_rest()
        self._received, self._buffer, self._echo = b"", b"", b""
        silent_since = self._now()
        while self.outstanding and (end := min(until_ms, silent_since + silence_ms)) > self._now():
            self._next(end)
            silent_since = max(silent_since, self._last_byte_at)
        self._show_rest()

    def _late_reply(self, request: bytes, frame: bytes) -> bytes | None:
        """Return a frame that is the late reply to the request that is repeated, else None."""
        if request != self._awaited or frame[0] != request[0] or not _fits(request, frame):
            return None
        self._slowest_ms = max(self._slowest_ms, self._now() - self._asked_at)
        return frame

    # ---- frames

    def _transmit(self, frame: bytes, until_ms: int, settled: bool = False) -> None:
        """Send a frame after the silence that is due before it."""
        self._wire.prepare(max(1, until_ms - self._now()))
        discarded = self._be_silent(until_ms)
        if not self._has_sent:
            self._strays.has_some = len(discarded) >= LEAST_FRAME
        elif settled:
            self._strays.note_bytes(frame[0], discarded)
        self._has_sent = True
        self._echo = b"" if frame[1] in _REPEATING and not self._echoes else frame
        self._send(frame, until_ms)

    def _be_silent(self, until_ms: int) -> bytes:
        """Wait for the silence between two frames, then the pause; return what arrived, unused."""
        give_up = min(until_ms, self._now() + self._timeout_ms)
        discarded = self._buffer
        wait_ms = 0
        while True:
            if data := self._wire.receive(wait_ms):
                discarded += data
                self._unshown += data
                self._last_byte_at = self._now()
            wait_ms = self._last_byte_at + self._wire.silence_ms - self._now()
            if wait_ms <= 0 and not data:
                break
            wait_ms = max(wait_ms, 0)
            if self._now() > give_up:
                self._show_rest()
                raise CorruptAnswerError("the line is never silent; nothing was sent")
        if self._echo and self._echo in discarded:
            self._echoes = True  # a late reply was before it
        self._buffer = b""
        self._show_rest()
        if self._wire.pause_ms:
            self.rest(self._wire.pause_ms)
        return discarded

    def _deadline(self, request: bytes, began: int, until_ms: int) -> int:
        """Return until when the reply to a request that was sent at `began` is awaited."""
        size = len(request) + (expected_reply(request[1:-2]) or rtu.MAX_FRAME) + 3
        wire_ms = -(-self._wire.character_us * size // 1000)
        device_ms = max(self._timeout_ms, self._slowest_ms * 3 // 2)
        return min(until_ms, began + device_ms + wire_ms)

    def _reply_to(self, request: bytes, until_ms: int, settled: bool) -> bytes:
        """Return the reply to a request that was sent just now.

        A read on a settled line on which a stray came is not answered: its reply may be one too.
        """
        began = self._now()
        reply: bytes | None = None
        while (frame := self._next(self._deadline(request, began, until_ms))) is not None:
            if frame[0] != request[0] or frame[1] & ~EXCEPTION_FLAG == Function.DIAGNOSTICS:
                if frame == self._returned:
                    self._echoes, self._awaited = None, b""
                    raise CorruptAnswerError("a probe returned twice: an adapter may echo")
                self._learn_from_return(frame)
                self._passed_over = True  # another unit's, or the return of a probe
                if settled:
                    self._strays.note(request[0], frame)
                continue
            try:
                check_reply(request[1:-2], frame[1:-2])
            except FrameError as error:
                self._corrupt = error
                if settled:  # else what was sent before explains it
                    self._strays.note(request[0], frame)
                continue
            reply = frame
            break
        if reply == request and self._echoes is None:
            reply = self._behind_echo(request, until_ms)
        elif self._echoes is None and self._received == (reply or b""):
            self._echoes = False  # nothing but the reply, if any, came back
        if reply is None:
            raise self._failure(self._now() - began, is_incomplete=bool(self._buffer))
        if settled and self._strays.has_some and request[1] in _READS:
            raise CorruptAnswerError("a reply to nothing that was asked came before the reply")
        self._strays.know(reply, instead_of=partial(_fits, request))
        return reply

    def _behind_echo(self, request: bytes, until_ms: int) -> bytes:
        """Return the reply behind one that equals the request, which may be an adapter's echo.

        Raises:
            CorruptAnswerError: none came, so that the request may have been lost behind its echo.
        """
        deadline = self._deadline(request, self._now(), until_ms)
        while (frame := self._next(deadline)) is not None:
            if frame[0] == request[0] and _fits(request, frame):
                return frame
        self._show_rest()
        raise CorruptAnswerError("the reply may be an adapter's echo of the request")

    def _next(self, deadline: int) -> bytes | None:
        """Return the next frame with a right CRC, of any unit; None where none comes in time."""
        while True:
            frame = self._first()
            if frame is not None:
                self._show_received(frame)
                if self._outstanding and frame[0] == self._unit:
                    self._outstanding -= frame[1] & ~EXCEPTION_FLAG in _READS
                return frame
            left = deadline - self._now()
            if left <= 0:
                return None
            data = self._wire.receive(left)
            if data:
                self._last_byte_at = self._now()
                self._received += data
                self._buffer += data
                self._unshown += data

    def _show_received(self, frame: bytes) -> None:
        """Show a frame that was taken just now; what came before it is an echo, or damaged."""
        end = len(self._unshown) - len(self._buffer)
        self._show("<?", self._unshown[: end - len(frame)])
        self._show("<-", frame)
        self._unshown = self._unshown[end:]

    def _show_rest(self) -> None:
        self._show("<?", self._unshown)
        self._unshown = b""

    def _first(self) -> bytes | None:
        """Take the first frame of the buffer; skip an echo, and drop what is damaged."""
        while self._buffer:
            if self._echo and (at := self._buffer.find(self._echo)) >= 0:
                # what came before it answers something earlier
                self._buffer = self._buffer[at + len(self._echo) :]
                self._sent_back, self._echo, self._echoes = self._echo, b"", True
                continue
            buffer = self._buffer
            if self._echo.startswith(buffer):
                return None
            length = reply_length(buffer[1:])
            if length == INCOMPLETE or (length != UNKNOWN and len(buffer) < length + 3):
                return None
            if length == UNKNOWN or crc16(buffer[: length + 3]) != 0:
                self._corrupt = FrameError("the CRC is wrong")
                self._buffer = buffer[1:]
                continue
            self._buffer = buffer[length + 3 :]
            return buffer[: length + 3]
        return None


def _fits(request: bytes, frame: bytes) -> bool:
    """Return whether a frame of the unit can be the reply to a request."""
    try:
        check_reply(request[1:-2], frame[1:-2])
    except FrameError:
        return False
    return True
