"""Faults in force: rules of a plan and of commands, with their counts. Draws are seeded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firmware_sim.hal.faulty import FaultyNvram
from firmware_sim.hal.nvram import Nvram
from protocols.faults import ALWAYS, FaultKind, FaultPlan, FaultRule, FaultScope, RandomDraws, Way


@dataclass(slots=True)
class ActiveFault:
    """A rule in force. `origin` is the line time, us, from which its instants count."""

    rule: FaultRule
    lots: RandomDraws
    origin_us: int
    left: int | None
    struck: int = 0

    @property
    def kind(self) -> FaultKind:
        """The registry's entry for this fault."""
        return self.rule.kind

    @property
    def amount(self) -> int:
        """The value of the fault."""
        return self.rule.amount

    def below(self, bound: int) -> int:
        """Draw a number from 0 to `bound` - 1."""
        return self.lots.below(bound)

    def strikes(self) -> bool:
        """Return whether it applies now, drawn by its probability, and count it."""
        if self.left == 0:
            return False
        if self.rule.probability < ALWAYS and self.lots.below(ALWAYS) >= self.rule.probability:
            return False
        if self.left is not None:
            self.left -= 1
        self.struck += 1
        return True

    def stands(self, at: int) -> bool:
        """Return whether the line time `at` lies within its span."""
        since = at - self.origin_us - self.rule.begins * 1000
        return since >= 0 and (self.rule.lasts is None or since < self.rule.lasts * 1000)


class Faults:
    """All faults of one process. Without any, a query reads an empty tuple."""

    def __init__(self, plan: FaultPlan | None = None, at: int = 0) -> None:
        self._seed = plan.seed if plan is not None else 0
        self._made = 0
        self.storage_rests = True
        """Whether storage faults rest: they do while a meter is built from its storage."""
        self.line: tuple[ActiveFault, ...] = ()
        self.reply: tuple[ActiveFault, ...] = ()
        self.storage: tuple[ActiveFault, ...] = ()
        self.meter: tuple[ActiveFault, ...] = ()
        for rule in plan.rules if plan is not None else ():
            self.add(rule, at)

    def add(self, rule: FaultRule, at: int) -> ActiveFault:
        """Put a rule in force from line time `at` on."""
        self._made += 1
        active = ActiveFault(
            rule, RandomDraws(self._seed, f"{self._made}/{rule.name}"), at, rule.count
        )
        setattr(
            self,
            _ATTRIBUTES[rule.kind.scope],
            (*getattr(self, _ATTRIBUTES[rule.kind.scope]), active),
        )
        return active

    def remove(self, name: str | None = None, unit: int | None = None) -> list[ActiveFault]:
        """End every fault of a name, or all, and return them; with `unit` those for it alone."""
        ended = []
        for room in _ATTRIBUTES.values():
            faults = getattr(self, room)
            gone = [
                fault
                for fault in faults
                if name in (None, fault.rule.name) and unit in (None, fault.rule.unit)
            ]
            ended += gone
            setattr(self, room, tuple(fault for fault in faults if fault not in gone))
        return ended

    def discard(self, fault: ActiveFault) -> None:
        """Remove one fault."""
        room = _ATTRIBUTES[fault.rule.kind.scope]
        setattr(self, room, tuple(other for other in getattr(self, room) if other is not fault))

    def __iter__(self) -> Iterator[ActiveFault]:
        for room in _ATTRIBUTES.values():
            yield from getattr(self, room)

    def on_line(
        self, way: Way, unit: int | None, at: int, *, may_echo: bool = True
    ) -> list[ActiveFault]:
        """Return the line faults that apply to a transmission, in their order.

        Without `may_echo` none of them gives it back to its sender: an echo is not echoed.
        """
        echoed = way if may_echo else None
        return [
            fault
            for fault in self.line
            if fault.rule.way in (None, way)
            and fault.kind.echoes in (None, echoed)
            and fault.rule.unit in (None, unit)
            and fault.stands(at)
            and fault.strikes()
        ]

    @property
    def meter_hears_itself(self) -> bool:
        """Whether a fault may give the meter its own replies: its line is known to echo."""
        return any(fault.kind.echoes is Way.REPLY for fault in self.line)

    def on_reply(
        self, unit: int, function: int, address: int | None, quantity: int | None, at: int
    ) -> dict[str, ActiveFault]:
        """Return the reply faults that apply to a request, by name."""
        return {
            fault.rule.name: fault
            for fault in self.reply
            if fault.rule.unit in (None, unit)
            and fault.rule.function in (None, function)
            and fault.rule.address in (None, address)
            and fault.rule.quantity in (None, quantity)
            and fault.stands(at)
            and fault.strikes()
        }

    def on_storage(self, name: str, unit: int) -> ActiveFault | None:
        """Return the storage fault of a name that applies to a write or a flush."""
        for fault in () if self.storage_rests else self.storage:
            if fault.rule.name == name and fault.rule.unit in (None, unit) and fault.strikes():
                return fault
        return None

    def nvram(self, inner: Nvram, unit: int) -> FaultyNvram:
        """Return a storage with these faults, for the meter of this unit."""
        return FaultyNvram(
            inner, lambda name: self.on_storage(name, unit), lambda: bool(self.storage)
        )


_ATTRIBUTES = {
    FaultScope.LINE: "line",
    FaultScope.REPLY: "reply",
    FaultScope.STORAGE: "storage",
    FaultScope.METER: "meter",
}
