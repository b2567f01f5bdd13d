"""The rows of usage by rate and by step, and why one has no cost or price."""

from __future__ import annotations

import json

from meterctl.cli.lists import Columns
from meterctl.cli.reports import ROUNDED, adds_up, cost_fragments
from meterctl.cli.time_texts import short_moment
from meterctl.cli.usage_texts import Shown, cut_texts, dates, span_texts
from meterctl.operations.local_time import Offsets
from meterctl.operations.rates_and_steps import Doubt, Reason, by_rate, by_step
from meterctl.operations.snapshots import Consumption, Registers
from meterctl.operations.time_span import Span
from meterctl.operations.usage import Dated, by_freeze
from protocols.data_model.kinds import ENERGY, PRICE, Moment

_RATE = ("begin", "end", "rate", "energy_kwh", "price", "cost", "cost_exact")
_STEP = (
    "step", "limit_kwh", "energy_kwh", "addition", "addition_cost", "addition_cost_exact", "cost",
    "cost_exact",
)  # fmt: skip


def rates(registers: Registers, offsets: Offsets, span: Span) -> Shown:
    """Return the rows of rates over all the days of a span that are known."""
    found = by_freeze(registers, offsets, span)
    usages = by_rate(found.rows, registers)
    whole, rows = usages.whole, usages.rows
    times = {"begin": "null", "end": "null"}
    days = ""
    if whole is not None:
        times = _times(whole, offsets)
        days = dates(Dated(whole, found.rows[0].begin, found.rows[-1].end))
    records = [
        {
            **times,
            "rate": str(row.rate),
            "energy_kwh": ENERGY.json(row.mwh),
            "price": "null" if row.price is None else PRICE.json(row.price),
            **cost_fragments(row.cost),
        }
        for row in rows
    ]
    people = [{"days": json.dumps(days), **record} for record in records]
    said = [
        *cut_texts(found.cut),
        *span_texts(found, span, registers, (*registers.older, *registers.daily), offsets),
    ]
    after = []
    if whole is not None:
        energy = ENERGY.json(sum(whole.rates_mwh))
        total = {"rate": '"total"', "energy_kwh": energy, "price": "null"}
        people.append({"days": json.dumps(""), **total, **cost_fragments(whole.cost)})
        if not adds_up([row.cost for row in rows], whole.cost):
            after.append(ROUNDED)
        if usages.doubt is not None:
            lacks_cost = not rows or any(row.cost is None for row in rows)
            what = "cost of each rate" if lacks_cost else "price"
            said.append(f"no {what} is shown: {_because(usages.doubt, offsets, whole)}")
    shown = ("days", "rate", "energy_kwh", "price", "cost")
    return Shown(records, people, Columns(shown, shown[1:], _RATE, "-"), said, after)


def _times(whole: Consumption, offsets: Offsets) -> dict[str, str]:
    begin, end = whole.begin, whole.end
    return {
        "begin": "null" if begin is None else Moment().json(begin, offsets.at(begin)),
        "end": Moment().json(end, offsets.at(end)),
    }


def steps(registers: Registers, offsets: Offsets) -> Shown:
    """Return the rows of the steps of the present period."""
    usages = by_step(registers)
    records = [
        {
            "step": str(row.step),
            "limit_kwh": "null" if row.limit_mwh is None else ENERGY.json(row.limit_mwh),
            "energy_kwh": "null" if row.mwh is None else ENERGY.json(row.mwh),
            "addition": "null" if row.addition is None else PRICE.json(row.addition),
            **cost_fragments(row.addition_cost, "addition_cost"),
            **cost_fragments(row.cost),
        }
        for row in usages.rows
    ]
    said = []
    doubt = usages.doubt
    if not usages.rows:
        said.append("the meter does not show what was consumed in the present period of the steps")
    elif doubt is not None:
        what = "cost is" if usages.rows[0].addition_cost is None else "cost of each step is"
        said.append(f"no {what} shown: {_because(doubt, offsets)}")
        if doubt.reason is Reason.TARIFF_CHANGED:
            said.append("the energy is divided by the present limits")
    shown = ("step", "limit_kwh", "energy_kwh", "addition", "addition_cost", "cost")
    return Shown(records, records, Columns(shown, shown, _STEP, "-"), said)


def _because(doubt: Doubt, offsets: Offsets, whole: Consumption | None = None) -> str:
    """Return the reason of a doubt in words."""
    at = "" if doubt.at is None else f" on {short_moment(doubt.at, offsets.at)}"
    exported = "" if whole is None else f" ({ENERGY.json(whole.export_mwh)} kWh)"
    match doubt.reason:
        case Reason.CHARGE_NOT_KEPT:
            return "the meter did not keep what was charged until the begin or the end"
        case Reason.EXPORT_CHARGED:
            return (
                f"this meter charges export too{exported}, which is in the cost and is not "
                f"counted by rate"
            )
        case Reason.TARIFF_CHANGED:
            return f"the tariff changed{at}, and so there are several prices"
        case Reason.ACCOUNT_OPENED:
            return f"the account was opened{at}; nothing was charged before"
        case Reason.ACCOUNT_CLOSED:
            return f"the account was closed{at}; nothing was charged after that"
        case Reason.NOT_OPEN:
            return "no account was open, and so nothing was charged"
        case Reason.LOG_TOO_SHORT:
            return (
                "the event log does not reach back to the begin, and so nothing proves that the "
                "prices were those of now"
            )
        case Reason.NO_LOG:
            return "the meter shows no event log, which would prove that no price changed"
        case Reason.STEPS:
            return "additions of steps are in the cost, and so there are several prices"
        case Reason.UNEXPLAINED:
            return "the present tariff does not give what was charged"
        case Reason.BEGIN_NOT_KEPT:
            return "the freeze at the begin of the period is not kept"
        case Reason.SEVERAL_RATES:
            return (
                "several rates were used, and the meter does not tell which of them in which step"
            )
        case Reason.COUNTER_WRAPPED:
            return "the counter of the period has begun again at zero, as it does at 1,000,000 kWh"
