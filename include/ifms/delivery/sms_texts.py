"""Texts of SMS: the platform's localisation, else the connection's, else the story's, letter for letter.

Operators drop a text that differs from the registered one. Facts: texts.md §1, digit-services.md §12.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

PAID, FAILED = "paid", "failed"
OUTCOMES = (PAID, FAILED)

STORY: Mapping[str, str] = MappingProxyType(
    {
        PAID: (
            "Payment of Rs. {amount} for MUKTA, transaction {UTRNO} is made to your registered bank account. "
            "Contact your bank if not credited within 72 hours. MUKTA - Govt. of Odisha."
        ),
        FAILED: (
            "Payment of Rs. {amount} for MUKTA, transaction {UTRNO} is failed. "
            "Contact MUKTA Cell at ULB for more detail. MUKTA - Govt. of Odisha."
        ),
    }
)
"""The story's wording, which is what has been registered where nobody says otherwise."""

MODULE = "rainmaker-ifms"
CODES: Mapping[str, str] = MappingProxyType({PAID: "JIT_PAYMENT_SUCCESSFUL", FAILED: "JIT_PAYMENT_FAILED"})
"""Where the platform's localisation has the templates."""

LONGEST = 1000  # what the platform's SMS service takes
PLACEHOLDERS = {"amount": "amount", "utr": "utr", "UTRNO": "utr"}
"""What a template may name, and must; UTRNO is how the platform's own templates write it."""

_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_ROOM = 60  # characters by which an amount and a UTR may lengthen a template
_UNSENDABLE = ("Cc", "Cn", "Co", "Cs")  # Odia needs the joiners, which are "Cf"


@dataclass(frozen=True)
class Texts:
    """A usable template for each outcome, and a sentence about each one that was found and can't be used."""

    templates: Mapping[str, str] = field(default_factory=lambda: STORY)
    problems: tuple[str, ...] = ()

    def of(self, outcome: str, amount: Decimal, utr: str | None, number: str) -> str:
        """The text about one beneficiary's payment, in rupees; without a UTR it names the beneficiary's number."""
        values = {"amount": f"{amount:.2f}", "utr": utr or number}
        return _BRACES.sub(lambda found: values[PLACEHOLDERS[found[1]]], self.templates[outcome])

    def under(self, found: Mapping[str, object], names: Mapping[str, str]) -> Texts:
        """These texts below what a better source has: `found` by the names that it has for the outcomes.

        What is missing or empty there is ours; so is what can't be used, and then `problems` names it.
        """
        chosen, problems = dict(self.templates), list(self.problems)
        for outcome in OUTCOMES:
            template = found.get(names[outcome])
            if template is None or template == "":
                continue
            fault = _fault(template)
            if fault is None:
                chosen[outcome] = str(template)
            else:
                problems.append(f"{names[outcome]} {fault}; another text goes out in its place")
        return Texts(MappingProxyType(chosen), tuple(problems))


def texts_of(given: Mapping[str, object]) -> Texts:
    """The templates of a connection's fields `sms_paid` and `sms_failed`, else the story's."""
    return Texts().under(given, {outcome: f"sms_{outcome}" for outcome in OUTCOMES})


def mobile_of(entered: str | None) -> str | None:
    """The ten digits of an Indian mobile number as a registry has it; None when it is none, or is masked."""
    digits = re.sub(r"[\s()+-]", "", entered or "")
    found = re.fullmatch(r"(?:0|91)?([6-9][0-9]{9})", digits, re.ASCII)
    return found[1] if found and found[1] != "9999999999" else None


def _fault(template: object) -> str | None:
    """Why a template can't be used, as the rest of a sentence that begins with its name."""
    if not isinstance(template, str):
        return "must be a text"
    named = set()
    for found in _BRACES.finditer(template):
        if found[1] not in PLACEHOLDERS:
            allowed = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            return f"has {_short(found[0])!r} in it: only {allowed} are filled in"
        named.add(PLACEHOLDERS[found[1]])
    if "amount" not in named:
        return "does not name the {amount}"
    if "utr" not in named:
        return "does not name the transaction, {UTRNO}"
    if len(template) > LONGEST - _ROOM:
        return f"has {len(template)} characters; an SMS may have {LONGEST - _ROOM} and the rest"
    if any(each != "\n" and unicodedata.category(each) in _UNSENDABLE for each in template):
        return "has characters in it that can't be printed"
    return None


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
