"""Rupees: Decimal with at most two decimals, never a float."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from ifms.errors import BadInputError

MAX_AMOUNT = Decimal("9999999999999.99")  # numeric(15,2)
_PLAIN = re.compile(r"-?[0-9]{1,16}(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Tally:
    """How many rows there are, and their rupees together; false when there are none."""

    rows: int = 0
    rupees: Decimal = Decimal("0.00")

    def __bool__(self) -> bool:
        return self.rows > 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.rows + other.rows, self.rupees + other.rupees)

    @property
    def plain(self) -> dict[str, int | str]:
        """As JSON has it: rupees as a text, for a JSON number would be a float to many who read it."""
        return {"rows": self.rows, "rupees": f"{self.rupees:.2f}"}


def rupees(value: str | int | Decimal, what: str = "amount") -> Decimal:
    """`value` as rupees with exactly two decimals; `what` names it in the error.

    Raises BadInputError unless it is a plain decimal number (no exponent, no separator, no NaN) that needs no more
    than two decimals and fits numeric(15,2). A float is refused: it has been rounded by whoever made it.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise BadInputError(f"{what} {value!r} is a {type(value).__name__}, not a decimal number")
    if isinstance(value, int) and abs(value) > MAX_AMOUNT:  # str() refuses an int of more than 4,300 digits
        raise BadInputError(f"{what} is larger than {MAX_AMOUNT}")
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if not _PLAIN.fullmatch(text):
        raise BadInputError(f"{what} {text[:40]!r} is not a plain decimal number")
    amount = Decimal(text)
    if amount != amount.quantize(Decimal("0.01")):
        raise BadInputError(f"{what} {text[:40]} has more than two decimals")
    if abs(amount) > MAX_AMOUNT:
        raise BadInputError(f"{what} {text} is larger than {MAX_AMOUNT}")
    return amount.quantize(Decimal("0.01")) + 0  # minus zero is zero


def positive_rupees(value: str | int | Decimal, what: str = "amount") -> Decimal:
    """Like `rupees`, and more than zero."""
    amount = rupees(value, what)
    if amount <= 0:
        raise BadInputError(f"{what} {amount} is not more than zero")
    return amount


def wire_amount(amount: Decimal) -> str:
    """Rupees as the treasury reads them: two decimals, no separator."""
    return f"{amount:.2f}"


def grouped(amount: Decimal | int) -> str:
    """Rupees with the digits grouped as in India: 12,34,567.00."""
    whole, paise = f"{amount + 0:.2f}".split(".")  # minus zero is zero
    return f"{_grouped(whole)}.{paise}"


def grouped_count(number: int) -> str:
    """A whole number with its digits grouped as in India: 12,34,567."""
    return _grouped(str(number))


def _grouped(digits: str) -> str:
    return re.sub(r"(?<=\d)(?=(?:\d\d)*\d{3}$)", ",", digits)
