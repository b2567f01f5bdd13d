"""The options of card commands, and the case that they make."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from meterctl.cli.interruption import carrying_out
from meterctl.cli.options import Options
from protocols.command_line import Option

if TYPE_CHECKING:
    from meterctl.operations.card.case import Case
    from meterctl.operations.card.planning import Planned

FileOption = Annotated[
    Path | None, Option("--file", metavar="FILE", help="The card is a simulated one, in this file.")
]
ReaderOption = Annotated[
    str | None,
    Option(
        "--reader",
        metavar="NAME",
        help="The card is in this PC/SC reader: its name, or how the name begins.",
        show_default="the first one",
    ),
]
MeterOption = Annotated[
    str,
    Option("--meter", metavar="SERIAL", help="Serial number of the meter, 12 digits."),
]
Result = TypeVar("Result")


@contextlib.contextmanager
def card_case(
    given: Options,
    file: Path | None,
    reader: str | None,
    *,
    payee: str | None = None,
    reference: str = "",
    set_back: bool = False,
    asked_before_reading: str | None = None,
) -> Iterator[Case]:
    """Open the journal, the card, and the port if one is given; read the card.

    Args:
        payee: the serial number of --meter.
        reference: the sale key.
        asked_before_reading: the meter that is asked on the port before the card is read.
    """
    from meterctl.operations.card.case import Case
    from meterctl.operations.card.port import hinted_before_reading

    with (
        given.presented(file, reader) as presented,
        given.session_if(payee, set_back) as session,
        given.open_journal() as journal,
    ):
        ask = None
        if asked_before_reading is not None:
            ask = hinted_before_reading(session, journal, asked_before_reading)
        yield Case.read(
            presented,
            journal,
            session,
            reference=reference,
            payee=payee,
            set_back=set_back,
            ask=ask,
        )


def is_confirmed(
    given: Options, card: str, planned: Planned[Result], meter: str | None = None
) -> bool:
    """Return whether to carry out a plan: not in a dry run, which asks the meter that it needs.

    Args:
        card: the serial number of the card.
        meter: the serial number, for the object that ends a command with --json.
    """
    if given.dry_run:
        planned.rehearse()
    return given.confirm(f"card {card}: {planned.text}", meter)


def carry_out(
    given: Options, card: str, planned: Planned[Result], meter: str | None = None
) -> Result | None:
    """Confirm and carry out a plan, as `is_confirmed`; None if it is not carried out."""
    if not is_confirmed(given, card, planned, meter):
        return None
    with carrying_out(f"card {card}", meter=meter):
        return planned.carry_out()


def meter_of(case: Case) -> str | None:
    """Return the meter that a card is bound to or comes back from; None for neither."""
    if case.back is not None:
        return case.back.meter_digits
    return case.identity.meter if case.identity is not None else None
