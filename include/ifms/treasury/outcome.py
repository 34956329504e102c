"""Outcome of one call to the treasury, with the exchanges that it took.

Only an answer declines or accepts a PI. A call that may have arrived and was not answered is `Unknown`, which is
neither success nor failure (money-rules.md R2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from ifms.wire.envelope import Reply, ReplyError

ExchangeOutcome = Literal["answered", "rejected", "never_sent", "unknown"]

AUTH = "AUTH"


@dataclass(frozen=True)
class Exchange:
    """One HTTP request to the treasury and what came back: one row of the call log.

    `service_id` is the service code, or "AUTH" for a login. Keys are base64. Whatever is secret, or holds account
    numbers, is left out of `repr`. A login has no `request_plain`, and its `rek` is the app key that opens its `sek`.
    What came back is `encrypted_response` if it opened under the REK; else, and for a login, whose reply holds the
    token, it is `response_plain`.
    """

    service_id: str
    bill_number: str | None
    outcome: ExchangeOutcome
    started_at: datetime
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    request_plain: str | None = field(default=None, repr=False)
    encrypted_request: str | None = field(default=None, repr=False)
    encrypted_response: str | None = field(default=None, repr=False)
    response_plain: str | None = field(default=None, repr=False)
    rek: str | None = field(default=None, repr=False)
    sek: str | None = field(default=None, repr=False)
    auth_token: str | None = field(default=None, repr=False)
    id: UUID = field(default_factory=uuid4, compare=False)
    """Of its row, unless it was announced: so it is written once, however often that is tried."""


@dataclass(frozen=True)
class Answered:
    """The treasury answered without an error; `reply.data` may be empty, which is no news."""

    reply: Reply
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True)
class Rejected:
    """The treasury answered with errors: at least one.

    `sent_before`: the same request was sent once before, and the treasury said that the session was over; what it made
    of that one is not known, so that this refusal may be one of a repetition.
    """

    errors: tuple[ReplyError, ...]
    exchanges: tuple[Exchange, ...]
    sent_before: bool = False


@dataclass(frozen=True)
class NeverSent:
    """Nothing of the request can have arrived: the same request may be sent again as if for the first time."""

    reason: str
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True)
class Unknown:
    """The request may have arrived; what the treasury made of it is not known.

    `understood` is False when a reply came that nobody could understand, which a person should see; True when there
    was no reply to understand: a timeout, a cut reply, an HTTP error.
    """

    reason: str
    exchanges: tuple[Exchange, ...]
    understood: bool


Outcome = Answered | Rejected | NeverSent | Unknown
