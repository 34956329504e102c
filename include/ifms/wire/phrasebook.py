"""What the treasury's texts mean, as data: nothing is ever decided by single words in a text.

The shipped rows are in `phrases.toml`; a site adds rows of its own (table `ifms.phrase`). A text that no row matches,
or that rows of different meanings match, has no meaning: it changes nothing, and a person is shown it.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path

from ifms.errors import BadInputError
from ifms.wire.bank import mask_long_numbers
from ifms.wire.envelope import ReplyError, Service

_SHIPPED = Path(__file__).with_name("phrases.toml")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_BILL_BESIDE_ANOTHER = re.compile(r"\{bill\}[\W_]*\{|\}[\W_]*\{bill\}")
_DIGITS = r"\w*\d\w*(?: \w*\d\w*)*"
_PATTERNS = {"id": rf"(?:[a-z]+ ){{0,2}}{_DIGITS}", "number": _DIGITS}
_LONG_NUMBER = re.compile(r"\b\w*\d{6,}\w*")
_FEWEST_WORDS = 2  # a template of less would match what nobody has seen


class Meaning(StrEnum):
    """What a text of the treasury can mean to this adapter."""

    NO_SESSION = "no session"  # log in again
    DUPLICATE = "duplicate"  # the treasury has a bill of this number
    CONTENT_ERROR = "content error"  # the bill was looked at and refused for what is in it
    TRY_LATER = "try later"  # says nothing about the bill: the service is not to be had now
    REJECTED = "rejected"  # the SSU has rejected this very bill
    UNKNOWN_BILL = "unknown bill"  # the treasury does not know this very bill
    NO_NEWS = "no news"  # nothing has happened yet
    PAID = "paid"  # a payment status: the money has left
    NOT_PAID = "not paid"  # a payment status: it has not, or not yet


_ANYWHERE = frozenset({Meaning.NO_SESSION, Meaning.TRY_LATER})
_SUBMISSION = _ANYWHERE | {Meaning.DUPLICATE, Meaning.CONTENT_ERROR}
_ENQUIRY = _ANYWHERE | {Meaning.NO_NEWS}
PAYMENT_STATUSES = frozenset({Meaning.PAID, Meaning.NOT_PAID})

ERRORS: dict[Service, frozenset[Meaning]] = {
    Service.VA: _ENQUIRY,
    Service.PI: _SUBMISSION,
    Service.PIS: _ENQUIRY | {Meaning.REJECTED, Meaning.UNKNOWN_BILL},
    Service.PAG: _ENQUIRY,
    Service.PD: _ENQUIRY,
    Service.FD: _ENQUIRY,
    Service.COR: _SUBMISSION,
    Service.FTPS: _ENQUIRY | {Meaning.UNKNOWN_BILL},
    Service.FTFPS: _ENQUIRY,
}
"""What an error of each service can mean."""

MEANINGS: dict[Service, frozenset[Meaning]] = ERRORS | {
    Service.PD: ERRORS[Service.PD] | PAYMENT_STATUSES,
    Service.FTPS: ERRORS[Service.FTPS] | PAYMENT_STATUSES,
}
"""What a text of each service can mean, its payment statuses with it."""


def normalised(text: str) -> str:
    """The words of a text in lower case, one blank between them: what texts are compared by.

    A word is of letters and digits, and of the marks that belong to them: Indian scripts write vowels as marks.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in folded).split())


def template_of(text: str, bill: str | None) -> str:
    """A text without what is this call's alone: its bill's number, and numbers of six or more digits.

    Shorter numbers stay: an error's number may be all that tells it from another.
    """
    words = normalised(text)
    if bill:
        words = re.sub(rf"(?<!\w){re.escape(normalised(bill))}(?!\w)", "{bill}", words)
    return _LONG_NUMBER.sub("{number}", words)


@dataclass(frozen=True)
class Phrase:
    """A text that the treasury is known to say, with its meaning and where it is known from.

    Raises BadInputError for a text that can't be compared, or a meaning that its services' texts can't have.
    """

    services: tuple[Service, ...]
    text: str
    meaning: Meaning
    source: str
    code: str | None = None
    """The treasury's own error code: an error with it is this phrase, whatever its words; `text` is then an example."""

    def __post_init__(self) -> None:
        for name in _PLACEHOLDER.findall(self.text):
            if name not in ("bill", "id", "number", "rest"):
                raise BadInputError(
                    f"phrase {self.text!r}: {{{name}}} is none of {{bill}}, {{id}}, {{number}}, {{rest}}"
                )
        if "{rest}" in self.text and not self.text.rstrip(" .").endswith("{rest}"):
            raise BadInputError(f"phrase {self.text!r}: {{rest}} stands at the end only")
        if _BILL_BESIDE_ANOTHER.search(self.text):
            raise BadInputError(
                f"phrase {self.text!r}: {{bill}} stands beside another placeholder: a longer number, with this bill's "
                "at its beginning or end, would be taken for it; put the words between them that the treasury says"
            )
        fixed = normalised(_PLACEHOLDER.sub(" ", self.text)).split()
        if len(fixed) < (_FEWEST_WORDS if "{" in self.text else 1):
            raise BadInputError(f"phrase {self.text!r} has too few words to be told from others")
        if not self.services:
            raise BadInputError(f"phrase {self.text!r} names no service")
        for service in self.services:
            if self.meaning not in MEANINGS[service]:
                allowed = ", ".join(sorted(MEANINGS[service]))
                raise BadInputError(f"a text of {service} can't mean {self.meaning}; it can mean: {allowed}")

    def matches(self, text: str, bill: str | None, code: str | None = None) -> bool:
        """Whether `text` under `code`, in a reply about `bill`, is this phrase."""
        if self.code is not None:
            return self.code == code
        return self._pattern(bill).fullmatch(normalised(text)) is not None

    def _pattern(self, bill: str | None) -> re.Pattern[str]:
        if "{bill}" not in self.text:
            return self._without_bill
        return _compiled(self.text, normalised(bill) if bill else None)

    @cached_property
    def _without_bill(self) -> re.Pattern[str]:
        return _compiled(self.text, None)


def _compiled(text: str, bill: str | None) -> re.Pattern[str]:
    parts = []
    for position, part in enumerate(_PLACEHOLDER.split(text)):
        if position % 2 == 0:
            parts += [re.escape(word) for word in normalised(part).split()]
        elif part == "bill":
            parts.append(re.escape(bill) if bill else r"(?!)")  # a call about no bill is about none
        elif part == "rest":
            return re.compile(" ".join(parts) + "(?: .*)?")
        else:
            parts.append(_PATTERNS[part])
    return re.compile(" ".join(parts))


class Phrasebook:
    """The phrases that count now: the shipped ones and the site's own."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._of: dict[Service, list[Phrase]] = {service: [] for service in Service}
        self.phrases = tuple(phrases)
        for phrase in self.phrases:
            for service in phrase.services:
                self._of[service].append(phrase)

    def with_site(self, phrases: Iterable[Phrase]) -> Phrasebook:
        """This phrasebook and the site's own rows."""
        return Phrasebook((*self.phrases, *phrases))

    def errors(self, service: Service, errors: Sequence[ReplyError], bill: str | None) -> Meaning | None:
        """What the errors of a reply mean together: None when one is not known, or they mean different things."""
        meanings = {self._error(service, error, bill) for error in errors}
        return meanings.pop() if len(meanings) == 1 else None

    def payment_status(self, service: Service, text: str, bill: str | None) -> Meaning | None:
        """What a payment's status text of PD or FTPS means: PAID, NOT_PAID, or None when it is not known."""
        return self._meaning(service, PAYMENT_STATUSES, text, bill)

    def meaning(self, service: Service, text: str, bill: str | None) -> Meaning | None:
        """What a text of this service means, error or payment status; None when it is not known."""
        return self._meaning(service, MEANINGS[service], text, bill)

    def unmatched(self, service: Service, errors: Sequence[ReplyError], bill: str | None) -> tuple[str, ...]:
        """Those texts of a reply's errors that have no meaning; all of them when their meanings differ."""
        unknown = dict.fromkeys(e.message for e in errors if self._error(service, e, bill) is None)
        if not unknown and self.errors(service, errors, bill) is None:
            unknown = dict.fromkeys(error.message for error in errors)
        return tuple(unknown)

    def _error(self, service: Service, error: ReplyError, bill: str | None) -> Meaning | None:
        return self._meaning(service, ERRORS[service], error.message, bill, error.code)

    def _meaning(
        self, service: Service, allowed: frozenset[Meaning], text: str, bill: str | None, code: str | None = None
    ) -> Meaning | None:
        words = text[:10_000]
        found = {p.meaning for p in self._of[service] if p.meaning in allowed and p.matches(words, bill, code)}
        return found.pop() if len(found) == 1 else None


@cache
def shipped() -> Phrasebook:
    """The phrases that come with this package."""
    with _SHIPPED.open("rb") as file:
        rows = tomllib.load(file)["phrase"]
    return Phrasebook(
        Phrase(
            tuple(Service(code) for code in row["services"]),
            row["text"],
            Meaning(row["meaning"]),
            row["source"],
            row.get("code"),
        )
        for row in rows
    )


# What is read in a text without deciding anything by it ---------------------------------------------------------------

_NO_SESSION = "no valid session encryption key"
_BENEFICIARY = re.compile(r"\bBenefId\s*:?\s*([^\s,;]+)", re.IGNORECASE)
_BANK_DATA_CODES = frozenset({"340", "322"})


def says_no_session(text: str) -> bool:
    """Whether a reply of any form says that the session is over: log in again, once (treasury-jit.md §3)."""
    return _NO_SESSION in text.lower()


def bad_beneficiaries(errors: Sequence[ReplyError]) -> dict[str, str]:
    """Map benefId → text, for each beneficiary whose bank data the treasury refuses (codes 340 of PI, 322 of COR)."""
    named = {}
    for error in errors:
        if error.code in _BANK_DATA_CODES and (match := _BENEFICIARY.search(error.message)):
            named[match[1].rstrip(".")] = mask_long_numbers(error.message)
    return named


def shown(texts: Iterable[str]) -> str:
    """Texts of the treasury as people may see them: long numbers masked, cut to a readable length."""
    return "; ".join(mask_long_numbers(text)[:500] for text in texts)
