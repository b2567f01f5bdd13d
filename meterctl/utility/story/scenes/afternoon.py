"""The afternoon: a customer whose supply was disconnected buys, and the command is repeated."""

from __future__ import annotations

from meterctl.utility.services.founding import ADMIN_NUMBER
from meterctl.utility.story.office import Office
from meterctl.utility.story.plan import Plan
from meterctl.utility.story.scenes.founding import vendor_of
from meterctl.utility.story.simulated_meters import SOCKET


def sell_to_a_workshop(office: Office, plan: Plan, numbers: dict[int, str]) -> None:
    """Sell to a meter that is disconnected; the same command sells nothing twice."""
    teller, meters = office.teller, office.meters
    home = next(home for home in plan.homes() if home.is_workshop)
    vendor, number = vendor_of(home.station), numbers[home.unit]
    teller.heading("A workshop without supply buys; the same command twice")
    office.typed(ADMIN_NUMBER, "time", "advance", "9h", "--control", SOCKET)
    before, off = meters.credit(home.serial), meters.supply(home.serial)
    teller.say(
        f"At 17:00 the meter of {home.customer}, a workshop, shows {before}: its supply is "
        f"{off.replace('_', ' ')}. The vendor has it read, sees what 60.00 would do, and sells."
    )
    office.typed(vendor, "reading", "take", number)
    office.typed(vendor, "sell", number, "60.00", "--dry-run")
    office.typed(vendor, "sell", number, "60.00", "--key", "K-1")
    after, on = meters.credit(home.serial), meters.supply(home.serial)
    teller.say(f"The meter shows {after} and is {on}. The same again, and with another amount:")
    office.typed(vendor, "sell", number, "60.00", "--key", "K-1")
    again = office.typed(vendor, "sell", number, "70.00", "--key", "K-1")
    teller.proved(
        "a sale brings the supply back",
        off != on == "connected",
        f"{off}, {on}",
    )
    teller.proved(
        "a command twice sells once, and another amount under its key is refused",
        after != before and meters.credit(home.serial) == after and again.exit_code == 2,
    )
