from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import get_args

import pytest

from ifms.treasury.outcome import Answered, Exchange, NeverSent, Outcome, Rejected, Unknown
from ifms.wire.envelope import Reply, ReplyError

SECRETS = ("request_plain", "encrypted_request", "encrypted_response", "response_plain", "rek", "sek", "auth_token")


def exchange() -> Exchange:
    return Exchange(
        service_id="PI",
        bill_number="PI-TE/2024-25/000001",
        outcome="answered",
        started_at=datetime(2024, 10, 28, tzinfo=UTC),
        duration_ms=12,
        **{name: f"secret-{name}" for name in SECRETS},
    )


def test_an_exchange_shows_what_it_was_and_nothing_secret():
    shown = repr(exchange())
    assert "PI-TE/2024-25/000001" in shown
    assert "secret" not in shown


def test_an_outcome_is_one_of_four_and_shows_no_data():
    assert get_args(Outcome) == (Answered, Rejected, NeverSent, Unknown)
    reply = Reply("PI", data=[{"benfAcctNo": "00123456789012"}])
    error = ReplyError("9", "account 00123456789012 is wrong")
    for outcome in (Answered(reply, (exchange(),)), Rejected((error,), (exchange(),))):
        assert "0012345678" not in repr(outcome)
        assert "secret" not in repr(outcome)


def test_an_exchange_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        exchange().outcome = "rejected"
