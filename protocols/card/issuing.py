"""A vending point's exchanges with a card: give keys, bind, sell, erase. The vendor decides.

The order of a sale makes a torn one harmless: the write-back is emptied first, then the credit is
written in one command into the inactive slot. A card torn in between holds its last credit and
accepts the same sale again.
"""

from __future__ import annotations

from protocols.card.files import SIZES, CardFile, CardIdentity, CreditRecord, LogActor, LogRow
from protocols.card.keys import CardKeys, KeyReference
from protocols.card.terminal import Contents, Exchange, Terminal
from protocols.errors import MalformedMessageError
from protocols.sealed_message import SealedMessage


def give_keys(terminal: Terminal, keys: CardKeys, key_version: int) -> Exchange[None]:
    """Turn a blank card into an issued one."""
    yield from terminal.put_first_key(KeyReference.ISSUING, keys.issuing, key_version)
    yield from terminal.put_first_key(KeyReference.VENDING, keys.vending, key_version)
    yield from terminal.activate()


def rewrite_keys(
    terminal: Terminal, keys: CardKeys, key_version: int, meter_access: tuple[bytes, int] | None
) -> Exchange[None]:
    """Write the keys of an issued card again, which unblocks them; the files stay.

    Needs a session with the issuing key.

    Args:
        meter_access: the key of the meter to which the card is bound, and its version; None for an
            unbound card.
    """
    yield from terminal.put_key(KeyReference.VENDING, keys.vending, key_version)
    if meter_access is not None:
        yield from terminal.put_key(KeyReference.METER, *meter_access)


def bind(
    terminal: Terminal, keys: CardKeys, identity: CardIdentity, meter_access: bytes
) -> Exchange[None]:
    """Bind a card to a meter and a customer, and write the key between card and meter."""
    yield from terminal.authenticate(KeyReference.ISSUING, keys.issuing)
    yield from terminal.put_key(KeyReference.METER, meter_access, identity.key_version)
    yield from terminal.update(CardFile.IDENTITY, 0, identity.encode())


def read_as_vendor(terminal: Terminal, keys: CardKeys) -> Exchange[Contents]:
    """Read all files in a session with the vending key."""
    yield from terminal.authenticate(KeyReference.VENDING, keys.vending)
    return (yield from terminal.read_all())


def write_sale(terminal: Terminal, contents: Contents, record: CreditRecord) -> Exchange[None]:
    """Empty the write-back and write a sale; after `read_as_vendor`."""
    yield from terminal.clear_write_back(contents.return_slots)
    yield from terminal.write_credit(contents.credit_slots, record)
    yield from terminal.append_log(_log_row(record))


def erase(terminal: Terminal, keys: CardKeys) -> Exchange[None]:
    """Erase parameters, credit, write-back and identity; the vendor's keys stay."""
    yield from terminal.authenticate(KeyReference.VENDING, keys.vending)
    contents = yield from terminal.read_all()
    yield from terminal.write_parameters(())
    for _, index, slot in reversed(
        contents.credit_slots.valid
    ):  # a tear must not make an older sale current
        yield from terminal.update(CardFile.CREDIT, index * len(slot), bytes(len(slot)))
    yield from terminal.clear_write_back(contents.return_slots)
    yield from terminal.authenticate(KeyReference.ISSUING, keys.issuing)
    yield from terminal.update(CardFile.IDENTITY, 0, bytes(SIZES[CardFile.IDENTITY]))


def _log_row(record: CreditRecord) -> LogRow:
    sequence = amount = 0
    try:
        message = SealedMessage.decode(record.message)
        sequence, amount = message.sequence, message.amount
    except MalformedMessageError:
        pass  # a card without credit
    return LogRow(record.sold_at, LogActor.VENDING, record.card_type, 0, sequence, amount, 0)
