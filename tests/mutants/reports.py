"""The mutants of what is told of consumption: rows by page, the load profile, days and costs."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_OPERATIONS = "tests/unit/meterctl/operations"
PAGING = f"{_OPERATIONS}/test_paging.py"
PROFILE = f"{_OPERATIONS}/test_load_profile.py"
USAGE = f"{_OPERATIONS}/test_usage.py"
RATES = f"{_OPERATIONS}/test_rates_and_steps.py"
DAYS_LEFT = f"{_OPERATIONS}/test_days_left.py"

REPORT_MUTANTS = (
    Mutant(
        "a late reply for a later page hides the rows before it",
        "meterctl/operations/paging.py",
        "            if page.first == number:\n                return self._read(page)\n",
        "            return self._read(page)\n",
        (PAGING,),
    ),
    Mutant(
        "records between two others are taken to be regular, whatever the clock did",
        "meterctl/operations/load_profile.py",
        "if end - begin != (last - first) * PERIOD:",
        "if end < begin:",
        (PROFILE,),
    ),
    Mutant(
        "registers and what was charged are of two instants",
        "meterctl/operations/snapshots.py",
        "values |= reader.read_at_once(",
        "values |= reader.read(",
        (USAGE,),
    ),
    Mutant(
        "a midnight between the freezes and the registers is not noticed",
        "meterctl/operations/snapshots.py",
        "Snapshot.of(newest[-1]) == daily[-1]",
        "newest[-1].number >= daily[-1].number",
        (USAGE,),
    ),
    Mutant(
        "a month that is cut at its begin is whole",
        "meterctl/operations/usage.py",
        "whole and part.is_complete",
        "part.is_complete",
        (USAGE,),
    ),
    Mutant(
        "the cost of steps at present prices, whatever was charged",
        "meterctl/operations/rates_and_steps.py",
        "return period.cost == expected",
        "return period.cost is not None",
        (USAGE,),
    ),
    Mutant(
        "a sum that fits proves prices that the event log denies",
        "meterctl/operations/rates_and_steps.py",
        "if event.code == _ACTIVATED and event.a in numbers:",
        "if event.code == _ACTIVATED and event.a < 0:",
        (RATES,),
    ),
    Mutant(
        "charged export is taken for import of a rate",
        "meterctl/operations/rates_and_steps.py",
        "elif whole.export_mwh and values.get(items.REVERSE_CHARGED):",
        "elif whole.export_mwh < 0:",
        (RATES,),
    ),
    Mutant(
        "days without supply count towards the mean",
        "meterctl/operations/days_left.py",
        "if day not in untold and day not in dark]",
        "if day not in untold]",
        (DAYS_LEFT,),
    ),
    Mutant(
        "the event log is taken to be whole where it was cut",
        "meterctl/operations/event_log.py",
        "not rows or rows[0][0] == OLDEST",
        "True",
        (RATES,),
    ),
    Mutant(
        "instalments are taken without debt",
        "meterctl/operations/days_left.py",
        "if credit <= until_paid * (daily + instalment):",
        "if credit <= 10 * until_paid * (daily + instalment):",
        (DAYS_LEFT,),
    ),
)
