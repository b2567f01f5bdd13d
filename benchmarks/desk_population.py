"""A desk as large as a utility, written by bulk: customers, 80 days of sales, readings, the ledger.

Its books balance and agree with its sales and shifts. It has no requests, and of the audit only the
sales, so `desk check` names the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, func, select, text

from meterctl.utility.model import metadata
from meterctl.utility.model.organisation import Organisation, Staff
from meterctl.utility.rules.numbering import customer_number
from meterctl.utility.services.founding import found
from meterctl.utility.store.authentication import hash_of
from meterctl.utility.store.engine import connect
from protocols.quantities import CENT, DAY, HOUR
from tests.support.desk_world import NOON, TODAY

STATIONS, DISTRICTS, VENDORS = 20, 10, 2
"""Stations of the company, districts and vendors of each."""
DAYS = 80
SALES, READINGS = 2, 5
"""Of a customer."""
AMOUNT, COST, OPENING = 50_00, 10_00, 80_00
"""Of a sale, of a reading, at the taking over; 0.01."""
UNKNOWN, TAKEN, ON_CARD, FINDINGS, TASKS, LINES = 20, 40, 200, 300, 200, 40
"""Rows that a person has to look at."""
_MORNING = NOON - 14 * HOUR
"""08:13 of TODAY."""
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建文辉"
_STREETS = ("幸福路", "人民路", "解放街", "建设路", "和平里", "光明巷", "中山路", "新华街")


@dataclass(slots=True)
class Population:
    """A populated desk: `tokens` of its people by number, and examples of what is looked up."""

    url: str
    now: int
    tokens: dict[str, str] = field(default_factory=dict)
    agreement: str = ""
    point: str = ""
    meter: str = ""
    phone: str = ""
    name: str = ""
    address: str = ""


def populate(url: str, customers: int = 100_000) -> Population:
    """Fill an empty database; 100,000 customers have 1,000,000 entries.

    Args:
        url: of a database without tables.
        customers: a multiple of `STATIONS`.
    """
    admin = found(url, "Asia/Shanghai", True, "城北供电公司", NOON)
    made = Population(url, NOON, {"admin": admin})
    engine = connect(url)
    with engine.begin() as connection:
        _Writer(connection, customers, made).write()
    if engine.dialect.name == "postgresql":
        with engine.connect() as found_tables:
            alone = found_tables.execution_options(isolation_level="AUTOCOMMIT")
            alone.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    return made


class _Writer:
    """Writes the tables one after another; numbers are drawn so that rows name each other."""

    def __init__(self, connection: Connection, customers: int, made: Population) -> None:
        self._connection, self._made = connection, made
        self._random = Random(17)
        self._customers = range(1, customers + 1)
        self._sales = range(1, SALES * customers + 1)
        self._company = connection.scalar(select(func.min(Organisation.id)))
        self._first_staff = 1 + (connection.scalar(select(func.max(Staff.id))) or 0)
        self._first_node = 1 + (self._company or 0)
        self._entry = 0
        self._numbers: dict[int, int] = {}

    def write(self) -> None:
        """Write all tables, and where PostgreSQL goes on numbering them."""
        self._write_organisation()
        self._write_customers()
        self._write_shifts()
        self._write_sales()
        self._write_ledger()
        self._write_work()
        if self._connection.dialect.name == "postgresql":
            for name, table in metadata.tables.items():
                if "id" in table.c:
                    sequence = f"pg_get_serial_sequence('{name}', 'id')"
                    highest = f"coalesce(max(id), 0) + 1, false) FROM {name}"
                    self._connection.execute(text(f"SELECT setval({sequence}, {highest}"))

    def _station(self, number: int) -> int:
        """Return the station of a customer, from 0."""
        return number % STATIONS

    def _station_node(self, station: int) -> int:
        return self._first_node + station * (1 + DISTRICTS)

    def _write_organisation(self) -> None:
        nodes, people, grants = [], [], []
        root = f"/{self._company}/"
        for station in range(STATIONS):
            node = self._station_node(station)
            path = f"{root}{node}/"
            nodes.append(
                (
                    node,
                    self._company,
                    "station",
                    f"{station + 11:04}",
                    f"第{station + 1}供电所",
                    path,
                    1,
                )
            )
            for district in range(1, DISTRICTS + 1):
                below = node + district
                nodes.append(
                    (
                        below,
                        node,
                        "district",
                        f"D{below}",
                        f"{district}号台区",
                        f"{path}{below}/",
                        1,
                    )
                )
            for vendor in range(VENDORS):
                people.append((f"v{station}-{vendor}", node, "vendor"))
        people += [
            (role, self._company, role) for role in ("accountant", "auditor", "company_manager")
        ]
        self._fill("organisation", "id parent_id kind code name path version", nodes)
        staff = []
        for n, (number, node, role) in enumerate(people, self._first_staff):
            staff.append((n, number, f"person {number}", "active", hash_of(number), 1))
            grants.append((1_000 + n, n, role, node, "2026-01-01", "active"))
            self._made.tokens[number] = number
        self._fill("staff", "id number name state token_hash version", staff)
        self._fill("staff_grant", "id staff_id role node_id from_on state", grants)

    def _write_customers(self) -> None:
        parties, points, meters, installed, agreements, versions = [], [], [], [], [], []
        terms = json.dumps(
            {
                "low_credit_threshold_1": 20_00,
                "low_credit_threshold_2": 5_00,
                "way_of_buying": "wire",
                "max_credit": 10_000_00,
            }
        )
        epoch = 7
        for n in self._customers:
            station = self._station(n)
            node = self._station_node(station) + 1 + n // STATIONS % DISTRICTS
            name = self._random.choice(_SURNAMES) + "".join(self._random.choices(_GIVEN, k=2))
            phone = f"13{self._random.randrange(10**9):09}"
            serial = n // STATIONS + 1
            number = customer_number(f"{station + 11:04}", serial)
            address = f"{self._random.choice(_STREETS)}{n // 40 + 1}号{n % 40 + 1}室"
            agreement = f"{station + 11:04}-2026-{serial:06}"
            parties.append((n, f"C{n:07}", name, None, json.dumps([phone]), False, 1))
            points.append(
                (n, number, node, address, "resident", 8_000_000, "表后", f"R{node}", 1, 1)
            )
            meters.append(
                (n, f"{31_000_000_0000 + n * 7:012}", 1, epoch, 1 + SALES, 0, 0, 0, 0, 0, NOON, 1)
            )
            installed.append((n, n, n, NOON - (DAYS + 5) * DAY))
            agreements.append((n, agreement, n, n, "meter", "active", 1))
            versions.append((n, n, 1, "active", "2026-07-01", terms, ""))
        self._fill("party", "id number name id_number phones protected version", parties)
        self._fill(
            "supply_point",
            "id number node_id address customer_class capacity_mw boundary route read_day version",
            points,
        )
        self._fill(
            "meter",
            "id serial unit epoch proved_sequence proved_cumulative "
            "proved_energy_mwh proved_elapsed explained_before to_debt_exact "
            "proved_at version",
            meters,
        )
        self._fill("installation", "id meter_id point_id from_at", installed)
        self._fill("agreement", "id number party_id point_id mode state version", agreements)
        self._fill(
            "agreement_version", "id agreement_id n state effective_on terms cause", versions
        )
        made = self._made
        middle = len(agreements) // 2
        made.agreement, made.point, made.meter = (
            agreements[middle][1],
            points[middle][1],
            meters[middle][1],
        )
        made.name, made.address = parties[middle][2], points[middle][3]
        made.phone = json.loads(parties[middle][4])[0]

    def _shift(self, day: int, station: int, vendor: int) -> int:
        return 1 + (day * STATIONS + station) * VENDORS + vendor

    def _write_shifts(self) -> None:
        rows = []
        for day in range(DAYS):
            opened = _MORNING - (DAYS - 1 - day) * DAY
            is_open = day == DAYS - 1
            for station in range(STATIONS):
                for vendor in range(VENDORS):
                    n = self._shift(day, station, vendor)
                    rows.append(
                        (
                            n,
                            f"{station + 11:04}-{n:06}",
                            self._first_staff + station * VENDORS + vendor,
                            self._station_node(station),
                            "open" if is_open else "closed",
                            opened,
                            _on(day).isoformat(),
                            0,
                            10**9,
                            0,
                            None if is_open else opened + 10 * HOUR,
                            None if is_open else f"B{n}",
                            1,
                        )
                    )
        self._fill(
            "shift",
            "id number vendor_id node_id state opened_at opened_on float_amount "
            "limit_amount receipts closed_at slip version",
            rows,
        )

    def _sale(self, n: int) -> tuple[int, int, int, int, str]:
        """Return the customer, the day, the shift, the instant and the state of a sale."""
        customer = 1 + (n * 7919) % len(self._customers)
        day = (n - 1) * DAYS // len(self._sales)
        shift = self._shift(day, self._station(customer), n % VENDORS)
        at = _MORNING - (DAYS - 1 - day) * DAY + n % 1000 * 20_000
        last = len(self._sales)
        state = "delivered"
        if n > last - TAKEN:
            state = "taken"
        elif n > last - TAKEN - UNKNOWN:
            state = "unknown"
        elif n <= last // 4 and n % max(1, last // 4 // ON_CARD) == 0:
            state = "on_card"
        return customer, day, shift, at, state

    def _write_sales(self) -> None:
        payments, sales, receipts, orders, audits = [], [], [], [], []
        numbers = self._numbers
        for n in self._sales:
            customer, _, shift, at, state = self._sale(n)
            numbers[shift] = numbers.get(shift, 0) + 1
            proved = at + 3_000 if state == "delivered" else None
            after = (OPENING + AMOUNT) * CENT if proved else None
            payments.append((n, customer, shift, "cash", "sale", "taken", AMOUNT, at))
            sales.append(
                (
                    n,
                    f"K{n}",
                    customer,
                    customer,
                    shift,
                    n,
                    "credit",
                    AMOUNT,
                    "paid",
                    "card" if state == "on_card" else "wire",
                    state,
                    "",
                    7 if proved else None,
                    2 + n * SALES // len(self._sales) if proved else None,
                    0 if proved else None,
                    after,
                    "connected" if proved else None,
                    "[]" if proved else None,
                    f"C4D{n:08}" if state == "on_card" else None,
                    at,
                    at + 3_000,
                    proved,
                )
            )
            receipts.append((n, shift, numbers[shift], n, 0, True))
            orders.append(
                (n, f"K{n}", customer, customer, n, "sale", "{}", state, 1, at, "", at, at)
            )
            audits.append(
                (
                    1_000 + n,
                    at,
                    self._first_staff + self._station(customer) * VENDORS + n % VENDORS,
                    "sell",
                    f"sale/{n}",
                    "",
                    f"K{n}",
                )
            )
        self._fill(
            "payment", "id agreement_id shift_id channel purpose state amount paid_at", payments
        )
        self._fill(
            "sale",
            "id key agreement_id meter_id shift_id payment_id kind amount "
            "source carrier state cause epoch sequence to_debt_exact "
            "credit_after_exact supply_state causes card taken_at changed_at "
            "proved_at",
            sales,
        )
        self._fill("receipt", "id shift_id number payment_id copies printed", receipts)
        self._fill(
            "meter_order",
            "id key meter_id agreement_id sale_id kind parameters credit_state "
            "tries not_before cause made_at changed_at",
            orders,
        )
        self._fill("audit", "id at_ms staff_id action subject reason key", audits)

    def _write_ledger(self) -> None:
        """Write readings, accounts, entries, their transfers, and closes of all days but two."""
        customers, shifts = len(self._customers), DAYS * STATIONS * VENDORS
        energy, taken_over, transit, tills = 1, 2, 3, 10
        undelivered, in_meter = tills + shifts, tills + shifts + customers
        accounts = [
            (energy, "revenue_energy", 0),
            (taken_over, "taken_over", 0),
            (transit, "transit", 0),
        ]
        accounts += [(tills + n, "cash", n) for n in range(1, shifts + 1)]
        accounts += [(undelivered + n, "undelivered", n) for n in self._customers]
        accounts += [(in_meter + n, "in_meter", n) for n in self._customers]
        self._fill("account", "id kind owner_id", accounts)
        readings, entries, transfers = [], [], []
        held: dict[int, int] = {}
        closed = _on(DAYS - 3)

        def book(
            key: str,
            kind: str,
            at: int,
            on: date,
            debit: int,
            credit: int,
            amount: int,
            agreement: int | None = None,
            sale: int | None = None,
            reading: int | None = None,
        ) -> None:
            self._entry += 1
            day = on.isoformat()
            entries.append((self._entry, key, kind, at, day, day, agreement, sale, sale, reading))
            transfers.append((self._entry, 1, debit, credit, amount, day))
            if on <= closed:
                held[debit] = held.get(debit, 0) + amount
                held[credit] = held.get(credit, 0) - amount

        first = _on(0) - timedelta(1)
        for n in self._customers:
            book(
                f"over/{n}",
                "taken_over",
                NOON - DAYS * DAY,
                first,
                taken_over,
                in_meter + n,
                OPENING,
                n,
            )
        spread = READINGS * customers
        sold = 0
        for reading in range(1, spread + 1):
            day = (reading - 1) * DAYS // spread
            while sold < len(self._sales) and self._sale(sold + 1)[1] <= day:
                sold += 1
                customer, on, shift, at, state = self._sale(sold)
                book(
                    f"taken/{sold}",
                    "sale_taken",
                    at,
                    _on(on),
                    tills + shift,
                    undelivered + customer,
                    AMOUNT,
                    customer,
                    sold,
                )
                if state == "delivered":
                    book(
                        f"proved/{sold}",
                        "sale_confirmed",
                        at + 3_000,
                        _on(on),
                        undelivered + customer,
                        in_meter + customer,
                        AMOUNT,
                        customer,
                        sold,
                    )
            n = 1 + (reading - 1) % customers
            k = 1 + (reading - 1) // customers
            at = _MORNING - (DAYS - 1 - day) * DAY - 7 * HOUR + reading % 10_000
            credit = (OPENING + AMOUNT - k * COST) * CENT
            readings.append(
                (
                    reading,
                    n,
                    n,
                    "accepted",
                    "wire",
                    at,
                    _on(day).isoformat(),
                    7,
                    k * DAY,
                    1,
                    0,
                    k * 20_000_000,
                    credit,
                    0,
                    k * COST * CENT,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    "connected",
                    "[]",
                    '{"account_state": "open"}',
                )
            )
            book(
                f"read/{reading}",
                "reading",
                at,
                _on(day),
                in_meter + n,
                energy,
                COST,
                n,
                None,
                reading,
            )
        for day in range(DAYS - 1):
            for station in range(STATIONS):
                for vendor in range(VENDORS):
                    shift = self._shift(day, station, vendor)
                    self._close_shift(shift, day, tills, transit, entries, transfers, held, closed)
        self._fill(
            "reading",
            "id meter_id agreement_id state source taken_at for_on epoch "
            "elapsed credit_sequence command_sequence energy_mwh credit_exact "
            "debt_exact consumption_exact standing_exact instalments_exact "
            "refunds_exact cumulative_exact to_debt_exact debt_entered_exact "
            "opening_exact supply_state causes more",
            readings,
        )
        self._fill(
            "entry",
            "id key kind booked_at booked_on for_on agreement_id sale_id payment_id reading_id",
            entries,
        )
        self._fill("transfer", "entry_id n debit_id credit_id amount booked_on", transfers)
        days = [
            (_on(day).isoformat(), "open" if day > DAYS - 3 else "closed")
            for day in range(-1, DAYS)
        ]
        self._fill("day", "on_date state", days)
        self._fill(
            "closing_balance",
            "account_id on_date balance",
            [(account, closed.isoformat(), balance) for account, balance in held.items()],
        )

    def _close_shift(
        self,
        shift: int,
        day: int,
        tills: int,
        transit: int,
        entries: list[Any],
        transfers: list[Any],
        held: dict[int, int],
        closed: date,
    ) -> None:
        amount = self._numbers.get(shift, 0) * AMOUNT
        if not amount:
            return
        self._entry += 1
        on = _on(day)
        at = _MORNING - (DAYS - 1 - day) * DAY + 10 * HOUR
        entries.append(
            (
                self._entry,
                f"shift/{shift}",
                "shift_closed",
                at,
                on.isoformat(),
                on.isoformat(),
                None,
                None,
                None,
                None,
            )
        )
        transfers.append((self._entry, 1, transit, tills + shift, amount, on.isoformat()))
        if on <= closed:
            held[transit] = held.get(transit, 0) + amount
            held[tills + shift] = held.get(tills + shift, 0) - amount

    def _write_work(self) -> None:
        findings = [
            (
                n,
                "terms_differ" if n % 3 == 0 else "books_differ",
                "meter",
                n,
                n,
                "",
                "",
                "",
                "open",
                NOON - n * HOUR,
                NOON,
            )
            for n in range(1, FINDINGS + 1)
        ]
        self._fill(
            "finding",
            "id rule subject_kind subject_id agreement_id value limit_value "
            "note state first_seen last_seen",
            findings,
        )
        tasks = [
            (
                n,
                "slip",
                "meter",
                n,
                self._station_node(n % STATIONS),
                "field",
                "open" if n % 2 else "done",
                (TODAY + timedelta(n % 10 - 5)).isoformat(),
                "",
                NOON,
                NOON,
                1,
            )
            for n in range(1, TASKS + 1)
        ]
        self._fill(
            "task",
            "id kind subject_kind subject_id node_id role state due_on outcome "
            "made_at changed_at version",
            tasks,
        )
        self._fill(
            "bank_file",
            "id bank kind name sha256 lines amount for_on result at_ms",
            [
                (
                    1,
                    "icbc",
                    "collected",
                    "f.csv",
                    "0",
                    LINES,
                    LINES * AMOUNT,
                    TODAY.isoformat(),
                    "{}",
                    NOON,
                )
            ],
        )
        lines = [
            (
                n,
                1,
                "icbc",
                "collected",
                f"R{n}",
                "?",
                AMOUNT,
                NOON - n * DAY,
                (TODAY - timedelta(n)).isoformat(),
                "suspense" if n % 4 else "matched",
                0,
                "",
                1,
            )
            for n in range(1, LINES + 1)
        ]
        self._fill(
            "bank_line",
            "id file_id bank kind reference party amount paid_at paid_on state tries cause version",
            lines,
        )

    def _fill(self, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows the fastest way of the engine."""
        names = columns.split()
        driver = self._connection.connection.driver_connection
        assert driver is not None
        if self._connection.dialect.name == "postgresql":
            with (
                driver.cursor() as cursor,
                cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join("?" * len(names))
        driver.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)


def _on(day: int) -> date:
    """Return the date of a day of the history; the last one is TODAY."""
    return TODAY - timedelta(DAYS - 1 - day)
