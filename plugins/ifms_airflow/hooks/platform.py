"""The way to the DIGIT platform's services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from ifms.errors import ConfigurationError, IfmsError
from ifms.platform.client import PlatformClient
from ifms.platform.config import PlatformConfig
from ifms_airflow.hooks.address import base_url


class PlatformHook(BaseHook):
    """The DIGIT platform, over a connection of type `ifms_platform`.

    The connection's host is the base URL of all services, its port theirs if the host names none (None or 0: none);
    its extra holds the other fields of `PlatformConfig` by their names (`state_tenant`, `system_user`, `auth_token`,
    `services` …), each optional.
    """

    conn_name_attr = "platform_conn_id"
    default_conn_name = "ifms_platform"
    conn_type = "ifms_platform"
    hook_name = "IFMS platform (DIGIT)"

    def __init__(self, platform_conn_id: str = default_conn_name, logger_name: str | None = None) -> None:
        super().__init__(logger_name=logger_name)
        self.platform_conn_id = platform_conn_id
        self._client: PlatformClient | None = None

    def get_config(self) -> PlatformConfig:
        """Read the connection. Raises ConfigurationError, naming the connection, for a value that can't work."""
        connection = self.get_connection(self.platform_conn_id)
        try:
            extra = json.loads(connection.extra or "{}")
            if not isinstance(extra, dict):
                raise ConfigurationError("extra is not a JSON object")
            if extra.get("auth_token"):
                mask_secret(extra["auth_token"])
            return PlatformConfig(base_url=base_url(connection.host, connection.port), **_given(extra))
        except json.JSONDecodeError:
            raise ConfigurationError(f"connection {self.platform_conn_id}: extra is not JSON") from None
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.platform_conn_id}: {error}") from None

    def get_conn(self) -> PlatformClient:
        """Return the client, the same for all callers of this hook; nothing is sent before its first call."""
        if self._client is None:
            self._client = PlatformClient(self.get_config())
        return self._client

    def test_connection(self) -> tuple[bool, str]:
        """Look the system user and the cities up, for the Test button."""
        try:
            with PlatformClient(self.get_config()) as client:
                return True, client.check()
        except IfmsError as error:
            return False, str(error)


def _given(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `PlatformConfig` that `extra` sets; null and empty text mean the default."""
    names = {field.name for field in fields(PlatformConfig)} - {"base_url"}
    given = {name: value for name, value in extra.items() if name in names and value not in (None, "")}
    for name, kind in (("timeout_seconds", float), ("bill_page_size", int)):
        if name in given:
            try:
                given[name] = kind(given[name])
            except (TypeError, ValueError):
                raise ConfigurationError(f"{name} {given[name]!r} is not a number") from None
    if isinstance(given.get("services"), str):  # as a form or an environment variable may give it
        given["services"] = json.loads(given["services"])
    return given
