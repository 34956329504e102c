"""How long something may take before a person should look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from ifms.errors import BadInputError
from ifms.ledger.statuses import PiStatus

RETURNABLE_DAYS = 100
"""For so long a payment may come back from the bank: as long as the Java adapter asks about it in production."""

DAYS_AHEAD = 7
"""So many days ahead a challan may be dated, over a run of bank holidays."""


DAYS_BEFORE = 1
"""So many days before its bill a challan may be dated: the clock of another zone may have told either day."""


@dataclass(frozen=True)
class Limits:
    """How long something may take before a person should look at it."""

    pending: timedelta = timedelta(hours=24)  # until the treasury's answer to a PI is known
    initiated: timedelta = timedelta(days=15)  # until the SSU has approved it, or rejected it
    approved: timedelta = timedelta(days=7)  # until the payment advice is made
    in_process: timedelta = timedelta(days=7)  # until each beneficiary is paid or has failed
    revised: timedelta = timedelta(days=15)  # the same, of a revision that the treasury has
    held: timedelta = timedelta(days=7)  # until a payment that is on hold has a PI
    unfunded: timedelta = timedelta(days=30)  # until a payment that waits for funds has one
    uncounted: timedelta = timedelta(days=2)  # until the initial allotment comes that another one waits for
    unmatched: timedelta = timedelta(days=7)  # until a failure that the bank told of is booked
    uncorrected: timedelta = timedelta(days=15)  # before the last day of a correction, somebody is to be corrected
    unasked: timedelta = timedelta(hours=25)  # until a voucher date is asked about again: a day, and an hour to do it
    returnable: timedelta = timedelta(days=RETURNABLE_DAYS)  # for so long a payment may come back from the bank
    undelivered: timedelta = timedelta(hours=24)  # until the platform has heard of a change
    forgotten: timedelta = timedelta(hours=24)  # until a row whose claim has run out is taken over

    def with_days(self, days: Mapping[str, object]) -> Limits:
        """The same, but for those that are given in days, by name.

        Raises BadInputError for a name that is none of IN_DAYS, and for what is no number of days up to a year.
        """
        for name, value in days.items():
            if name not in IN_DAYS:
                raise BadInputError(f"{name!r} is no limit in days: they are {', '.join(IN_DAYS)}")
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LONGEST_DAYS:
                raise BadInputError(f"the limit {name} must be a number of days, more than 0, up to {LONGEST_DAYS}")
        return replace(self, **{name: timedelta(days=cast("float", value)) for name, value in days.items()})


IN_DAYS = (
    "initiated",
    "approved",
    "in_process",
    "revised",
    "held",
    "unfunded",
    "uncounted",
    "unmatched",
    "uncorrected",
    "unasked",
)
LONGEST_DAYS = 366


# What a PI waits for in each status, by its type: which limit holds, and who asks about it.
WAITS: dict[tuple[str, PiStatus], tuple[str, str]] = {
    ("ORIGINAL", PiStatus.PENDING): ("pending", "ifms_pi asks whether the treasury has it"),
    ("REVISED", PiStatus.PENDING): ("pending", "ifms_pi asks whether the treasury has it"),
    ("ORIGINAL", PiStatus.INITIATED): ("initiated", "ifms_pis asks whether the SSU has approved it"),
    ("ORIGINAL", PiStatus.APPROVED): ("approved", "ifms_pag asks for its payment advice"),
    ("ORIGINAL", PiStatus.IN_PROCESS): ("in_process", "ifms_pd asks for its debit scrolls"),
    ("REVISED", PiStatus.INITIATED): ("revised", "ifms_ftps asks for its debit scrolls, ifms_ftfps for its failures"),
}


def overdue(pi_type: str, status: str, since: datetime, now: datetime, limits: Limits | None = None) -> bool:
    """Whether a PI of this type has been in this status for longer than it should."""
    waits = WAITS.get((pi_type, PiStatus(status)))
    return waits is not None and now - since > getattr(limits or Limits(), waits[0])
