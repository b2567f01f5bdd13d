"""The description of a new meter, with the defaults of all its keys.

The defaults of its settings stand in `settings.py`, those of its tariff in
`protocols/data_model/tariff.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firmware_sim.settings import Settings
from protocols.data_model.tariff import Tariff
from protocols.data_model.words import MeterType
from protocols.quantities import LEDGER

if TYPE_CHECKING:
    from firmware_sim.metrology.load import Load
    from protocols.keys import MeterKeys
    from protocols.modbus.register_map import RegisterMap

DEFAULT_START = 1_767_225_600_000
"""2026-01-01T00:00:00Z: where simulate, fixtures and scenarios begin."""


@dataclass(frozen=True, slots=True)
class MeterDescription:
    """A meter and its initial state; money in ledger units, `start` in ms since 1970 UTC.

    `keys_of` is the serial number for which `keys` were derived; empty if not known.
    `epoch` identifies the storage: drawn at random unless the configuration fixes it.
    `load` None is no load; `register_map` None is the native map. `phase_energies`: the meter keeps
    energies of phases even where its map does not ask for them. `unsafe_writes`: the plain writes
    of its map are executed, which nothing authenticates.
    """

    serial_number: str = "000000000001"
    unit: int = 1
    meter_type: int = MeterType.SINGLE_PHASE
    account_unit: int = 156
    opened: bool = True
    customer_number: str = "0" * 12
    credit: int = 20 * LEDGER
    debt: int = 0
    settings: Settings = field(default_factory=Settings)
    tariff: Tariff = field(default_factory=Tariff)
    load: Load | None = None
    start: int = DEFAULT_START
    epoch: int = 1
    keys: Mapping[int, MeterKeys] | None = None
    keys_of: str = ""
    transitions: tuple[tuple[int, int], ...] = ()
    phase_summation: int = 0
    reverse_charged: bool = False
    nominal_voltage_mv: int = 230_000
    frequency_mhz: int = 50_000
    profile_days: int = 10
    guarantee: bool = False
    drift_ppm: int = 0
    phase_energies: bool = False
    register_map: RegisterMap | None = None
    unsafe_writes: bool = False

    @property
    def phases(self) -> int:
        """How many phases the meter has."""
        return MeterType(self.meter_type).phases

    @property
    def keeps_phase_energies(self) -> bool:
        """Whether the description or its map asks for energies of phases."""
        of_map = self.register_map is not None and self.register_map.asks_phase_energies
        return self.phase_energies or of_map
