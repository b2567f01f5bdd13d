"""The settings that a scan tries on a port, the units that it asks, and how long that takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from meterctl.cli.arguments import unit_numbers
from meterctl.drivers.probing import ProberKind
from meterctl.errors import UsageError
from meterctl.operations.scan import Setting
from meterctl.transports import LineTiming
from protocols.port_settings import PARITIES

AUTO = "auto"
RTU, TCP, RTU_OVER_TCP = "rtu", "tcp", "rtu-over-tcp"
FRAMINGS = (RTU, TCP, RTU_OVER_TCP)
SPEEDS = (9600, 2400, 4800, 19200, 38400, 57600, 115200)
"""The usual speeds, the most likely of a meter first."""
LOCAL_MS, REMOTE_MS = 200, 500
"""Time-out of a scan without --timeout, on a line of this machine and behind a network."""
_BAUD, _PARITY = 9600, "N"


def settings_of(
    port: str, framing: str | None, timeout_ms: int | None, kind: ProberKind
) -> list[Setting]:
    """Return the settings to try on a port, the most likely first.

    The port is one of --port; its baud and parity may be lists, or auto.

    Raises:
        UsageError: a setting that there is not, or that the port does not have.
    """
    if framing == "ascii":
        raise UsageError("--framing ascii: the ASCII framing is not supported; nothing was sent")
    if framing not in (None, AUTO, *FRAMINGS):
        allowed = ", ".join((*FRAMINGS, AUTO))
        raise UsageError(f"--framing {framing}: allowed is {allowed}; nothing was sent")
    scheme = urlsplit(port).scheme if "://" in port else ""
    if scheme in ("tcp", "socket"):
        return _of_host(port, scheme, framing, timeout_ms, kind)
    if framing in (TCP, RTU_OVER_TCP):
        raise UsageError(f"port {port}: a serial port has no framing {framing}; nothing was sent")
    return _of_line(port, timeout_ms or time_out_ms(port), kind)


def time_out_ms(port: str) -> int:
    """Return the time-out of a scan without --timeout."""
    return REMOTE_MS if "://" in port else LOCAL_MS


def _of_host(
    port: str, scheme: str, framing: str | None, timeout_ms: int | None, kind: ProberKind
) -> list[Setting]:
    from meterctl.transports.serial_port import timing_of

    if framing == RTU:
        raise UsageError(f"port {port}: RTU on TCP is --framing {RTU_OVER_TCP}; nothing was sent")
    if framing is None:
        framing = TCP if scheme == "tcp" else RTU_OVER_TCP
    rest = port.partition("://")[2]
    wanted = (TCP, RTU_OVER_TCP) if framing == AUTO else (framing,)
    made = []
    for each in wanted:
        waited_ms = timeout_ms or time_out_ms(port)
        linger_ms = kind.linger_ms(waited_ms)
        if each == TCP:
            silent_ms = kind.silent_ms(LineTiming(), waited_ms)
            address = f"tcp://{rest}"
            made.append(Setting(address, None, None, TCP, silent_ms, linger_ms, tuple(kind.alone)))
        else:
            address = f"socket://{_with_port(rest)}"
            silent_ms = kind.silent_ms(timing_of(address), waited_ms)
            made.append(Setting(address, None, None, RTU_OVER_TCP, silent_ms, linger_ms))
    return made


def _with_port(host: str) -> str:
    """Return HOST:PORT; the port of Modbus where none is given."""
    return host if re.search(r":\d+(?:[/?]|$)", host) else f"{host}:502"


def _of_line(port: str, timeout_ms: int, kind: ProberKind) -> list[Setting]:
    from meterctl.transports.serial_port import timing_of

    path, _, query = port.partition("?")
    parts = [part for part in query.split("&") if part]
    speeds, parities = _given(port, "baud", parts), _given(port, "parity", parts)
    rest = [part for part in parts if part.partition("=")[0] not in ("baud", "parity")]
    made = []
    for baud, parity in _in_order(speeds, parities):
        own = [f"baud={baud}"] if baud != str(_BAUD) else []
        own += [f"parity={parity}"] if parity != _PARITY else []
        named = "?".join([path, *filter(None, ["&".join([*own, *rest])])])
        silent_ms = kind.silent_ms(timing_of(named), timeout_ms)
        made.append(Setting(named, int(baud), parity, RTU, silent_ms, kind.linger_ms(timeout_ms)))
    return made


def _given(port: str, key: str, parts: Iterable[str]) -> list[str] | None:
    """Return the values of a setting of a port, [] for auto, None without it."""
    values = [value for part in parts for name, _, value in [part.partition("=")] if name == key]
    if not values:
        return None
    if len(values) > 1:
        raise UsageError(f"port {port}: {key} is given twice; nothing was sent")
    texts = [text.strip() for text in values[0].upper().split(",")]
    if texts == [AUTO.upper()]:
        return []
    wrong = [text for text in texts if not (text.isdigit() if key == "baud" else text in PARITIES)]
    if wrong:
        allowed = "numbers such as 9600,19200" if key == "baud" else ",".join(PARITIES)
        raise UsageError(f"--{key} {values[0]}: allowed is {allowed}, or {AUTO}; nothing was sent")
    return list(dict.fromkeys(text.lstrip("0") or "0" if key == "baud" else text for text in texts))


def _in_order(speeds: list[str] | None, parities: list[str] | None) -> list[tuple[str, str]]:
    """Return pairs of speed and parity: none and even before odd, which is rare."""
    chosen = [str(_BAUD)] if speeds is None else speeds or [str(one) for one in SPEEDS]
    if parities is None:
        parities = [] if speeds == [] else [_PARITY]
    if parities:
        return [(baud, parity) for baud in chosen for parity in parities]
    none, even, odd = PARITIES
    usual = [(baud, parity) for baud in chosen for parity in (none, even)]
    return [*usual, *((baud, odd) for baud in chosen)]


def units_of(text: str | None, settings: Sequence[Setting], kind: ProberKind) -> list[int]:
    """Return the units of --units such as 1,2,5-9, all that there can be without it.

    Raises:
        UsageError: no such list, or a number that no unit has.
    """
    if text is None:
        return list(kind.addresses)
    allowed = {*kind.addresses, *(unit for one in settings for unit in one.alone)}
    return unit_numbers(text, allowed, (kind.addresses[0], kind.addresses[-1]))


def duration_text(milliseconds: int) -> str:
    """Return a time for a person, rounded up: 53 s, 18 min 20 s."""
    seconds = -(-milliseconds // 1000)
    if seconds < 120:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
