"""Every text of every page stands in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import meterctl.utility.web
from meterctl.utility.model.work import TaskKind
from meterctl.utility.rules.rights import FOUR_EYES, Role
from meterctl.utility.rules.transitions import AgreementState, SaleState, ShiftState, VersionState
from meterctl.utility.store.queries.found_customers import Matched
from meterctl.utility.store.queries.today import TodayFigure
from meterctl.utility.web.words import LANGUAGES
from meterctl.utility.web.words.desk_words import WORDS
from meterctl.utility.web.words.texts import TEXTS
from protocols.data_model.words import Cause, SupplyState

_ROOM = Path(meterctl.utility.web.__file__).parent
_NAMED = re.compile(r"""(?:\bt|\bsay|sentence)\(\s*["']([a-z_0-9]+)["']\s*[,)]""")
_BUILT = {
    *(f"problem_{status}" for status in (403, 404, 500, 503)),
    "said_set", "said_password_set", "said_matched", "said_sent_back",
    "cancel_sale", "payout_sale", "move_sale", "settle_sale",
    "sell_again",
    "part_debt", "part_overdraft", "part_credit",
    "counter", "today", "sheet", "tasks", "bank", "ledger", "settings",
}  # fmt: skip
"""Names that pages put together."""


def _sources() -> str:
    paths = [*_ROOM.rglob("*.html"), *_ROOM.rglob("*.py")]
    return "\n".join(path.read_text() for path in paths)


def test_every_text_that_a_page_names_is_there_and_none_is_left_over() -> None:
    named = set(_NAMED.findall(_sources())) | _BUILT
    assert named - set(TEXTS) == set()
    assert set(TEXTS) - named == set()


def test_both_languages_have_the_same_values() -> None:
    def values(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for name, (english, chinese) in TEXTS.items():
        assert english, name
        assert chinese, name
        assert values(english) == values(chinese), name


def test_every_state_and_role_has_its_words() -> None:
    for group, words in (
        ("sale", SaleState), ("shift", ShiftState), ("agreement", AgreementState),
        ("version", VersionState), ("role", Role), ("task", TaskKind), ("figure", TodayFigure),
        ("found_by", Matched), ("action", FOUR_EYES),
    ):  # fmt: skip
        assert {str(word) for word in words} <= set(WORDS[group]), group
    assert {state.name.lower() for state in SupplyState} == set(WORDS["supply"])
    assert {cause.name.lower() for cause in Cause if cause} == set(WORDS["cause"])


def test_a_word_that_is_not_known_is_shown_as_it_is() -> None:
    for language in LANGUAGES.values():
        assert language.word("sale", "some_new_state") == "some new state"
