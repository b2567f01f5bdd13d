"""The maps that clients read, and the flows of energy that meters with each of them have."""

from __future__ import annotations

from tests.third_party.meters import Flow

THREE_PHASE = (Flow.UNEQUAL, Flow.EXPORT, Flow.MIXED)
ONE_PHASE = (Flow.SINGLE, Flow.SINGLE_EXPORT)
MAPS = {"native": (*THREE_PHASE, *ONE_PHASE)}
