"""Texts of SMS. The registered wording is the operator's to give; what is here says the same.

Facts: digit-services.md §12, treasury-jit.md §3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ifms.errors import ConfigurationError
from ifms.money import grouped

PAID = (
    "Rs.{amount} for MUKTA was sent to your registered account, transaction no. {utr}. "
    "Ask your bank if not credited in 72 hours. MUKTA, Govt. of Odisha"
)
FAILED = "Your MUKTA payment of Rs.{amount} ({utr}) has failed. Please contact the MUKTA cell of your ULB."

LONGEST = 1000  # what the platform's SMS service takes
PLACEHOLDERS = {"amount": "amount", "utr": "utr", "UTRNO": "utr"}
"""What a template may name; UTRNO is how the platform's own templates write it."""

_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_ROOM = 60  # characters by which an amount and a UTR may lengthen a template


@dataclass(frozen=True)
class Texts:
    """The two templates. Raises ConfigurationError, naming the template, for one that can't be filled in."""

    paid: str = PAID
    failed: str = FAILED

    def __post_init__(self) -> None:
        for name in ("paid", "failed"):
            _check(f"sms_{name}", getattr(self, name))

    def of(self, outcome: str, amount: Decimal, utr: str | None, number: str) -> str:
        """The text about one beneficiary's payment, in rupees; without a UTR it names the beneficiary's number."""
        values = {"amount": grouped(amount), "utr": utr or number}
        template = {"paid": self.paid, "failed": self.failed}[outcome]
        return _BRACES.sub(lambda found: values[PLACEHOLDERS[found[1]]], template)


def mobile_of(entered: str | None) -> str | None:
    """The ten digits of an Indian mobile number as a registry has it; None when it is none, or is masked."""
    digits = re.sub(r"[\s()+-]", "", entered or "")
    found = re.fullmatch(r"(?:0|91)?([6-9][0-9]{9})", digits, re.ASCII)
    return found[1] if found and found[1] != "9999999999" else None


def texts_of(given: Mapping[str, object]) -> Texts:
    """The templates of a connection's fields `sms_paid` and `sms_failed`; what is not given is the text above."""
    chosen = {name: given.get(f"sms_{name}") for name in ("paid", "failed")}
    for name, template in chosen.items():
        if template is not None and not isinstance(template, str):
            raise ConfigurationError(f"sms_{name} must be a text")
    return Texts(**{name: str(template) for name, template in chosen.items() if template})


def _check(name: str, template: str) -> None:
    for found in _BRACES.finditer(template):
        if found[1] not in PLACEHOLDERS:
            raise ConfigurationError(
                f"{name} has {found[0]!r} in it: only {', '.join(f'{{{each}}}' for each in PLACEHOLDERS)} are filled in"
            )
    if "{amount}" not in template:
        raise ConfigurationError(f"{name} does not name the {{amount}}")
    if len(template) > LONGEST - _ROOM:
        raise ConfigurationError(
            f"{name} has {len(template)} characters; an SMS may have {LONGEST - _ROOM} and the rest"
        )
    if not template.isprintable():
        raise ConfigurationError(f"{name} must be one line of printable characters")
