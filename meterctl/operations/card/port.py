"""The meter of a card on a port: planned from its registers, sealed from its sealed status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from meterctl.errors import UsageError
from meterctl.journal import Journal
from meterctl.operations.card.case import AskMeter, Case
from meterctl.operations.card.planning import Planned
from meterctl.operations.status import ProvedMeter, ask_status, require_payee
from meterctl.session import MeterIdentity, Session

Result = TypeVar("Result")


def plan_with_port(
    case: Case, plan: Callable[[Case], Planned[Result]], *, before_reading: str | None = None
) -> Planned[Result]:
    """Plan without a port at once; with one from the registers, and again from the sealed status.

    So the status is requested after the user's yes (METER.md 8). The card is read and every check
    is made again before anything is sealed.

    Args:
        before_reading: the meter that is asked before the card is read, so that a silent meter
            leaves the card as it is; `hinted_before_reading` did so for the first plan.
    """
    if case.session is None:
        return plan(case)
    session, journal = case.session, case.journal
    hinted = plan(replace(case, ask=case.ask or partial(hinted_meter, session, journal)))

    def proved() -> Planned[Result]:
        ask: AskMeter = partial(proved_meter, session, journal)
        if before_reading is not None:
            ask = _answer(ask(before_reading))
        return plan(replace(case.read_again(), ask=ask))

    return Planned(hinted.text, lambda: proved().carry_out(), proved)


def hinted_before_reading(session: Session | None, journal: Journal, meter: str) -> AskMeter | None:
    """Ask a meter before its card is read; return its state as the answer of a case.

    Returns None without a port. Raises as `hinted_meter`.
    """
    return _answer(hinted_meter(session, journal, meter)) if session is not None else None


def _answer(meter: ProvedMeter) -> AskMeter:
    return lambda _: meter


def hinted_meter(session: Session, journal: Journal, meter: str) -> ProvedMeter:
    """Return the state that the meter on the port shows: for planning and display, not for sealing.

    Raises:
        UsageError: another meter is on the port.
    """
    hint = _identified(session, meter)
    require_payee(session, journal, meter)
    return ProvedMeter(
        meter,
        hint.epoch,
        hint.credit_sequence,
        hint.command_sequence,
        hint.account_state,
        hint.account_unit,
        hint.customer_number,
        hint.key_version,
    )


def proved_meter(session: Session, journal: Journal, meter: str) -> ProvedMeter:
    """Return the state of the meter on the port, proved by its sealed status.

    Raises:
        UsageError: another meter is on the port.
        NotPermittedError: a wrong key ring, a meter that was set back, or a copied journal.
    """
    return ask_status(session, journal, _identified(session, meter)).require_ours()


def _identified(session: Session, meter: str) -> MeterIdentity:
    """Return the identity that the meter on the port shows; refuse another meter."""
    hint = session.identify()
    if hint.serial_number != meter:
        raise UsageError(
            f"meter {hint.serial_number} is on this port, the card is for {meter}; "
            f"nothing was changed",
            serial_number=hint.serial_number,
        )
    return hint
