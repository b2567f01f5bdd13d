"""Callers of the API of a desk with its people."""

from __future__ import annotations

import pytest

from meterctl.utility.rules.rights import Role
from tests.support.desk_api import Script, script_of
from tests.support.desk_pages import Pages


@pytest.fixture
def vendor(pages: Pages) -> Script:
    """The vendor, who has an open shift; a sale can be taken."""
    pages.counter.terms()
    pages.counter.read(0)
    return script_of(pages, "v1")


@pytest.fixture
def everyone(pages: Pages) -> Script:
    """A person with all roles, and the number `all-roles`."""
    number = pages.counter.person(Role.ADMIN, "all-roles").number
    for role in Role:
        pages.let_in(number, role)
    return script_of(pages, number)
