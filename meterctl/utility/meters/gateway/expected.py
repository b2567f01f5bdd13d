"""The meter that a place names, without reading what it shows of itself.

Its registers are hints: what is sealed is taken from a sealed status alone, and that names the
meter (METER.md 8). So the desk asks for the status at once. Only an answer that does not explain
itself makes it read the registers too: they tell another meter, other keys, a lost storage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from meterctl.errors import CorruptAnswerError, NotPermittedError
from meterctl.journal import Journal
from meterctl.operations.status import require_payee
from meterctl.session import MeterIdentity, Session
from protocols.data_model.words import AccountState
from protocols.sealed_message import ANY_CUSTOMER

Result = TypeVar("Result")
_NOT_READ = -1
"""A key version that no ring has."""


def with_expected(
    session: Session, journal: Journal, work: Callable[[MeterIdentity], Result]
) -> Result:
    """Run some work with the meter that the session names, or again with what it shows.

    Args:
        work: seals nothing before a status names the meter, and may be run twice.

    Raises:
        AnotherMeterError: another meter shows itself.
        MeterctlError: as `work`.
    """
    try:
        return work(_expected(session))
    except (CorruptAnswerError, NotPermittedError) as error:
        if type(error) not in (CorruptAnswerError, NotPermittedError):
            raise  # it says what it is
    hint = session.identify()
    require_payee(session, journal, hint.serial_number)
    return work(hint)


def _expected(session: Session) -> MeterIdentity:
    """Return an identity that has the serial number alone."""
    assert session.payee is not None
    return MeterIdentity(
        session.payee,
        epoch=0,
        account_unit=0,
        customer_number=ANY_CUSTOMER,
        account_state=AccountState.UNOPENED,
        credit_sequence=0,
        command_sequence=0,
        key_version=_NOT_READ,
        key_check_value=0,
        clock=0,
        utc_offset_minutes=0,
        available_credit=0,
        status=0,
    )
