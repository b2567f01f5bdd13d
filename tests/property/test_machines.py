"""Stateful machines for the account and the supply: invariants under any order of events."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware_sim.hal.nvram import SimulatedNvram
from firmware_sim.meter import Meter
from firmware_sim.metrology.load import Load
from firmware_sim.readings import GETTERS
from firmware_sim.requests import Sealed, SetLoad
from firmware_sim.settings import Settings
from firmware_sim.storage import record
from protocols.control import CutPower, PressButton, ReturnPower, Sense
from protocols.data_model.words import Cause, ReconnectMode, SupplyState, Tamper, TripMode
from protocols.quantities import CENT, LEDGER
from protocols.sealed_message import MessageKind, SwitchAction, encode_limits, encode_number
from tests.support.meters import Host, make

AMOUNTS = st.integers(1, 200_000)


class AccountMachine(RuleBasedStateMachine):
    """A ledger model kept from the meter's answers alone."""

    meter: Meter
    host: Host

    @initialize(debt=st.sampled_from([0, 50 * LEDGER]), share=st.sampled_from([0, 33, 100]))
    def start(self, debt: int, share: int) -> None:
        self.nvram = SimulatedNvram()
        some = Settings(
            debt_share_percent=share,
            debt_instalment=LEDGER,
            standing_charge=LEDGER // 2,
            overdraft_limit=9 * LEDGER,
        )
        self.meter = make(self.nvram, settings=some, debt=debt, load=Load.constant((3_000_000,)))
        self.host = Host(self.meter)
        self.paid_in = 20 * LEDGER
        self.accepted: list[bytes] = []

    @rule(amount=AMOUNTS)
    def top_up(self, amount: int) -> None:
        sealed = self.host.seal(MessageKind.CREDIT, amount=amount)
        answer = self.host.deliver(sealed)
        if answer.outcome.applied:
            self.paid_in += amount * CENT - answer.to_debt
            self.accepted.append(sealed)
            assert answer.credit_after == answer.credit_before + amount * CENT - answer.to_debt

    @rule(index=st.integers(0, 30))
    def replay(self, index: int) -> None:
        if self.accepted:
            before = record.encode(self.meter.state)
            self.host.deliver(self.accepted[index % len(self.accepted)])
            assert record.encode(self.meter.state) == before, "a replay moves nothing at all"

    @rule(amount=AMOUNTS)
    def refund(self, amount: int) -> None:
        if self.host.send(MessageKind.REFUND, amount=amount).outcome.applied:
            self.paid_in -= amount * CENT

    @rule(amount=AMOUNTS)
    def debt(self, amount: int) -> None:
        self.host.send(MessageKind.DEBT, amount=amount)

    @rule(hours=st.integers(1, 40))
    def consume(self, hours: int) -> None:
        self.meter.advance(self.meter.state.elapsed_ms + hours * 3_600_000)

    @rule()
    def restart(self) -> None:
        self.meter.save()
        before = self.meter.state.account
        self.meter = make(self.nvram.power_cycle(), load=Load.constant((3_000_000,)))
        self.nvram = self.meter._store._nvram  # type: ignore[union-attr, assignment]
        self.host = Host(self.meter)
        assert self.meter.state.account == before

    @invariant()
    def books(self) -> None:
        if hasattr(self, "meter"):
            account = self.meter.state.account
            assert account.imbalance() == (0, 0)
            assert (
                account.credit
                == self.paid_in - account.consumption - account.standing - account.instalments
            )
            assert account.debt >= 0


class SupplyMachine(RuleBasedStateMachine):
    """All actions on the supply: its state follows from the causes, the causes from the facts."""

    meter: Meter
    host: Host

    @initialize(mode=st.sampled_from(TripMode), reconnect=st.sampled_from(ReconnectMode))
    def start(self, mode: TripMode, reconnect: ReconnectMode) -> None:
        some = Settings(
            low_credit_threshold_1=10 * LEDGER,
            low_credit_threshold_2=5 * LEDGER,
            overdraft_limit=4 * LEDGER,
            trip_mode=mode,
            reconnect_mode=reconnect,
            trip_delay_minutes=3,
            power_limit_mw=8_000_000,
            tamper_trip=Tamper.COVER,
        )
        self.meter = make(settings=some, load=Load.constant((2_000_000,)), credit=12 * LEDGER)
        self.host = Host(self.meter)

    def send(self, kind: MessageKind, **fields: object) -> None:
        """Send a message; a meter without power gives no answer."""
        if self.meter.state.powered:
            self.host.send(kind, **fields)
        else:
            assert self.meter.handle(Sealed(self.host.seal(kind, **fields))) is None

    @rule(kw=st.sampled_from([0, 2, 7, 9, -3]))
    def load(self, kw: int) -> None:
        self.meter.handle(SetLoad(Load.constant((kw * 1_000_000,))))

    @rule(seconds=st.sampled_from([1, 9, 61, 200, 3_600, 20_000]))
    def wait(self, seconds: int) -> None:
        self.meter.advance(self.meter.state.elapsed_ms + seconds * 1000)

    @rule(amount=st.integers(1, 3_000))
    def top_up(self, amount: int) -> None:
        self.send(MessageKind.CREDIT, amount=amount)

    @rule(action=st.sampled_from(SwitchAction))
    def command(self, action: SwitchAction) -> None:
        self.send(MessageKind.SWITCH, parameters=encode_number(MessageKind.SWITCH, action))

    @rule(on=st.booleans())
    def guarantee(self, on: bool) -> None:
        self.send(MessageKind.GUARANTEE, parameters=encode_number(MessageKind.GUARANTEE, on))

    @rule(limit=st.sampled_from([0, 4, 30]))
    def limits(self, limit: int) -> None:
        self.send(MessageKind.LIMITS, parameters=encode_limits({3: limit * LEDGER}))

    @rule(present=st.booleans())
    def cover(self, present: bool) -> None:
        self.meter.handle(Sense(Tamper.COVER, present))

    @rule()
    def clear_tamper(self) -> None:
        self.send(MessageKind.CLEAR_TAMPER)

    @rule()
    def button(self) -> None:
        before = self.meter.state.supply.state
        self.meter.handle(PressButton())
        if before is SupplyState.READY_FOR_RECONNECTION and self.meter.state.powered:
            assert self.meter.state.supply.closed or self.meter.state.supply.causes
        if before is SupplyState.DISCONNECTED:
            assert not self.meter.state.supply.closed

    @rule(cut=st.booleans())
    def power(self, cut: bool) -> None:
        self.meter.handle(CutPower() if cut else ReturnPower())

    @invariant()
    def facts(self) -> None:
        if not hasattr(self, "meter"):
            return
        state = self.meter.state
        supply, credit = state.supply, state.account.credit
        assert supply.closed == (supply.state is SupplyState.CONNECTED)
        assert not (supply.closed and supply.causes), "no cause stands behind a closed switch"
        assert self.meter.switch.closed == supply.closed
        if not supply.closed or not state.powered:
            assert sum(map(abs, self.meter.demand.phases)) == 0
        if not state.powered:
            return
        held = supply.guarantee
        exhausted = bool(supply.causes & Cause.CREDIT_EXHAUSTED)
        if credit <= -state.settings.overdraft_limit and not held:
            assert exhausted or supply.credit_due_ms is not None
        if held:
            assert not supply.causes & (
                Cause.CREDIT_EXHAUSTED | Cause.CREDIT_REMINDER | Cause.REMOTE
            )
        if credit > 0 and credit >= state.settings.reconnect_threshold:
            assert not exhausted
        assert supply.warning == (credit <= 10 * LEDGER)
        due = self.meter.next_deadline()
        assert due is None or due > state.elapsed_ms

    @invariant()
    def reading_changes_nothing(self) -> None:
        if hasattr(self, "meter"):
            before, revision = record.encode(self.meter.state), self.meter.revision
            for get in GETTERS.values():
                get(self.meter)
            assert (record.encode(self.meter.state), self.meter.revision) == (before, revision)


_MODEST = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAccount = AccountMachine.TestCase
TestAccount.settings = _MODEST
TestSupply = SupplyMachine.TestCase
TestSupply.settings = _MODEST
