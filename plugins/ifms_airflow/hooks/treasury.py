"""The treasury as an Airflow connection of type `ifms_treasury` (DESIGN.md, "Names others rely on")."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from ifms.errors import ConfigurationError, IfmsError
from ifms.sealing import Sealer
from ifms.treasury.client import Pace, TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Exchange
from ifms_airflow.hooks.address import base_url

_TEXTS = (
    "public_key",
    "log_key",
    "legacy_log_secret",
    "ext_app_name",
    "department_code",
    "purpose",
    "correction_list_key",
    "ca_bundle",
    "authenticate_path",
    "service_path",
)
_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "timeout_seconds": float,
    "connect_timeout_seconds": float,
    "max_concurrency": int,
    "calls_per_second": float,
    "max_reply_bytes": int,
}


class TreasuryHook(BaseHook):
    """Reaches the state treasury's JIT services through one connection.

    host: base URL with its scheme; port: None or 0 if the host names it or it is the scheme's own; login: client id;
    password: client secret; extra: public_key, and what `TreasuryConfig` has a default for. An empty field of the form
    means the default; `old_log_keys` are separated by blanks or commas. `on_exchange` hears of every login, for the
    call log. `pace` makes what the client's calls await their turn by, of a connection's calls_per_second.
    """

    conn_name_attr = "treasury_conn_id"
    default_conn_name = "ifms_treasury"
    conn_type = "ifms_treasury"
    hook_name = "IFMS treasury (JIT)"

    def __init__(
        self,
        treasury_conn_id: str = default_conn_name,
        on_exchange: Callable[[Exchange], None] | None = None,
        pace: Callable[[TreasuryConfig], Pace | None] | None = None,
    ) -> None:
        super().__init__()
        self.treasury_conn_id = treasury_conn_id
        self._on_exchange = on_exchange
        self._pace = pace

    def get_config(self) -> TreasuryConfig:
        """Read the connection, once. Raises ConfigurationError that names the connection and the field."""
        return self._config

    def get_conn(self) -> TreasuryClient:
        """Make the client, once; nothing is sent before its first call. Closing it is the caller's."""
        return self._client

    @cached_property
    def sealer(self) -> Sealer:
        """What seals and opens the call log. Raises ConfigurationError when the connection has no log_key."""
        config = self.get_config()
        if config.log_key is None:
            raise ConfigurationError(
                f"connection {self.treasury_conn_id!r}: log_key is missing; without it no call can be logged"
            )
        return Sealer.from_config(config.log_key, config.old_log_keys)

    def test_connection(self) -> tuple[bool, str]:
        """Log in, and say how that went; what the Test button of the connection form does."""
        try:
            config = self.get_config()
            with TreasuryClient(config, self._on_exchange, login_pauses_seconds=()) as client:
                client.login()
        except IfmsError as error:
            return False, str(error)
        return True, f"Logged in at {config.base_url} as {config.client_id}"

    @cached_property
    def _client(self) -> TreasuryClient:
        config = self.get_config()
        return TreasuryClient(config, self._on_exchange, pace=self._pace(config) if self._pace else None)

    @cached_property
    def _config(self) -> TreasuryConfig:
        connection = self.get_connection(self.treasury_conn_id)
        extra = connection.extra_dejson
        try:
            old_log_keys = tuple((_text(extra, "old_log_keys") or "").replace(",", " ").split())
            secrets = (connection.password, _text(extra, "log_key"), _text(extra, "legacy_log_secret"), *old_log_keys)
            for secret in secrets:
                _mask(secret)
            given: dict[str, Any] = {name: _text(extra, name) for name in _TEXTS}
            given |= {name: _number(extra, name, kind) for name, kind in _NUMBERS.items()}
            options = {name: value for name, value in given.items() if value is not None}
            options.setdefault("public_key", "")  # refused there, with its name
            return TreasuryConfig(
                base_url=base_url(connection.host, connection.port),
                client_id=connection.login or "",
                client_secret=connection.password or "",
                old_log_keys=old_log_keys,
                **options,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.treasury_conn_id!r}: {error}") from None


def _text(extra: Mapping[str, Any], name: str) -> str | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} in extra must be a text")
    return value.strip() or None


def _number(extra: Mapping[str, Any], name: str, kind: type[int] | type[float]) -> float | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    try:
        return kind(str(value))
    except ValueError:
        raise ConfigurationError(f"{name} in extra must be a number") from None


def _mask(secret: str | None) -> None:
    """Keep `secret` out of task logs, plain and in the forms that it takes on the way."""
    if not secret:
        return
    forms = {secret.encode()}
    with suppress(binascii.Error, ValueError):
        forms.add(base64.b64decode(secret, validate=True))  # a key that is given as base64
    mask_secret(secret)
    for form in forms:
        mask_secret(base64.b64encode(form).decode())
        mask_secret(form.hex())
