"""Presets: sealed commands on a bound card, for the next insertion into its meter."""

from __future__ import annotations

from meterctl.errors import NotPermittedError
from meterctl.operations.card.case import Case
from meterctl.operations.card.comparison import compare
from meterctl.operations.card.last_proof import where_it_stands
from meterctl.operations.card.planning import Planned
from meterctl.operations.card.port import plan_with_port
from meterctl.operations.card.preset_file import Command
from meterctl.operations.card.rules import decoded, require_bound, require_named
from meterctl.operations.card.writing import write
from meterctl.operations.sealing import command_message, require_key_version
from meterctl.operations.status import ProvedMeter
from protocols.card.files import CardType
from protocols.keys import MessageClass
from protocols.sealed_message import MessageKind, SealedMessage


def plan_preset(case: Case, commands: list[Command]) -> Planned[list[SealedMessage]]:
    """Plan sealed commands on a bound card; a purchase card without credit becomes a preset card.

    They have no expiry, since weeks may pass before the card is inserted; so none of them moves the
    switch (METER.md 8).

    Raises:
        NotPermittedError: neither write-back, journal nor meter proves the command sequence.
    """
    if any(kind is MessageKind.SWITCH for kind, _ in commands):
        raise NotPermittedError(
            "a card carries no switch command: it would never expire; nothing was changed"
        )
    return plan_with_port(case, lambda case: _plan_preset(case, commands))


def _plan_preset(case: Case, commands: list[Command]) -> Planned[list[SealedMessage]]:
    identity = require_bound(case)
    require_named(case, identity.meter)
    compare(case)
    untaken = _untaken_commands(case)
    if untaken:
        case.presented.tell(
            f"card {case.serial}: {untaken} commands that its meter has not taken are replaced"
        )
    meter = case.ask(identity.meter) if case.ask is not None else _where_it_stands(case)
    require_key_version(case.journal, meter)
    words = " ".join(kind.word for kind, _ in commands)
    text = f"customer {identity.customer}, meter {identity.meter}: preset {words}"

    def carry_out() -> list[SealedMessage]:
        messages = _messages(case, meter, commands)
        _write_commands(case, meter, messages)
        case.audit("card_preset", meter=identity.meter, detail=words)
        return messages

    return Planned(text, carry_out)


def _untaken_commands(case: Case) -> int:
    """Return the number of commands on a card that its meter has not answered."""
    taken = case.back.command_sequence if case.back is not None else 0
    messages = [decoded(sealed) for sealed in case.files.contents.parameters]
    return sum(message is not None and message.sequence > taken for message in messages)


def _where_it_stands(case: Case) -> ProvedMeter:
    """Return the meter's proved state, from a proof that names its command sequence too."""
    newest = case.journal.proofs.newest(require_bound(case).meter)
    if case.back is None and (newest is None or not newest.proof):
        raise NotPermittedError(
            f"card {case.serial}: the meter has not written back, so its command sequence "
            f"is not known; insert the card first (write presets before the next sale), or give "
            f"--port. Nothing was changed"
        )
    return where_it_stands(case)


def _messages(case: Case, meter: ProvedMeter, commands: list[Command]) -> list[SealedMessage]:
    """Return the commands as messages, numbered in a row after the meter's command sequence."""
    return [
        command_message(
            case.journal.numbers.draw_origin(), meter, kind, parameters, case.now(), ahead=ahead
        )
        for ahead, (kind, parameters) in enumerate(commands, 1)
    ]


def _write_commands(case: Case, meter: ProvedMeter, messages: list[SealedMessage]) -> None:
    """Seal messages and write them on the card, in place of the commands on it."""
    keys = case.ring.meter_keys(meter.serial_number, meter.sealing_version)
    key = keys.key(MessageClass.COMMAND)
    sealed = tuple(message.seal(key) for message in messages)
    case.presented.write(
        case.presented.terminal.write_parameters(sealed),
        "the card carries no commands now: preset it again",
    )
    credit = case.credit
    still_binds = credit is not None and credit.card_type in (CardType.OPEN, CardType.REPLACEMENT)
    if credit is None or not (credit.message or still_binds):
        write(case, CardType.PRESET, b"")
