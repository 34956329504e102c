"""What the client must know of the treasury, checked before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import get_args
from urllib.parse import SplitResult, urlsplit

from ifms.errors import ConfigurationError
from ifms.sealing import Sealer, decode_key
from ifms.signing import Keyring, Signer
from ifms.wire.cor import ListKey
from ifms.wire.crypto import LEGACY_KEY_BYTES
from ifms.wire.public_key import load_public_key

AUTHENTICATE_PATH = "/webservices/jitfs/v1.0/authenticate"
SERVICE_PATH = "/webservices/jitfs/v1.0/get-jit-service-data"
MEBIBYTE = 1024 * 1024

_HEADER_TEXT = re.compile(r"[\x21-\x7e]+", re.ASCII)
_NUMERIC_HOST = re.compile(r"[0-9.]+|0x[0-9a-f.x]+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class TreasuryConfig:
    """The connection to the treasury. Raises ConfigurationError that names the field, never its secret.

    `calls_per_second` is the treasury's own limit for this client id, for all workers together; None: no limit.
    `base_url` is https, but for a loopback host. `public_key` is the treasury's, as `load_public_key` takes it.
    `log_key` seals account numbers and the call log (base64 of 32 bytes), `old_log_keys` still open older records,
    `legacy_log_secret` (16 bytes of UTF-8) the Java adapter's. `signing_key` (base64 of 32 other bytes) signs PIs, by
    `old_signing_keys` older ones are checked. `timeout_seconds` is the deadline of one HTTP call from connecting to its
    last byte; a reply of more than `max_reply_bytes` is not read. `ca_bundle` is a PEM file to verify TLS with
    instead of the public authorities; verification can't be turned off. `absence_hours` lie at least between the two
    answers of a status service that it does not know a bill, by which a refused PI that may have arrived is given up.
    With `use_earlier_years` payments are made from earlier years' sanctions, too, after those of their own year. A
    failed payment can be corrected for `correction_days`, or until `correction_last_day` (month-day) after the end of
    its financial year if that is earlier. These three the sweeps write into the ledger (`ifms.ledger.settings`).
    """

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    public_key: str = field(repr=False)
    log_key: str | None = field(default=None, repr=False)
    old_log_keys: tuple[str, ...] = field(default=(), repr=False)
    signing_key: str | None = field(default=None, repr=False)
    old_signing_keys: tuple[str, ...] = field(default=(), repr=False)
    legacy_log_secret: str | None = field(default=None, repr=False)
    ext_app_name: str = "MUKTA"
    department_code: str = "MUKTA"
    purpose: str = "MUKTA"
    correction_list_key: ListKey = "beneficiaryDetails"
    timeout_seconds: float = 30
    connect_timeout_seconds: float = 5
    max_concurrency: int = 16
    calls_per_second: float | None = None
    absence_hours: float = 24
    use_earlier_years: bool = False
    correction_days: int = 90
    correction_last_day: str = "04-30"
    max_reply_bytes: int = 8 * MEBIBYTE
    ca_bundle: str | None = None
    authenticate_path: str = AUTHENTICATE_PATH
    service_path: str = SERVICE_PATH

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _checked_base_url(self.base_url))
        _check_header("client_id", self.client_id)
        _check_header("client_secret", self.client_secret)
        if not self.public_key.strip():
            raise ConfigurationError(
                "public_key is missing: the treasury's RSA key, as PEM, base64 of the DER, or a certificate"
            )
        load_public_key(self.public_key)
        if self.log_key is not None:
            Sealer.from_config(self.log_key, self.old_log_keys)
        if self.signing_key is not None:
            Signer.from_config(self.signing_key, self.old_signing_keys)
            log_keys = {decode_key(key) for key in (self.log_key, *self.old_log_keys) if key is not None}
            if decode_key(self.signing_key) in log_keys:
                raise ConfigurationError("signing_key is also a log key: whoever reads the log could sign")
        if self.legacy_log_secret is not None and len(self.legacy_log_secret.encode()) != LEGACY_KEY_BYTES:
            has = len(self.legacy_log_secret.encode())
            raise ConfigurationError(f"legacy_log_secret must have exactly {LEGACY_KEY_BYTES} bytes, and has {has}")
        for name in ("ext_app_name", "department_code", "purpose"):
            if not getattr(self, name).strip():
                raise ConfigurationError(f"{name} is empty")
        if self.correction_list_key not in get_args(ListKey):
            raise ConfigurationError(f"correction_list_key must be one of {', '.join(get_args(ListKey))}")
        # Far below the ten minutes for which a sweep may hold a PI: nothing is sent that could not end within them.
        _check_range("timeout_seconds", self.timeout_seconds, 0.1, 300)
        _check_range("connect_timeout_seconds", self.connect_timeout_seconds, 0.1, 60)
        _check_range("max_concurrency", self.max_concurrency, 1, 256)
        if self.calls_per_second is not None:
            _check_range("calls_per_second", self.calls_per_second, 0.1, 1000)
        _check_range("absence_hours", self.absence_hours, 1, 720)
        if not isinstance(self.use_earlier_years, bool):
            raise ConfigurationError("use_earlier_years must be true or false")
        _check_range("correction_days", self.correction_days, 1, 3650)
        if _month_and_day(self.correction_last_day) is None:
            raise ConfigurationError("correction_last_day must be a day that each year has, as month-day: 04-30")
        _check_range("max_reply_bytes", self.max_reply_bytes, 1024, 256 * MEBIBYTE)
        if self.ca_bundle is not None and not Path(self.ca_bundle).is_file():
            raise ConfigurationError(f"ca_bundle {self.ca_bundle!r} is not a file here")
        _check_path("authenticate_path", self.authenticate_path)
        _check_path("service_path", self.service_path)

    @property
    def correction_last_month_and_day(self) -> tuple[int, int]:
        """`correction_last_day` as numbers."""
        last = _month_and_day(self.correction_last_day)
        assert last is not None, "checked when this was made"
        return last

    @property
    def keyring(self) -> Keyring:
        """What seals account numbers and signs PIs. Raises ConfigurationError that names the key that is missing."""
        if self.log_key is None:
            raise ConfigurationError("log_key is missing; without it no call can be logged")
        if self.signing_key is None:
            raise ConfigurationError("signing_key is missing; without it no payment instruction can be made")
        sealer = Sealer.from_config(self.log_key, self.old_log_keys)
        return Keyring(sealer, Signer.from_config(self.signing_key, self.old_signing_keys))

    @property
    def account(self) -> str:
        """Whom the treasury knows us as: what its limit is for."""
        return f"{self.client_id} at {self.base_url}"

    @property
    def authenticate_url(self) -> str:
        """Where to log in."""
        return self.base_url + self.authenticate_path

    @property
    def service_url(self) -> str:
        """Where every service is asked."""
        return self.base_url + self.service_path


def _month_and_day(text: str) -> tuple[int, int] | None:
    if not re.fullmatch(r"\d\d-\d\d", text, re.ASCII):
        return None
    try:
        day = date.fromisoformat(f"2001-{text}")  # no leap year
    except ValueError:
        return None
    return day.month, day.day


def _checked_base_url(text: str) -> str:
    try:
        url = urlsplit(text.strip())
        host, _port = url.hostname, url.port
    except ValueError:
        raise ConfigurationError("base_url is not an address like https://host:port") from None
    if url.scheme not in ("https", "http") or not host:
        raise ConfigurationError("base_url is not an address like https://host:port")
    if url.username is not None or url.password is not None:
        raise ConfigurationError("base_url holds credentials: they belong into login and password")
    if url.query or url.fragment or "?" in text or "#" in text:
        raise ConfigurationError("base_url holds a query or a fragment: it must be an address only")
    if any(not character.isprintable() or character in ' "<>\\^`{|}' for character in url.geturl()):
        raise ConfigurationError("base_url holds characters that no address has")
    _check_host(url, host)
    return url.geturl().rstrip("/")


def _check_host(url: SplitResult, host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _NUMERIC_HOST.fullmatch(host):
            raise ConfigurationError(f"base_url has the host {host}: write the address in its usual form") from None
        loopback = host == "localhost" or host.endswith(".localhost")
    else:
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_link_local or address.is_unspecified or address.is_multicast:
            raise ConfigurationError(f"base_url has the host {host}, where no treasury is")
        loopback = address.is_loopback
    if url.scheme == "http" and not loopback:
        raise ConfigurationError(f"base_url {host} is http: https is needed for every host but this machine itself")


def _check_header(name: str, value: str) -> None:
    if not _HEADER_TEXT.fullmatch(value):
        raise ConfigurationError(f"{name} is empty, or has blanks or characters that no HTTP header takes")


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ConfigurationError(f"{name} must be a number from {least} to {most}")


def _check_path(name: str, path: str) -> None:
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", path, re.ASCII) or ".." in path or path.startswith("//"):
        raise ConfigurationError(f"{name} must be a path like /webservices/…")
