"""Keys as people paste them and stores of secrets hand them over: without what came with them."""

from __future__ import annotations

import base64
import binascii
import re

_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\0"))
_AROUND = " \t\r\n\f\v\xa0\"'`\u2018\u2019\u201c\u201d,;"
_STANDARD = str.maketrans("-_", "+/")


def unwrapped(text: str) -> str:
    """The text without quotes, blanks and marks around it, and with breaks for those that were written out."""
    return re.sub(r"\\+[rnt]", "\n", text).translate(_INVISIBLE).strip(_AROUND)


def split(text: str) -> tuple[str, ...]:
    """The keys of a text or a file that has several, between blanks, commas or lines."""
    return tuple(each for each in re.split(r"[\s,;]+", unwrapped(text)) if each)


def base64_readings(text: str) -> list[bytes]:
    """What a text may be the base64 of, in either alphabet, with padding or without; the likeliest first.

    Blanks don't count, or stand for the plus signs that an address's decoding takes for them.
    """
    digits = text.translate(_STANDARD).strip()
    read = []
    for variant in ("".join(digits.split()), "".join(digits.replace(" ", "+").split())):
        bare = variant.rstrip("=")
        try:
            read.append(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
        except (binascii.Error, ValueError):
            continue
    return read
