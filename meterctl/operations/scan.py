"""Finds the meters on a port: every address of every setting is asked once.

With several settings the first few addresses are asked under each of them first, for most lines
have one there. Where a setting has a meter, its other addresses are asked, and then no other
setting is: all meters of a line have one setting. An address that gave damaged bytes, or answered
late, is asked a second time, with a longer time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from meterctl.drivers.probing import Identity, Prober
from meterctl.errors import CorruptAnswerError, NoAnswerError, UsageError

FIRST_ADDRESSES = 10
"""Addresses that are asked under each of several settings before the others."""
OPENING_MS = 50
"""Allowance for opening a port with a setting."""
SECOND_TIMEOUT_MS = 1000
"""Time-out of the second request to an address, at least; half as long again as its late reply."""
MOST_SECOND = 16
"""Addresses with damaged bytes that are asked again; if there are more, the setting is wrong."""
MANY = 8
"""Addresses that all answer, so that the host is likely to ignore the address."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to speak on a port.

    `port` is the port with the setting as --port takes it; `baud` and `parity` are None where the
    line has none. `silent_ms` is the longest time of an address without a meter, `linger_ms` that
    after the last address. `alone` are the addresses of a host that is a meter itself, asked where
    no other one answered.
    """

    port: str
    baud: int | None
    parity: str | None
    framing: str
    silent_ms: int
    linger_ms: int = 0
    alone: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The setting for a person: speed and parity of a serial line, the framing of a host."""
        return self.framing if self.baud is None else f"{self.baud} {self.parity}"


@dataclass(frozen=True, slots=True)
class FoundMeter:
    """A device that answered at an address, and what it is."""

    setting: Setting
    unit: int
    latency_ms: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: `left_ms` is the longest time that it still takes if all are silent."""

    asked: int
    of: int
    left_ms: int
    setting: Setting
    address: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person should know of the line."""

    text: str


Step = Progress | FoundMeter | Notice
OpenProber = Callable[[Setting], AbstractContextManager[Prober]]


@dataclass(slots=True)
class Scan:
    """A scan of some addresses under some settings, the most likely first.

    `every_setting`: all settings are scanned to the end, also where one has meters.
    """

    settings: Sequence[Setting]
    addresses: Sequence[int]
    open: OpenProber
    every_setting: bool = False
    found: list[FoundMeter] = field(default_factory=list)
    damaged: dict[tuple[str, int], str] = field(default_factory=dict)
    """What came in place of a reply, twice, by the name of the setting and the address."""
    asked: int = 0
    used: list[Setting] = field(default_factory=list)
    """The settings that were tried."""
    _of: int = 0
    _left_ms: int = 0

    @property
    def longest_ms(self) -> int:
        """The time of a scan in which no address answers."""
        rounds = sum(map(bool, self._rounds()))
        return sum(
            one.silent_ms * (len(self.addresses) + len(one.alone))
            + (OPENING_MS + one.linger_ms) * (rounds + bool(one.alone))
            for one in self.settings
        )

    def run(self) -> Iterator[Step]:
        """Scan; yield what happens as it does.

        Raises:
            UsageError: the port cannot be opened.
            NoAnswerError: the wire broke; `found` holds what was found until then.
        """
        first, rest = self._rounds()
        self._of = len(self.settings) * len(self.addresses)
        self._left_ms = self.longest_ms
        for round_, following in ((first, rest), (rest, ())):
            for setting in self.settings if round_ else ():
                yield from self._sweep(setting, round_)
                if self.found and not self.every_setting:
                    self._end_with(setting, following)
                    yield from self._sweep(setting, following)
                    return
        if not self.found:
            yield from self._ask_hosts()

    def _rounds(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the addresses of the first round, and of the second."""
        if self.every_setting or len(self.settings) == 1:
            return self.addresses, ()
        return self.addresses[:FIRST_ADDRESSES], self.addresses[FIRST_ADDRESSES:]

    def _end_with(self, setting: Setting, addresses: Sequence[int]) -> None:
        """Count no further setting."""
        self._of = self.asked + len(addresses)
        beside_ms = OPENING_MS + setting.linger_ms if addresses else 0
        self._left_ms = setting.silent_ms * len(addresses) + beside_ms

    def _ask_hosts(self) -> Iterator[Step]:
        for setting in self.settings:
            alone = [one for one in setting.alone if one not in self.addresses]
            self._of += len(alone)
            yield from self._sweep(setting, alone)

    def _sweep(self, setting: Setting, addresses: Sequence[int]) -> Iterator[Step]:
        """Ask addresses under a setting."""
        if not addresses:
            return
        try:
            opened = self.open(setting)
            with opened as prober:
                if setting not in self.used:
                    self.used.append(setting)
                yield from _Sweep(self, setting, prober, addresses).run()
        except UsageError as error:
            if not self.used:
                raise
            self._left_ms -= setting.silent_ms * len(addresses)
            self.lingered(setting)
            self._of -= len(addresses)
            yield Notice(f"{setting.name} cannot be tried: {error}")

    def progress(self, setting: Setting, address: int, silent_ms: int) -> Progress:
        """Count an address that is about to be asked."""
        left_ms = self._left_ms * max(silent_ms, setting.silent_ms) // setting.silent_ms
        step = Progress(self.asked, self._of, left_ms, setting, address)
        self.asked += 1
        self._left_ms -= setting.silent_ms
        return step

    def lingered(self, setting: Setting) -> None:
        """Count what a round takes beside its addresses."""
        self._left_ms -= OPENING_MS + setting.linger_ms


@dataclass(slots=True)
class _Sweep:
    """The addresses of one setting, on its open wire."""

    scan: Scan
    setting: Setting
    prober: Prober
    addresses: Sequence[int]
    _found: dict[int, FoundMeter] = field(default_factory=dict)
    _damaged: dict[int, str] = field(default_factory=dict)
    _before: dict[int, int] = field(default_factory=dict)
    """Silent addresses before a damaged one: the bytes may have been their late reply."""

    def run(self) -> Iterator[Step]:
        silent: int | None = None
        for address in self.addresses:
            yield self.scan.progress(self.setting, address, self.prober.silent_ms)
            try:
                latency_ms = self.prober.probe(address)
            except CorruptAnswerError as error:
                self._damaged[address] = str(error)
                if silent is not None:
                    self._before[silent] = address
                silent = None
                continue
            silent = address if latency_ms is None else None
            if latency_ms is not None:
                yield from self._meter(address, latency_ms)
        self.prober.linger()
        self.scan.lingered(self.setting)
        yield from self._second_round()
        yield from self._notices()

    def _meter(self, address: int, latency_ms: int) -> Iterator[FoundMeter]:
        """Yield a device that answered; it counts also where the wire breaks while it is asked."""
        try:
            yield self._counted(address, latency_ms, self.prober.identify(address))
        except (NoAnswerError, KeyboardInterrupt):
            if address not in self._found:
                yield self._counted(address, latency_ms, Identity())
            raise

    def _counted(self, address: int, latency_ms: int, identity: Identity) -> FoundMeter:
        found = FoundMeter(self.setting, address, latency_ms, identity)
        self._found[address] = found
        self.scan.found.append(found)
        return found

    def _second_round(self) -> Iterator[Step]:
        """Ask again where bytes were damaged, or a reply came late."""
        asked = set[int]()
        while (address := self._next_again(asked)) is not None:
            asked.add(address)
            late = dict(self.prober.late)
            least_ms = max(SECOND_TIMEOUT_MS, late.get(address, 0) * 3 // 2)
            try:
                latency_ms = self.prober.probe(address, least_ms)
            except CorruptAnswerError as error:
                self.scan.damaged[self.setting.name, address] = str(error)
                continue
            if latency_ms is None:
                latency_ms = late.get(address)
            if latency_ms is not None:
                yield from self._meter(address, latency_ms)

    def _next_again(self, asked: set[int]) -> int | None:
        """Return the next address of the second round; meanwhile further replies may come late."""
        again = {*self.prober.late}
        if len(self._damaged) <= MOST_SECOND:
            again |= {*self._damaged, *self._before}
        return min(again & {*self.addresses} - {*self._found} - asked, default=None)

    def _notices(self) -> Iterator[Notice]:
        """Yield what the bytes say that were no reply."""
        name, prober = self.setting.name, self.prober
        if len(self._damaged) > MOST_SECOND:
            yield Notice(
                f"{name}: damaged bytes at {len(self._damaged)} of {len(self.addresses)} units: "
                f"another speed or parity may be right, or another framing"
            )
        for address in sorted(self._damaged):
            if (text := self.scan.damaged.get((name, address))) is not None:
                cause = "two meters may have this number, or the line is disturbed"
                if self.setting.baud is None:
                    cause = f"another framing may be right; {cause}"
                yield Notice(f"{name}, unit {address}: damaged bytes, twice: {cause} ({text})")
        if not self._found and not self._damaged and prober.noise:
            yield Notice(
                f"{name}: {prober.noise} bytes came that are no answer: another speed or parity "
                f"may be right"
            )
        if prober.unasked:
            yield Notice(
                f"{name}: {prober.unasked} frames that were not asked for: another host may be "
                f"asking on this line"
            )
        cut = [one.unit for one in self._found.values() if one.identity.is_cut]
        if cut:
            yield Notice(
                f"{name}: {units_text(cut)} too slow to be asked for all maps; what it is may be "
                f"missing: read it with --map"
            )
        yield from self._alike()

    def _alike(self) -> Iterator[Notice]:
        """Yield that one meter answers at several addresses."""
        if len(self._found) == len(self.addresses) > MANY:
            yield Notice(
                f"{name_of(self.setting)}: every unit answered: the host is likely to ignore the "
                f"unit number"
            )
            return
        by_serial: dict[str, list[int]] = {}
        for one in self._found.values():
            if one.identity.serial_number is not None:
                by_serial.setdefault(one.identity.serial_number, []).append(one.unit)
        for serial_number, units in by_serial.items():
            if len(units) > 1:
                yield Notice(
                    f"units {', '.join(map(str, units))} show one serial number, {serial_number}"
                )


def name_of(setting: Setting) -> str:
    """Return a setting with its port, for a person."""
    return f"{setting.port} ({setting.name})"


def nothing_found(scan: Scan) -> NoAnswerError | CorruptAnswerError:
    """Return the error of a scan that found nothing: what was tried, and what else to try."""
    tried = ", ".join(one.name for one in scan.used)
    text = f"no answer from {units_text(scan.addresses)} ({tried})"
    if scan.damaged:
        return CorruptAnswerError(f"{text}, only damaged bytes; nothing was changed")
    return NoAnswerError(f"{text}; nothing was changed")


def units_text(units: Sequence[int]) -> str:
    """Return unit numbers in short: "units 1-3, 7"."""
    runs: list[list[int]] = []
    for unit in sorted(units):
        if runs and unit == runs[-1][1] + 1:
            runs[-1][1] = unit
        else:
            runs.append([unit, unit])
    shown = ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in runs)
    return f"unit{'s' if len(units) > 1 else ''} {shown}"
