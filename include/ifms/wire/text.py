"""Names and purposes as the treasury takes them: Latin letters, digits and single blanks.

The treasury refuses special symbols (user-stories.md §2; money-rules.md §4, "names, purpose"), and a payee's name may
be in any script of the registry. Unicode names the letters of the Indic scripts by their sounds, so one small rule
serves them all: a consonant carries the vowel A until a vowel sign replaces it or a virama takes it away. Letters of
other scripts are refused: a name without them, or with a guess in their place, would be another name.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ifms.errors import BadInputError

_ACCEPTED = re.compile(r"[A-Za-z0-9]+( [A-Za-z0-9]+)*", re.ASCII)
_NOT_ACCEPTED = re.compile(r"[^A-Za-z0-9]+", re.ASCII)
_JOINED = frozenset("'\u2019\u2018`\u00b4\u02bc\u200b\u200c\u200d\u2060\ufeff\u00ad")  # written inside a word
_INDIC = re.compile(
    r"(?:ORIYA|DEVANAGARI|BENGALI|GUJARATI|GURMUKHI|TAMIL|TELUGU|KANNADA|MALAYALAM) (LETTER|VOWEL SIGN|SIGN) (.+)"
)
_INHERENT = "a"

# Unicode's name of a sound → how it is written in Odisha's Latin spellings, where lower case alone would not do.
_SOUNDS = {
    "AA": "a", "II": "i", "UU": "u", "EE": "e", "OO": "o", "VOCALIC R": "ru", "VOCALIC RR": "ru",
    "VOCALIC L": "lu", "VOCALIC LL": "lu", "SHORT E": "e", "SHORT O": "o", "CANDRA E": "e", "CANDRA O": "o",
    "TTA": "ta", "TTHA": "tha", "DDA": "da", "DDHA": "dha", "NNA": "na", "NNNA": "na", "RRA": "da", "RHA": "dha",
    "LLA": "la", "LLLA": "la", "SSA": "sha", "CA": "cha", "CHA": "chha", "NGA": "nga", "NYA": "nya", "YYA": "ya",
    "ANUSVARA": "n", "VISARGA": "h", "CANDRABINDU": "n",
}  # fmt: skip


def transliterate(text: str, max_length: int, what: str = "name") -> str:
    """`text` in letters, digits and single blanks, cut to `max_length` characters; `what` names it in the error.

    A text that is accepted as it stands comes back unchanged. Raises BadInputError for a letter of a script that is
    neither Latin nor Indic, and when nothing is left to send.
    """
    if not (len(text) <= max_length and _ACCEPTED.fullmatch(text)):
        latin = _latin(unicodedata.normalize("NFC", text), what)
        text = _NOT_ACCEPTED.sub(" ", latin).strip()[:max_length].rstrip()
    if not text:
        raise BadInputError(f"{what} holds no letter and no digit")
    return text


def accepted(text: str, what: str) -> str:
    """`text` itself if the treasury takes it.

    Raises BadInputError otherwise: a caller forgot `transliterate`.
    """
    if not _ACCEPTED.fullmatch(text):
        raise BadInputError(f"{what} must be Latin letters, digits and single blanks")
    return text


def _latin(text: str, what: str) -> str:
    words: list[str] = []
    for character in text:
        kind, sound = _sound(character)
        if kind == "foreign":
            raise BadInputError(f"{what} holds a {sound}, which can't be written in Latin here")
        if kind in ("vowel sign", "virama") and words and words[-1].endswith(_INHERENT):
            words[-1] = words[-1][: -len(_INHERENT)]
        if sound:  # a nukta between a consonant and its vowel sign writes nothing
            words.append(sound)
    return "".join(words)


@lru_cache(maxsize=4096)
def _sound(character: str) -> tuple[str, str]:
    """What `character` is ("letter", "vowel sign", "virama", "other", "foreign") and how it is written."""
    if character.isascii():
        return "other", "" if character in _JOINED else character
    if character in _JOINED:
        return "other", ""
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return "other", str(digit)
    if indic := _INDIC.fullmatch(unicodedata.name(character, "")):
        return _indic_sound(indic[1], indic[2])
    return _other_sound(character)


def _indic_sound(kind: str, sound: str) -> tuple[str, str]:
    latin = _SOUNDS.get(sound, sound.lower() if sound.isalpha() and kind != "SIGN" else "")
    if kind == "VOWEL SIGN":
        return "vowel sign", latin
    if sound == "VIRAMA":
        return "virama", ""
    return "letter", latin


def _other_sound(character: str) -> tuple[str, str]:
    parts = unicodedata.normalize("NFKD", character)
    bare = "".join(part for part in parts if not unicodedata.category(part).startswith("M"))
    if bare.isascii():
        return "other", bare
    if unicodedata.category(character).startswith("L"):
        return "foreign", unicodedata.name(character, "letter without a name")
    return "other", " "
