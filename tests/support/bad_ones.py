"""Things about which a service of the platform answers with 5xx, whatever else is asked about in the same call."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ifms.http import HttpReply, HttpTransport
from ifms.platform import client


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
