"""The languages of the pages, and how a text or a word of the desk is said in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meterctl.utility.web.words.desk_words import WORDS
from meterctl.utility.web.words.texts import TEXTS


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the pages.

    Attributes:
        code: of `?lang=` and the cookie.
        tag: of HTML (BCP 47).
        name: its own name of itself.
        place: of its text in a pair.
    """

    code: str
    tag: str
    name: str
    place: int

    def text(self, name: str, /, **values: Any) -> str:
        """Return a text with values in it; raises KeyError for one that is not there."""
        return TEXTS[name][self.place].format(**values)

    def word(self, group: str, word: Any) -> str:
        """Return a word of the desk, such as a state; one without a translation as it is."""
        if word is None:
            return ""
        pair = WORDS[group].get(str(word))
        return str(word).replace("_", " ") if pair is None else pair[self.place]


ENGLISH = Language("en", "en", "English", 0)
CHINESE = Language("zh", "zh-CN", "中文", 1)
LANGUAGES = {language.code: language for language in (ENGLISH, CHINESE)}
