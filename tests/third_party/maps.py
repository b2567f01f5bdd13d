"""The maps that clients read, and the flows of energy that meters with each of them have."""

from __future__ import annotations

from tests.third_party.clients import WHOLE
from tests.third_party.meters import Flow

THREE_PHASE = (Flow.UNEQUAL, Flow.EXPORT, Flow.MIXED)
ONE_PHASE = (Flow.SINGLE, Flow.SINGLE_EXPORT)
_ALL = {
    "native": (*THREE_PHASE, *ONE_PHASE),
    "sdm630": (*THREE_PHASE, *ONE_PHASE),
    "sdm120": ONE_PHASE,
    "sunspec-203": THREE_PHASE,
    "sunspec-201": ONE_PHASE,
    "ddsu666": ONE_PHASE,
    "dtsu666": THREE_PHASE,
    "acrel-prepaid": ONE_PHASE,
}
_IN_A_SHORT_RUN = ("native", "sdm630", "sdm120", "sunspec-203", "sunspec-201")
MAPS = _ALL if WHOLE else {name: _ALL[name][:2] for name in _IN_A_SHORT_RUN}
"""The meters that run: all, or those that `make test` reads."""
