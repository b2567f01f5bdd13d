"""An auditor for the deterministic simulation: METER.md 1, 2, 4 to 9, independent of the ledger.

It reads only public data: the bytes that reached a meter, the outcome words, the items and purchase
records before and after, and the hosts' journals. From these it keeps its own books of each meter
and raises `AuditError` where meter, journals and METER.md do not agree to the last ledger unit. It
was written without the product's ledger code. Clauses are named by their section, as "METER 6".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations
from typing import Any, NoReturn

from protocols.data_model.items import BY_NAME, ITEMS, SETTINGS
from protocols.data_model.kinds import (
    Boolean,
    Choice,
    Date,
    Digits,
    Fixed,
    Flags,
    Hex,
    Moment,
    Optional,
)
from protocols.errors import MalformedMessageError, ProtocolError
from protocols.keys import MessageClass, MeterKeys
from protocols.quantities import (
    CENT,
    DAY,
    HOUR,
    MINUTE,
    MONEY_LIMIT,
    format_money,
    parse_date,
    parse_fixed,
    parse_moment,
)
from protocols.sealed_message import (
    COMMAND_REACH,
    FORMAT_VERSION,
    MessageKind,
    Outcome,
    SealedMessage,
    SwitchAction,
    decode_limits,
    decode_number,
    verify,
)
from tests.simulation.lines import (
    BY_HAND,
    FINAL_STATES,
    LEFT_OPEN,
    OPEN_STATES,
    TRANSFERS,
    AuditError,
    JournalLine,
    decoded,
    fail_line,
)
from tests.simulation.proofs_left import why_left_to_a_person
from tests.simulation.sums import check_sums

Snapshot = Mapping[str, Any]
"""Item name -> JSON text as in DESIGN 5.3, and "purchases": a list of records."""

_CREDIT_CAUSES = frozenset({"credit_reminder", "credit_exhausted"})


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """The given facts of a meter. `price` is constant, in 1e-4 per kWh.

    `keys` holds all keys of the meter by their version; with it, codes and versions are verified
    too.
    """

    serial_number: str
    price: int
    keys: Mapping[int, MeterKeys] | None = field(default=None, repr=False)


# --- reading snapshots


@lru_cache(maxsize=16384)
def _parse(name: str, text: str) -> Any:
    """Return the exact value of an item's JSON text; quotes are accepted around every value."""
    kind, bare = BY_NAME[name].kind, text.strip().strip('"')
    absent = bare.lower() in ("null", "off", "none", "never", "")
    if isinstance(kind, Optional):
        return None if absent else parse_fixed(bare, kind.inner.decimals)
    if isinstance(kind, Fixed):
        return parse_fixed(bare, kind.decimals)
    if isinstance(kind, Flags):
        words = (
            json.loads(text)
            if bare.startswith("[")
            else []
            if absent
            else bare.replace(",", " ").split()
        )
        return frozenset(words)
    if isinstance(kind, Hex):
        return int(bare, 16)
    if isinstance(kind, Moment):
        return 0 if absent else parse_moment(bare)
    if isinstance(kind, Date):
        return 0 if absent else parse_date(bare)
    if isinstance(kind, Boolean):
        return bare.lower() in ("true", "on", "yes", "1")
    return bare.lower() if isinstance(kind, Choice) else bare


def _cents(value: Any) -> int:
    """Return 0.01 from the JSON text of a money column."""
    return parse_fixed(str(value).strip().strip('"'), 2)


def _cut(ledger: int) -> int:
    """Return ledger units as 0.01, truncated towards zero, as every wire shows them."""
    return abs(ledger) // CENT * (-1 if ledger < 0 else 1)


Record = tuple[int, str, int, int, int, int, int, int, int]
_MONEY_COLUMNS = (
    "amount",
    "to_overdraft",
    "to_debt",
    "credit_before",
    "credit_after",
    "cumulative",
)


def _record(row: Mapping[str, Any]) -> Record:
    number, sequence = (int(str(row[name]).strip('"')) for name in ("number", "sequence"))
    money = [_cents(row[name]) for name in _MONEY_COLUMNS]
    return (
        number,
        str(row["kind"]).strip('"'),
        sequence,
        money[0],
        money[1],
        money[2],
        money[3],
        money[4],
        money[5],
    )


class View:
    """A snapshot with exact values: numbers in METER's units, words without quotes."""

    __slots__ = ("serial", "snapshot")

    def __init__(self, serial: str, snapshot: Snapshot) -> None:
        self.serial, self.snapshot = serial, snapshot

    def __getitem__(self, name: str) -> Any:
        if name not in self.snapshot:
            raise AuditError(f"meter {self.serial}: the snapshot lacks {name}")
        value, kind = self.snapshot[name], BY_NAME[name].kind
        if isinstance(value, int) and not isinstance(value, bool):
            if isinstance(kind, (Hex, Moment, Date)):
                return int(value)
            if isinstance(kind, (Choice, Flags)):
                value = kind.json(value)
            elif isinstance(kind, Fixed) and kind.decimals:
                raise AuditError(
                    f"meter {self.serial}: {name} is the bare number {value}: its unit is not told"
                )
        try:
            if isinstance(value, str):
                return _parse(name, value)
            if isinstance(value, (set, frozenset, tuple)):
                value = sorted(value)
            if isinstance(value, float):
                raise ValueError("a float is not exact")
            if isinstance(kind, Digits):
                return str(value)
            return _parse(
                name,
                str(value)
                if not isinstance(value, (bool, list, type(None)))
                else json.dumps(value),
            )
        except (ProtocolError, ValueError) as error:
            raise AuditError(
                f"meter {self.serial}: {name} cannot be read from {value!r}: {error}"
            ) from error

    def number(self, name: str) -> int:
        value: int = self[name]
        return value

    def kept(self, name: str) -> int | None:
        """Return a counter; None where the meter keeps none or the snapshot has none."""
        return self[name] if name in self.snapshot else None

    def word(self, name: str) -> str:
        value: str = self[name]
        return value

    def words(self, name: str) -> frozenset[str]:
        value: frozenset[str] = self[name]
        return value

    @property
    def local(self) -> int:
        """Local time in ms since 1970: the ISO text carries the offset (METER 1)."""
        text = self.snapshot["clock"]
        if isinstance(text, str):
            return parse_moment(text.strip().strip('"')[:23])
        return self.number("clock") + self.number("utc_offset_minutes") * MINUTE

    @property
    def powered(self) -> bool:
        """Whether the meter has power: without it, V = 0 (METER 9)."""
        names = [
            name
            for name in ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v")
            if name in self.snapshot
        ]
        return not names or any(self[name] for name in names)

    @property
    def status(self) -> frozenset[str]:
        return self.words("status") if "status" in self.snapshot else frozenset()

    @property
    def charged_energy(self) -> int:
        """Charged energy, mWh: import, and export if `reverse_charged` (METER 3)."""
        return self.number("energy_import_kwh") + (
            self.number("energy_export_kwh") if self["reverse_charged"] else 0
        )

    @property
    def moratorium(self) -> bool:
        """Whether the local date is before the moratorium's end, computed from the items alone."""
        return self.number("moratorium_until") > self.local // DAY

    def records(self) -> tuple[Record, ...]:
        """The purchase records, oldest first."""
        try:
            return tuple(sorted(_record(row) for row in self.snapshot["purchases"]))
        except (KeyError, ValueError, ProtocolError) as error:
            raise AuditError(
                f"meter {self.serial}: the purchase records cannot be read: {error!r}"
            ) from error


# --- the books: the state that METER 6 and 7 require, computed from the state before

_TOTALS = {
    "opening": "opening_balance_exact",
    "credited": "credited_exact",
    "refunded": "refunded_exact",
    "settled": "settled_exact",
    "debt_entered": "debt_entered_exact",
    "debt_from_top_ups": "debt_from_top_ups_exact",
    "cumulative": "cumulative_purchased",
    "purchase_count": "purchase_count",
    "credit_sequence": "credit_sequence",
    "command_sequence": "command_sequence",
}
"""Totals that only messages may change: field of the books -> item."""
_SETTINGS = (*(item.name for item in SETTINGS.values()), "guarantee")


@dataclass(slots=True)
class Books:
    """The auditor's books of one meter at one instant; copied to keep an earlier state."""

    serial: str
    epoch: int
    price: int
    elapsed_ms: int
    clock: int
    local: int
    imported: int
    exported: int
    energy: int
    account: str
    customer: str
    unit: str
    opening: int
    credited: int
    refunded: int
    settled: int
    consumption: int
    standing: int
    instalments: int
    debt_entered: int
    debt_from_top_ups: int
    cumulative: int
    purchase_count: int
    credit_sequence: int
    command_sequence: int
    settings: Mapping[str, Any]
    records: tuple[Record, ...]
    remote: bool
    """Whether the cause `remote` is certain; only messages clear it."""
    day: int
    """The local date up to which daily charges are accounted for."""
    top_day: int
    """The highest local date ever seen."""
    key_version: int = 0
    charged_days: frozenset[int] = frozenset()
    jumped: bool = False
    """Whether the clock jumped since daily charges were last accounted for."""

    @classmethod
    def seen(cls, view: View, price: int) -> Books:
        """Return books that begin with the values of a snapshot."""
        day = view.local // DAY
        fields: dict[str, Any] = {attribute: view[name] for attribute, name in _TOTALS.items()}
        return cls(
            serial=view.serial,
            epoch=view["epoch"],
            price=price,
            elapsed_ms=view["elapsed_ms"],
            clock=view["clock"],
            local=view.local,
            imported=view["energy_import_kwh"],
            exported=view["energy_export_kwh"],
            energy=view.charged_energy,
            account=view["account_state"],
            customer=view["customer_number"],
            unit=view["account_unit"],
            consumption=view["consumption_charged_exact"],
            standing=view["standing_charged_exact"],
            instalments=view["instalments_taken_exact"],
            settings={name: view[name] for name in _SETTINGS},
            records=view.records(),
            remote="remote" in view.words("supply_causes"),
            day=day,
            top_day=day,
            key_version=view.number("key_version"),
            **fields,
        )

    @property
    def credit(self) -> int:
        """METER 6, first equation."""
        taken = self.refunded + self.settled + self.consumption + self.standing + self.instalments
        return self.opening + self.credited - taken

    @property
    def debt(self) -> int:
        """METER 6, second equation."""
        return self.debt_entered - self.debt_from_top_ups - self.instalments

    def fail(self, text: str, sequence: int | None = None) -> NoReturn:
        """Raise AuditError with the meter and a sequence; the default is the credit sequence."""
        number = self.credit_sequence if sequence is None else sequence
        raise AuditError(f"meter {self.serial} epoch {self.epoch:08x} sequence {number}: {text}")

    # -- time

    def move(self, view: View, midnights: str = "due") -> None:
        """Advance to a later snapshot without a message in between.

        `midnights` is "due", "possible" or "none".
        """
        self._unmoved(view)
        elapsed_ms, imported, exported = (
            view.number(name) for name in ("elapsed_ms", "energy_import_kwh", "energy_export_kwh")
        )
        if elapsed_ms < self.elapsed_ms:
            self.fail(f"elapsed went back from {self.elapsed_ms} to {elapsed_ms}")
        if imported < self.imported or exported < self.exported:
            self.fail(
                f"an energy register went back: import {self.imported} -> {imported} mWh, "
                f"export {self.exported} -> {exported} mWh"
            )
        charge = view.number("consumption_charged_exact") - self.consumption
        expected = (view.charged_energy - self.energy) * self.price if self.account == "open" else 0
        if charge != expected:
            self.fail(
                f"consumption charged {format_money(charge, 10)} for "
                f"{view.charged_energy - self.energy} mWh of "
                f"an account that is {self.account}: it must be {format_money(expected, 10)}"
            )
        if midnights == "none" and (
            charge
            or view["standing_charged_exact"] != self.standing
            or view["instalments_taken_exact"] != self.instalments
        ):
            self.fail("a message came with a charge at its instant: only time charges")
        self._daily(view, elapsed_ms, charge, certain=midnights == "due")
        self.elapsed_ms, self.clock, self.local = elapsed_ms, view["clock"], view.local
        self.imported, self.exported, self.energy = imported, exported, view.charged_energy
        self.consumption += charge
        self._balances(view)

    def _unmoved(self, view: View) -> None:
        if view["epoch"] != self.epoch:
            self.fail(f"the epoch became {view.number('epoch'):08x}")
        for attribute, name in _TOTALS.items():
            expected = getattr(self, attribute)
            if view[name] != expected:
                decimals = getattr(BY_NAME[name].kind, "decimals", 0)
                self.fail(
                    f"{name} is {_fixed(view[name], decimals)}: by the accepted messages "
                    f"it must be "
                    f"{_fixed(expected, decimals)}"
                )
        if view["key_version"] != self.key_version:
            self.fail(
                f"key_version is {view['key_version']}: by the accepted messages it is "
                f"{self.key_version}"
            )
        if view["account_state"] != self.account:
            self.fail(
                f"the account is {view['account_state']}: by the accepted messages it is "
                f"{self.account}"
            )
        for name, value in self.settings.items():
            if view[name] != value:
                self.fail(f"{name} is {view[name]}: by the accepted messages it is {value}")
        if view.records() != self.records:
            self.fail(
                f"the purchase records are {view.records()[-2:]}, they must end "
                f"{self.records[-2:]} "
                "(number, kind, sequence, amount, to_overdraft, to_debt, before, after, cumulative)"
            )

    def _daily(self, view: View, elapsed_ms: int, charge: int, certain: bool) -> None:
        """Check standing charge, then instalment: once a local date, while open (METER 1, 2, 6)."""
        standing = view.number("standing_charged_exact") - self.standing
        taken = view.number("instalments_taken_exact") - self.instalments
        day = view.local // DAY
        if self.account != "open":
            if standing or taken:
                self.fail(f"a daily charge was made while the account was {self.account}")
            self.day, self.top_day = day, max(self.top_day, day)
            return
        passed = range(self.day + 1, day + 1)
        must = [date for date in passed if date > self.top_day]
        may = [date for date in passed if date <= self.top_day and date not in self.charged_days]
        if (
            self.local % DAY == 0
            and self.local // DAY == self.day
            and self.day not in self.charged_days
        ):
            may.append(self.day)
        spare = 0
        moved = elapsed_ms - self.elapsed_ms
        if abs(view.local - self.local - moved) > 2 * HOUR + moved // 20:
            # The clock was set, and not by a message.
            spare, self.jumped = moved // DAY + 1, True
        # It is not known which of the dates that wait for power-up were jumped over.
        if self.jumped:
            certain = False
        if "clock_invalid" in view.status:
            certain = False
        if not certain:
            must, may = [], [*must, *may]
        highest = len(must) + len(may) + spare
        # Without power the dates wait for power-up (METER 1).
        lowest = len(must) if view.powered else 0
        daily, days = self.settings["standing_charge"], 0
        if standing and (not daily or standing % daily or standing < 0):
            self.fail(
                f"standing charges rose by {format_money(standing, 10)}: "
                f"no multiple of {format_money(daily)} a day"
            )
        if daily:
            days = standing // daily
            if not lowest <= days <= highest:
                self.fail(
                    f"{days} standing charges were made over {lowest} to {highest} "
                    f"chargeable midnights"
                )
            lowest = highest = days
        self._instalment(taken, standing, charge, lowest, highest)
        self.standing += standing
        self.instalments += taken
        # Charges made before the power failed; the remaining dates wait.
        if not view.powered and (standing or taken):
            made = days if daily else -(-taken // self.settings["debt_instalment"])
            charged = [*must, *may][:made]
            self.charged_days |= frozenset(charged)
            self.day = max([self.day, *charged])
            self.top_day = max(self.top_day, self.day)
        elif view.powered:
            self.jumped = False
            charged = [*must, *may] if lowest >= len(must) + len(may) else must
            self.charged_days = frozenset(
                date for date in {*self.charged_days, *charged} if date > self.top_day - 64
            )
            self.day, self.top_day = day, max(self.top_day, day)

    def _instalment(
        self, taken: int, standing: int, charge: int, lowest: int, highest: int
    ) -> None:
        """Check min(instalment, debt, max(0, credit)) for each midnight.

        Credit only falls between two messages.
        """
        instalment = self.settings["debt_instalment"]
        if not 0 <= taken <= min(highest * instalment, self.debt):
            self.fail(
                f"instalments rose by {format_money(taken, 10)}: {highest} midnights, "
                f"{format_money(instalment)} "
                f"each, debt {format_money(self.debt, 10)}"
            )
        if taken:
            times = -(-taken // instalment)
            if self.credit - taken - times * self.settings["standing_charge"] < 0:
                self.fail(
                    f"instalments of {format_money(taken, 10)} were taken from credit "
                    f"{format_money(self.credit, 10)}: they went into overdraft"
                )
        full = min(lowest * instalment, self.debt)
        left = self.credit - charge - standing
        if taken < full and (left - taken > 0 or taken < left):
            self.fail(
                f"instalments of {format_money(taken, 10)} were taken over {lowest} "
                f"midnights where "
                f"{format_money(full, 10)} was due and credit was left"
            )

    def _balances(self, view: View) -> None:
        credit = view.number("available_credit_exact")
        if credit != self.credit:
            self.fail(
                f"credit is {format_money(credit, 10)}: by the books "
                f"{format_money(self.credit, 10)}"
            )
        if self.debt < 0 or _cut(view.number("debt")) != _cut(self.debt):
            self.fail(
                f"debt is {format_money(view.number('debt'))}: by the books "
                f"{format_money(self.debt, 10)}"
            )
        shown = {
            "available_credit": credit,
            "remaining_credit": max(0, credit),
            "overdraft": max(0, -credit),
        }
        for name, value in shown.items():
            if view.number(name) != _cut(value) * CENT:
                self.fail(f"{name} shows {format_money(view[name])} of {format_money(credit, 10)}")
        rates = [f"energy_rate_{n}_kwh" for n in range(1, 5)]
        if (
            all(name in view.snapshot for name in rates)
            and sum(view.number(name) for name in rates) != self.imported
        ):
            self.fail(f"the rate registers do not sum to the import of {self.imported} mWh")
        self._phases(view)

    def _phases(self, view: View) -> None:
        """Compare the energies of phases of a meter that kept them from its start with the totals.

        Each value is cut to a mWh, of six phase counters and two totals; import less export of the
        phases is that of the totals, whatever the summation.
        """
        if view.kept("energy_import_l1_kwh") is None:
            return
        imported, exported = (
            sum(view.kept(f"energy_{way}_l{n}_kwh") or 0 for n in (1, 2, 3))
            for way in ("import", "export")
        )
        if abs(imported - exported - (self.imported - self.exported)) > 3:
            self.fail(
                f"import less export of the phases is {imported - exported} mWh, "
                f"of the totals {self.imported - self.exported} mWh"
            )
        if imported < self.imported - 2 or exported < self.exported - 2:
            self.fail(
                f"the phases imported {imported} and exported {exported} mWh, less than the totals"
            )
        apparent = view.kept("energy_apparent_kvah") or 0
        if apparent < imported + exported - 1:
            self.fail(f"the apparent energy is {apparent}, less than {imported + exported} mWh")

    # -- messages

    def apply(self, message: SealedMessage) -> None:
        """Post an accepted message; fail if METER 6 and 7 forbid its acceptance."""
        number = message.sequence
        own = message.epoch == self.epoch
        first_card = (
            message.epoch == 0
            and message.kind is MessageKind.OPEN
            and number == 1
            and self.account == "unopened"
        )
        if message.serial_number != self.serial or not (own or first_card):
            self.fail(
                f"accepted a message for meter {message.serial_number} epoch {message.epoch:08x}",
                number,
            )
        if message.version != FORMAT_VERSION:
            self.fail(f"accepted a {message.kind.word} of format {message.version}", number)
        expiry = message.expires_at
        if expiry and self.elapsed_ms >= expiry * 1000:
            self.fail(
                f"accepted a {message.kind.word} that expired at {expiry} s of elapsed time, "
                f"which is {self.elapsed_ms} ms",
                number,
            )
        if message.key_version < self.key_version:
            self.fail(
                f"accepted a {message.kind.word} under key version "
                f"{message.key_version}: the meter "
                f"has passed it ({self.key_version})",
                number,
            )
        if message.kind.message_class is MessageClass.CREDIT:
            if number != self.credit_sequence + 1:
                self.fail(
                    f"accepted a {message.kind.word} out of sequence: the last was "
                    f"{self.credit_sequence}",
                    number,
                )
            self._transfer(message)
            self.credit_sequence = number
        else:
            if number <= self.command_sequence:
                self.fail(
                    f"accepted a {message.kind.word} command: the last was {self.command_sequence}",
                    number,
                )
            if number > self.command_sequence + COMMAND_REACH:
                self.fail(
                    f"accepted a {message.kind.word} command too far above {self.command_sequence}",
                    number,
                )
            try:
                self._command(message)
            except ProtocolError as error:
                self.fail(f"accepted a {message.kind.word} command that cannot be: {error}", number)
            self.command_sequence = number
        self.key_version = message.key_version

    def _transfer(self, message: SealedMessage) -> None:
        number, amount, kind = message.sequence, message.amount * CENT, message.kind
        if kind is MessageKind.VOID:
            return
        if (
            _parse("account_unit", BY_NAME["account_unit"].kind.text(message.account_unit))
            != self.unit
        ):
            self.fail(
                f"accepted a {kind.word} in unit {message.account_unit}: the account is "
                f"in {self.unit}",
                number,
            )
        if kind is MessageKind.OPEN:
            if self.account == "open":
                self.fail("accepted an open for an open account", number)
            self.account = "open"
            self.customer = ""  # Read from the next snapshot.
            self._top_up(message.kind.word, number, message.amount)
            return
        if self.customer.strip("0") and message.customer_number != self.customer:
            self.fail(
                f"accepted a {kind.word} for customer {message.customer_number}, not "
                f"{self.customer}",
                number,
            )
        if kind is MessageKind.CREDIT:
            if self.account != "open":
                self.fail(f"accepted a credit: the account is {self.account}", number)
            self._top_up(message.kind.word, number, message.amount)
        elif kind is MessageKind.REFUND:
            if amount > max(0, self.credit):
                self.fail(
                    f"refunded {format_money(amount)} of {format_money(self.credit, 10)}", number
                )
            self.refunded += amount
        elif kind is MessageKind.DEBT:
            self.debt_entered += amount
        else:
            self.settled += self.credit
            self.account = "closed"

    def take_plain(self, count: int, cents: int) -> None:
        """Post an accepted plain credit; fail if METER 7 forbids it. It moves no sequence."""
        if self.account != "open":
            self.fail(f"accepted a plain credit: the account is {self.account}", count)
        if count != self.purchase_count + 1:
            self.fail(f"accepted the plain credit {count} after {self.purchase_count}", count)
        if not 0 < cents * CENT <= MONEY_LIMIT:
            self.fail(f"accepted a plain credit of {format_money(cents * CENT)}", count)
        self._top_up("credit", count, cents)

    def _top_up(self, kind: str, sequence: int, cents: int) -> None:
        amount, before = cents * CENT, self.credit
        to_overdraft = min(amount, max(0, -before))
        share = amount * self.settings["debt_share_percent"] // 100  # exact: amounts are in 0.01
        to_debt = min(self.debt, amount - to_overdraft, share)
        self.credited += amount - to_debt
        self.debt_from_top_ups += to_debt
        limit = self.settings["max_credit"]
        if self.credit > (MONEY_LIMIT if limit is None else limit):
            self.fail(
                f"accepted {format_money(amount)}: credit "
                f"{format_money(self.credit, 10)} exceeds max_credit",
                sequence,
            )
        self.cumulative += amount
        self.purchase_count += 1
        row = (
            self.purchase_count,
            kind,
            sequence,
            cents,
            _cut(to_overdraft),
            _cut(to_debt),
            _cut(before),
            _cut(self.credit),
            _cut(self.cumulative),
        )
        self.records = (*self.records, row)[-10:]

    def _command(self, message: SealedMessage) -> None:
        kind, number = message.kind, message.sequence
        if kind is MessageKind.LIMITS:
            values = decode_limits(message.parameters)
            for setting, value in values.items():
                if not getattr(SETTINGS[setting].kind, "holds")(value):  # noqa: B009 - a SettableKind
                    self.fail(
                        f"accepted {SETTINGS[setting].name} = {value}, which is out of range",
                        number,
                    )
            told = {
                SETTINGS[n].name: _parse(SETTINGS[n].name, SETTINGS[n].kind.json(v))
                for n, v in values.items()
            }
            now = self.settings = {**self.settings, **told}
            first, second = now["low_credit_threshold_1"], now["low_credit_threshold_2"]
            if (
                {1, 2} & values.keys()
                and first is not None
                and second is not None
                and first < second
            ):
                self.fail("accepted low_credit_threshold_1 below low_credit_threshold_2", number)
            top = now["max_credit"]
            most = MONEY_LIMIT if top is None else top
            if {4, 5} & values.keys() and now["reconnect_threshold"] + CENT > most:
                self.fail("accepted reconnect_threshold above max_credit less 0.01", number)
        elif kind is MessageKind.GUARANTEE:
            self.settings = {
                **self.settings,
                "guarantee": bool(decode_number(kind, message.parameters)),
            }
            self.remote = self.remote and not self.settings["guarantee"]
        elif kind is MessageKind.CLOCK:
            clock = decode_number(kind, message.parameters)
            self.local += clock - self.clock
            self.clock = clock
            self.top_day = max(self.top_day, self.local // DAY)
            self.day = self.local // DAY
        elif kind is MessageKind.SWITCH:
            action = decode_number(kind, message.parameters)
            if action == SwitchAction.INTERRUPT and self.settings["guarantee"]:
                self.fail("accepted an interrupt under the power guarantee", number)
            self.remote = self.remote and action == SwitchAction.INTERRUPT


def _fixed(value: int, decimals: int) -> str:
    return format_money(value, decimals if decimals < 10 else 10) if decimals else str(value)


# --- the switch: METER 4 and 5


def check_switch(view: View, fail: Callable[[str], NoReturn]) -> None:
    """Check the rules of METER 4 and 5 for a single instant."""
    causes, state, mode = (
        view.words("supply_causes"),
        view.word("supply_state"),
        view.word("trip_mode"),
    )
    closed = view.word("supply_commanded") == "closed"
    if "storage_lost" in view.status:
        return
    if state == "connected" and causes:
        fail(f"connected, but {_list(causes)} stands")
    if (state == "connected") != closed:
        fail(f"the supply is {state}, the switch is commanded {'closed' if closed else 'open'}")
    hard = causes - {"credit_reminder", "overload"}
    if hard and state != "disconnected":
        fail(f"{state}, but {_list(hard)} stands, which the customer may not clear")
    if not closed and causes <= {"credit_reminder"} and state != "ready_for_reconnection":
        fail(f"{state}, but only {_list(causes)} stands, which the customer may clear")
    if (
        view["supply_switch"] == "open"
        and view.snapshot.get("active_power_kw")
        and view["active_power_kw"]
    ):
        fail("the switch is open, and power flows")
    if not view.powered:
        return  # No rule applies without power.
    _check_credit(view, causes, mode, fail)


def _check_credit(
    view: View, causes: frozenset[str], mode: str, fail: Callable[[str], NoReturn]
) -> None:
    pending, credit, is_open = (
        view.words("trip_pending"),
        view.number("available_credit_exact"),
        (view.word("account_state") == "open"),
    )
    guarantee, limit = bool(view["guarantee"]), view.number("overdraft_limit")
    held_back = guarantee or (view.moratorium and "moratorium" in view.status)
    free = not (
        guarantee or view.moratorium or view.status & {"moratorium", "friendly_window", "guarantee"}
    )
    money = format_money(credit, 10)
    if held_back and (causes | pending) & _CREDIT_CAUSES:
        fail(f"{_list((causes | pending) & _CREDIT_CAUSES)} under a guarantee or a moratorium")
    if guarantee and "remote" in causes | pending:
        fail("remote under a guarantee")
    if is_open and free and credit <= -limit:
        if mode == "delayed":
            if "credit_exhausted" not in causes | pending:
                fail(
                    f"credit {money}, overdraft_limit {format_money(limit)}, delayed: no "
                    f"trip stands or is pending"
                )
        elif "credit_exhausted" not in causes:
            fail(f"credit {money}, overdraft_limit {format_money(limit)}, {mode}: not exhausted")
    if (
        is_open
        and "credit_exhausted" in causes
        and credit > 0
        and credit >= view.number("reconnect_threshold")
    ):
        fail(f"exhausted, but credit {money} is above zero and reaches reconnect_threshold")
    if "credit_exhausted" in pending and (mode != "delayed" or credit > -limit or not is_open):
        fail(
            f"a credit trip is pending: mode {mode}, credit {money}, overdraft_limit "
            f"{format_money(limit)}"
        )
    if pending and view.number("trip_due") + MINUTE < view.number("clock"):
        fail(f"the trip for {_list(pending)} is overdue")
    if is_open and "account" in causes:
        fail("the cause `account` stands for an open account")
    warning, first = bool(view["low_credit_warning"]), view["low_credit_threshold_1"]
    if not is_open and warning:
        fail("a warning for an account that is not open")
    if is_open and first is not None and warning != (credit <= first):
        fail(f"low_credit_warning is {warning} at credit {money}, threshold {format_money(first)}")
    if is_open and first is None and mode == "two_stage" and warning:
        fail("low_credit_warning without a threshold")


def check_switch_step(
    before: View,
    after: View,
    message: SealedMessage | None,
    fail: Callable[[str], NoReturn],
    buttons_apart: bool,
) -> None:
    """Check METER 4 and 5 over two snapshots with at most one accepted message between them."""
    old, new, kind = (
        before.words("supply_causes"),
        after.words("supply_causes"),
        message.kind if message else None,
    )
    action = (
        decode_number(MessageKind.SWITCH, message.parameters)
        if message and kind is MessageKind.SWITCH
        else 0
    )
    if not (before.powered and after.powered) or "storage_lost" in after.status:
        return
    was_open, is_open = (view["supply_commanded"] == "open" for view in (before, after))
    automatic = before["reconnect_mode"] == after["reconnect_mode"] == "automatic"
    if "remote" in old - new and not (
        action in (SwitchAction.PERMIT, SwitchAction.DIRECT)
        or (kind is MessageKind.GUARANTEE and after["guarantee"])
    ):
        fail("remote was cleared without a permit, a direct close or a guarantee")
    if (
        "remote" in new - old
        and action != SwitchAction.INTERRUPT
        and "remote" not in before.words("trip_pending")
    ):
        fail("remote stands without an interrupt")
    if old and not new and automatic and is_open and action != SwitchAction.PERMIT:
        fail("the last cause went in automatic mode, and the switch stayed open")
    _check_exhaustion_stays(before, after, fail)
    if message is None:
        if buttons_apart:
            _check_reminder(before, after, fail)
        return
    if action == SwitchAction.INTERRUPT and "remote" not in new | after.words("trip_pending"):
        fail("an interrupt was accepted, and remote neither stands nor is pending")
    if action in (SwitchAction.PERMIT, SwitchAction.DIRECT) and "remote" in new:
        fail("remote stands after a permit or direct close")
    if action == SwitchAction.PERMIT and was_open and not is_open:
        fail("a permit closed the switch")
    if action == SwitchAction.DIRECT and ("credit_reminder" in new or (not new and is_open)):
        fail("a direct close left a reminder standing, or the switch open without a cause")
    if kind is MessageKind.CREDIT and "credit_reminder" in new:
        fail("an accepted top-up did not acknowledge the reminder")
    by_hand = before["reconnect_mode"] == after["reconnect_mode"] == "manual"
    if by_hand and was_open and not is_open and action == 0 and not _by_card(after):
        fail(f"a {kind.word if kind else ''} closed the switch in manual mode")
    if (
        kind is MessageKind.CLOSE
        and after["unopened_supply"] == "disconnected"
        and "account" not in new
    ):
        fail("the account was closed, and the cause `account` does not stand")


def _check_exhaustion_stays(before: View, after: View, fail: Callable[[str], NoReturn]) -> None:
    """Check that only credit, an inhibitor or closing the account ends exhaustion."""
    gone = "credit_exhausted" in before.words("supply_causes") - after.words("supply_causes")
    credit = after.number("available_credit_exact")
    inhibited = any(
        v["guarantee"] or v.moratorium or v["moratorium_until"] for v in (before, after)
    )
    restored = credit > 0 and credit >= after.number("reconnect_threshold")
    if gone and not (inhibited or restored or after["account_state"] != "open"):
        fail(f"exhaustion ended at credit {format_money(credit, 10)}, below what ends it")


def _check_reminder(before: View, after: View, fail: Callable[[str], NoReturn]) -> None:
    """Check that a crossed armed level trips in two_stage.

    A button press must be a step of its own.
    """
    quiet = all(
        view["trip_mode"] == "two_stage"
        and view["account_state"] == "open"
        and view["supply_state"] == "connected"
        and not (
            view["guarantee"]
            or view["moratorium_until"]
            or view.status & {"friendly_window", "moratorium"}
        )
        for view in (before, after)
    )
    if not quiet or before["elapsed_ms"] == after["elapsed_ms"]:
        return
    high, low = before.number("available_credit_exact"), after.number("available_credit_exact")
    levels = [after["low_credit_threshold_2"], 0]
    for level in levels:
        if level is not None and high > level >= low:
            fail(
                f"credit fell from {format_money(high, 10)} to {format_money(low, 10)} "
                f"past {format_money(level)}, "
                "and no reminder stands (if a button shares a step with time: buttons_apart=False)"
            )


def _by_card(view: View) -> bool:
    rows: Sequence[Mapping[str, Any]] = view.snapshot["purchases"]
    newest = max(rows, key=lambda row: int(str(row["number"]).strip('"')), default=None)
    return newest is not None and "card" in str(newest.get("carrier", ""))


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "no cause"


# --- the auditor

_REFUSAL_MAY_MOVE = frozenset({"event_number", "status"})
"""A refused message may be recorded as an event or an attack; it changes no other item."""
_NAMES = tuple(item.name for item in ITEMS if item.name not in _REFUSAL_MAY_MOVE)
_Key = tuple[int, MessageClass, int]
_Lines = Mapping[bytes, JournalLine]


@dataclass(slots=True)
class _Unanswered:
    """A message whose meter crashed before it answered: its effect is possible, not certain."""

    data: bytes
    message: SealedMessage
    before: View


@dataclass(slots=True)
class _UnansweredPlain:
    """A plain credit whose meter crashed before it answered: purchase count and 0.01."""

    count: int
    cents: int
    before: View


@dataclass(slots=True)
class _Audit:
    """One meter: its present books, the books no crash may undo, the applied messages."""

    facts: MeterFacts
    books: Books
    floor: Books
    view: View
    applied: dict[_Key, bytes] = field(default_factory=dict)
    starts: dict[int, tuple[int, int]] = field(default_factory=dict)
    unanswered: list[_Unanswered] = field(default_factory=list)
    plain: dict[tuple[int, int], int] = field(default_factory=dict)
    """Epoch and purchase count of each accepted plain credit -> its amount, 0.01."""
    unanswered_plain: list[_UnansweredPlain] = field(default_factory=list)
    journaled: set[_Key] = field(default_factory=set)
    undone: set[bytes] = field(default_factory=set)
    """Messages whose effect was undone when the storage was set back."""
    was_set_back: bool = False
    dead_before: set[bytes] = field(default_factory=set)
    """Messages whose sequence was reached before the set-back; their proofs remain valid."""

    def precedes(self, line: JournalLine) -> bool:
        """Return whether an entry is older than the audit."""
        epochs = [line.epoch] if line.epoch else list(self.starts)
        return any(
            epoch in self.starts and line.sequence <= self.starts[epoch][0] for epoch in epochs
        )


class Auditor:
    """Audits meters and all journals; every method raises AuditError on a violation of METER.md.

    `buttons_apart`: a press of the button never shares a step with passing time, so that a missed
    reminder is detected.
    """

    def __init__(self, meters: Iterable[MeterFacts], *, buttons_apart: bool = True) -> None:
        self._facts = {facts.serial_number: facts for facts in meters}
        self._audits: dict[str, _Audit] = {}
        self._buttons_apart = buttons_apart
        self._refused: set[tuple[bytes, int]] = set()
        """Messages written `refused`, with the epoch: an opening for epoch 0 is valid in others."""
        self._final: dict[tuple[str, bytes], str] = {}
        self._journaled: set[bytes] = set()
        """All messages that were in a journal."""

    def started(self, serial: str, snapshot: Snapshot) -> None:
        """Register a meter, or its new storage, which is a new epoch."""
        if serial not in self._facts:
            raise AuditError(f"meter {serial} is not known to the auditor")
        view = View(serial, snapshot)
        books = Books.seen(view, self._facts[serial].price)
        known = self._audits.get(serial)
        if known and books.epoch in known.starts:
            books.fail("a meter started again in an epoch that is known: that is a restart")
        books.move(view)
        audit = _Audit(self._facts[serial], books, replace(books), view)
        if known:
            audit.applied, audit.starts, audit.journaled = (
                known.applied,
                known.starts,
                known.journaled,
            )
            audit.plain = known.plain
        audit.starts[books.epoch] = (books.credit_sequence, books.command_sequence)
        self._audits[serial] = audit
        check_switch(view, books.fail)

    def stepped(self, serial: str, before: Snapshot, after: Snapshot) -> None:
        """Check a step without a message or crash: time, load, button, cover or power."""
        audit = self._audit(serial)
        self._step(audit, View(serial, before))
        self._step(audit, View(serial, after))

    def delivered(
        self, serial: str, data: bytes, outcome: str | None, before: Snapshot, after: Snapshot
    ) -> None:
        """Check one sealed message that reached the meter; an `outcome` of None means a crash."""
        audit, old, new = self._audit(serial), View(serial, before), View(serial, after)
        self._step(audit, old)
        if outcome is None:
            self._died(audit, data, old, new)
            return
        word = outcome.upper()
        if word not in Outcome.__members__:
            audit.books.fail(f"{outcome!r} is no outcome")
        number = _sequence(data)
        if old["elapsed_ms"] != new["elapsed_ms"]:
            audit.books.fail("the two snapshots of a delivery are not of one instant", number)
        if word != "ACCEPTED":
            self._refusal(audit, data, word, old, new)
            return
        message = self._decode(audit, data)
        self._apply(audit, audit.books, data, message, old, new)
        audit.view = new
        audit.floor, audit.unanswered = replace(audit.books), []
        audit.unanswered_plain = []

    def written_plainly(
        self,
        serial: str,
        credit: tuple[int, int],
        outcome: str | None,
        before: Snapshot,
        after: Snapshot,
    ) -> None:
        """Check one plain credit that reached the meter: purchase count and amount, 0.01.

        An `outcome` of None means a crash.
        """
        audit, old, new = self._audit(serial), View(serial, before), View(serial, after)
        self._step(audit, old)
        count, cents = credit
        known = audit.plain.get((audit.books.epoch, count))
        if outcome is None:
            if known is None:
                audit.unanswered_plain.append(_UnansweredPlain(count, cents, old))
            return
        if outcome != "ACCEPTED":
            if outcome == "ALREADY_ACCEPTED" and known != cents:
                audit.books.fail(f"the plain credit {count} of {cents} never had effect", count)
            if outcome != "ALREADY_ACCEPTED" and known == cents and "OLD" not in outcome:
                audit.books.fail(f"{outcome} for the plain credit {count} that had effect", count)
            self._unmoved(audit, outcome, count, old, new)
            audit.view = new
            return
        if known is not None:
            audit.books.fail(f"the plain credit {count} had its effect already", count)
        audit.books.take_plain(count, cents)
        audit.books.move(new, "none")
        check_switch(new, audit.books.fail)
        check_switch_step(old, new, None, audit.books.fail, self._buttons_apart)
        if "credit_reminder" in new.words("supply_causes"):
            audit.books.fail("an accepted plain credit did not acknowledge the reminder", count)
        audit.plain[audit.books.epoch, count] = cents
        audit.view = new
        audit.floor, audit.unanswered = replace(audit.books), []
        audit.unanswered_plain = []

    def restarted(self, serial: str, last: Snapshot, now: Snapshot) -> None:
        """Check a restart: the last commit or later, unanswered messages whole or absent."""
        audit, old, new = self._audit(serial), View(serial, last), View(serial, now)
        for lost in audit.unanswered:
            self._forget(audit, lost)
        failures = []
        possible = [
            (present, plain)
            for plain in (None, *audit.unanswered_plain)
            for present in _subsets(audit.unanswered)
        ]
        for present, plain in possible:
            try:
                books, floor = self._resume(audit, present, plain, new)
            except AuditError as error:
                failures.append(str(error))
                continue
            break
        else:
            unsure = [f"{u.message.kind.word} {u.message.sequence}" for u in audit.unanswered]
            tail = (
                f" (unanswered before the crash, whole or not at all: {', '.join(unsure)})"
                if unsure
                else ""
            )
            raise AuditError("after a restart: " + "; or: ".join(failures) + tail)
        if new["elapsed_ms"] <= old["elapsed_ms"]:
            for name in ("energy_import_kwh", "energy_export_kwh"):
                if new[name] > old[name]:
                    books.fail(
                        f"after a restart {name} is higher than before the crash, at an "
                        f"earlier instant"
                    )
        if floor.remote and "remote" not in new.words("supply_causes"):
            books.fail("after a restart an acknowledged interrupt is gone")
        for unanswered in present:
            self._remember(audit, unanswered.data, unanswered.message)
        if plain is not None:
            audit.plain[books.epoch, plain.count] = plain.cents
        audit.books, audit.floor, audit.view, audit.unanswered = books, floor, new, []
        audit.unanswered_plain = []
        check_switch(new, books.fail)

    def set_back(self, serial: str, snapshot: Snapshot) -> None:
        """Register that an older copy of the storage was restored: an attack no meter can detect.

        The effects of all later messages are undone. The meter's books now hold only the content of
        the older storage, and messages that were void because their sequence was taken are valid
        again.
        """
        audit, view = self._audit(serial), View(serial, snapshot)
        books = Books.seen(view, audit.facts.price)
        if books.epoch != audit.books.epoch:
            books.fail("a storage of another epoch is not an older copy")
        # A date that was reached before may stand as charged in the older storage too.
        books.top_day = max(books.top_day, audit.books.top_day)
        last = {
            MessageClass.CREDIT: books.credit_sequence,
            MessageClass.COMMAND: books.command_sequence,
        }
        for key in [
            key for key in audit.applied if key[0] == books.epoch and key[2] > last[key[1]]
        ]:
            audit.undone.add(audit.applied.pop(key))
            audit.journaled.discard(key)
        self._refused = {kept for kept in self._refused if decoded(kept[0]).serial_number != serial}
        reached = audit.books.credit_sequence
        audit.dead_before |= {
            data
            for data in self._journaled
            if decoded(data).serial_number == serial and decoded(data).sequence <= reached
        }
        audit.was_set_back = True
        audit.plain = {
            key: cents
            for key, cents in audit.plain.items()
            if key[0] != books.epoch or key[1] <= books.purchase_count
        }
        audit.unanswered_plain = []
        audit.books, audit.floor, audit.view, audit.unanswered = books, replace(books), view, []

    def journal(self, entries: Iterable[JournalLine]) -> None:
        """Check the entries of all journals; called after every step."""
        lines = list(entries)
        for line in lines:
            self._line(line)
        self._one_open(lines)
        best = _best_lines(lines)
        sales = _best_lines(lines, lambda line: (line.seller, line.message))
        for serial, audit in self._audits.items():
            for key, data in self._credit_messages(audit):
                if key not in audit.journaled:
                    self._find(serial, audit, key, data, best)
                    audit.journaled.add(key)
            taken = (data for _, data in self._credit_messages(audit))
            mine = [
                line
                for line in sales.values()
                if line.serial == serial and not audit.precedes(line)
            ]
            check_sums(serial, mine, taken, audit.undone | audit.dead_before)

    def open_for_a_person(self, entries: Iterable[JournalLine]) -> dict[JournalLine, str]:
        """Return the open entries with the reason for which METER 8 leaves each to a person.

        A void is there only with a reason: one that is open without it hinders the next sale.

        Raises:
            AuditError: an entry is open that one of the proofs (a) to (d), its bytes or a void
                would settle.
        """
        lines = list(entries)
        reasons: dict[JournalLine, str] = {}
        for line in lines:
            if line.state in OPEN_STATES and line.kind in LEFT_OPEN and not line.lost:
                audit = self._audit(line.serial)
                taken = {
                    k[2]: data
                    for k, data in audit.applied.items()
                    if k[:2] == (audit.books.epoch, MessageClass.CREDIT)
                }
                reason = why_left_to_a_person(
                    line,
                    lines,
                    audit.books.epoch,
                    audit.books.credit_sequence,
                    taken,
                    was_set_back=audit.was_set_back,
                )
                if reason is None and line.kind not in TRANSFERS:
                    continue
                if reason is None:
                    fail_line(line, f"still {line.state} at the end, though METER 8 settles it")
                reasons[line] = reason
        return reasons

    def finish(self, snapshots: Mapping[str, Snapshot], entries: Iterable[JournalLine]) -> None:
        """Check the books at the end: no faults, all entries settled or closed by hand."""
        lines = list(entries)
        for serial, snapshot in snapshots.items():
            self._step(self._audit(serial), View(serial, snapshot))
        self.journal(lines)
        for line in lines:
            if line.state in OPEN_STATES and line.kind in TRANSFERS and not line.lost:
                fail_line(line, f"still {line.state} at the end")
        best = _best_lines(lines)
        for serial, audit in self._audits.items():
            for key, data in self._credit_messages(audit):
                line = self._find(serial, audit, key, data, best)
                certain = (
                    line.kind not in TRANSFERS or line.state in ("confirmed", BY_HAND) or line.lost
                )
                revived = decoded(data).epoch == 0 or data in audit.dead_before
                if line.state == "refused" and revived:
                    # Void in one storage and accepted by another, or by one that was set back.
                    continue
                if not certain or line.state == "refused":
                    fail_line(line, f"is in the meter, the journal says {line.state}")

    # -- meters

    def _audit(self, serial: str) -> _Audit:
        if serial not in self._audits:
            raise AuditError(f"meter {serial} was never started")
        return self._audits[serial]

    def _step(self, audit: _Audit, view: View) -> None:
        audit.books.move(view)
        check_switch(view, audit.books.fail)
        check_switch_step(audit.view, view, None, audit.books.fail, self._buttons_apart)
        audit.books.customer = view["customer_number"]
        audit.view = view

    def _decode(self, audit: _Audit, data: bytes) -> SealedMessage:
        try:
            message = SealedMessage.decode(data)
            if audit.facts.keys:
                keys = audit.facts.keys.get(message.key_version)
                if keys is None:
                    raise MalformedMessageError(
                        f"the meter has no key version {message.key_version}"
                    )
                verify(data, keys.key(message.kind.message_class))
        except ProtocolError as error:
            audit.books.fail(f"accepted {data[:48].hex()}...: {error}", _sequence(data))
        return message

    def _apply(
        self, audit: _Audit, books: Books, data: bytes, message: SealedMessage, old: View, new: View
    ) -> None:
        """Post a message to `books` and compare them with the snapshot after it."""
        number = message.sequence

        def fail(text: str) -> NoReturn:
            books.fail(f"after {message.kind.word}: {text}", number)

        self._check_new(audit, books, data, message)
        books.apply(message)
        shifts_date = (
            message.kind is MessageKind.LIMITS
            and new["utc_offset_minutes"] != old["utc_offset_minutes"]
        )
        try:
            books.move(new, "possible" if shifts_date else "none")
        except AuditError as error:
            raise AuditError(
                f"{error} (at the {message.kind.word} with sequence {number})"
            ) from error
        books.customer = new["customer_number"]
        causes = new.words("supply_causes")
        books.remote = "remote" in causes
        if message.kind is MessageKind.CLOCK and new["clock"] != decode_number(
            message.kind, message.parameters
        ):
            fail(f"the clock is {new['clock']} ms, not what was set")
        if message.kind is MessageKind.MORATORIUM:
            until = decode_number(message.kind, message.parameters)
            if new["moratorium_until"] != until and (until == 0 or until > new.local // DAY):
                fail("moratorium_until is not what was set")
        elif new["moratorium_until"] != old["moratorium_until"] and not (
            message.kind is MessageKind.CLOCK or shifts_date
        ):
            fail("moratorium_until changed")
        check_switch(new, fail)
        check_switch_step(old, new, message, fail, self._buttons_apart)
        self._remember(audit, data, message)

    def _check_new(self, audit: _Audit, books: Books, data: bytes, message: SealedMessage) -> None:
        number = message.sequence
        if (books.epoch, message.kind.message_class, number) in audit.applied:
            books.fail(
                f"accepted a {message.kind.word} at a sequence that had its effect already", number
            )
        if (data, books.epoch) in self._refused:
            books.fail(
                f"a {message.kind.word} has effect that the journal had written `refused`", number
            )

    def _refusal(self, audit: _Audit, data: bytes, word: str, old: View, new: View) -> None:
        """Check a message other than ACCEPTED: it changed no item (METER 7)."""
        number = _sequence(data)
        self._unmoved(audit, word, number, old, new)
        if word in ("ALREADY_ACCEPTED", "SEQUENCE_CONFLICT"):
            message = self._decode(audit, data)
            first, epoch = audit.applied, audit.books.epoch
            mine = first.get((epoch, message.kind.message_class, number))
            starts = audit.starts[epoch][message.kind.message_class is MessageClass.COMMAND]
            if word == "ALREADY_ACCEPTED" and number > starts and mine != data:
                audit.books.fail("ALREADY_ACCEPTED for bytes that never had effect", number)
            if word == "SEQUENCE_CONFLICT" and mine == data:
                audit.books.fail("SEQUENCE_CONFLICT for the very bytes that had effect", number)
        audit.view = new

    @staticmethod
    def _unmoved(audit: _Audit, word: str, number: int, old: View, new: View) -> None:
        """Check that a refusal changed no item."""
        for name in _NAMES:
            if old.snapshot.get(name) != new.snapshot.get(name):
                audit.books.fail(
                    f"{word} moved {name} from {old.snapshot.get(name)} to "
                    f"{new.snapshot.get(name)}",
                    number,
                )
        if old.records() != new.records():
            audit.books.fail(f"{word} moved the purchase records", number)

    def _died(self, audit: _Audit, data: bytes, old: View, new: View) -> None:
        """Record a possible message; the crashed meter shows all of its effect or none."""
        try:
            message = SealedMessage.decode(data)
        except ProtocolError:
            message = None
        if message is not None:
            audit.unanswered.append(_Unanswered(data, message, old))
        if not new.snapshot:
            return
        try:
            untouched = replace(audit.books)
            untouched.move(new)
        except AuditError:
            if message is None:
                raise
            books = replace(audit.books)
            self._apply(audit, books, data, message, old, new)
            audit.books = books
        else:
            audit.books = untouched
        audit.view = new

    def _resume(
        self,
        audit: _Audit,
        present: Sequence[_Unanswered],
        plain: _UnansweredPlain | None,
        now: View,
    ) -> tuple[Books, Books]:
        """Return the books at `now` and the floor if exactly these messages took effect."""
        books = replace(audit.floor)
        for unanswered in present:
            if unanswered.before["elapsed_ms"] > books.elapsed_ms:
                books.move(unanswered.before)
            self._check_new(audit, books, unanswered.data, unanswered.message)
            if audit.facts.keys:
                self._decode(audit, unanswered.data)
            books.apply(unanswered.message)
        if plain is not None:
            if plain.before["elapsed_ms"] > books.elapsed_ms:
                books.move(plain.before)
            books.take_plain(plain.count, plain.cents)
        floor = replace(books)
        books.move(now)
        books.customer = now["customer_number"]
        floor.customer = books.customer
        return books, floor

    @staticmethod
    def _remember(audit: _Audit, data: bytes, message: SealedMessage) -> None:
        audit.applied[(audit.books.epoch, message.kind.message_class, message.sequence)] = data

    @staticmethod
    def _forget(audit: _Audit, lost: _Unanswered) -> None:
        key = (audit.books.epoch, lost.message.kind.message_class, lost.message.sequence)
        if audit.applied.get(key) == lost.data:
            del audit.applied[key]

    # -- the journal

    @staticmethod
    def _credit_messages(audit: _Audit) -> Iterator[tuple[_Key, bytes]]:
        """Return the messages of the credit class that took effect, voids included."""
        return ((key, data) for key, data in audit.applied.items() if key[1] is MessageClass.CREDIT)

    @staticmethod
    def _find(serial: str, audit: _Audit, key: _Key, data: bytes, best: _Lines) -> JournalLine:
        """Return the journal line of a message in the meter: the most informative one."""
        message, line = decoded(data), best.get(data)
        of_any = message.epoch == 0  # Each unopened storage accepts it once.
        if line is not None and line.serial == serial and (of_any or line.epoch == key[0]):
            return line
        raise AuditError(
            f"meter {serial} epoch {key[0]:08x} sequence {key[2]}: a {message.kind.word} of "
            f"{format_money(message.amount * CENT)} is in the meter and in no journal"
        )

    def _line(self, line: JournalLine) -> None:
        name = (line.journal, line.message)
        was = self._final.get(name)
        if was is not None:
            revived = (was, line.state) == ("refused", "confirmed") and decoded(
                line.message
            ).epoch == 0
            if was != line.state and not revived:
                fail_line(line, f"was {was}, which is final, and became {line.state}")
            if was == "confirmed":
                return  # An acknowledged message is never undone.
        try:
            message = decoded(line.message)
        except ProtocolError as error:
            fail_line(line, f"the journal's bytes are no message: {error}")
        self._journaled.add(line.message)
        told = (line.serial, line.sequence, line.kind)
        if told != (
            message.serial_number,
            message.sequence,
            message.kind.word,
        ) or message.epoch not in (0, line.epoch):
            fail_line(
                line,
                f"the journal's bytes are {message.kind.word} {message.sequence} for meter "
                f"{message.serial_number} epoch {message.epoch:08x}",
            )
        if message.kind is not MessageKind.CLOSE and line.amount != message.amount:
            fail_line(line, f"the journal says {line.amount}, its bytes {message.amount} (0.01)")
        if line.state not in OPEN_STATES | FINAL_STATES | {BY_HAND}:
            fail_line(line, f"{line.state!r} is no state of an entry")
        if line.state in FINAL_STATES and message.kind.message_class is MessageClass.CREDIT:
            self._settled(line, message)
            self._final[name] = line.state

    def _settled(self, line: JournalLine, message: SealedMessage) -> None:
        """Check the guarantees of `confirmed` and `refused` (METER 8)."""
        audit = self._audits.get(line.serial)
        if audit is None:
            return
        effect = any(data == line.message for data in audit.applied.values())
        epochs = [line.epoch] if line.epoch else list(audit.starts)
        current = audit.books.epoch in epochs
        if line.message in audit.dead_before:
            return  # The state was true when it was written, or was proved.
        if (
            message.epoch == 0
            and self._final.get((line.journal, line.message)) == line.state == "refused"
        ):
            return  # Void in the earlier storage; another one may accept it.
        if line.state == "refused":
            if (
                effect
                and message.epoch == 0
                and (line.message, audit.books.epoch) not in self._refused
            ):
                # Another storage accepted it: the person was warned, and a proof overrides the
                # void.
                return
            if effect:
                fail_line(line, "the journal says refused, and the meter has it")
            reached = audit.books.credit_sequence >= line.sequence
            passed = audit.books.key_version > message.key_version  # (d): versions only rise
            if current and not (reached or passed):
                fail_line(
                    line,
                    f"the journal says refused, but the sequence is not spent: the meter's "
                    f"last is {audit.books.credit_sequence}",
                )
            if line.epoch or (line.journal, line.message) not in self._final:
                self._refused.add((line.message, line.epoch or audit.books.epoch))
            return
        if line.state == "confirmed" and not effect and line.message not in audit.undone:
            if audit.precedes(line):
                return
            fail_line(line, "the journal says confirmed, and the meter never had it")

    @staticmethod
    def _one_open(lines: Iterable[JournalLine]) -> None:
        """Check for at most one open entry of a journal per (serial, epoch).

        An opening for epoch 0 counts for every epoch.
        """
        seen: dict[tuple[str, str], set[int]] = {}
        for line in lines:
            if line.state in OPEN_STATES and line.kind in TRANSFERS and not line.lost:
                epochs = seen.setdefault((line.journal, line.serial), set())
                if line.epoch in epochs or 0 in epochs or (epochs and line.epoch == 0):
                    fail_line(line, "a second entry is open for this meter and epoch")
                epochs.add(line.epoch)


_KNOWS_MOST = ("confirmed", BY_HAND, "unknown", "on_card", "prepared", "refused")


def _best_lines(
    lines: Iterable[JournalLine], name: Callable[[JournalLine], Any] = lambda line: line.message
) -> Mapping[Any, JournalLine]:
    """Return the most informative line for each name; several journals may hold the same sale."""
    best: dict[Any, JournalLine] = {}
    for line in lines:
        key = name(line)
        other = best.get(key)
        if other is None or _KNOWS_MOST.index(line.state) < _KNOWS_MOST.index(other.state):
            best[key] = line
    return best


def _subsets(unanswered: Sequence[_Unanswered]) -> Iterator[tuple[_Unanswered, ...]]:
    """Yield every subset of the unanswered messages, in order of delivery; rarely more than one."""
    for size in range(len(unanswered) + 1):
        yield from combinations(unanswered, size)


def _sequence(data: bytes) -> int:
    try:
        return SealedMessage.decode(data).sequence
    except ProtocolError:
        return 0
