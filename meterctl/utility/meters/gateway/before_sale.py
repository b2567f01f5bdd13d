"""What is looked at before money is taken: the card in a reader, the key ring of the counter."""

from __future__ import annotations

import os
from pathlib import Path

from meterctl.errors import NotPermittedError
from meterctl.key_ring import KeyRing, development_ring, load_ring
from meterctl.operations.card.presented import PresentedCard
from meterctl.utility.meters.gateway.card_values import CardSeen
from meterctl.utility.meters.gateway.cards import open_card, ring_for_card
from meterctl.utility.meters.gateway.gateway import Gateway, is_missing_file, require_ring
from meterctl.utility.meters.gateway.places import CardPlace
from protocols.card.files import CardType


def see_card(place: CardPlace, keys: Path | None) -> CardSeen:
    """Return what a card is, as its own keys prove it; nothing is changed.

    Args:
        keys: the file of the key ring; None is the published development key.

    Raises:
        UsageError: there is no such file or reader, or what it holds is no prepaid card.
        NoAnswerError: there is no card in the reader, or it does not answer.
        NotPermittedError: the key ring has no key for it.
    """
    with open_card(place) as port:
        card = PresentedCard(
            port.transmit, ring_for_card(_ring_of(keys), port), os.urandom, lambda: 0
        )
        if not card.selected.issued:
            return CardSeen(card.serial, is_blank=True)
        contents = card.read_contents()
    identity, credit = contents.identity, contents.credit
    return CardSeen(
        card.serial,
        "" if identity is None else identity.meter,
        is_service=credit is not None and credit.card_type is CardType.SERVICE,
    )


def require_ring_for(keys: Path | None, url: str) -> None:
    """Refuse to sell over a port for which there is no key ring here.

    Raises:
        NotPermittedError: the published development key, and the port leads elsewhere.
        UsageError: the key ring cannot be used.
    """
    ring = _ring_of(keys)
    if not is_missing_file(url):
        require_ring(ring, url)


def require_keys(gateway: Gateway, serial: str, amount: int) -> None:
    """Refuse a sale that the key ring of a gateway cannot seal; the meter is not asked.

    Args:
        amount: 0.01.

    Raises:
        NotPermittedError: no key version of the ring may be used for the meter any more.
        OverDailyLimitError: the sale would pass the daily limit of the ring.
        UsageError: the journal cannot be read.
    """
    ring = gateway.ring
    with gateway.journal() as journal:
        floor = journal.proofs.floor(serial)
        if not ring.usable(floor):
            held = ", ".join(map(str, sorted(ring.masters)))
            raise NotPermittedError(
                f"meter {serial}: a key version of {floor} or above is needed that is not "
                f"retired; this key ring has {held}",
                serial_number=serial,
            )
        journal.limits.require_within(ring.limit(), serial, amount, gateway.now())


def _ring_of(keys: Path | None) -> KeyRing:
    """Return the key ring of a file, or the published development key; raises as `load_ring`."""
    return development_ring() if keys is None else load_ring(keys)
