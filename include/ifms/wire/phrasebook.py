"""What the treasury's texts mean, as data: nothing is ever decided by single words in a text.

The shipped rows are in `phrases.toml`; a site adds rows of its own (table `ifms.phrase`). A text that no row matches,
or that rows of different meanings match, has no meaning: it changes nothing, and a person is shown it.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property, partial
from operator import eq
from pathlib import Path
from uuid import UUID

from ifms.errors import BadInputError
from ifms.wire.bank import mask_long_numbers
from ifms.wire.envelope import MAX_TEXT, ReplyError, Service

_SHIPPED = Path(__file__).with_name("phrases.toml")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_BILL_BESIDE_ANOTHER = re.compile(r"\{bill\}[\W_]*\{|\}[\W_]*\{bill\}")
_WITH_A_DIGIT = re.compile(r"[^\W\d]*\d\w*")
_LETTERS = re.compile(r"[a-z]+")
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
    id: UUID | None = None
    """Of a site's own phrase; None of one that is shipped."""

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
        return self.is_said(words_of(text), bill, code)

    def is_said(self, words: Sequence[str], bill: str | None, code: str | None = None) -> bool:
        """Whether a text of these words (`words_of`) is this phrase."""
        if self.code is not None:
            return self.code == code
        if "{" not in self.text:
            return words == self._words
        return _fits(self._steps(bill), words)

    def _steps(self, bill: str | None) -> Sequence[_Step]:
        if "{bill}" not in self.text:
            return self._without_bill
        return _compiled(self.text, normalised(bill) if bill else None)

    @cached_property
    def _words(self) -> Sequence[str]:
        return normalised(self.text).split()

    @cached_property
    def _without_bill(self) -> Sequence[_Step]:
        return _compiled(self.text, None)


def words_of(text: str) -> Sequence[str]:
    """The words that a text is compared by; none of one that is too long to be looked at, so that no phrase is it."""
    return normalised(text).split() if len(text) <= MAX_TEXT else []


# Words are compared one after the other, all readings of a template at a time. A regular expression would try reading
# by reading, and a text with a number too many would hold up the whole process for hours.


@dataclass(frozen=True)
class _Step:
    """A word that a template expects: which one, whether it may be missing, and whether more of its kind may follow."""

    accepts: Callable[[str], bool]
    optional: bool = False
    repeated: bool = False


def _has_digit(word: str) -> bool:
    return _WITH_A_DIGIT.fullmatch(word) is not None


def _is_letters(word: str) -> bool:
    return _LETTERS.fullmatch(word) is not None


def _is_any(_word: str) -> bool:
    return True


def _is_none(_word: str) -> bool:
    return False


_NUMBER = _Step(_has_digit, repeated=True)
_PLACEHOLDERS: dict[str, Sequence[_Step]] = {
    "id": (_Step(_is_letters, optional=True), _Step(_is_letters, optional=True), _NUMBER),
    "number": (_NUMBER,),
    "rest": (_Step(_is_any, optional=True, repeated=True),),
}


def _compiled(text: str, bill: str | None) -> Sequence[_Step]:
    steps: list[_Step] = []
    for position, part in enumerate(_PLACEHOLDER.split(text)):
        if position % 2 == 0:
            steps += _these(part)
        elif part == "bill":
            steps += _these(bill) if bill else [_Step(_is_none)]  # a call about no bill is about none
        else:
            steps += _PLACEHOLDERS[part]
    return steps


def _these(text: str) -> list[_Step]:
    return [_Step(partial(eq, word)) for word in normalised(text).split()]


def _fits(steps: Sequence[_Step], words: Sequence[str]) -> bool:
    """Whether the words are what the steps expect. The work is at most words times steps."""
    ready = _with_optional(steps, {0})
    for word in words:
        taken = [at for at in ready if at < len(steps) and steps[at].accepts(word)]
        if not taken:
            return False
        ready = _with_optional(steps, {at + 1 for at in taken} | {at for at in taken if steps[at].repeated})
    return len(steps) in ready


def _with_optional(steps: Sequence[_Step], ready: set[int]) -> set[int]:
    """The steps that may be next, with those behind the ones that may be missing."""
    for at, step in enumerate(steps):
        if step.optional and at in ready:
            ready.add(at + 1)
    return ready


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

    def own(self, service: Service, errors: Sequence[ReplyError], bill: str | None) -> frozenset[UUID]:
        """The site's own phrases without which a reply's errors would not mean what they do."""
        found: set[UUID] = set()
        for error in errors:
            words = words_of(error.message)
            ours = [p for p in self._of[service] if p.meaning in ERRORS[service] and p.is_said(words, bill, error.code)]
            ids = [each.id for each in ours if each.id is not None]
            if len(ids) == len(ours):
                found.update(ids)
        return frozenset(found)

    def _error(self, service: Service, error: ReplyError, bill: str | None) -> Meaning | None:
        return self._meaning(service, ERRORS[service], error.message, bill, error.code)

    def _meaning(
        self, service: Service, allowed: frozenset[Meaning], text: str, bill: str | None, code: str | None = None
    ) -> Meaning | None:
        words = words_of(text)
        found = {p.meaning for p in self._of[service] if p.meaning in allowed and p.is_said(words, bill, code)}
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
_BENEFICIARY = re.compile(r"\bBenefId\s*(?::\s*)?([^\s,;]+)", re.IGNORECASE)
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
