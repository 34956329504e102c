"""Every text of the pages: one catalogue per language, `locale/<language>/LC_MESSAGES/ifms.po`.

Which language is spoken is a matter of the request (`language.py`); whatever speaks outside of one speaks English.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from ifms.money import grouped_count

ENGLISH = "en"
LOCALES = Path(__file__).parent / "locale"
LANGUAGES = tuple(sorted(each.name for each in LOCALES.iterdir()))
"""The languages that there is a catalogue of."""

_spoken: ContextVar[str] = ContextVar("ifms_language", default=ENGLISH)  # each request's own, like its threads'


class Texts:
    """The texts of one language; what it lacks is said in English."""

    def __init__(self, language: str) -> None:
        with (LOCALES / language / "LC_MESSAGES" / "ifms.po").open("rb") as file:
            catalogue = read_po(file, locale=language, abort_invalid=True)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        self.draft: bool = catalogue.fuzzy
        """Whether no native speaker has read it yet: the header is marked fuzzy."""
        self.keys = frozenset(each.id if isinstance(each.id, str) else each.id[0] for each in catalogue if each.id)
        self._translations = GNUTranslations(compiled)
        if language != ENGLISH:
            self._translations.add_fallback(texts(ENGLISH)._translations)

    def text(self, key: str, /, **values: object) -> str:
        """The text of `key`, its places filled in. Raises KeyError for a key that not even English has."""
        found = self._translations.gettext(key)
        if found == key:
            raise KeyError(key)
        return found.format(**values)

    def counted(self, key: str, number: int, /, **values: object) -> str:
        """The text of `key` in the form for so many; {n} in it is the number."""
        found = self._translations.ngettext(key, key, number)
        if found == key:
            raise KeyError(key)
        return found.format(n=grouped_count(number), **values)


@cache
def texts(language: str) -> Texts:
    """The texts of a language, read once."""
    return Texts(language)


def speak(language: str) -> None:
    """Speak this language for what is left of the request."""
    _spoken.set(language)


def spoken() -> str:
    """The language of the request."""
    return _spoken.get()


def t(key: str, /, **values: object) -> str:
    """The text of `key` in the language of the request, its places filled in."""
    return texts(spoken()).text(key, **values)


def tn(key: str, number: int, /, **values: object) -> str:
    """The text of `key` for so many, in the language of the request."""
    return texts(spoken()).counted(key, number, **values)


def english(key: str, /, **values: object) -> str:
    """The text of `key` in English, as files have it: what reads them looks for the same words every time."""
    return texts(ENGLISH).text(key, **values)


def has(key: str) -> bool:
    """Whether there is such a text."""
    return key in texts(ENGLISH).keys
