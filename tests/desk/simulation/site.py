"""The real side: a desk of one station with its people, four meters on one line, their worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim.metrology.load import Load
from firmware_sim.rack.rack import Rack
from firmware_sim.settings import Settings
from firmware_sim.token_carriers.insertion import CardInsertion
from meterctl.card_readers import CardPort
from meterctl.journal.locks import MeterLocks
from meterctl.utility.meters.execution import Execution, Step
from meterctl.utility.meters.gateway import CardPlace, Clocks, Gateway
from meterctl.utility.meters.gateway.shared_locks import shared_locks
from meterctl.utility.meters.leases import Leases, new_holder
from meterctl.utility.meters.orders import Begun
from meterctl.utility.meters.readers import finish_card, present_card
from meterctl.utility.meters.run_now import run_order_now
from meterctl.utility.meters.worker import Worker
from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.model.organisation import OrganisationKind
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.rights import Role
from meterctl.utility.rules.transitions import AgreementState
from meterctl.utility.services import agreements, founding, organisation
from meterctl.utility.services.archive import customers, meters, points, ports
from meterctl.utility.store.engine import Database, connect
from meterctl.utility.store.queries.points import find_party, find_point
from meterctl.utility.store.unit_of_work import Actor, Answer, Asked, UnitOfWork, perform
from protocols.quantities import LEDGER
from tests.desk.simulation.lines import KillPoint, LineState, LyingPipe, Time
from tests.support.desk_founded import FoundedDesk
from tests.support.desk_world import NOON
from tests.support.meters import make
from tests.support.setup import blank

URL = "tcp://127.0.0.1:5020"
PORT = "P1"
ZONE = "Asia/Shanghai"
STATION, OTHER_STATION = "0101", "0202"
KILOWATT_MW = 1_000_000
PEOPLE: dict[str, tuple[Role, str]] = {
    "vendor1": (Role.VENDOR, STATION),
    "vendor2": (Role.VENDOR, STATION),
    "vendor3": (Role.VENDOR, OTHER_STATION),
    "accountant1": (Role.ACCOUNTANT, STATION),
    "accountant2": (Role.ACCOUNTANT, STATION),
    "chief_accountant": (Role.ACCOUNTANT, founding.COMPANY_CODE),
    "head": (Role.STATION_HEAD, STATION),
    "clerk": (Role.CLERK, STATION),
    "auditor": (Role.AUDITOR, founding.COMPANY_CODE),
}
METERS = ("000000000011", "000000000012", "000000000013")
"""Serial numbers by unit, from 1 on: the last one is taken over, the others were never opened."""
OLD_BOOKS = (
    "meter,port,unit,node,address,class,capacity,name,bills,advance\n"
    f"{METERS[-1]},{PORT},{len(METERS)},{STATION},Street 9,resident,8kW,Customer 9,"
    "2026-07 12.00 2026-08-15 / 2026-08 35.20 2026-09-15,20.00\n"
)
"""What the old books have of the meter that is taken over."""


OLD_METER = {"opened": True, "credit": 20 * LEDGER, "debt": 50 * LEDGER}
SETTINGS = (
    Settings(max_credit=900 * LEDGER),
    Settings(standing_charge=LEDGER // 3),
    Settings(debt_share_percent=30, debt_instalment=LEDGER, standing_charge=LEDGER // 7),
)
"""By unit: the first meter refuses sales beyond a limit, the last one recovers its old debt."""


READER = "/card/"
"""Begins the name of a card at the counter; its meter's serial number follows."""


def reader_of(serial: str) -> str:
    """Return the name under which a customer's card lies at the counter."""
    return f"{READER}{serial}"


@dataclass(frozen=True, slots=True)
class Template:
    """What each seed's desk begins with; `url` is of a database to be copied."""

    people: dict[str, Actor]
    agreements: tuple[str, ...]
    """Numbers of agreements: one in mode account, then one for each meter but the last."""
    port: int


def furnish(desk: FoundedDesk) -> Template:
    """Add people, points, meters and agreements to a founded desk."""
    desk.do(
        desk.admin,
        lambda work: organisation.add(
            work,
            parent=founding.COMPANY_CODE,
            kind=OrganisationKind.STATION,
            code=OTHER_STATION,
            name="Two",
        ),
    )
    people = {name: desk.person(name, *where) for name, where in PEOPLE.items()}
    desk.do(desk.admin, lambda work: ports.add(work, name=PORT, node=STATION, url=URL))
    numbers = [
        _customer(desk, people["clerk"], unit, serial)
        for unit, serial in enumerate(("", *METERS[:-1]))
    ]
    return Template(people, tuple(numbers), port=1)


def _customer(desk: FoundedDesk, clerk: Actor, unit: int, serial: str) -> str:
    """Add a customer with a point, a meter and an active agreement; return its number.

    Provisioning has stories of its own; here the agreement is in force at once.
    """

    def act(work: UnitOfWork) -> dict[str, Any]:
        party = customers.add(work, name=f"Customer {unit}")["number"]
        point = points.add(
            work,
            node=STATION,
            address=f"Street {unit}",
            customer_class=CustomerClass.RESIDENT,
            capacity_mw=8_000_000,
        )["number"]
        mode = AgreementMode.METER if serial else AgreementMode.ACCOUNT
        agreement = agreements.add_agreement(
            work, find_party(work.session, party), find_point(work.session, point), mode
        )
        before, agreement.state = agreement.state, AgreementState.ACTIVE
        work.audit("set_up", agreement, {"state": before}, {"state": agreement.state})
        return {"agreement": agreement.number, "point": point}

    made = desk.do(clerk, act)
    if serial:
        desk.do(
            clerk,
            lambda work: meters.add(work, serial=serial, port=PORT, unit=unit, point=made["point"]),
        )
    number: str = made["agreement"]
    return number


class Site:
    """One seed's desk, line and meters. Everything is in one thread and one time."""

    def __init__(self, url: str, template: Template, folder: Path, seed: int) -> None:
        self.template, self.folder = template, folder
        self.time = Time(NOON)
        self.line = LineState(Random(f"line/{seed}"))
        self.database = Database(connect(url), ZoneInfo(ZONE), False, self.time.now_ms)
        self.meters = {
            serial: make(
                serial_number=serial,
                unit=unit,
                epoch=100 + unit,
                load=Load.constant((KILOWATT_MW * unit,)),
                start=NOON,
                **OLD_METER if serial == METERS[-1] else {"opened": False, "credit": 0},
                settings=SETTINGS[unit - 1],
            )
            for unit, serial in enumerate(METERS, 1)
        }
        self.rack = Rack(list(enumerate(self.meters.values(), 1)), speed=1000)
        self.pipe = LyingPipe(self.rack, self.time, self.line)
        self.journal = folder / "journal.sqlite"
        self._after_each: Callable[[], None] = lambda: None
        self.cards = {serial: blank(bytes.fromhex(f"{serial:0>16}")) for serial in METERS}
        """One card a customer, by the serial number of the meter."""
        for serial in METERS:
            assert self._gateway().cards.format(CardPlace(reader_of(serial))).is_done

    def _observe(self, step: Step, begun: Begun, state: str) -> None:
        if step is Step.POSTED:
            self._after_each()
        self.line.die_at(KillPoint(step.value))

    # ---- what people do

    def ask(
        self, person: str, act: Callable[..., dict[str, Any]], key: str, **values: Any
    ) -> Answer:
        """Have a person do something, as a face asks for it."""
        body = {name: None if value is None else str(value) for name, value in values.items()}
        asked = Asked(key, act.__name__, body, money=True)
        return perform(
            self.database,
            self.template.people[person],
            self.time.now_ms(),
            asked,
            lambda work: act(work, **values),
        )

    # ---- what workers do

    def work(self, after_each: Callable[[], None]) -> int:
        """Start a worker that carries out what is due, and ends; return how many orders.

        Args:
            after_each: called after each order that was written down.
        """
        self._after_each = after_each
        return Worker(
            self.database, self._gateway(), observer=self._observe, say=lambda _: after_each()
        ).run_once()

    def write_card(self, order: int) -> None:
        """Write a sale on its card, as the command does that sells it."""
        self._after_each = lambda: None
        run_order_now(self.database, self._gateway(), order, self._observe)

    def present_card(self, serial: str) -> None:
        """Read the card of a meter's customer at the counter, and finish what was interrupted."""
        gateway = self._gateway()
        leases = Leases(self.database, new_holder())
        worker = leases.worker_of(gateway.journal_number, str(self.journal))
        execution, card = Execution(self.database, gateway, worker), CardPlace(reader_of(serial))
        finish_card(execution, card, present_card(execution, card))

    def erase_card(self, serial: str) -> None:
        """Erase the card of a meter's customer, and make it ready for the next sale."""
        cards, card = self._gateway().cards, CardPlace(reader_of(serial))
        if cards.erase(card).is_done:
            cards.format(card)

    def insert_card(self, serial: str) -> None:
        """Insert the card of a meter's customer into the meter."""
        station = self.rack.station(serial)
        insertion = CardInsertion(station, self.line.random.randbytes)
        card = self.cards[serial]
        insertion.play(card.power_on(), card.apdu, self.time.now_us)
        card.power_off()
        self.rack.deadlines.touch(station)

    def _gateway(self) -> Gateway:
        """Open the journal, as a process does that starts."""
        clocks = Clocks(self.time.now_ms, lambda: self.time.now_us // 1000, self.pipe.pause)
        return Gateway(
            self.journal, None, clocks, open_wire=lambda _: self.pipe, open_card=self._open_card
        )

    @contextmanager
    def _open_card(self, place: CardPlace) -> Iterator[CardPort]:
        card = self.cards[place.reader.removeprefix(READER)]
        card.power_on()
        yield CardPort(place.reader, card.apdu, True)
        card.power_off()

    # ---- what the world does

    def advance(self, ms: int) -> None:
        """Let time pass for the desk and its meters."""
        self.time.now_us += 1000 * ms
        self.rack.bring_all(self.time.now_us)

    def close(self) -> None:
        """Release what the process holds of this seed."""
        self.database.close()
        MeterLocks.close(shared_locks(self.journal))
