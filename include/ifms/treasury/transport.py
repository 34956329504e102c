"""The way to the treasury: the HTTP transport with the limits of its connection."""

from __future__ import annotations

from ifms.http import HttpTransport
from ifms.treasury.config import TreasuryConfig


class Transport(HttpTransport):
    """POSTs to the treasury. Safe to share between threads."""

    def __init__(self, config: TreasuryConfig) -> None:
        super().__init__(
            timeout_seconds=config.timeout_seconds,
            connect_timeout_seconds=config.connect_timeout_seconds,
            max_reply_bytes=config.max_reply_bytes,
            ca_bundle=config.ca_bundle,
        )
