"""A brute-force prepaid meter with one step per millisecond, written from METER.md only.

The product's meter is tested against it. No event is solved or scheduled: every millisecond runs
the steps of METER.md section 2 in their order. Money is in ledger units (1e-10 of the account
unit), power in mW, energy in whole mWh with a remainder in mW*ms.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

MW_MS_PER_MWH = 3_600_000
UNITS_PER_HUNDREDTH = 100_000_000  # ledger units in 0.01 of the account unit
LARGEST_MONEY = 99_999_999 * UNITS_PER_HUNDREDTH  # 999,999.99
MS_PER_SECOND = 1_000
MS_PER_MINUTE = 60_000
MS_PER_HOUR = 3_600_000
MS_PER_DAY = 86_400_000
ORDINAL_1970 = date(1970, 1, 1).toordinal()

LIMIT_FIELDS = frozenset(
    {
        "trip_mode",
        "reconnect_mode",
        "low_credit_threshold_1",
        "low_credit_threshold_2",
        "overdraft_limit",
        "max_credit",
        "reconnect_threshold",
        "trip_delay_minutes",
        "remote_trip_delay",
        "power_limit_mw",
        "power_limit_delay_s",
        "overload_reconnect_s",
        "overload_attempts",
        "overload_reset_s",
    }
)


@dataclass(frozen=True)
class Settings:
    """The settings of the meter at elapsed 0."""

    account: str = "open"  # open | unopened
    credit: int = 0
    trip_mode: str = "two_stage"  # two_stage | direct | delayed
    reconnect_mode: str = "automatic"  # automatic | manual
    low_credit_threshold_1: int | None = None
    low_credit_threshold_2: int | None = None
    overdraft_limit: int = 0
    max_credit: int | None = None
    reconnect_threshold: int = 0
    trip_delay_minutes: int = 0
    remote_trip_delay: bool = False
    power_limit_mw: int | None = None
    power_limit_delay_s: int = 10
    overload_reconnect_s: int = 60
    overload_attempts: int = 3
    overload_reset_s: int = 3600
    unopened_supply: str = "connected"  # connected | disconnected
    tamper_trip: frozenset[str] = frozenset()  # of cover, terminal_cover, magnet
    phase_summation: str = "arithmetic"  # arithmetic | per_phase
    reverse_charged: bool = False
    prices: tuple[int, ...] = (5283,)  # per rate, 1e-4 per kWh, which is ledger units per mWh
    # (local minute of day, rate index), ascending
    day_table: tuple[tuple[int, int], ...] = ((0, 0),)
    step_limits_mwh: tuple[int, ...] = ()
    step_additions: tuple[int, ...] = (0,)  # one more than limits, 1e-4 per kWh
    step_period: str = "month"  # month | year
    billing_day: tuple[int, int] = (1, 0)  # day of month, local hour
    billing_year: tuple[int, int] = (1, 1)  # month, day, at 00:00 local
    standing_charge: int = 0
    debt: int = 0
    debt_instalment: int = 0
    debt_share_percent: int = 0
    utc_offset_minutes: int = 0
    friendly_hours: tuple[tuple[int, int], ...] = ()  # (from, to) local minutes of day, to excluded
    friendly_weekends: bool = False
    holidays: tuple[int, ...] = ()  # local dates as days since 1970-01-01
    guarantee: bool = False
    moratorium_until: int | None = None  # local date as days since 1970-01-01


@dataclass(frozen=True)
class Scenario:
    """One run: duration, load, actions and settings."""

    duration_ms: int
    clock_start_ms: int  # UTC ms since 1970 at elapsed 0
    # (elapsed ms from which the row applies, signed mW per phase)
    load: tuple[tuple[int, tuple[int, ...]], ...]
    actions: tuple[tuple[int, str, object], ...]  # (elapsed ms, name, argument), sorted by time
    settings: Settings


@dataclass(frozen=True)
class Freeze:
    """The registers at a midnight or at the end of a billing period."""

    clock_ms: int
    import_mwh: int
    export_mwh: int
    rate_mwh: tuple[int, ...]
    credit: int
    consumption: int


@dataclass(frozen=True)
class Trace:
    """The state of the meter at the end of a run, and the supply changes and refusals in it."""

    import_mwh: int
    export_mwh: int
    import_remainder: int
    export_remainder: int
    rate_mwh: tuple[int, ...]
    month_mwh: int
    year_mwh: int
    credit: int
    debt: int
    consumption: int
    standing: int
    instalments: int
    settlement: int
    causes: tuple[str, ...]
    closed: bool
    supply_state: str
    warning: bool
    changes: tuple[tuple[int, str, tuple[str, ...]], ...]
    refusals: tuple[tuple[int, str], ...]
    daily_freezes: tuple[Freeze, ...]
    billing_freezes: tuple[Freeze, ...]


def whole_number(argument: object) -> int:
    """Return the argument of an action that takes an integer."""
    if isinstance(argument, bool) or not isinstance(argument, int):
        raise TypeError(f"an integer is wanted, not {argument!r}")
    return argument


def truth(argument: object) -> bool:
    """Return the argument of an action that takes a bool."""
    if not isinstance(argument, bool):
        raise TypeError(f"a bool is wanted, not {argument!r}")
    return argument


class Meter:
    """The whole state and the steps of one instant."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.settings = scenario.settings
        settings = scenario.settings
        self.local_start = scenario.clock_start_ms + settings.utc_offset_minutes * MS_PER_MINUTE
        # Energy.
        self.import_mwh = 0
        self.export_mwh = 0
        self.import_remainder = 0
        self.export_remainder = 0
        self.rate_mwh = [0] * len(settings.prices)
        self.month_mwh = 0
        self.year_mwh = 0
        self.rate = 0
        # Money.
        self.account = settings.account
        self.credit = settings.credit
        self.debt = settings.debt
        self.consumption = 0
        self.standing = 0
        self.instalments = 0
        self.settlement = 0
        # Switch.
        self.closed = True
        self.causes: set[str] = set()
        self.cause_cleared = False  # in this instant, by an event that may close the switch
        self.threshold_2_spent = False
        self.zero_spent = False
        self.credit_due_ms: int | None = None  # elapsed ms at which a pending credit trip is due
        self.remote_due_ms: int | None = None
        # Overload.
        self.overload_since_ms: int | None = None  # begin of the present overload condition
        self.overload_ended_ms: int | None = None  # end of the overload condition before it
        self.overload_count = 0
        # None during an overload: the button is needed.
        self.overload_reclose: int | None = None
        # Inhibitors.
        self.guarantee = settings.guarantee
        self.moratorium_until = settings.moratorium_until
        self.moratorium = False
        self.window = False
        # World.
        self.power = True
        self.cut_at = 0
        self.welded = False
        self.opened_covers: set[str] = set()
        self.load_from_table = True
        self.next_row = 0
        self.load_import = 0
        self.load_export = 0
        # Record.
        self.changes: list[tuple[int, str, tuple[str, ...]]] = []
        self.refusals: list[tuple[int, str]] = []
        self.daily_freezes: list[Freeze] = []
        self.billing_freezes: list[Freeze] = []
        self.handlers: dict[str, Callable[[int, object], bool]] = {
            "load": self.do_load,
            "topup": self.do_topup,
            "refund": self.do_refund,
            "debt": self.do_debt,
            "open": self.do_open,
            "close": self.do_close,
            "button": self.do_button,
            "interrupt": self.do_interrupt,
            "permit": self.do_permit,
            "direct": self.do_direct,
            "guarantee": self.do_guarantee,
            "moratorium": self.do_moratorium,
            "cover": lambda t, argument: self.do_tamper("cover", argument),
            "terminal_cover": lambda t, argument: self.do_tamper("terminal_cover", argument),
            "magnet": lambda t, argument: self.do_tamper("magnet", argument),
            "clear_tamper": self.do_clear_tamper,
            "limits": self.do_limits,
            "power_cut": self.do_power_cut,
            "power_return": self.do_power_return,
            "weld": self.do_weld,
        }

    # The run.

    def run(self) -> Trace:
        """Run the whole scenario, one millisecond at a time."""
        scenario = self.scenario
        actions = scenario.actions
        following = 0
        self.set_calendar(0)
        self.take_load_row(0)
        if self.account != "open" and self.settings.unopened_supply == "disconnected":
            self.arise("account")
        self.evaluate(0)
        before = self.pair()
        for t in range(scenario.duration_ms + 1):
            if t > 0:
                self.instant(t)
            while following < len(actions) and actions[following][0] == t:
                _, name, argument = actions[following]
                self.act(t, name, argument)
                following += 1
            now = self.pair()
            if now != before:
                self.changes.append((t, *now))
                before = now
        return self.trace()

    def instant(self, t: int) -> None:
        """Run steps 1 to 8 of METER.md section 2."""
        self.meter_one_millisecond()  # 1
        if self.power:
            local = self.local_start + t
            if local % MS_PER_MINUTE == 0:
                if local % MS_PER_HOUR == 0:
                    self.freeze(local // MS_PER_HOUR)  # 2
                    self.end_billing_periods(local // MS_PER_HOUR)  # 3
                self.set_calendar(t)  # 4
                if local % MS_PER_DAY == 0:
                    self.charge_for_the_date()  # 5
            self.do_delays(t)  # 6
        self.take_load_row(t)  # 7
        self.evaluate(t)  # 8

    def act(self, t: int, name: str, argument: object) -> None:
        """Run step 9, one request, and step 8 after it."""
        handler = self.handlers[name]
        if not self.power and name != "power_return":
            self.refusals.append((t, name))
            return
        if not handler(t, argument):
            self.refusals.append((t, name))
        self.evaluate(t)

    # Step 1: metering and charging.

    def really_closed(self) -> bool:
        """Return whether load can flow: a welded switch feeds against its command."""
        return self.power and (self.closed or self.welded)

    def meter_one_millisecond(self) -> None:
        """Count the energy of the millisecond that ends now, each completed mWh separately."""
        if not self.really_closed():
            return
        self.import_remainder += self.load_import
        while self.import_remainder >= MW_MS_PER_MWH:
            self.import_remainder -= MW_MS_PER_MWH
            self.import_mwh += 1
            self.rate_mwh[self.rate] += 1
            self.charge_one_mwh()
        self.export_remainder += self.load_export
        while self.export_remainder >= MW_MS_PER_MWH:
            self.export_remainder -= MW_MS_PER_MWH
            self.export_mwh += 1
            if self.settings.reverse_charged:
                self.charge_one_mwh()

    def charge_one_mwh(self) -> None:
        """Increment the step counters, and charge the mWh if the account is open."""
        self.month_mwh += 1
        self.year_mwh += 1
        if self.account != "open":
            return
        settings = self.settings
        counter = self.month_mwh if settings.step_period == "month" else self.year_mwh
        step = 0
        for limit in settings.step_limits_mwh:
            if counter > limit:  # the mWh that reaches a limit is the last of its step
                step += 1
        cost = settings.prices[self.rate] + settings.step_additions[step]
        self.credit -= cost
        self.consumption += cost

    # Steps 2 to 5: the calendar.

    def freeze(self, local_hour: int) -> None:
        """Run step 2 at the beginning of a local hour (counted from 1970), without the profile."""
        day_number, hour = divmod(local_hour, 24)
        utc_offset_ms = self.settings.utc_offset_minutes * MS_PER_MINUTE
        row = Freeze(
            local_hour * MS_PER_HOUR - utc_offset_ms,
            self.import_mwh,
            self.export_mwh,
            tuple(self.rate_mwh),
            self.credit,
            self.consumption,
        )
        if hour == 0:
            self.daily_freezes.append(row)
        day = date.fromordinal(ORDINAL_1970 + day_number)
        if (day.day, hour) == self.settings.billing_day:
            self.billing_freezes.append(row)

    def end_billing_periods(self, local_hour: int) -> None:
        """Run step 3 at the beginning of a local hour (counted from 1970)."""
        day_number, hour = divmod(local_hour, 24)
        day = date.fromordinal(ORDINAL_1970 + day_number)
        if (day.day, hour) == self.settings.billing_day:
            self.month_mwh = 0
        if hour == 0 and (day.month, day.day) == self.settings.billing_year:
            self.year_mwh = 0

    def set_calendar(self, t: int) -> None:
        """Run step 4: the rate and the inhibitors of this local minute."""
        settings = self.settings
        day_number, ms_of_day = divmod(self.local_start + t, MS_PER_DAY)
        minute = ms_of_day // MS_PER_MINUTE
        self.rate = settings.day_table[-1][1]
        for start, rate in settings.day_table:
            if start <= minute:
                self.rate = rate
        self.window = day_number in settings.holidays
        if settings.friendly_weekends and (day_number + 3) % 7 >= 5:  # 1970-01-01 was a Thursday
            self.window = True
        for start, end in settings.friendly_hours:
            inside = start <= minute < end if start <= end else minute >= start or minute < end
            self.window = self.window or inside
        was = self.moratorium
        self.moratorium = self.moratorium_until is not None and day_number < self.moratorium_until
        if was and not self.moratorium:
            self.arm_levels()

    def charge_for_the_date(self) -> None:
        """Run step 5 at the midnight that begins a local date: standing charge, then instalment."""
        if self.account != "open":
            return
        self.credit -= self.settings.standing_charge
        self.standing += self.settings.standing_charge
        instalment = min(self.settings.debt_instalment, self.debt, max(0, self.credit))
        self.credit -= instalment
        self.debt -= instalment
        self.instalments += instalment

    def catch_up(self, t: int) -> None:
        """Run the billing ends and midnights since the cut, one by one, at power-up."""
        first_hour = (self.local_start + self.cut_at) // MS_PER_HOUR + 1
        last_hour = (self.local_start + t) // MS_PER_HOUR
        for local_hour in range(first_hour, last_hour + 1):
            self.freeze(local_hour)
            self.end_billing_periods(local_hour)
            if local_hour % 24 == 0:
                self.charge_for_the_date()
        self.set_calendar(t)

    # Step 6: delays that are due.

    def do_delays(self, t: int) -> None:
        """Apply the delays that are due."""
        if self.overload_reclose is not None and t >= self.overload_reclose:
            self.overload_reclose = None
            self.causes.discard("overload")
            if not self.causes:
                self.closed = True  # in either reconnect_mode
        self.trip_overload_if_due(t)
        if self.remote_due_ms is not None and t >= self.remote_due_ms:
            self.remote_due_ms = None
            self.arise("remote")
        wanted = (
            self.settings.trip_mode == "delayed" and self.credit <= -self.settings.overdraft_limit
        )
        if (
            self.credit_due_ms is not None
            and t >= self.credit_due_ms
            and wanted
            and not self.held_back()
        ):
            self.trip_exhausted()

    # Step 7: load.

    def take_load_row(self, t: int) -> None:
        """Apply the load table's rows that begin now, unless a request has overridden the table."""
        rows = self.scenario.load
        while self.next_row < len(rows) and rows[self.next_row][0] <= t:
            if self.load_from_table:
                self.set_load(rows[self.next_row][1])
            self.next_row += 1

    def set_load(self, phases: tuple[int, ...]) -> None:
        """Sum the phases' powers into import and export."""
        if self.settings.phase_summation == "per_phase":
            self.load_import = sum(power for power in phases if power > 0)
            self.load_export = sum(-power for power in phases if power < 0)
        else:
            self.load_import = max(0, sum(phases))
            self.load_export = max(0, -sum(phases))

    # Step 8: thresholds and switch.

    def evaluate(self, t: int) -> None:
        """Run step 8. Without power only the end of an overload condition is detected."""
        if self.power:
            if self.account == "open":
                self.evaluate_credit(t)
            if (
                self.cause_cleared
                and not self.causes
                and self.settings.reconnect_mode == "automatic"
            ):
                self.closed = True
            self.cause_cleared = False
        self.watch_overload(t)
        if self.power:
            self.trip_overload_if_due(t)
            self.watch_overload(t)

    def held_back(self) -> bool:
        """Return whether an inhibitor keeps credit from opening the switch now."""
        return self.window or self.guarantee or self.moratorium

    def evaluate_credit(self, t: int) -> None:
        """Arm the levels, clear the credit causes that have ended, and trip reached levels."""
        settings = self.settings
        if self.credit > 0:
            self.zero_spent = False
        if (
            settings.low_credit_threshold_2 is not None
            and self.credit > settings.low_credit_threshold_2
        ):
            self.threshold_2_spent = False
        if self.guarantee or self.moratorium:
            self.clear("credit_reminder")
            self.clear("credit_exhausted")
        if self.credit > 0 and self.credit >= settings.reconnect_threshold:
            self.clear("credit_exhausted")
        if self.held_back():
            self.credit_due_ms = None
            return
        beyond_limit = self.credit <= -settings.overdraft_limit
        if settings.trip_mode != "delayed" or not beyond_limit:
            self.credit_due_ms = None
        if beyond_limit and "credit_exhausted" not in self.causes:
            if settings.trip_mode == "delayed":
                if self.credit_due_ms is None:
                    self.credit_due_ms = t + settings.trip_delay_minutes * MS_PER_MINUTE
                if t >= self.credit_due_ms:
                    self.trip_exhausted()
            else:
                self.trip_exhausted()
        elif beyond_limit:  # the deepest level is already open: the others are spent
            self.threshold_2_spent = self.zero_spent = True
        elif self.reached_threshold_2(armed=True) or self.reached_zero(armed=True):
            self.arise("credit_reminder")
            self.spend_reached_levels()

    def reached_threshold_2(self, armed: bool) -> bool:
        """Return whether credit <= threshold 2 where that is a reminder level.

        With `armed`, only if the level is not spent.
        """
        level = self.settings.low_credit_threshold_2
        if self.settings.trip_mode != "two_stage" or level is None or self.credit > level:
            return False
        return not (armed and self.threshold_2_spent)

    def reached_zero(self, armed: bool) -> bool:
        """Return whether credit <= 0 where zero is a reminder level.

        With `armed`, only if the level is not spent.
        """
        if (
            self.settings.trip_mode != "two_stage"
            or self.settings.overdraft_limit <= 0
            or self.credit > 0
        ):
            return False
        return not (armed and self.zero_spent)

    def spend_reached_levels(self) -> None:
        """Spend each reminder level that credit has reached."""
        self.threshold_2_spent = self.threshold_2_spent or self.reached_threshold_2(armed=False)
        self.zero_spent = self.zero_spent or self.reached_zero(armed=False)

    def arm_levels(self) -> None:
        """Arm both levels at the end of a guarantee or moratorium."""
        self.threshold_2_spent = False
        self.zero_spent = False

    def trip_exhausted(self) -> None:
        """Make the deepest trip; it spends both reminder levels."""
        self.arise("credit_exhausted")
        self.credit_due_ms = None
        self.threshold_2_spent = True
        self.zero_spent = True

    def arise(self, cause: str) -> None:
        """Add a cause and open the switch."""
        self.causes.add(cause)
        self.closed = False

    def clear(self, cause: str) -> None:
        """Clear a cause; the last one closes the switch if reconnection is automatic."""
        if cause in self.causes:
            self.causes.remove(cause)
            self.cause_cleared = True

    def customer_may_clear(self, cause: str) -> bool:
        """Return whether the button may clear an open cause."""
        return cause == "credit_reminder" or (cause == "overload" and self.overload_reclose is None)

    def supply_state(self) -> str:
        """Return the supply state of the commanded position and the causes."""
        if self.closed and not self.causes:
            return "connected"
        if not self.closed and all(self.customer_may_clear(cause) for cause in self.causes):
            return "ready_for_reconnection"
        return "disconnected"

    # Overload.

    def watch_overload(self, t: int) -> None:
        """Record when the actual import begins and ceases to exceed the limit."""
        limit = self.settings.power_limit_mw
        over = limit is not None and self.really_closed() and self.load_import > limit
        if over and self.overload_since_ms is None:
            self.overload_since_ms = t
            reset = self.settings.overload_reset_s * MS_PER_SECOND
            if self.overload_ended_ms is not None and t - self.overload_ended_ms >= reset:
                self.overload_count = 0
        elif not over and self.overload_since_ms is not None:
            self.overload_since_ms = None
            self.overload_ended_ms = t

    def trip_overload_if_due(self, t: int) -> None:
        """Trip if the condition has lasted for the delay."""
        settings = self.settings
        since = self.overload_since_ms
        if (
            since is None
            or "overload" in self.causes
            or t - since < settings.power_limit_delay_s * MS_PER_SECOND
        ):
            return
        self.overload_count += 1
        if self.overload_count <= settings.overload_attempts:
            self.overload_reclose = t + settings.overload_reconnect_s * MS_PER_SECOND
        self.arise("overload")

    # Step 9: requests. Each returns whether it was accepted.

    def do_load(self, t: int, argument: object) -> bool:
        """Set the load; from now on the load table does not apply."""
        if not isinstance(argument, tuple):
            raise TypeError("a tuple of mW per phase is wanted")
        self.load_from_table = False
        self.set_load(tuple(whole_number(power) for power in argument))
        return True

    def post_credit(self, hundredths: int) -> bool:
        """Post a credit transfer: to overdraft, to debt, the rest to credit.

        Refused if the resulting credit would exceed its limit.
        """
        amount = hundredths * UNITS_PER_HUNDREDTH
        to_overdraft = min(amount, max(0, -self.credit))
        share = hundredths * self.settings.debt_share_percent * (UNITS_PER_HUNDREDTH // 100)
        to_debt = min(self.debt, amount - to_overdraft, share)
        result = self.credit + amount - to_debt
        max_credit = self.settings.max_credit
        if result > LARGEST_MONEY or (max_credit is not None and result > max_credit):
            return False
        self.credit = result
        self.debt -= to_debt
        self.clear("credit_reminder")
        if not self.held_back():
            self.spend_reached_levels()
        return True

    def do_topup(self, t: int, argument: object) -> bool:
        """Post a credit transfer to an open account."""
        hundredths = whole_number(argument)
        return self.account == "open" and hundredths > 0 and self.post_credit(hundredths)

    def do_refund(self, t: int, argument: object) -> bool:
        """Refund at most the available credit."""
        amount = whole_number(argument) * UNITS_PER_HUNDREDTH
        if self.account != "open" or amount <= 0 or amount > max(0, self.credit):
            return False
        self.credit -= amount
        return True

    def do_debt(self, t: int, argument: object) -> bool:
        """Enter a debt."""
        hundredths = whole_number(argument)
        if self.account != "open" or hundredths <= 0:
            return False
        self.debt += hundredths * UNITS_PER_HUNDREDTH
        return True

    def do_open(self, t: int, argument: object) -> bool:
        """Open the account with a first amount, which may be 0."""
        hundredths = whole_number(argument)
        if self.account != "unopened" or hundredths < 0 or not self.post_credit(hundredths):
            return False
        self.account = "open"
        self.clear("account")
        return True

    def do_close(self, t: int, argument: object) -> bool:
        """Close the account: the balance goes to the settlement."""
        if self.account != "open":
            return False
        self.account = "closed"
        self.settlement += self.credit
        self.credit = 0
        self.credit_due_ms = None
        self.clear("credit_reminder")
        self.clear("credit_exhausted")
        if self.settings.unopened_supply == "disconnected":
            self.arise("account")
        return True

    def do_button(self, t: int, argument: object) -> bool:
        """Press the button; no effect unless the supply is ready for reconnection."""
        if self.supply_state() == "ready_for_reconnection":
            if "overload" in self.causes:
                self.overload_count = 0
            self.causes.clear()
            self.closed = True
        return True

    def do_interrupt(self, t: int, argument: object) -> bool:
        """Interrupt (sealed), at once or after the delay."""
        if self.guarantee:
            return False
        if "remote" in self.causes or self.remote_due_ms is not None:
            return True
        if self.settings.remote_trip_delay and self.settings.trip_delay_minutes > 0:
            self.remote_due_ms = t + self.settings.trip_delay_minutes * MS_PER_MINUTE
        else:
            self.arise("remote")
        return True

    def do_permit(self, t: int, argument: object) -> bool:
        """Permit (sealed): it never closes the switch."""
        self.causes.discard("remote")
        self.remote_due_ms = None
        return True

    def do_direct(self, t: int, argument: object) -> bool:
        """Direct close (sealed): it closes the switch if no cause remains."""
        self.causes -= {"remote", "credit_reminder"}
        self.remote_due_ms = None
        if not self.causes:
            self.closed = True
        return True

    def do_guarantee(self, t: int, argument: object) -> bool:
        """Set the power guarantee on or off."""
        wanted = truth(argument)
        if self.guarantee and not wanted:
            self.arm_levels()
        if wanted:
            self.remote_due_ms = None
            self.clear("remote")
        self.guarantee = wanted
        return True

    def do_moratorium(self, t: int, argument: object) -> bool:
        """Set the moratorium until a local date after today's, or none."""
        if argument is not None and whole_number(argument) <= (self.local_start + t) // MS_PER_DAY:
            return False
        self.moratorium_until = None if argument is None else whole_number(argument)
        self.set_calendar(t)
        return True

    def do_tamper(self, what: str, argument: object) -> bool:
        """Open or close a cover or a magnet; opening adds the cause `tamper` if so configured."""
        if truth(argument):
            if what not in self.opened_covers and what in self.settings.tamper_trip:
                self.arise("tamper")
            self.opened_covers.add(what)
        else:
            self.opened_covers.discard(what)
        return True

    def do_clear_tamper(self, t: int, argument: object) -> bool:
        """Clear tamper (sealed)."""
        self.clear("tamper")
        return True

    def do_limits(self, t: int, argument: object) -> bool:
        """Set several limits at once, or none of them."""
        if not isinstance(argument, dict):
            raise TypeError("a dict of settings is wanted")
        unknown = set(argument) - LIMIT_FIELDS
        if unknown:
            raise ValueError(f"no limits: {unknown}")
        values: dict[str, Any] = argument
        wanted = replace(self.settings, **values)
        threshold_1, threshold_2 = wanted.low_credit_threshold_1, wanted.low_credit_threshold_2
        moneys = (
            threshold_1,
            threshold_2,
            wanted.overdraft_limit,
            wanted.max_credit,
            wanted.reconnect_threshold,
        )
        if any(money is not None and money > LARGEST_MONEY for money in moneys):
            return False
        if threshold_1 is not None and threshold_2 is not None and threshold_1 < threshold_2:
            return False
        most = LARGEST_MONEY if wanted.max_credit is None else wanted.max_credit
        if wanted.reconnect_threshold + UNITS_PER_HUNDREDTH > most:
            return False
        self.settings = wanted
        return True

    def do_power_cut(self, t: int, argument: object) -> bool:
        """Cut the mains."""
        self.power = False
        self.cut_at = t
        return True

    def do_power_return(self, t: int, argument: object) -> bool:
        """Return the mains: calendar, then delays, then (by the caller) thresholds."""
        if self.power:
            return False
        self.power = True
        self.catch_up(t)
        self.do_delays(t)
        return True

    def do_weld(self, t: int, argument: object) -> bool:
        """Weld the real switch closed, or repair it."""
        self.welded = truth(argument)
        return True

    # Output.

    def warning(self) -> bool:
        """Return the warning by threshold 1, and by threshold 2 and zero unless they trip.

        METER.md section 4.
        """
        settings = self.settings
        if self.account != "open":
            return False
        levels = [settings.low_credit_threshold_1]
        if settings.trip_mode != "two_stage":
            levels.append(settings.low_credit_threshold_2)
            levels.append(0 if settings.overdraft_limit > 0 else None)
        return any(level is not None and self.credit <= level for level in levels)

    def pair(self) -> tuple[str, tuple[str, ...]]:
        """Return the supply state and the causes by name."""
        return self.supply_state(), tuple(sorted(self.causes))

    def trace(self) -> Trace:
        """Return the trace with the present state."""
        state, causes = self.pair()
        return Trace(
            import_mwh=self.import_mwh,
            export_mwh=self.export_mwh,
            import_remainder=self.import_remainder,
            export_remainder=self.export_remainder,
            rate_mwh=tuple(self.rate_mwh),
            month_mwh=self.month_mwh,
            year_mwh=self.year_mwh,
            credit=self.credit,
            debt=self.debt,
            consumption=self.consumption,
            standing=self.standing,
            instalments=self.instalments,
            settlement=self.settlement,
            causes=causes,
            closed=self.closed,
            supply_state=state,
            warning=self.warning(),
            changes=tuple(self.changes),
            refusals=tuple(self.refusals),
            daily_freezes=tuple(self.daily_freezes),
            billing_freezes=tuple(self.billing_freezes),
        )


def run(scenario: Scenario) -> Trace:
    """Run one scenario from elapsed 0 to its end."""
    return Meter(scenario).run()
