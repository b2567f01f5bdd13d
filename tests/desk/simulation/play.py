"""One seed: a real desk and a plain one, asked for the same things and moved together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from meterctl.utility.errors import DeskError, KeyReused
from protocols.quantities import DAY
from tests.desk.simulation.plain import PlainDesk
from tests.desk.simulation.site import METERS, Site

Act = Callable[..., dict[str, Any]]
Errors = set[type[DeskError]]
BOOKED = ("to_debt", "consumption", "standing", "instalments")
AHEAD_OF_UTC_MS = 8 * 3_600_000
"""Of the company's zone."""


class ModelError(AssertionError):
    """The desk is not what UTILITY.md says; the text names what differs."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was answered."""

    person: str
    act: Act
    key: str
    values: dict[str, Any]
    answer: dict[str, Any]


class Play:
    """A site and its plain desk."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site, self.random = site, Random(f"desk/{seed}")
        self.plain = PlainDesk()
        self.agreements = list(site.template.agreements)
        self.meter_of = dict(zip(self.agreements[1:], METERS, strict=False))
        """Serial numbers by agreement; the first agreement keeps no credit in a meter."""
        self.taken_over: dict[str, dict[str, Any]] = {}
        """Bills and advance of the old books, by an agreement that is not taken over yet."""
        for agreement in self.meter_of:
            self.plain.meters[agreement] = dict.fromkeys(BOOKED, 0)
        self.requests: list[Request] = []
        self.tasks: dict[str, dict[str, Any]] = {}
        """Proposals that are not ended, by the number of their task."""
        self.log: list[str] = []
        self.seen: Counter[str] = Counter()
        self.last_reading = 0
        """Number of the newest reading that was looked at."""
        self.closed_day = 0
        """Number of the newest date that is closed."""
        self.booked_days: set[int] = set()
        """Numbers of the dates on which the ledger has entries."""
        self._keys = 0

    def say(self, text: str) -> None:
        """Write down what happens."""
        self.log.append(f"{self.site.time.now_us // 1000:>11} {text}")

    def new_key(self, kind: str) -> str:
        """Return a key that was not used."""
        self._keys += 1
        return f"{kind}-{self._keys}"

    @property
    def day(self) -> int:
        """Number of today in the company's zone."""
        return (self.site.time.now_ms() + AHEAD_OF_UTC_MS) // DAY

    def sale(self, *states: str) -> dict[str, Any] | None:
        """Return a drawn sale of some states, None if there is none."""
        found = [sale for sale in self.plain.sales.values() if sale["state"] in states]
        return self.random.choice(found) if found else None

    def attempt(
        self, person: str, act: Act, expected: Errors, *, key: str = "", **values: Any
    ) -> dict[str, Any] | None:
        """Ask for something; return the answer, or None where it was refused as it has to be.

        Args:
            expected: the errors of which one has to refuse it; empty: it is done.
        """
        key = key or self.new_key(act.__name__)
        told = ", ".join(f"{name} {value}" for name, value in values.items())
        try:
            answer = self.site.ask(person, act, key, **values)
        except DeskError as error:
            self.say(f"{person}: {act.__name__} {told}: refused, {error.code}")
            self.seen[f"{act.__name__}: {error.code}"] += 1
            if type(error) not in expected:
                raise ModelError(f"{act.__name__} {told} was refused: {error}") from error
            return None
        self.say(f"{person}: {act.__name__} {told}: done under {key}")
        self.seen[act.__name__] += 1
        if expected:
            words = ", ".join(error.__name__ for error in expected)
            raise ModelError(f"{act.__name__} {told} was done; {words} was to refuse it")
        if answer.replayed:
            raise ModelError(f"key {key} is new, and was answered as a known one")
        self.requests.append(Request(person, act, key, values, answer.values))
        return answer.values

    def ask_again(self) -> None:
        """Ask with a known key: the same body gives the first answer, another one is refused."""
        if not self.requests:
            return
        known = self.random.choice(self.requests)
        if self.random.random() < 0.7:
            answer = self.site.ask(known.person, known.act, known.key, **known.values)
            if not answer.replayed or answer.values != known.answer:
                raise ModelError(f"key {known.key} was answered otherwise: {answer}")
            self.seen["same key again"] += 1
            self.say(f"{known.person}: {known.act.__name__} again under {known.key}")
            return
        other = {
            name: value + 1 if isinstance(value, int) else value
            for name, value in known.values.items()
        }
        if other != known.values:
            self.attempt(known.person, known.act, {KeyReused}, key=known.key, **other)
