"""The common options, before and after a command."""

from __future__ import annotations

import pytest

from meterctl.cli.common_options import require_values
from meterctl.errors import UsageError


@pytest.mark.parametrize("option", ["--journal", "--keys", "--port", "--unit"])
@pytest.mark.parametrize("behind", [["--json"], ["--yes", "topup"], []])
def test_an_option_whose_value_is_missing_takes_no_other_option_for_it(
    option: str, behind: list[str]
) -> None:
    with pytest.raises(UsageError, match=f"{option} needs a value"):
        require_values(["topup", "5", option, *behind])


def test_values_and_what_stands_behind_two_dashes_are_taken() -> None:
    require_values(["--journal", "j.sqlite", "topup", "5", "--keys=k.json", "--", "--port"])
