"""What a vending point does to a card, as exchanges: give keys, bind, sell, take back. Deciding is
the vendor's.

The order of a sale is what makes a torn one harmless: the write-back is emptied first, then the
credit is written in one command into the slot that does not count. A card in between carries its
last credit and takes the same sale again.
"""

from __future__ import annotations

from protocols.card.files import SIZES, CardFile, CardIdentity, CreditRecord, LogActor, LogRow
from protocols.card.keys import CardKeys, KeyReference
from protocols.card.terminal import Contents, Exchange, Terminal
from protocols.errors import MalformedMessageError
from protocols.sealed_message import SealedMessage


def give_keys(terminal: Terminal, keys: CardKeys, key_version: int) -> Exchange[None]:
    """Make a blank card an issued one."""
    yield from terminal.put_first_key(KeyReference.ISSUING, keys.issuing, key_version)
    yield from terminal.put_first_key(KeyReference.VENDING, keys.vending, key_version)
    yield from terminal.activate()


def give_keys_anew(
    terminal: Terminal, keys: CardKeys, key_version: int, meter_access: tuple[bytes, int] | None
) -> Exchange[None]:
    """Give an issued card its keys again, which ends what blocked them; its files stay. After
    `authenticate`, issuing.

    Args:
        meter_access: the key of the meter that it is bound to, and its version; None where it is
            bound to none.
    """
    yield from terminal.put_key(KeyReference.VENDING, keys.vending, key_version)
    if meter_access is not None:
        yield from terminal.put_key(KeyReference.METER, *meter_access)


def bind(
    terminal: Terminal, keys: CardKeys, identity: CardIdentity, meter_access: bytes
) -> Exchange[None]:
    """Bind a card to a meter and a customer; the key by which card and meter know each other goes
    with it.
    """
    yield from terminal.authenticate(KeyReference.ISSUING, keys.issuing)
    yield from terminal.put_key(KeyReference.METER, meter_access, identity.key_version)
    yield from terminal.update(CardFile.IDENTITY, 0, identity.encode())


def read_as_vendor(terminal: Terminal, keys: CardKeys) -> Exchange[Contents]:
    """Read all files with every response proved."""
    yield from terminal.authenticate(KeyReference.VENDING, keys.vending)
    return (yield from terminal.read_all())


def write_sale(terminal: Terminal, contents: Contents, record: CreditRecord) -> Exchange[None]:
    """Empty the write-back and write a sale; after `read_as_vendor`."""
    yield from terminal.clear_write_back(contents.return_slots)
    yield from terminal.write_credit(contents.credit_slots, record)
    yield from terminal.append_log(_log_row(record))


def erase(terminal: Terminal, keys: CardKeys) -> Exchange[None]:
    """Take a card back: what it carries, what it says, and whose it is; the keys of the vendor
    stay.
    """
    yield from terminal.authenticate(KeyReference.VENDING, keys.vending)
    contents = yield from terminal.read_all()
    yield from terminal.write_parameters(())
    for _, index, slot in reversed(
        contents.credit_slots.valid
    ):  # no tear lets an older sale count again
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
