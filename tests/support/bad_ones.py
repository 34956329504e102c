"""What one bad thing of the platform must not do to others: a service that fails about it, a number that it shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from ifms.http import HttpReply, HttpTransport
from ifms.platform import client
from ifms.platform.client import PlatformClient
from ifms.platform.models import Payment


class BadOnes:
    """While it is there, the service at `path` answers 500 to each call that names one of `texts`; "" is in each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: str, *texts: str) -> None:
        self.texts = texts
        self.calls = 0
        real = HttpTransport.post

        def post(transport: HttpTransport, url: str, headers: dict[str, str], body: Any, *rest: Any) -> HttpReply:
            reply = real(transport, url, headers, body, *rest)
            if path not in url:
                return reply
            self.calls += 1
            bad = any(text.encode() in body for text in self.texts)
            return dataclasses.replace(reply, status=500, body=b"{}") if bad else reply

        monkeypatch.setattr(HttpTransport, "post", post)
        monkeypatch.setattr(client, "_LONGEST_WAIT_SECONDS", 0.01)


def under_one_number(monkeypatch: pytest.MonkeyPatch, number: str, other: str | None = None) -> None:
    """The platform tells two payments under `number`: that one, and the `other`, or one like it under another id."""
    real = PlatformClient.payments

    def payments(platform: PlatformClient, tenant: str, **criteria: Any) -> Iterator[Payment]:
        if other is not None and number in (criteria.get("numbers") or ()):
            criteria["numbers"] = [*criteria["numbers"], other]
        for payment in real(platform, tenant, **criteria):
            renamed = payment.payment_number == other
            yield payment.model_copy(update={"payment_number": number}) if renamed else payment
            if other is None and payment.payment_number == number:
                yield payment.model_copy(update={"id": f"another-{payment.id}"})

    monkeypatch.setattr(PlatformClient, "payments", payments)
