"""Meters for tests, and a host that seals messages with the development keys."""

from __future__ import annotations

from dataclasses import replace

from firmware_sim.assembly import build
from firmware_sim.hal.nvram import Nvram
from firmware_sim.meter import Meter
from firmware_sim.meter_description import MeterDescription
from firmware_sim.records.ring import EVENT_RING
from firmware_sim.requests import Sealed
from protocols.data_model.tables import Event
from protocols.data_model.words import Carrier
from protocols.keys import MeterKeys, development_keys
from protocols.sealed_message import Answer, MessageKind, SealedMessage


class Host:
    """Seals messages for one meter; the default sequence is the next one."""

    def __init__(self, meter: Meter, keys: MeterKeys | None = None) -> None:
        self.meter = meter
        self.keys = keys or development_keys(meter.state.identity.serial_number)

    def message(self, kind: MessageKind, **fields: object) -> SealedMessage:
        """Return the next message of a kind."""
        state = self.meter.state
        base = SealedMessage(
            kind,
            state.identity.serial_number,
            state.identity.epoch,
            state.security.last(kind.message_class) + 1,
            account_unit=state.account.unit,
            customer_number=state.account.customer_number,
            key_version=self.keys.version,
        )
        return replace(base, **fields)  # type: ignore[arg-type]

    def seal(self, kind: MessageKind, **fields: object) -> bytes:
        """Return the next message, sealed."""
        message = self.message(kind, **fields)
        return message.seal(self.keys.key(kind.message_class))

    def send(self, kind: MessageKind, **fields: object) -> Answer:
        """Seal and deliver a message; return the answer."""
        return self.deliver(self.seal(kind, **fields))

    def deliver(self, data: bytes, carrier: Carrier = Carrier.WIRE) -> Answer:
        """Deliver sealed bytes; return the answer."""
        reply = self.meter.handle(Sealed(data, carrier))
        assert reply is not None
        assert reply.answer is not None
        return reply.answer


def make(nvram: Nvram | None = None, **fields: object) -> Meter:
    """Return a meter from description fields."""
    return build(MeterDescription(**fields), nvram)  # type: ignore[arg-type]


def events(meter: Meter) -> list[Event]:
    """Return the event log, oldest first."""
    return [Event.unpack(row) for row in meter.rings[EVENT_RING].newest(1000)][::-1]


def event_names(meter: Meter) -> list[str]:
    """Return the words of the event log, oldest first."""
    return [event.name for event in events(meter)]
