"""What goes wrong at a counter, and what becomes of it: nothing is lost, nothing is sold twice."""

from __future__ import annotations

import re
import subprocess

from meterctl.transports.wires import monotonic_ms, pause_ms
from meterctl.utility.rules.leases import LEASE_MS
from meterctl.utility.rules.transitions import SaleState
from meterctl.utility.services import sales
from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import Home, Plan
from meterctl.utility.story.scenes.founding import MANAGER, vendor_of
from meterctl.utility.story.scenes.selling import ordinary, sale_of
from meterctl.utility.story.simulated_meters import SOCKET
from protocols.modbus.native_map import NATIVE_MAP

_WINDOWS = NATIVE_MAP.windows
assert _WINDOWS is not None
DELIVERY = ("--address", str(_WINDOWS.answer))
"""The request with which a sealed message reaches its meter, among all requests of Modbus."""
_SALE = re.compile(r"\bS[0-9]+\b")
LOOK_MS = 20


def kill_a_sale(office: Office, plan: Plan, numbers: dict[int, str]) -> tuple[str, Home]:
    """Kill the command of a sale after its meter took the credit, before it could answer."""
    teller = office.teller
    station = plan.station_codes[-1]
    home = _home(plan, station, 0)
    vendor, number = vendor_of(station), numbers[home.unit]
    teller.heading("A command is killed in the middle of a sale (SIGKILL)")
    before = office.meters.credit(home.serial)
    late = ("fault", "reply_late", "on", *DELIVERY, "--unit", str(home.unit))
    office.meters.tell(*late, "--value", "20s")
    words = ("sell", number, "80.00", "--key", "K-KILL")
    command = office.start(vendor, *words)
    _until_taken(office, home, before, command)
    command.kill()
    ran = office.ended(vendor, words, command)
    office.meters.tell("fault", "reply_late", "off")
    after = office.meters.credit(home.serial)
    sale = _SALE.findall(ran.err)[-1]
    state = sale_of(office, vendor, sale)["state"]
    teller.say(
        f"The meter had {before} and has {after}; its answer was not received. In the books {sale} "
        f"is {state}: the receipt counts, and whether it was delivered is not known yet."
    )
    teller.proved(
        f"{sale}, whose command was killed, is sending: decided before a byte was sent",
        state == SaleState.SENDING and before != after,
        state,
    )
    return sale, home


def settle_the_killed(office: Office, plan: Plan, sale: str, home: Home, killed_at_ms: int) -> None:
    """Let the worker find in the journal what became of the killed sale."""
    teller = office.teller
    teller.heading("What became of the killed sale")
    teller.say(
        f"The dead command has port {home.port} for {LEASE_MS // 1000} s; then a worker takes it, "
        f"finds the sale in the journal, asks the meter with a sealed question, and books the "
        f"answer."
    )
    if plan.waits:
        with teller.long("waiting for the port", LEASE_MS) as advance:
            while (left_ms := killed_at_ms + LEASE_MS - monotonic_ms()) > 0:
                advance(LEASE_MS - left_ms)
                pause_ms(min(left_ms, LOOK_MS))
    else:
        office.ahead_ms += LEASE_MS
    said = office.work("settling", 1, [home.port])
    for line in said:
        teller.say(f"  worker: {line}")
    _prove_delivered(office, home, sale, "is delivered once: the journal and its meter agree")


def sell_to_a_silent_meter(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Cut a meter's line after a message was sent; it is proved when the line is mended."""
    teller = office.teller
    station = plan.station_codes[0]
    home = _home(plan, station, 1)
    vendor = vendor_of(station)
    teller.heading("A meter falls silent")
    teller.say("Its line is cut when the message has been sent, and before the answer:")
    unit = ("--unit", str(home.unit))
    before = office.meters.credit(home.serial)
    office.meters.tell("fault", "reply_lost", "on", *DELIVERY, *unit)
    words = ("sell", numbers[home.unit], "45.00", "--key", "K-SILENT")
    command = office.start(vendor, *words)
    _until_taken(office, home, before, command)
    office.meters.tell("fault", *plan.silence, *unit)
    ran = office.ended(vendor, words, command)
    sale = _SALE.findall(ran.err)[-1]
    now = sale_of(office, vendor, sale)
    teller.proved(
        f"{sale} to the silent meter is unknown, exit code 7, and the receipt counts",
        now["state"] == SaleState.UNKNOWN and ran.exit_code == 7,
        f"{now['state']} {now['cause']}",
    )
    office.meters.tell("fault", "off")
    teller.say("The line is mended. A minute later a worker asks the meter:")
    office.typed(ADMIN_NUMBER, "time", "advance", "1m", "--control", SOCKET)
    office.work("asking again", 1, [home.port])
    _prove_delivered(office, home, sale, "is delivered, proved when the line was mended")


def move_a_sale(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Move a sale from the wrong customer to the right one, by two persons."""
    teller = office.teller
    station = plan.station_codes[0]
    wrong, right = _home(plan, station, 2), ordinary(plan, station)[-1]
    vendor = vendor_of(station)
    teller.heading("A sale to the wrong customer is moved, by two persons")
    taken = office.do(vendor, sales.take, agreement=numbers[wrong.unit], amount=100_00, money=True)
    office.work("selling", 1, [wrong.port])
    teller.say(
        f"{taken['sale']}: {right.customer} paid 100.00, and {wrong.customer}'s meter got it."
    )
    moved = office.typed(vendor, "sale", "move", taken["sale"], "--to", numbers[right.unit])
    task = re.findall(r"\bT[0-9]+\b", moved.err)[-1]
    office.typed(vendor, "task", "approve", task)
    before = office.meters.credit(right.serial)
    office.typed(MANAGER, "task", "approve", task)
    office.work("moving", 2, [wrong.port])
    after = office.meters.credit(right.serial)
    now = sale_of(office, vendor, taken["sale"])
    follower = sale_of(office, vendor, now["followed_by"]) if now["followed_by"] else {}
    teller.say(
        f"The wrong meter gave it back, then {now['followed_by']} brought it to the right one: "
        f"{before} before, {after} now."
    )
    teller.proved(
        "a sale moved: the wrong meter gave 100.00 back, and the right one has it",
        follower.get("state") == SaleState.DELIVERED,
        f"{now['state']} {now['cause']}",
    )


def _prove_delivered(office: Office, home: Home, sale: str, told: str) -> None:
    """Prove that a sale of a station's vendor is delivered."""
    now = sale_of(office, vendor_of(home.station), sale)
    is_delivered = now["state"] == SaleState.DELIVERED
    office.teller.proved(f"{sale} {told}", is_delivered, f"{now['state']} {now['cause']}")


def _until_taken(office: Office, home: Home, before: str, command: subprocess.Popen[str]) -> None:
    """Wait until a meter has taken the credit that a command sells, or the command has ended."""
    while office.meters.credit(home.serial) == before and command.poll() is None:
        pause_ms(LOOK_MS)


def _home(plan: Plan, station: str, number: int) -> Home:
    """Return one of the supply points of a station that are kept for single events."""
    homes = [home for home in plan.homes() if home.station == station and not home.is_new]
    return homes[number]
