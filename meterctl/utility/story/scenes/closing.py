"""The evening and the morning after: tills, a day of consumption, readings, sheet, checks."""

from __future__ import annotations

from datetime import date
from typing import Any

from meterctl.utility.rules.calendar import end_of
from meterctl.utility.services import readings, shift_lists, shifts
from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.services.sheets.lookup import day_sheet
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import Plan
from meterctl.utility.story.scenes.founding import ACCOUNTANT, AUDITOR, CLERK, vendor_of
from meterctl.utility.story.screen import exact, money
from meterctl.utility.story.simulated_meters import SOCKET

SHORT = 10_50
"""What is missing in the till of the second station, 0.01."""
DAY = date(2026, 11, 30)


def count_tills(office: Office, plan: Plan) -> None:
    """Count and close the shifts in the evening; one till is short."""
    teller = office.teller
    teller.heading("The evening: the tills are counted, one is short")
    rows = []
    for place, station in enumerate(plan.station_codes):
        vendor = vendor_of(station)
        with office.database.reading() as session:
            till = shift_lists.show(session, office.person(vendor), None)
        missing = SHORT if place == 1 else 0
        counted = till["float"] + till["cash"] - missing
        slip = f"BANK-{station}"
        if missing:
            office.typed(vendor, "shift", "count", money(counted))
            office.typed(vendor, "shift", "close", "--slip", slip)
        else:
            office.do(vendor, shifts.count, shift=None, counted=counted)
            office.do(vendor, shifts.close, shift=None, slip=slip)
        with office.database.reading() as session:
            after = shift_lists.show(session, office.person(vendor), till["shift"])
        rows.append(
            (
                till["shift"], after["receipts"], money(till["cash"]), money(counted),
                money(-missing), after["slip"], money(after["cash"]),
            )
        )  # fmt: skip
    columns = ("shift", "receipts", "taken", "counted", "differs", "slip", "left")
    teller.table(columns, rows, columns[1:])
    teller.proved("all tills are banked, nothing is left", {row[-1] for row in rows} == {"0.00"})


def read_all(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Let the night pass, and read every meter."""
    teller = office.teller
    teller.heading("A night passes; every meter is read")
    office.typed(ADMIN_NUMBER, "time", "advance", "15h", "--control", SOCKET)
    homes = list(plan.homes())
    with teller.long("ordering readings", len(homes)) as advance:
        for done, home in enumerate(homes, 1):
            office.do(CLERK, readings.take, of=numbers[home.unit])
            advance(done)
    said = office.work("reading meters", len(homes))
    read: dict[str, list[dict[str, Any]]] = {station: [] for station in plan.station_codes}
    findings: list[str] = []
    with office.database.reading() as session:
        clerk = office.person(CLERK)
        for home in homes:
            read[home.station] += readings.show(session, clerk, home.serial, 1)
            findings += [
                f"{home.serial}: {each['rule']}"
                for each in readings.findings_of(session, clerk, home.serial)
            ]
    rows = []
    for station, found in read.items():
        off = sum(each["supply_state"] != "connected" for each in found)
        energy = sum(each["energy_mwh"] for each in found) // 1_000_000
        used = sum(each["consumption_exact"] for each in found)
        credit = sum(each["credit_exact"] for each in found)
        rows.append((station, len(found), f"{energy} kWh", exact(used), exact(credit), off))
    columns = ("station", "meters", "energy", "consumption", "credit", "off")
    teller.table(columns, rows, columns[1:])
    accepted = sum(each["state"] == "accepted" for found in read.values() for each in found)
    teller.proved(
        f"{len(homes)} readings are accepted and booked, and no meter differs from the books",
        accepted == len(homes) and not findings,
        "; ".join([f"{accepted} accepted", *findings, *said]),
    )


def close_day(office: Office, plan: Plan) -> None:
    """Close the day after midnight, and print its sheet."""
    teller = office.teller
    teller.heading("The day is closed and sealed; its sheet is printed")
    closed = office.typed(ACCOUNTANT, "close", "day", DAY.isoformat())
    office.typed(AUDITOR, "sheet", "day", DAY.isoformat(), whole=True)
    with office.database.reading() as session:
        end = end_of(DAY, office.database.zone)
        sheet, _ = day_sheet(session, office.person(AUDITOR), office.database.now(), end)
    receipts = sum(each.receipts for each in sheet.channels)
    received = sum(each.received for each in sheet.channels)
    booked = sum(each.booked for each in sheet.channels)
    banked = sum(each.banked for each in sheet.tills)
    differ = sum(each.difference for each in sheet.tills)
    teller.proved(
        f"{receipts} receipts of {money(received)} = booked = banked {money(banked)} and "
        f"{money(-differ)} short",
        not closed.exit_code
        and receipts == plan.sales
        and received == booked == banked - differ
        and differ == -SHORT,
        f"{receipts}, {money(received)}, {money(booked)}, {money(banked)}, {money(differ)}",
    )


def check(office: Office) -> None:
    """Prove the invariants over the whole database, each sale beside its entry in the journal."""
    teller = office.teller
    teller.heading("Everything is checked")
    checked = office.typed(AUDITOR, "check", whole=True)
    teller.proved("every invariant holds over the whole database", not checked.exit_code)
