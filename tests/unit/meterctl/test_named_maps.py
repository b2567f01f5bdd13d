"""Names of --map: one for all units, and those of single units."""

from __future__ import annotations

import pytest

from meterctl.errors import UsageError
from meterctl.named_maps import given_maps


def test_a_map_with_a_unit_is_that_of_the_unit() -> None:
    found = given_maps(["sdm630", "acrel-prepaid@3", "./m.toml@12"])
    assert [found.of_unit(unit) for unit in (1, 3, 12)] == ["sdm630", "acrel-prepaid", "./m.toml"]
    assert given_maps(["a@2"]).of_unit(1) is None


def test_the_last_map_for_a_unit_counts_and_an_empty_name_is_the_native_map() -> None:
    assert given_maps(["a", "b"]).otherwise == "b"
    assert given_maps(["a", ""]).otherwise is None
    assert given_maps(["a@3", "b@3"]).by_unit == {3: "b"}


def test_a_unit_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="units are 0 to 255"):
        given_maps(["a@256"])
