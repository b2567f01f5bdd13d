"""The meters that clients read: one program for the session, standing still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.third_party.maps import MAPS
from tests.third_party.meters import Meters, standing


@pytest.fixture(scope="session")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meters]:
    """Yield a meter of each map and flow."""
    with standing(tmp_path_factory.mktemp("meters"), MAPS) as here:
        yield here
