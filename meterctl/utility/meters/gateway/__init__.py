"""The one place where the desk touches meters, cards, keys and the journal: values in, values out.

`Gateway.wire` holds a port; its `Wire` sells, resolves, reads and sets. `Gateway.cards` serves the
cards of a counter. `Gateway.find` says what the journal has of a key, and needs no wire: what
became of an order is read there, never from an error or an exit code.

No question is ever answered yes here: where `meterctl` would ask a person, the try ends with a
`Problem`. Nothing here knows the desk's tables.
"""

from meterctl.utility.meters.gateway.before_sale import (
    require_keys,
    require_ring_for,
    see_card,
)
from meterctl.utility.meters.gateway.card_values import (
    CardDone,
    CardReading,
    CardSeen,
    Consumption,
    Presented,
)
from meterctl.utility.meters.gateway.cards import Cards
from meterctl.utility.meters.gateway.clocks import REAL_TIME, Clocks
from meterctl.utility.meters.gateway.commands import CommandOutcome, CommandWord, Terms
from meterctl.utility.meters.gateway.found import FoundJournal, reading_journal
from meterctl.utility.meters.gateway.freezes import Freezes
from meterctl.utility.meters.gateway.gateway import Gateway
from meterctl.utility.meters.gateway.outcomes import (
    CreditKind,
    Effect,
    Outcome,
    Supply,
)
from meterctl.utility.meters.gateway.places import CardPlace, MeterPlace
from meterctl.utility.meters.gateway.problems import Problem, cause_at_desk
from meterctl.utility.meters.gateway.readings import Reading
from meterctl.utility.meters.gateway.told import Told
from meterctl.utility.meters.gateway.wire import Wire
from meterctl.utility.rules.transitions import JournalWord

__all__ = [
    "REAL_TIME",
    "CardDone",
    "CardPlace",
    "CardReading",
    "CardSeen",
    "Cards",
    "Clocks",
    "CommandOutcome",
    "CommandWord",
    "Consumption",
    "CreditKind",
    "Effect",
    "FoundJournal",
    "Freezes",
    "Gateway",
    "JournalWord",
    "MeterPlace",
    "Outcome",
    "Presented",
    "Problem",
    "Reading",
    "Supply",
    "Terms",
    "Told",
    "Wire",
    "cause_at_desk",
    "reading_journal",
    "require_keys",
    "require_ring_for",
    "see_card",
]
