"""Each rule of the auditor detects its violation, and a correct meter passes.

The snapshots are made by a small fake meter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from protocols.data_model.items import BY_NAME
from protocols.keys import MessageClass, derive_meter_keys, development_keys
from protocols.quantities import CENT, DAY, HOUR, format_money
from protocols.sealed_message import (
    COMMAND_REACH,
    MessageKind,
    Origin,
    SealedMessage,
    SwitchAction,
    encode_limits,
    encode_number,
)
from tests.simulation.auditor import AuditError, Auditor, JournalLine, MeterFacts, Snapshot
from tests.simulation.proofs_left import why_left_to_a_person
from tests.simulation.sums import check_sums

SERIAL, EPOCH, PRICE = "000000000007", 0xA1B2C3D4, 5283
KEYS = development_keys(SERIAL)
NEWER = derive_meter_keys(bytes(16), SERIAL, 3)
START = 1_767_225_600_000 + 12 * HOUR  # 2026-01-01T12:00Z
UNIT = 10**10

_FIXED: dict[str, str] = {
    "serial_number": f'"{SERIAL}"',
    "epoch": f'"{EPOCH:08x}"',
    "account_unit": '"CNY"',
    "customer_number": f'"{"0" * 12}"',
    "utc_offset_minutes": "0",
    "reverse_charged": "false",
    "voltage_l1_v": "230.000",
    "opening_balance_exact": "20.0000000000",
    "max_credit": "null",
    "reconnect_threshold": "0.00",
    "reconnect_mode": '"automatic"',
    "trip_delay_minutes": "0",
    "remote_trip_delay": "false",
    "power_limit_kw": "null",
    "power_limit_delay_s": "60",
    "overload_reconnect_s": "60",
    "overload_attempts": "3",
    "overload_reset_s": "3600",
    "unopened_supply": '"connected"',
    "tamper_trip": "[]",
    "friendly_hours": '"off"',
    "friendly_weekends": "false",
    "friendly_holidays": "false",
    "strict_suspension": "false",
    "moratorium_until": "null",
    "trip_pending": "[]",
    "trip_due": "null",
    "status": "[]",
    "active_power_kw": "0.000000",
    "key_version": "0",
    "event_number": "1",
}


@dataclass
class Fake:
    """A minimal meter by METER.md for these tests; `over` overrides any item."""

    elapsed_ms: int = 0
    clock: int = START
    energy: int = 0
    account: str = "open"
    credited: int = 0
    refunded: int = 0
    settled: int = 0
    consumption: int = 0
    standing: int = 0
    instalments: int = 0
    debt_entered: int = 0
    debt_top_ups: int = 0
    cumulative: int = 0
    count: int = 0
    credit_sequence: int = 0
    command_sequence: int = 0
    causes: tuple[str, ...] = ()
    mode: str = "two_stage"
    guarantee: bool = False
    settings: dict[str, int | None] = field(default_factory=dict)
    purchases: tuple[dict[str, str], ...] = ()
    over: dict[str, Any] = field(default_factory=dict)

    @property
    def credit(self) -> int:
        return (
            20 * UNIT
            + self.credited
            - (self.refunded + self.settled + self.consumption + self.standing + self.instalments)
        )

    @property
    def debt(self) -> int:
        return self.debt_entered - self.debt_top_ups - self.instalments

    def snapshot(self, **over: Any) -> Snapshot:
        credit, first = self.credit, self.settings.get("low_credit_threshold_1")
        soft = set(self.causes) <= {"credit_reminder"}
        values: dict[str, int] = {
            "clock": self.clock,
            "elapsed_ms": self.elapsed_ms,
            "energy_import_kwh": self.energy,
            "energy_export_kwh": 0,
            "available_credit": credit,
            "available_credit_exact": credit,
            "remaining_credit": max(0, credit),
            "overdraft": max(0, -credit),
            "debt": self.debt,
            "purchase_count": self.count,
            "credit_sequence": self.credit_sequence,
            "command_sequence": self.command_sequence,
            "credited_exact": self.credited,
            "refunded_exact": self.refunded,
            "settled_exact": self.settled,
            "consumption_charged_exact": self.consumption,
            "standing_charged_exact": self.standing,
            "instalments_taken_exact": self.instalments,
            "debt_entered_exact": self.debt_entered,
            "debt_from_top_ups_exact": self.debt_top_ups,
            "cumulative_purchased": self.cumulative,
        }
        settings: dict[str, int | None] = dict.fromkeys(
            ("overdraft_limit", "standing_charge", "debt_instalment", "debt_share_percent"), 0
        )
        settings |= {"low_credit_threshold_1": None, "low_credit_threshold_2": None} | self.settings
        items: dict[str, Any] = {
            name: BY_NAME[name].kind.json(value) for name, value in {**values, **settings}.items()
        }
        items |= {
            "account_state": f'"{self.account}"',
            "trip_mode": f'"{self.mode}"',
            "supply_causes": "[" + ", ".join(f'"{cause}"' for cause in self.causes) + "]",
            "supply_state": '"connected"'
            if not self.causes
            else '"ready_for_reconnection"'
            if soft
            else '"disconnected"',
            "supply_commanded": '"open"' if self.causes else '"closed"',
            "supply_switch": '"open"' if self.causes else '"closed"',
            "low_credit_warning": "true" if first is not None and credit <= first else "false",
            "guarantee": "true" if self.guarantee else "false",
            "purchases": list(self.purchases),
        }
        return {**_FIXED, **items, **self.over, **over}

    def run(self, hours: int, mwh: int, standing: int = 0, taken: int = 0) -> Snapshot:
        self.elapsed_ms += hours * HOUR
        self.clock += hours * HOUR
        self.energy += mwh
        self.consumption += mwh * PRICE if self.account == "open" else 0
        self.standing += standing * (self.settings.get("standing_charge") or 0)
        self.instalments += taken
        return self.snapshot()

    def top_up(self, message: SealedMessage, to_overdraft: int = 0, to_debt: int = 0) -> Snapshot:
        before = self.credit
        amount = message.amount * CENT
        self.credited += amount - to_debt
        self.debt_top_ups += to_debt
        self.cumulative += amount
        self.count += 1
        self.credit_sequence = message.sequence
        money = {
            "amount": amount, "to_overdraft": to_overdraft, "to_debt": to_debt,
            "credit_before": before,
            "credit_after": self.credit, "cumulative": self.cumulative,
        }  # fmt: skip
        row = {name: format_money(value) for name, value in money.items()}
        row |= {
            "number": str(self.count),
            "kind": f'"{message.kind.word}"',
            "sequence": str(message.sequence),
        }
        self.purchases = ({**row, "at": "null", "carrier": '"wire"'}, *self.purchases)[:10]
        return self.snapshot()


def note(kind: str, sequence: int, amount: int = 0, **more: Any) -> SealedMessage:
    return SealedMessage(
        MessageKind[kind.upper()], SERIAL, more.pop("epoch", EPOCH), sequence, amount, **more
    )


def sealed(message: SealedMessage) -> bytes:
    keys = NEWER if message.key_version == NEWER.version else KEYS
    return message.seal(keys.key(message.kind.message_class))


def line(message: SealedMessage, state: str, **more: Any) -> JournalLine:
    told = JournalLine(
        SERIAL, EPOCH, message.sequence, message.kind.word, message.amount, state, sealed(message)
    )
    return replace(told, **more)


def change(fake: Fake, **fields: Any) -> Callable[[], None]:
    """Return a function that sets fields of a fake."""
    return lambda: vars(fake).update(fields)


class Bench:
    """A fake meter under audit."""

    def __init__(self, fake: Fake | None = None, **options: Any) -> None:
        self.fake = fake or Fake()
        self.auditor = Auditor([MeterFacts(SERIAL, PRICE, {0: KEYS, 3: NEWER})], **options)
        self.auditor.started(SERIAL, self.fake.snapshot())

    def run(self, *how: int, **over: Any) -> None:
        before = self.fake.snapshot()
        self.auditor.stepped(SERIAL, before, {**self.fake.run(*how), **over})

    def deliver(
        self,
        message: SealedMessage,
        act: Callable[[], Any] = lambda: None,
        outcome: str | None = "ACCEPTED",
        **over: Any,
    ) -> None:
        before = self.fake.snapshot()
        act()
        self.auditor.delivered(SERIAL, sealed(message), outcome, before, self.fake.snapshot(**over))

    def credit(self, sequence: int, amount: int = 1000, **parts: int) -> SealedMessage:
        message = note("credit", sequence, amount)
        self.deliver(message, lambda: self.fake.top_up(message, **parts))
        return message

    def void(self, sequence: int) -> SealedMessage:
        message = note("void", sequence)
        self.deliver(message, change(self.fake, credit_sequence=sequence))
        return message

    def command(self, kind: str, sequence: int, parameters: bytes, act: Callable[[], Any]) -> None:
        def both() -> None:
            self.fake.command_sequence = sequence
            act()

        self.deliver(note(kind, sequence, parameters=parameters), both)


def bites(text: str) -> Any:
    return pytest.raises(AuditError, match=f"{SERIAL}.*{text}")


def switch(action: SwitchAction) -> bytes:
    return encode_number(MessageKind.SWITCH, action)


# --- a correct meter passes


def test_a_life_without_fault_passes() -> None:
    bench = Bench(
        Fake(
            settings={
                "standing_charge": UNIT,
                "debt_instalment": 2 * UNIT,
                "debt_share_percent": 25,
            }
        )
    )
    fake = bench.fake
    bench.run(11, 1_234_567)
    first = bench.credit(1)
    debt = note("debt", 2, 500)
    bench.deliver(debt, change(fake, debt_entered=5 * UNIT, credit_sequence=2))
    bench.run(1, 3_000_001, 1, 2 * UNIT)  # midnight exactly
    second = bench.credit(3, to_debt=25 * UNIT // 10)
    bench.run(48, 10_000_000, 2, UNIT // 2)
    void = bench.void(4)
    refund = note("refund", 5, 100)
    bench.deliver(refund, change(fake, refunded=UNIT, credit_sequence=5))
    lines = [line(message, "confirmed") for message in (first, debt, second, void, refund)]
    bench.auditor.journal(lines)
    close = note("close", 6)
    lines.append(line(close, "prepared"))

    def settle() -> None:
        fake.settled += fake.credit
        fake.account, fake.credit_sequence = "closed", 6

    bench.deliver(close, settle)
    bench.auditor.journal(lines)
    bench.run(30, 5_000_000)
    bench.auditor.finish({SERIAL: fake.snapshot()}, [*lines[:-1], line(close, "confirmed")])


def test_opening_takes_epoch_zero_once() -> None:
    bench = Bench(Fake(account="unopened", over={"opening_balance_exact": "20.0000000000"}))
    message = note("open", 1, 5000, epoch=0)

    def open_it() -> None:
        bench.fake.account = "open"
        bench.fake.top_up(message)

    bench.run(5, 1_000_000)
    bench.deliver(message, open_it)
    bench.deliver(message, outcome="ALREADY_ACCEPTED")
    bench.run(5, 1_000_000)
    bench.auditor.journal([line(message, "confirmed")])
    again = note("credit", 2, 10, epoch=0)
    with bites("accepted a message for meter"):
        bench.deliver(again, lambda: bench.fake.top_up(again))


def test_bare_values_are_read_and_ambiguous_ones_refused() -> None:
    fake = Fake(
        over={
            "epoch": EPOCH,
            "supply_causes": [],
            "credit_sequence": 0,
            "guarantee": False,
            "max_credit": None,
        }
    )
    Bench(fake)
    with bites("its unit is not told"):
        Bench(Fake(over={"overdraft_limit": 20}))
    with bites("not exact"):
        Bench(Fake(over={"overdraft_limit": 20.5}))
    with bites("lacks"):
        lacking = dict(Fake().snapshot())
        del lacking["debt"]
        Auditor([MeterFacts(SERIAL, PRICE)]).started(SERIAL, lacking)


# --- the books


@pytest.mark.parametrize(
    ("item", "value", "text"),
    [
        ("available_credit_exact", "14.7170000001", "by the books"),
        ("available_credit", "14.72", "available_credit shows"),
        ("consumption_charged_exact", "5.2830000001", "consumption charged"),
        ("standing_charged_exact", "0.5000000000", "standing charges rose"),
        ("instalments_taken_exact", "0.0000000001", "instalments rose"),
        ("credited_exact", "0.0000000001", "credited_exact"),
        ("refunded_exact", "0.0000000001", "refunded_exact"),
        ("opening_balance_exact", "20.0000000001", "opening_balance_exact"),
        ("debt_entered_exact", "1.0000000000", "debt_entered_exact"),
        ("debt", "1.00", "debt is"),
        ("cumulative_purchased", "1.00", "cumulative_purchased"),
        ("credit_sequence", "1", "credit_sequence is 1"),
        ("command_sequence", "1", "command_sequence is 1"),
        ("overdraft_limit", "5.00", "overdraft_limit is"),
        ("guarantee", "true", "guarantee is"),
        ("account_state", '"closed"', "the account is closed"),
        ("epoch", '"00000001"', "the epoch became"),
        ("elapsed_ms", "-1", "elapsed went back"),
        ("energy_import_kwh", "-0.000001", "energy register went back"),
        ("purchases", [{"number": 1}], "cannot be read"),
    ],
)
def test_time_moves_only_what_it_may(item: str, value: Any, text: str) -> None:
    with bites(text):
        Bench().run(1, 10_000_000, **{item: value})


def test_rates_sum_to_the_total() -> None:
    rates = {f"energy_rate_{n}_kwh": "0.000001" for n in range(1, 5)}
    Bench().run(1, 4, **rates)
    with bites("rate registers"):
        Bench().run(1, 5, **rates)


OF_PHASES = {
    "energy_import_l1_kwh": "0.000003",
    "energy_import_l2_kwh": "0.000002",
    "energy_import_l3_kwh": "0.000001",
    **{f"energy_export_l{n}_kwh": "0.000000" for n in (1, 2, 3)},
    "energy_apparent_kvah": "0.000007",
}


@pytest.mark.parametrize("energy", [6, 7, 8])
def test_phases_may_be_short_by_what_is_cut(energy: int) -> None:
    Bench().run(1, energy, **OF_PHASES)


@pytest.mark.parametrize(
    ("energy", "over", "text"),
    [
        (10, {}, "import less export of the phases is 6 mWh, of the totals 10"),
        (2, {}, "import less export of the phases is 6 mWh, of the totals 2"),
        (9, {"energy_import_l1_kwh": "0.000003"}, "less than the totals"),
        (6, {"energy_export_l3_kwh": "0.000005"}, "import less export of the phases is 1"),
        (6, {"energy_apparent_kvah": "0.000004"}, "the apparent energy is 4, less than 6"),
    ],
)
def test_phases_agree_with_the_totals(energy: int, over: dict[str, str], text: str) -> None:
    with bites(text):
        Bench().run(1, energy, **OF_PHASES | over)


def test_an_account_that_is_not_open_is_not_charged() -> None:
    bench = Bench(Fake(account="unopened"))
    with bites("an account that is unopened"):
        bench.run(
            1, 10, consumption_charged_exact="0.0000052830", available_credit_exact="19.9999947170"
        )


def test_standing_once_a_date_and_at_midnight() -> None:
    settings: dict[str, int | None] = {"standing_charge": UNIT}
    with bites("1 standing charges were made over 0 to 0"):
        Bench(Fake(settings=settings)).run(11, 0, 1)
    with bites("0 standing charges were made over 1 to 1"):
        Bench(Fake(settings=settings)).run(12, 0, 0)
    with bites("3 standing charges were made over 2 to 2"):
        Bench(Fake(settings=settings)).run(36, 0, 3)
    with bites("no multiple"):
        Bench(Fake(settings=settings)).run(12, 0, 0, standing_charged_exact="0.9900000000")


def test_standing_waits_in_the_dark() -> None:
    bench = Bench(Fake(settings={"standing_charge": UNIT}))
    bench.fake.over["voltage_l1_v"] = "0.000"
    bench.run(40, 0, 0)
    before = bench.fake.snapshot()
    del bench.fake.over["voltage_l1_v"]
    bench.auditor.stepped(SERIAL, before, bench.fake.run(1, 0, 2))
    with bites("1 standing charges"):
        bench.run(1, 0, 1)


def test_clock_jumps_charge_no_day_and_a_date_only_once() -> None:
    bench = Bench(Fake(settings={"standing_charge": UNIT}))
    fake = bench.fake

    def to(sequence: int, clock: int) -> None:
        bench.command(
            "clock", sequence, encode_number(MessageKind.CLOCK, clock), change(fake, clock=clock)
        )

    bench.run(12, 0, 1)
    to(1, fake.clock - 6 * HOUR)
    bench.run(7, 0, 0)  # the same midnight again
    to(5, fake.clock + 5 * DAY)
    bench.run(1, 0, 0)
    with bites("1 standing charges"):
        bench.run(1, 0, 1)


def test_a_date_reached_before_a_set_back_may_be_charged_in_the_older_storage() -> None:
    bench = Bench(Fake(settings={"standing_charge": UNIT}))
    fake = bench.fake
    bench.run(12, 0, 1)
    bench.command(
        "clock",
        1,
        encode_number(MessageKind.CLOCK, fake.clock - 6 * HOUR),
        change(fake, clock=fake.clock - 6 * HOUR),
    )
    bench.auditor.set_back(SERIAL, fake.snapshot())
    bench.run(7, 0, 0)  # the same midnight again
    with bites("0 standing charges were made over 1 to 1"):
        bench.run(24, 0, 0)


def test_instalments_stop_at_debt_and_at_credit() -> None:
    def bench(instalment: int, debt: int, credit: int) -> Bench:
        fake = Fake(
            settings={"debt_instalment": instalment, "standing_charge": 4 * UNIT}, debt_entered=debt
        )
        fake.refunded = fake.credit - credit
        return Bench(fake)

    bench(3 * UNIT, 2 * UNIT, 9 * UNIT).run(12, 0, 1, 2 * UNIT)
    with bites("credit was left"):
        bench(3 * UNIT, 9 * UNIT, 9 * UNIT).run(12, 0, 1, 2 * UNIT)
    with bites("credit was left"):
        bench(3 * UNIT, 9 * UNIT, 9 * UNIT).run(12, 0, 1, 0)
    with bites("into overdraft"):
        bench(3 * UNIT, 9 * UNIT, 6 * UNIT).run(12, 0, 1, 3 * UNIT)
    with bites("instalments rose"):
        bench(3 * UNIT, 9 * UNIT, 19 * UNIT).run(12, 0, 1, 6 * UNIT)
    short = bench(3 * UNIT, 9 * UNIT, 6 * UNIT)
    short.fake.causes = ("credit_exhausted",)  # the instalment takes all credit, to zero exactly
    before = short.auditor._audits[SERIAL].view.snapshot
    short.auditor.stepped(SERIAL, before, short.fake.run(12, 0, 1, 2 * UNIT))


# --- messages


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("available_credit_exact", "30.0000000001"),
        ("credited_exact", "9.9900000000"),
        ("debt_from_top_ups_exact", "0.0100000000"),
        ("purchase_count", "2"),
        ("cumulative_purchased", "10.01"),
        ("purchases", []),
        ("credit_sequence", "2"),
        ("command_sequence", "1"),
        ("standing_charge", "1.00"),
        ("energy_import_kwh", "0.000001"),
    ],
)
def test_a_top_up_moves_exactly_its_parts(item: str, value: Any) -> None:
    bench, message = Bench(), note("credit", 1, 1000)
    with bites(""):
        bench.deliver(message, lambda: bench.fake.top_up(message), **{item: value})


def test_overdraft_then_debt_then_credit() -> None:
    def bench() -> Bench:
        fake = Fake(
            settings={"debt_share_percent": 50, "overdraft_limit": 20 * UNIT},
            debt_entered=100 * UNIT,
        )
        fake.refunded = 24 * UNIT  # credit -4
        return Bench(fake)

    bench().credit(1, to_overdraft=4 * UNIT, to_debt=5 * UNIT)
    bench().credit(1, 600, to_overdraft=4 * UNIT, to_debt=2 * UNIT)
    with bites("debt_from_top_ups_exact|credited_exact"):
        bench().credit(1, to_overdraft=4 * UNIT, to_debt=6 * UNIT)
    with bites("purchase records"):
        bench().credit(1, to_overdraft=3 * UNIT, to_debt=5 * UNIT)


def test_sequences_by_one_once_and_apart() -> None:
    with bites("sequence 2: accepted a credit out of sequence"):
        Bench().credit(2)
    bench = Bench()
    first = bench.credit(1)
    with bites("had its effect already"):
        bench.deliver(first, lambda: bench.fake.top_up(first))
    commands = Bench()
    commands.command("guarantee", 7, b"\x01", change(commands.fake, guarantee=True))
    with bites("the last was 7"):
        commands.command("guarantee", 6, b"\x00", change(commands.fake, guarantee=False))
    crossed = Bench()
    with bites("credit_sequence is 7"):
        crossed.command(
            "guarantee",
            7,
            b"\x01",
            lambda: vars(crossed.fake).update(guarantee=True, credit_sequence=7),
        )


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (note("credit", 1, 10, account_unit=978), "in unit 978"),
        (note("guarantee", 1, parameters=b"\1", expires_at=3_600), "expired"),
        (note("guarantee", COMMAND_REACH + 1, parameters=b"\1"), "too far above 0"),
        (note("credit", 1, 10, version=1), "format 1"),
        (note("credit", 1, 10, epoch=5), "accepted a message for meter"),
        (
            replace(note("credit", 1, 10), serial_number="000000000008"),
            "accepted a message for meter",
        ),
        (note("credit", 1, 99_999_999), "exceeds max_credit"),
        (note("open", 1, 10), "an open account"),
        (note("refund", 1, 2001), "refunded"),
        (note("limits", 1, parameters=b"xyz"), "cannot be"),
        (note("limits", 1, parameters=encode_limits({3: -1})), "out of range"),
        (note("limits", 1, parameters=encode_limits({1: UNIT, 2: 2 * UNIT})), "below"),
        (note("limits", 1, parameters=encode_limits({4: UNIT, 5: 2 * UNIT})), "above max_credit"),
        (note("limits", 1, parameters=encode_limits({4: UNIT, 5: UNIT})), "above max_credit"),
    ],
)
def test_what_may_never_be_accepted(message: SealedMessage, text: str) -> None:
    bench = Bench()
    bench.run(1, 0)
    with bites(text):
        bench.deliver(message)


def test_commands_reach_to_their_end_and_live_to_their_last_second() -> None:
    bench = Bench()
    on = change(bench.fake, guarantee=True, command_sequence=COMMAND_REACH)
    bench.deliver(note("guarantee", COMMAND_REACH, parameters=b"\1", expires_at=1), on)


def test_key_versions_only_rise_and_by_accepted_messages_alone() -> None:
    with bites("SEQUENCE_OLD moved key_version"):
        Bench().deliver(note("credit", 1, 10), outcome="SEQUENCE_OLD", key_version="3")
    with bites("key_version is 3: by the accepted messages it is 0"):
        Bench().run(1, 0, key_version="3")
    bench = Bench()
    first, second = note("void", 1, key_version=3), note("void", 2)
    bench.deliver(first, change(bench.fake, credit_sequence=1, over={"key_version": "3"}))
    with bites("has passed it"):
        bench.deliver(second, change(bench.fake, credit_sequence=2))
    with bites("key_version is 0"):
        bench = Bench()
        bench.deliver(first, change(bench.fake, credit_sequence=1))
    with bites("no key version 2"):
        Bench().deliver(note("void", 1, key_version=2))


def test_other_customers_and_corrupt_codes() -> None:
    bench = Bench(Fake(over={"customer_number": '"000000000042"'}))
    bench.deliver(
        note("credit", 1, 10, customer_number="000000000041"), outcome="NOT_FOR_THIS_CUSTOMER"
    )
    with bites("for customer"):
        bench.deliver(note("credit", 1, 10, customer_number="000000000041"))
    data = sealed(note("credit", 1, 10))
    with bites("authentication code"):
        bench.auditor.delivered(
            SERIAL, data[:-1] + b"?", "ACCEPTED", bench.fake.snapshot(), bench.fake.snapshot()
        )


def test_a_void_kills_its_sequence_and_nothing_else() -> None:
    bench = Bench()
    bench.void(1)
    with bites("sequence 1"):
        bench.credit(1)
    paid, message = Bench(), note("void", 1)
    with bites("purchase"):
        paid.deliver(message, lambda: paid.fake.top_up(message))


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("credit_sequence", "1"),
        ("available_credit_exact", "21.0000000000"),
        ("command_sequence", "1"),
        ("trip_mode", '"direct"'),
        ("supply_causes", '["remote"]'),
        ("purchases", [{}]),
        ("moratorium_until", '"2027-01-01"'),
    ],
)
@pytest.mark.parametrize(
    "outcome", ["SEQUENCE_OLD", "BAD_AUTHENTICATION", "STORAGE_FAULT", "EXCEEDS_MAX_CREDIT"]
)
def test_only_accepted_moves_anything(item: str, value: Any, outcome: str) -> None:
    Bench().deliver(
        note("credit", 1, 100),
        outcome=outcome,
        event_number="9",
        status='["authentication_attack"]',
    )
    with bites("moved|cannot be read"):
        Bench().deliver(note("credit", 1, 100), outcome=outcome, **{item: value})


def test_already_accepted_and_conflict_are_true() -> None:
    bench = Bench()
    first = bench.credit(1)
    bench.deliver(first, outcome="ALREADY_ACCEPTED")
    bench.deliver(note("credit", 1, 77), outcome="SEQUENCE_CONFLICT")
    with bites("never had effect"):
        bench.deliver(note("credit", 1, 77), outcome="ALREADY_ACCEPTED")
    with bites("the very bytes"):
        bench.deliver(first, outcome="SEQUENCE_CONFLICT")
    with bites("no outcome"):
        bench.deliver(first, outcome="FINE")
    with bites("not of one instant"):
        bench.deliver(first, outcome="SEQUENCE_OLD", elapsed_ms="5")


def test_limits_set_exactly_what_they_say() -> None:
    parameters = encode_limits({1: 30 * UNIT, 4: 500 * UNIT, 9: 1})
    told = {"max_credit": "500.00", "remote_trip_delay": "true"}

    def bench(**over: str) -> None:
        one = Bench()

        def act() -> None:
            one.fake.settings["low_credit_threshold_1"] = 30 * UNIT
            one.fake.over |= {**told, **over}

        one.command("limits", 3, parameters, act)

    bench()
    with bites("max_credit is"):
        bench(max_credit="500.01")
    with bites("overload_attempts is"):
        bench(overload_attempts="9")


# --- crashes


def test_an_unanswered_message_is_there_whole_or_not_at_all() -> None:
    for applied in (False, True):
        bench, message = Bench(), note("credit", 1, 1000)
        bench.run(3, 500)
        bench.deliver(message, outcome=None)
        last = bench.fake.snapshot()
        if applied:
            bench.fake.top_up(message)
        bench.auditor.restarted(SERIAL, last, bench.fake.snapshot())
        if applied:
            bench.auditor.journal([line(message, "confirmed")])
            bench.auditor.finish({SERIAL: bench.fake.snapshot()}, [line(message, "confirmed")])
        else:
            with bites("the meter never had it"):
                bench.auditor.journal([line(message, "confirmed")])


@pytest.mark.parametrize(
    "item", ["credit_sequence", "credited_exact", "purchases", "purchase_count"]
)
def test_half_a_message_after_a_crash(item: str) -> None:
    bench, message = Bench(), note("credit", 1, 1000)
    bench.deliver(message, outcome=None)
    last = bench.fake.snapshot()
    now = {**bench.fake.top_up(message), item: last[item]}
    with bites("whole or not at all"):
        bench.auditor.restarted(SERIAL, last, now)


def test_consumption_rolls_back_with_its_charge_and_no_further_than_an_acknowledgement() -> None:
    def bench() -> Bench:
        one = Bench()
        one.run(1, 1000)
        one.credit(1)
        one.run(5, 5000)
        return one

    def back(hours: int, mwh: int) -> Bench:
        one = bench()
        last = one.fake.snapshot()
        one.fake.run(-hours, -mwh)
        one.auditor.restarted(SERIAL, last, one.fake.snapshot())
        return one

    back(5, 5000).run(5, 4000)
    back(2, 2000)
    with bites("went back"):
        back(6, 5500)
    with bites("went back"):
        back(5, 5001)
    one = bench()
    with bites("consumption charged"):
        one.auditor.restarted(
            SERIAL, one.fake.snapshot(), one.fake.snapshot(energy_import_kwh="0.002000")
        )
    lost = bench()
    with bites("by the accepted messages"):
        lost.auditor.restarted(
            SERIAL, lost.fake.snapshot(), lost.fake.snapshot(credit_sequence="0")
        )
    with bites("higher than before the crash"):
        gained = bench()
        last = gained.fake.snapshot()
        gained.fake.energy += 1
        gained.fake.consumption += PRICE
        gained.auditor.restarted(SERIAL, last, gained.fake.snapshot())


def test_an_acknowledged_interrupt_survives() -> None:
    bench = Bench()
    bench.command(
        "switch", 1, switch(SwitchAction.INTERRUPT), change(bench.fake, causes=("remote",))
    )
    last = bench.fake.snapshot()
    bench.fake.causes = ()
    with bites("interrupt is gone"):
        bench.auditor.restarted(SERIAL, last, bench.fake.snapshot())


def test_a_midnight_may_roll_back_and_come_again() -> None:
    bench = Bench(Fake(settings={"standing_charge": UNIT}))
    bench.run(13, 0, 1)
    last = bench.fake.snapshot()
    bench.fake.run(-2, 0, -1)
    bench.auditor.restarted(SERIAL, last, bench.fake.snapshot())
    bench.run(2, 0, 1)


# --- the journal


def test_what_is_in_the_meter_is_in_the_journal() -> None:
    bench = Bench()
    message = bench.credit(1)
    with bites("in no journal"):
        bench.auditor.journal([])
    with bites("in no journal"):
        bench.auditor.journal([line(note("credit", 1, 999), "prepared")])
    bench.auditor.journal([line(message, "unknown")])
    with bites("still unknown"):
        bench.auditor.finish({}, [line(message, "unknown")])
    with bites("the journal says 1001, its bytes 1000"):
        bench.auditor.journal([line(message, "unknown", amount=1001)])
    with bites("no state"):
        bench.auditor.journal([line(message, "lost")])
    with bites("the journal's bytes are"):
        bench.auditor.journal([line(message, "unknown", sequence=2)])
    with bites("no message"):
        bench.auditor.journal([replace(line(message, "unknown"), message=b"")])


def test_what_is_confirmed_is_in_the_meter() -> None:
    with bites("sequence 1.*never had it"):
        Bench().auditor.journal([line(note("credit", 1, 5), "confirmed")])
    bench = Bench()
    bench.credit(1, 500)
    with bites("never had it"):
        bench.auditor.journal([line(note("credit", 1, 5), "confirmed")])
    # Older than the audit.
    Bench(Fake(credit_sequence=4)).auditor.journal([line(note("credit", 4, 5), "confirmed")])


def test_refused_is_dead_before_and_after() -> None:
    message = note("credit", 1, 500)
    with bites("the sequence is not spent"):
        Bench().auditor.journal([line(message, "refused")])
    applied = Bench()
    applied.credit(1, 500)
    with bites("refused, and the meter has it"):
        applied.auditor.journal([line(message, "refused")])
    bench = Bench()
    void = bench.void(1)
    lines = [line(message, "refused"), line(void, "confirmed")]
    bench.auditor.journal(lines)
    bench.deliver(message, outcome="SEQUENCE_CONFLICT")
    with bites("moved"):
        bench.deliver(message, outcome="SEQUENCE_CONFLICT", credited_exact="5.0000000000")
    with bites("refused|already"):
        bench.deliver(message, lambda: bench.fake.top_up(message))
    with bites("which is final"):
        bench.auditor.journal([line(message, "unknown")])


def test_refused_bytes_after_new_storage() -> None:
    """An opening for epoch 0 is void in the storage of its void, valid in others (METER 8)."""
    bench, message = Bench(Fake(account="unopened")), note("open", 1, 500, epoch=0)
    bytes_of_before = note("credit", 1, 500)
    void = bench.void(1)
    lines = [
        line(void, "confirmed"),
        line(message, "refused", epoch=0),
        line(bytes_of_before, "refused"),
    ]

    def open_it() -> None:
        bench.fake.account = "open"
        bench.fake.top_up(message)

    bench.auditor.journal(lines)
    before = replace(bench.fake)
    with bites("had its effect already"):
        bench.deliver(message, open_it)
    bench.fake = before
    bench.fake = Fake(account="unopened", over={"epoch": '"00000002"'})
    bench.auditor.started(SERIAL, bench.fake.snapshot())
    with bites("accepted a message for meter"):
        bench.deliver(bytes_of_before, lambda: bench.fake.top_up(bytes_of_before))
    bench.fake = Fake(account="unopened", over={"epoch": '"00000002"'})
    bench.deliver(message, open_it)
    bench.auditor.journal(lines)
    bench.auditor.journal([lines[0], line(message, "confirmed", epoch=2), lines[2]])
    with bites("that is a restart"):
        bench.auditor.started(SERIAL, bench.fake.snapshot())


def test_one_open_entry_of_a_journal() -> None:
    first, second = line(note("credit", 1, 5), "unknown"), line(note("credit", 2, 5), "prepared")
    with bites("second entry is open"):
        Bench().auditor.journal([first, second])
    Bench().auditor.journal([first, replace(second, journal="another")])
    Bench().auditor.journal([first, replace(second, state="by_hand")])
    Bench().auditor.journal([first, replace(second, lost=True)])
    anywhere = line(note("open", 1, 5, epoch=0), "on_card", epoch=0)
    with bites("second entry is open"):
        Bench().auditor.journal([first, anywhere])


def test_finish_lets_only_voids_stay_open() -> None:
    bench = Bench()
    bench.auditor.finish({SERIAL: bench.fake.snapshot()}, [line(note("void", 1), "unknown")])


# --- several journals


KINDS = {"credit": 500, "refund": 300, "debt": 200, "close": 0, "void": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_is_confirmed_more_often_than_it_is_in_the_books(kind: str) -> None:
    """Two journals sealed the same bytes: one sale in the meter, two confirmed."""
    bench, message = Bench(), note(kind, 1, KINDS[kind])
    bench.deliver(message, lambda: take(bench.fake, message))
    once = line(message, "confirmed", journal="a", seller="a")
    bench.auditor.journal([once])
    bench.auditor.journal([once, replace(once, journal="b")])  # a copy of the journal
    bench.auditor.journal([once, replace(once, journal="c", seller="c", state="unknown")])
    with bites(f"the number of {kind} in its books is 1, the journals have 2 confirmed"):
        bench.auditor.journal([once, replace(once, journal="b", seller="b")])


def take(fake: Fake, message: SealedMessage) -> None:
    """Apply a message of the credit class to a fake meter."""
    if message.kind is MessageKind.CREDIT:
        fake.top_up(message)
        return
    fake.credit_sequence = message.sequence
    fake.refunded += message.amount * CENT * (message.kind is MessageKind.REFUND)
    fake.debt_entered += message.amount * CENT * (message.kind is MessageKind.DEBT)
    if message.kind is MessageKind.CLOSE:
        fake.settled += fake.credit
        fake.account = "closed"


@pytest.mark.parametrize("kind", KINDS)
def test_the_books_are_at_most_what_is_confirmed_or_open(kind: str) -> None:
    first, second = note(kind, 1, KINDS[kind]), note(kind, 2, KINDS[kind])
    taken = [sealed(first), sealed(second)]
    confirmed = line(first, "confirmed")
    for state in ("unknown", "by_hand", "on_card", "prepared"):
        check_sums(SERIAL, [confirmed, line(second, state)], taken, ())
    with bites(f"the number of {kind} in its books is 2, the journals have 1 confirmed and 0 open"):
        check_sums(SERIAL, [confirmed, line(second, "refused")], taken, ())
    check_sums(SERIAL, [confirmed], taken[:1], taken[1:])
    check_sums(SERIAL, [confirmed, line(second, "confirmed")], taken[:1], taken[1:])


def test_the_sums_are_of_amounts_too_and_of_each_kind_by_itself() -> None:
    small, large = note("credit", 1, 100), note("credit", 1, 900)
    with bites("the amount of credit in its books is 9.00, the journals have 1.00 confirmed"):
        check_sums(SERIAL, [line(small, "confirmed")], [sealed(large)], ())
    refund = note("refund", 1, 100)
    with bites("the number of credit in its books is 0"):
        check_sums(SERIAL, [line(small, "confirmed")], [sealed(refund)], ())


def test_a_void_is_in_a_journal_and_never_refused_there() -> None:
    bench = Bench()
    void = bench.void(1)
    with bites("a void of 0.00 is in the meter and in no journal"):
        bench.auditor.journal([])
    with bites("refused, and the meter has it"):
        bench.auditor.journal([line(void, "refused")])
    with bites("never had it"):
        Bench().auditor.journal([line(void, "confirmed")])


def test_what_a_person_closed_counts_as_open_and_may_still_be_proved() -> None:
    bench, message = Bench(), note("credit", 1, 500)
    closed = line(message, "by_hand")
    bench.auditor.journal([closed])
    bench.deliver(message, partial(bench.fake.top_up, message))
    bench.auditor.finish({SERIAL: bench.fake.snapshot()}, [closed])
    bench.auditor.finish({SERIAL: bench.fake.snapshot()}, [replace(closed, state="confirmed")])
    with bites("which is final"):
        bench.auditor.journal([closed])


def test_a_refusal_needs_a_dead_message() -> None:
    """METER 8 (d): a passed key version makes a message void before its sequence is reached."""
    message = note("credit", 2, 500)
    with bites("the sequence is not spent"):
        Bench().auditor.journal([line(message, "refused")])
    bench = Bench()
    void = note("void", 1, key_version=3)
    bench.deliver(void, change(bench.fake, credit_sequence=1, over={"key_version": "3"}))
    bench.auditor.journal([line(void, "confirmed"), line(message, "refused")])


def test_an_opening_for_epoch_0_may_be_confirmed_after_a_void_and_nothing_else_may() -> None:
    bench, message = Bench(Fake(account="unopened")), note("open", 1, 500, epoch=0)
    void = bench.void(1)
    bench.auditor.journal([line(void, "confirmed"), line(message, "refused")])
    with bites("never had it"):
        bench.auditor.journal([line(void, "confirmed"), line(message, "confirmed")])
    other = note("credit", 1, 500)
    bench.auditor.journal([line(void, "confirmed"), line(other, "refused")])
    with bites("which is final"):
        bench.auditor.journal([line(void, "confirmed"), line(other, "confirmed")])


def test_a_storage_that_was_set_back_has_only_what_it_had() -> None:
    bench = Bench()
    first = bench.credit(1)
    image = replace(bench.fake)
    second = bench.credit(2, 300)
    dead = note("credit", 2, 444)
    lines = [line(first, "confirmed"), line(second, "confirmed"), line(dead, "refused")]
    bench.auditor.journal(lines)
    bench.fake = image
    bench.auditor.set_back(SERIAL, bench.fake.snapshot())
    bench.auditor.journal(lines)
    bench.deliver(dead, lambda: bench.fake.top_up(dead))  # it was true when it was written
    with bites("which is final"):
        bench.auditor.journal([*lines[:2], line(dead, "confirmed")])
    with bites("not spent"):
        bench.auditor.journal([*lines, line(note("credit", 3, 5), "refused")])
    with bites("of another epoch"):
        bench.auditor.set_back(SERIAL, bench.fake.snapshot(epoch='"00000001"'))


# --- entries that METER 8 leaves to a person


def sold(sequence: int, journal: int, mark: int = 1, **more: Any) -> SealedMessage:
    return note("credit", sequence, 1, origin=Origin(journal, mark), **more)


def reason(
    entry: SealedMessage,
    taken: list[SealedMessage],
    held: list[SealedMessage] | None = None,
    **more: Any,
) -> str | None:
    state = more.pop("state", "unknown")
    lines = [line(entry, state, epoch=entry.epoch), *(line(m, "confirmed") for m in held or [])]
    reached = max((m.sequence for m in taken), default=0)
    told = {m.sequence: sealed(m) for m in taken}
    return why_left_to_a_person(
        lines[0], lines, EPOCH, reached, told, **{"was_set_back": False, **more}
    )


def test_what_a_proof_settles_is_not_left_open() -> None:
    mine = sold(1, 7)
    others = [sold(n, 8, n) for n in range(2, 40)]
    assert reason(mine, []) is None, "the bytes live: they are sent, or voided"
    assert reason(mine, [mine]) is None, "(a)"
    assert reason(mine, [sold(1, 8)]) is None, "(b)"
    assert reason(mine, [mine, *others]) is None, "(c): the row of the journal stands"
    assert reason(mine, [sold(1, 8), *others]) is None, "(c): no row, and nothing was forgotten"
    before = sold(1, 7, 5)
    assert reason(sold(2, 7), [before, *others], [before]) is None, (
        "(c): another of the journal, below"
    )


def test_what_is_left_to_a_person_is_named() -> None:
    mine = sold(1, 7)
    crowd = [sold(n, 100 + n, n) for n in range(2, 40)]
    assert reason(mine, [mine, *crowd]) == "more than 16 other journals"
    assert reason(mine, [sold(1, 8), *crowd]) == "more than 16 other journals"
    later = [sold(n, 7, n) for n in range(2, 40)]
    assert reason(mine, [mine, *later]) == "a copy of its journal sold later"
    assert reason(sold(1, 7, epoch=5), []) == "its epoch is gone"
    assert reason(mine, [], was_set_back=True) == "the meter's storage was set back"
    assert reason(sold(2, 7), [sold(1, 7, 9)]) == "its journal is a copy or was restored"
    opening = note("open", 1, 5, epoch=0, origin=Origin(7, 1))
    assert (
        reason(opening, [sold(1, 8)])
        == "an opening for epoch 0, whose sequence another message took"
    )
    assert reason(opening, [opening]) is None
    assert reason(opening, []) is None


def test_an_entry_that_is_open_for_no_reason_is_found() -> None:
    bench = Bench()
    message = note("credit", 1, 5, origin=Origin(7, 1))
    with bites("though METER 8 settles it"):
        bench.auditor.open_for_a_person([line(message, "unknown")])
    assert bench.auditor.open_for_a_person([line(message, "unknown", lost=True)]) == {}
    assert bench.auditor.open_for_a_person([line(message, "by_hand")]) == {}
    gone = line(replace(message, epoch=5), "unknown", epoch=5)
    assert bench.auditor.open_for_a_person([gone]) == {gone: "its epoch is gone"}


# --- the switch


def poor(credit: int, **more: Any) -> Fake:
    return Fake(**more, refunded=20 * UNIT - credit)


@pytest.mark.parametrize(
    ("fake", "text"),
    [
        (Fake(over={"supply_causes": '["remote"]'}), "connected, but remote stands"),
        (Fake(over={"supply_commanded": '"open"'}), "the supply is connected"),
        (
            Fake(causes=("remote",), over={"supply_state": '"ready_for_reconnection"'}),
            "may not clear",
        ),
        (Fake(causes=("credit_reminder",), over={"supply_state": '"disconnected"'}), "may clear"),
        (Fake(causes=("remote",), over={"active_power_kw": "1.000000"}), "power flows"),
        (poor(0), "not exhausted"),
        (poor(-5 * UNIT, mode="direct", settings={"overdraft_limit": 5 * UNIT}), "not exhausted"),
        (poor(0, mode="delayed"), "no trip stands or is pending"),
        (poor(UNIT, causes=("credit_exhausted",)), "is above zero"),
        (poor(0, causes=("credit_exhausted",), guarantee=True), "under a guarantee"),
        (Fake(causes=("remote",), guarantee=True), "remote under a guarantee"),
        (Fake(causes=("account",)), "open account"),
        (Fake(over={"trip_pending": '["credit_exhausted"]'}), "a credit trip is pending"),
        (
            Fake(over={"trip_pending": '["remote"]', "trip_due": '"2025-01-01T00:00:00.000Z"'}),
            "overdue",
        ),
        (
            Fake(
                settings={"low_credit_threshold_1": 20 * UNIT}, over={"low_credit_warning": "false"}
            ),
            "warning is",
        ),
        (
            Fake(
                settings={"low_credit_threshold_1": 19 * UNIT}, over={"low_credit_warning": "true"}
            ),
            "warning is",
        ),
        (Fake(over={"low_credit_warning": "true"}), "without a threshold"),
        (Fake(account="closed", over={"low_credit_warning": "true"}), "not open"),
    ],
)
def test_a_snapshot_that_cannot_be(fake: Fake, text: str) -> None:
    with bites(text):
        Bench(fake)


@pytest.mark.parametrize(
    "fake",
    [
        poor(0, guarantee=True),
        poor(0, over={"moratorium_until": '"2026-02-01"', "status": '["moratorium"]'}),
        poor(0, over={"status": '["friendly_window"]'}),
        poor(0, over={"voltage_l1_v": "0.000"}),
        poor(0, account="closed"),
        poor(UNIT * 3, causes=("credit_exhausted",), over={"reconnect_threshold": "8.00"}),
        poor(
            0,
            mode="delayed",
            over={"trip_pending": '["credit_exhausted"]', "trip_due": '"2026-01-01T13:00:00Z"'},
        ),
        poor(0, mode="direct", settings={"overdraft_limit": 5 * UNIT}),
        Fake(over={"supply_commanded": '"open"', "supply_state": '"ready_for_reconnection"'}),
        Fake(causes=("overload",), over={"supply_state": '"ready_for_reconnection"'}),
        Fake(causes=("overload",)),
        Fake(over={"status": '["storage_lost"]', "supply_commanded": '"open"'}),
    ],
)
def test_a_snapshot_that_may_be(fake: Fake) -> None:
    Bench(fake)


def test_reminders_trip() -> None:
    for level, limit, mwh in ((5 * UNIT, 0, 30_000_000), (None, 50 * UNIT, 40_000_000)):
        told: dict[str, int | None] = {"low_credit_threshold_2": level, "overdraft_limit": limit}
        with bites("no reminder stands"):
            Bench(Fake(settings=told)).run(1, mwh)
        Bench(Fake(settings=told), buttons_apart=False).run(1, mwh)
        right = Bench(Fake(settings=told))
        before = right.fake.snapshot()
        right.fake.causes = ("credit_reminder",)
        right.auditor.stepped(SERIAL, before, right.fake.run(1, mwh))


def test_switch_commands() -> None:
    interrupt, permit, direct = (switch(action) for action in SwitchAction)

    def bench(causes: tuple[str, ...], **more: Any) -> Bench:
        return Bench(Fake(causes=causes, **more))

    def to(one: Bench, parameters: bytes, causes: tuple[str, ...], **over: str) -> None:
        one.command("switch", 1, parameters, change(one.fake, causes=causes, over=over))

    ready = {
        "supply_state": '"ready_for_reconnection"',
        "supply_commanded": '"open"',
        "supply_switch": '"open"',
    }
    to(bench(()), interrupt, ("remote",))
    to(bench(("remote",)), permit, (), **ready)
    to(bench(("remote",)), direct, ())
    with bites("neither stands nor is pending"):
        to(bench(()), interrupt, ())
    with bites("under the power guarantee"):
        to(bench((), guarantee=True), interrupt, ())
    with bites("a permit closed"):
        to(bench(("remote",)), permit, ())
    with bites("remote stands after"):
        to(bench(("remote",)), direct, ("remote",))
    with bites("left a reminder"):
        to(bench(("remote", "credit_reminder")), direct, ("credit_reminder",))
    with bites("stayed open"):
        to(bench(("remote",)), direct, (), **ready)


def test_causes_come_and_go_only_as_the_table_says() -> None:
    def step(before: Fake, **change: Any) -> None:
        bench, first = Bench(before), before.snapshot()
        vars(before).update(change)
        bench.auditor.stepped(SERIAL, first, before.snapshot())

    with bites("without a permit"):
        step(Fake(causes=("remote",)), causes=())
    with bites("without an interrupt"):
        step(Fake(), causes=("remote",))
    held = poor(3 * UNIT, causes=("credit_exhausted",), over={"reconnect_threshold": "8.00"})
    with bites("exhaustion ended"):
        step(held, causes=())
    step(Fake(causes=("credit_reminder",)), causes=())
    bench = Bench(Fake(causes=("credit_reminder",)))
    with bites("did not acknowledge"):
        bench.credit(1)


def test_manual_mode_waits_for_the_button() -> None:
    bench = Bench(poor(0, causes=("credit_exhausted",), over={"reconnect_mode": '"manual"'}))
    message = note("credit", 1, 500)

    def act() -> None:
        bench.fake.causes = ()
        bench.fake.top_up(message)

    with bites("in manual mode"):
        bench.deliver(message, act)


def test_messages_are_of_two_classes() -> None:
    assert {kind.message_class for kind in MessageKind} == set(MessageClass)


def test_a_message_seen_in_a_dying_meter_may_still_be_lost_but_never_half() -> None:
    for survives in (False, True):
        bench, message = Bench(), note("credit", 1, 1000)
        before = bench.fake.snapshot()
        bench.deliver(message, partial(bench.fake.top_up, message), outcome=None)
        last = bench.fake.snapshot()
        bench.auditor.restarted(SERIAL, last, last if survives else before)
    with bites("by the accepted messages it must be"):
        half = Bench()
        half.deliver(note("credit", 1, 5), outcome=None, credited_exact="0.0500000000")
    garbage = Bench()
    with bites("credited_exact"):
        snapshot = garbage.fake.snapshot()
        garbage.auditor.delivered(
            SERIAL, b"?", None, snapshot, garbage.fake.snapshot(credited_exact="1.0000000000")
        )


def test_no_charge_hides_in_a_message_and_no_daily_charge_in_a_closed_account() -> None:
    bench, message = Bench(), note("credit", 1, 1000)
    with bites("only time charges"):
        bench.deliver(message, lambda: (bench.fake.top_up(message), bench.fake.run(0, 1)))
    closed = Bench(Fake(account="closed", settings={"standing_charge": UNIT}))
    with bites("while the account was closed"):
        closed.run(13, 0, 1)
    unopened = Bench(Fake(account="unopened"))
    with bites("the account is unopened"):
        unopened.credit(1)


def test_clock_and_moratorium_are_what_was_set() -> None:
    clock = note("clock", 1, parameters=encode_number(MessageKind.CLOCK, START + HOUR))
    bench = Bench()
    with bites("not what was set"):
        bench.deliver(clock, change(bench.fake, command_sequence=1, clock=START + 2 * HOUR))
    until = note("moratorium", 1, parameters=encode_number(MessageKind.MORATORIUM, 20_500))
    bench = Bench()
    with bites("not what was set"):
        bench.deliver(until, change(bench.fake, command_sequence=1))
    bench = Bench()
    with bites("moratorium_until changed"):
        void = note("void", 1)
        bench.deliver(
            void, change(bench.fake, credit_sequence=1, over={"moratorium_until": '"2026-02-01"'})
        )


def test_unknown_meters_are_named() -> None:
    auditor = Auditor([MeterFacts(SERIAL, PRICE)])
    with bites("never started"):
        auditor.stepped(SERIAL, {}, {})
    with pytest.raises(AuditError, match="000000000009 is not known"):
        auditor.started("000000000009", {})


# ---- plain credit


def write_plainly(
    bench: Bench,
    count: int,
    cents: int = 1000,
    outcome: str | None = "ACCEPTED",
    takes: bool = True,
    **over: Any,
) -> None:
    """Let the fake take a plain credit, or not, and show it to the auditor."""
    before = bench.fake.snapshot()
    sequence = bench.fake.credit_sequence
    if takes:
        bench.fake.top_up(note("credit", count, cents))
        bench.fake.credit_sequence = sequence
    after = bench.fake.snapshot(**over)
    bench.auditor.written_plainly(SERIAL, (count, cents), outcome, before, after)


def test_a_plain_credit_is_a_purchase_beside_sealed_ones_and_counts_once() -> None:
    bench = Bench()
    write_plainly(bench, 1)
    bench.credit(1)
    write_plainly(bench, 3, 200)
    for outcome, cents in (("ALREADY_ACCEPTED", 200), ("SEQUENCE_CONFLICT", 201)):
        write_plainly(bench, 3, cents, outcome, takes=False)
    write_plainly(bench, 2, 1000, "SEQUENCE_OLD", takes=False)
    bench.credit(2)


@pytest.mark.parametrize(
    ("count", "cents", "outcome", "takes", "text"),
    [
        (1, 1000, "ACCEPTED", True, "the plain credit 1 had its effect already"),
        (3, 1000, "ACCEPTED", True, "accepted the plain credit 3 after 1"),
        (2, 0, "ACCEPTED", True, "accepted a plain credit of 0.00"),
        (2, 1000, "ACCEPTED", False, "credited_exact is"),
        (1, 1000, "ALREADY_ACCEPTED", True, "ALREADY_ACCEPTED moved"),
        (1, 999, "ALREADY_ACCEPTED", False, "never had effect"),
        (1, 1000, "SEQUENCE_CONFLICT", False, "that had effect"),
        (2, 1000, "SEQUENCE_GAP", True, "SEQUENCE_GAP moved"),
    ],
)
def test_a_plain_credit_that_may_not_be_is_found(
    count: int, cents: int, outcome: str, takes: bool, text: str
) -> None:
    bench = Bench()
    write_plainly(bench, 1)
    with bites(text):
        write_plainly(bench, count, cents, outcome, takes)


def test_a_plain_credit_moves_no_sequence_and_needs_an_open_account() -> None:
    with bites("credit_sequence is 1"):
        write_plainly(Bench(), 1, credit_sequence="1")
    bench = Bench()
    bench.deliver(
        note("close", 1),
        lambda: vars(bench.fake).update(
            settled=bench.fake.credit, account="closed", credit_sequence=1
        ),
    )
    with bites("the account is closed"):
        write_plainly(bench, 1)


@pytest.mark.parametrize("takes", [False, True])
def test_an_unanswered_plain_credit_is_whole_or_absent_after_a_restart(takes: bool) -> None:
    bench = Bench()
    last = bench.fake.snapshot()
    bench.auditor.written_plainly(SERIAL, (1, 1000), None, last, last)
    if takes:
        bench.fake.top_up(note("credit", 1, 1000))
    bench.fake.credit_sequence = 0
    bench.auditor.restarted(SERIAL, last, bench.fake.snapshot())
    outcome = "ALREADY_ACCEPTED" if takes else "ACCEPTED"
    write_plainly(bench, 1, 1000, outcome, takes=not takes)


def test_half_of_an_unanswered_plain_credit_is_found() -> None:
    bench = Bench()
    last = bench.fake.snapshot()
    bench.auditor.written_plainly(SERIAL, (1, 1000), None, last, last)
    with bites("after a restart|must be"):
        bench.auditor.restarted(SERIAL, last, bench.fake.snapshot(purchase_count="1"))
