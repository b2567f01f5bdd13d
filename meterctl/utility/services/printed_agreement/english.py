"""The printed agreement and its user notice in English. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from meterctl.utility.model.agreement import AgreementMode
from meterctl.utility.model.party import CustomerClass
from meterctl.utility.rules.terms import WayOfBuying
from meterctl.utility.services.printed_agreement.facts import Facts
from meterctl.utility.services.printed_agreement.paper import (
    AgreementPaper,
    Pair,
    Part,
    kilowatt_hours,
    kilowatts,
    money,
    price,
    times,
)

HOTLINE = "95598"
_CLASSES = {
    CustomerClass.RESIDENT: "resident",
    CustomerClass.OTHER: "other",
    CustomerClass.IMPORTANT: "important",
}


def english_paper(facts: Facts) -> AgreementPaper:
    """Return the sheet in English."""
    return AgreementPaper(
        language="en",
        title="Electricity supply agreement"
        if facts.mode is AgreementMode.BILL
        else "Electricity purchase agreement",
        subject=f"{facts.number}, version {facts.version}",
        head=tuple(_head(facts)),
        clauses=tuple(_clauses(facts)),
        signatures=("For the supplier", "The customer, who has the user notice"),
        signed_on="Date",
        notice_title="User notice",
        notice=tuple(_notice(facts)),
    )


def _head(facts: Facts) -> Iterator[Pair]:
    yield Pair("Supplier", f"{facts.company}, {facts.station}")
    identity = "" if facts.id_number is None else f", identity number {facts.id_number}"
    yield Pair("Customer", f"{facts.name}, customer {facts.party_number}{identity}")
    yield Pair("Supply point", facts.point)
    yield Pair("Address", facts.address)
    yield Pair(
        "Class, capacity",
        f"{_CLASSES[facts.customer_class]}, {kilowatts(facts.capacity_mw)} kW",
    )
    yield Pair("Meter", facts.meter or "none is installed yet")
    yield Pair("In force from", f"{facts.effective_on.isoformat()}, when the meter is set to it")


def _clauses(facts: Facts) -> Iterator[Part]:
    boundary = facts.boundary or "not written down yet: it is to be entered before signing"
    yield Part(
        "Boundary",
        f"Property ends at: {boundary}. The supplier keeps what lies before it in order, the "
        f"customer what lies behind it.",
    )
    meter = f"Meter {facts.meter}" if facts.meter else "The meter that is installed"
    yield Part(
        "Metering",
        f"{meter} counts the energy. Who doubts it may have it tested; until then its figures "
        f"count, and a proved error is settled back. The supplier alone opens seals.",
    )
    yield Part("Settlement", _settlement(facts))
    yield Part(
        "Price",
        "The prices in force stand in the user notice below. A change is published before it takes "
        "effect.",
    )
    yield Part("Payment", _payment(facts))
    if facts.mode is AgreementMode.METER:
        yield Part("Supply and credit", _supply(facts))
    if facts.terms.power_limit_mw is not None:
        limit = kilowatts(facts.terms.power_limit_mw)
        yield Part("Power", f"Above {limit} kW the meter interrupts the supply.")
    yield Part(
        "Duties of the supplier",
        "To supply without interruption but where law or this agreement allows one; to deliver "
        "each purchase, give a receipt, repair its own equipment, and protect the customer's data.",
    )
    yield Part(
        "Duties of the customer",
        "To pay in time, leave meter, seals and wiring as they are, use no more than the capacity, "
        "let the supplier's staff reach the meter, and tell changes of name, address and use.",
    )
    yield Part(
        "Liability",
        "Who breaks this agreement makes good the damage as the law says. An interruption that it "
        "provides for is no breach. Money that was taken and did not reach the meter is delivered "
        "or given back.",
    )
    yield Part(
        "Change and end",
        "A change is a new version that both sign; it holds when the meter was set to it and read "
        "back. At the end the meter is read, and what is left is paid back or due.",
    )


def _settlement(facts: Facts) -> str:
    match facts.mode:
        case AgreementMode.METER:
            text = (
                "The credit is kept in the meter, which charges each kWh as it is used; each "
                "purchase settles overdraft and agreed debt first."
            )
        case AgreementMode.ACCOUNT:
            text = (
                "The credit is kept in the customer's account at the supplier; the meter is read "
                "daily, and what was used is taken from it."
            )
        case AgreementMode.BILL:
            text = f"The meter is read on day {facts.read_day} of each month, and billed."
    if facts.mode is AgreementMode.METER and facts.terms.standing_charge:
        text += f" Each day {money(facts.terms.standing_charge)} is charged besides."
    return text


def _price(facts: Facts) -> str:
    """Return the prices in CNY a kWh, with where they are known from."""
    known = facts.price
    if known.prices is None:
        return (
            "The prices are not known here: no tariff is agreed, and the meter's was not read. "
            "They are to be told before signing."
        )
    rates = known.prices.prices
    if len(rates) == 1:
        text = f"{price(rates[0])} CNY a kWh"
    else:
        named = ", ".join(f"rate {n}: {price(rate)}" for n, rate in enumerate(rates, 1))
        table = None if known.day_tables is None else times(known.day_tables)
        when = "by the tariff's calendar" if table is None else f"daily from {table}"
        text = f"CNY a kWh: {named}; time and rate {when}"
    if known.steps is None:
        text += "; whether steps apply is not known here"
    elif known.steps.limits:
        period = "year" if known.steps.yearly else "month"
        limits = [f"to {kilowatt_hours(limit)} kWh" for limit in known.steps.limits] + ["above"]
        added = zip(limits, known.steps.additions, strict=True)
        text += f"; added by steps of a {period}: " + ", ".join(
            f"{step} {price(addition)}" for step, addition in added
        )
    source = "agreed" if known.read_on is None else f"as read from the meter on {known.read_on}"
    return f"{text} ({source})."


def _payment(facts: Facts) -> str:
    terms = facts.terms
    if facts.mode is AgreementMode.BILL:
        days = facts.due_days
        return f"A bill is due {days} days after its issue, in cash, by transfer or debit."
    ways = {
        WayOfBuying.WIRE.value: "at a counter of the supplier, and sent to the meter by wire",
        WayOfBuying.CARD.value: "at a counter, onto the purchase card, which is then put into the "
        "meter",
    }
    way = ways.get(terms.way_of_buying or "", "in a way that is not agreed yet")
    if facts.mode is AgreementMode.ACCOUNT:
        return "Paid in advance at a counter of the supplier, to the account."
    text = f"Paid in advance {way}; at least {money(facts.lowest_sale)} at once."
    if terms.max_credit is not None:
        most = money(terms.max_credit)
        text += f" A purchase that would bring the credit above {most} is refused."
    if terms.debt_share_percent:
        text += f" {terms.debt_share_percent} % of a purchase goes to debt in the meter."
    if terms.debt_instalment:
        text += f" Debt in the meter is paid by {money(terms.debt_instalment)} a day."
    return text


def _supply(facts: Facts) -> str:
    mode = facts.terms.trip_mode.replace("_", " ")
    before = "no supply" if facts.terms.unopened_supply == "disconnected" else "supply"
    return (
        f"Trip mode {mode}; warning and interruption as the user notice says, which is part of "
        f"this agreement. Before the first purchase there is {before}."
    )


def _notice(facts: Facts) -> Iterator[Part]:
    if facts.mode is AgreementMode.METER:
        yield Part("Levels of the credit", "\n".join(_levels(facts)))
        yield Part("Hours without interruption", _hours(facts))
        yield Part("How to buy", _buying(facts))
        yield Part("How the supply returns", _return(facts))
    else:
        yield Part(
            "Credit",
            "The meter keeps no credit. Before an interruption for money the supplier gives notice "
            "as the law says; it ends when what is due is paid.",
        )
    yield Part(
        "Money back",
        "Credit that is not used is paid back at the counter when the agreement ends, or on "
        "request, less what is due; bring the receipt and an identity document.",
    )
    if facts.terms.way_of_buying == WayOfBuying.CARD:
        yield Part(
            "Lost card",
            "Tell the counter at once. A new card gets the purchase that was not in the meter yet; "
            "the old one is worth nothing then.",
        )
    yield Part("Prices in force", _price(facts))
    yield Part(
        "Help",
        f"Call {HOTLINE} day and night: no supply, a damaged meter or seal, a complaint. Keep each "
        f"receipt: one that says that delivery is pending counts. Do not buy again.",
    )


def _levels(facts: Facts) -> Iterator[str]:
    """Yield what the meter does as the credit falls (METER 4)."""
    terms, two_stage = facts.terms, facts.terms.trip_mode == "two_stage"
    if terms.low_credit_threshold_1 is None:
        yield "No warning level is agreed."
    else:
        yield f"At {money(terms.low_credit_threshold_1)} or less: the warning lamp is lit."
    if terms.low_credit_threshold_2 is not None:
        low = money(terms.low_credit_threshold_2)
        if two_stage:
            yield f"At {low}: the supply is interrupted once to remind; press the button."
        else:
            yield f"At {low}: a second warning."
    limit = terms.overdraft_limit
    if limit and two_stage:
        yield "At 0.00: interrupted once more to remind; press the button."
    end = f"an overdraft of {money(limit)}" if limit else "0.00"
    delay = ", after the delay that the meter is set to" if terms.trip_mode == "delayed" else ""
    yield f"At {end}: interrupted{delay} until you buy."


def _hours(facts: Facts) -> str:
    terms = facts.terms
    free = [] if terms.friendly_hours == "off" else [f"daily {terms.friendly_hours}"]
    free += ["on weekends"] if terms.friendly_weekends else []
    free += ["on the holidays that the meter knows"] if terms.friendly_holidays else []
    if not free:
        return "None: credit that is used up interrupts the supply at any hour."
    return (
        f"Not interrupted for credit: {', '.join(free)}. What is used meanwhile is overdraft; the "
        f"next purchase pays it first. When these hours end, the levels apply at once."
    )


def _buying(facts: Facts) -> str:
    match facts.terms.way_of_buying:
        case WayOfBuying.CARD.value:
            return (
                "Bring the card to a counter, pay, take the receipt, put the card into the meter "
                "and wait until it shows the new credit."
            )
        case WayOfBuying.WIRE.value:
            return (
                "Name your supply point or meter at a counter, pay, take the receipt. The credit "
                "goes to the meter by wire; the receipt says whether it is there."
            )
        case _:
            return "The way of buying is not agreed yet."


def _return(facts: Facts) -> str:
    terms = facts.terms
    text = "Buy"
    if terms.reconnect_threshold:
        text += f" so much that the credit is at least {money(terms.reconnect_threshold)}"
    else:
        text += " so much that the credit is above 0.00"
    if terms.reconnect_mode == "automatic":
        return f"{text}. The supply then returns by itself: switch off dangerous appliances first."
    return f"{text}, then press the button of the meter, or put the card in."
