"""Bank data on its way to the treasury: what is sent at all (money-rules.md R12), and how it is shown."""

from __future__ import annotations

import re

from ifms.errors import BadInputError

ACCOUNT_DIGITS = (9, 18)
MOST_QUOTED = 100

_ACCOUNT = re.compile(rf"[0-9]{{{ACCOUNT_DIGITS[0]},{ACCOUNT_DIGITS[1]}}}", re.ASCII)
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)
_FILLING = re.compile(r"[\s\u200b-\u200d\u2060\ufeff-]")
_END = re.compile("[0-9]{4,}$", re.ASCII)
_LONG_NUMBER = re.compile(rf"(?<![0-9])[0-9]{{{ACCOUNT_DIGITS[0]},}}", re.ASCII)


def valid_account_number(text: str | None, who: str) -> str:
    """`text` itself if it is an account number in clear: 9 to 18 digits, leading zeros kept.

    Raises BadInputError that names the payee `who` and what is wrong, never the number.
    """
    if not text or not text.strip():
        raise BadInputError(f"{who} has no account number")
    if "*" in text:
        raise BadInputError(f"{who} has a masked account number: the system user may not see it in clear")
    if "|" in text:
        raise BadInputError(f"{who} has an account number that was not decrypted")
    if not _ACCOUNT.fullmatch(text):
        least, most = ACCOUNT_DIGITS
        raise BadInputError(f"{who} has an account number that is not {least} to {most} digits and nothing else")
    return text


def valid_ifsc(text: str | None, who: str) -> str:
    """`text` itself if it is an IFSC: four capitals, a zero, six capitals or digits.

    Raises BadInputError that names the payee `who`. Nothing is mended: a lower-case code is somebody's typing, and
    may have other mistakes.
    """
    if not text or not text.strip():
        raise BadInputError(f"{who} has no IFSC")
    if not _IFSC.fullmatch(text):
        raise BadInputError(f"{who} has an IFSC that is not four capitals, a zero, and six capitals or digits")
    return text


def same_utr(one: str, other: str) -> bool:
    """Whether both name one transfer: UTRs are capitals and digits, which may be told in small letters or with blanks.

    What is kept is as it was told; `ifms.utr_key` does the same in the database.
    """
    return _utr_key(one) == _utr_key(other)


def _utr_key(utr: str) -> bytes:
    return utr.encode().strip().upper()  # of bytes: ASCII alone, as the database does


def another_account(theirs: str, ours: str) -> bool:
    """Whether an account number, as somebody else writes it, can't be `ours`: a whole one, or its last four digits.

    Blanks, hyphens, leading zeros and masked digits are no difference; what can't be compared is none either.
    """
    told = _FILLING.sub("", theirs)
    end = _END.search(told)
    if end is None or len(ours) < 4 or not end[0].strip("0"):
        return False
    if end[0] == told and min(len(told), len(ours)) >= ACCOUNT_DIGITS[0]:
        return told.lstrip("0") != ours.lstrip("0")
    length = min(len(end[0]), len(ours))
    return end[0][-length:] != ours[-length:]


def another_ifsc(theirs: str, ours: str) -> bool:
    """Whether an IFSC, as somebody else writes it, can't be `ours`; what is none, or masked, can't be compared."""
    told = _FILLING.sub("", theirs).upper()
    return told != ours and _IFSC.fullmatch(told) is not None and _IFSC.fullmatch(ours) is not None


def mask_account(text: str) -> str:
    """An account number as it may be shown: all but the last four as `*` (user-stories.md §12); a short one wholly."""
    return "*" * len(text) if len(text) <= 4 else "*" * (len(text) - 4) + text[-4:]


def mask_ifsc(text: str) -> str:
    """An IFSC as it may be shown: the first four and the last two, `ABCD*****12` (user-stories.md §12)."""
    return "*" * len(text) if len(text) <= 6 else text[:4] + "*" * (len(text) - 6) + text[-2:]


def quoted(value: object) -> str:
    """A value from outside as an error may quote it: in quotes if a text, cut, and without whole account numbers."""
    text = str(value)
    shown = mask_long_numbers(text)[:MOST_QUOTED]
    shown = repr(shown) if isinstance(value, str) else shown
    return shown if len(text) <= MOST_QUOTED else f"{shown}…"


def mask_long_numbers(text: str) -> str:
    """`text` with every number that is long enough for an account masked; for foreign texts in logs and errors."""
    return _LONG_NUMBER.sub(lambda number: mask_account(number[0]), text)


def zero_long_numbers(text: str) -> str:
    """`text` with the digits of every number that is long enough for an account made 0, all but the last four.

    For texts that are kept and compared again: a number stays one, so the same phrases match.
    """
    return _LONG_NUMBER.sub(lambda number: number[0][-4:].zfill(len(number[0])), text)
