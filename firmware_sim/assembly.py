"""The composition root: meters are built here, for run, simulate, fixtures and scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from firmware_sim import calendar_work
from firmware_sim.acceptance.acceptance import Acceptance
from firmware_sim.acceptance.instruction import Authenticator
from firmware_sim.acceptance.plain import PlainAuthenticator
from firmware_sim.acceptance.sealed import SealedAuthenticator
from firmware_sim.account.account import Account
from firmware_sim.clock import Clock, Transitions
from firmware_sim.faults.in_force import Faults
from firmware_sim.hal.nvram import Nvram, SimulatedNvram
from firmware_sim.hal.switch import SimulatedSwitch
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.metrology.load import Load
from firmware_sim.metrology.phase_energies import BEGUN
from firmware_sim.metrology.registers import Registers
from firmware_sim.rack.rack import Rack
from firmware_sim.records.ring import Ring
from firmware_sim.requests import Plain, Submission
from firmware_sim.settings import Settings
from firmware_sim.state import Identity, State
from firmware_sim.storage.store import Store, VolatileStore, load, make_rings
from firmware_sim.supply.control import Supply
from firmware_sim.tariff.calendar import CalendarState
from protocols.data_model.words import AccountState, Cause, UnopenedSupply
from protocols.faults import FaultPlan
from protocols.keys import MeterKeys, development_keys
from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_map import RegisterMap
from protocols.quantities import DAY

SETTINGS_KEPT = 256
PERIODS_A_DAY = DAY // calendar_work.PROFILE_PERIOD_MS


class WrongKeysError(Exception):
    """Keys that were derived for another meter."""


@lru_cache(maxsize=SETTINGS_KEPT)
def _shared(settings: Settings) -> Settings:
    """Return equal settings as one object: the meters of a rack mostly have the same."""
    return settings


@lru_cache(maxsize=SETTINGS_KEPT)
def _shared_changes(changes: Transitions) -> Transitions:
    """Return equal offset changes as one object: meters of a zone have hundreds of them alike."""
    return changes


def new_state(description: MeterDescription) -> State:
    """Return the state of a meter that never ran."""
    d = description
    identity = Identity(
        d.serial_number,
        d.epoch,
        int(d.meter_type),
        int(d.phase_summation),
        d.reverse_charged,
        d.nominal_voltage_mv,
        d.frequency_mhz,
        _shared_changes(d.transitions),
    )
    account = Account(
        state=int(AccountState.OPEN if d.opened else AccountState.UNOPENED),
        customer_number=d.customer_number,
        unit=d.account_unit,
        credit=d.credit if d.opened else 0,
        opening=d.credit if d.opened else 0,
        debt=d.debt,
        debt_entered=d.debt,
    )
    clock = Clock(d.start, d.drift_ppm, 1_000_000)
    state = State(
        identity,
        clock,
        CalendarState(0, 0, 0),
        settings=_shared(d.settings),
        tariff=d.tariff,
        registers=Registers(phase_energies=BEGUN if d.keeps_phase_energies else None),
        account=account,
        supply=Supply(guarantee=d.guarantee),
    )
    state.calendar = calendar_work.begin(state)
    state.period.began_ms = (
        d.start // calendar_work.PROFILE_PERIOD_MS * calendar_work.PROFILE_PERIOD_MS
    )
    if not d.opened and d.settings.unopened_supply == UnopenedSupply.DISCONNECTED:
        state.supply.closed, state.supply.causes = False, int(Cause.ACCOUNT)
    return state


def build(description: MeterDescription, nvram: Nvram | None = None) -> Meter:
    """Return the meter that `nvram` holds, or a new one in it; None is a volatile meter.

    Raises:
        ForeignStorageError: the device holds something else; nothing was written.
        StorageLostError: the device held a meter, and no record of it is valid; nothing was
            written.
    """
    found = load(nvram) if nvram is not None else None
    if found is not None:
        identity = found.state.identity
        registers = found.state.registers
        if registers.phase_energies is None and description.keeps_phase_energies:
            registers.phase_energies = BEGUN
        found.state.identity = replace(identity, transitions=_shared_changes(identity.transitions))
        keys = _keys(description, found.state.identity.serial_number)
        drawn = description.load or Load.constant((0,) * found.state.identity.phases)
        return Meter(
            found.state,
            found.rings,
            found.store,
            _acceptance(keys, found.rings, description),
            drawn,
            SimulatedSwitch(),
            restarted=True,
        )
    state = new_state(description)
    keys = _keys(description, description.serial_number)
    state.security.key_version = min(keys)
    rows = description.profile_days * PERIODS_A_DAY
    store: Store | VolatileStore = VolatileStore()
    if nvram is not None:
        store = Store(nvram, rows)
        store.format(state)
    drawn = description.load or Load.constant((0,) * description.phases)
    rings = make_rings(rows)
    acceptance = _acceptance(keys, rings, description)
    meter = Meter(state, rings, store, acceptance, drawn, SimulatedSwitch())
    if nvram is not None:
        meter.save()
    return meter


def map_of(description: MeterDescription) -> RegisterMap:
    """Return the register map of a meter; the native one where none is described."""
    return NATIVE_MAP if description.register_map is None else description.register_map


def rack_of(description: MeterDescription, speed: int, seed: int = 0) -> Rack:
    """Return a rack with one new meter on a storage in memory that can have faults."""
    faults, device = Faults(FaultPlan(seed=seed)), SimulatedNvram()

    def make() -> Meter:
        return build(description, faults.nvram(device, description.unit))

    rack = Rack([(description.unit, make())], speed, faults)
    rack.stations[0].rebuild = make
    rack.stations[0].register_map = map_of(description)
    rack.begin_faults()
    return rack


def build_lost(description: MeterDescription) -> Meter:
    """Return a meter with a lost storage: it refuses every sealed message (METER.md 7)."""
    state = new_state(replace(description, opened=False, settings=Settings(), debt=0))
    keys = _keys(description, description.serial_number)
    state.security.key_version = min(keys)
    drawn = description.load or Load.constant((0,) * description.phases)
    rings = make_rings(description.profile_days * PERIODS_A_DAY)
    acceptance = _acceptance(keys, rings, description)
    return Meter(
        state, rings, VolatileStore(), acceptance, drawn, SimulatedSwitch(), storage_lost=True
    )


def _acceptance(
    keys: Mapping[int, MeterKeys], rings: tuple[Ring, ...], description: MeterDescription
) -> Acceptance:
    """Return the acceptance of a meter; a further form of proof is one more entry here."""
    further: dict[type[Submission], Authenticator] = {}
    if description.unsafe_writes:
        further[Plain] = PlainAuthenticator(rings)
    return Acceptance(SealedAuthenticator(keys, rings), further)


def _keys(description: MeterDescription, serial_number: str) -> Mapping[int, MeterKeys]:
    if description.keys is not None:
        if description.keys_of not in ("", serial_number):
            raise WrongKeysError(
                f"the keys are for meter {description.keys_of}, not {serial_number}"
            )
        return description.keys
    keys = development_keys(serial_number)
    return {keys.version: keys}
