"""The treasury as an Airflow connection of type `ifms_treasury` (architecture.md §6)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from ifms import hosts, pasted, vault
from ifms.errors import ConfigurationError, IfmsError
from ifms.queries import frames
from ifms.sealing import Sealer, decode_key
from ifms.signing import Keyring
from ifms.treasury.client import Pace, TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Exchange
from ifms_airflow.hooks.base_url import base_url

if TYPE_CHECKING:
    import pandas as pd

    from ifms.services.inquiry import TreasuryInquiry

_TEXTS = (
    "public_key",
    "ext_app_name",
    "department_code",
    "purpose",
    "correction_list_key",
    "ca_bundle",
    "authenticate_path",
    "service_path",
    "correction_last_day",
)
_SECRETS = ("log_key", "signing_key", "legacy_log_secret")
_SWITCHES = ("use_earlier_years",)
_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "timeout_seconds": float,
    "connect_timeout_seconds": float,
    "max_concurrency": int,
    "calls_per_second": float,
    "absence_hours": float,
    "correction_days": int,
    "max_reply_bytes": int,
}
# As ReportedAllotment and TreasuryStatus have them (ifms.services.inquiry).
_ALLOTMENT = {
    **dict.fromkeys(("hoa_code", "ddo_code", "grantee_code", "ssu_id", "scheme_code"), frames.TEXT),
    "master_allotment_id": frames.TEXT,
    "ssu_allotment_id": frames.TEXT,
    "allotment_serial_no": frames.WHOLE,
    "transaction_number": frames.TEXT,
    "transaction_type": frames.TEXT,
    "transaction_date": frames.DAY,
    "transaction_amount": frames.MONEY,
    "treasury_balance": frames.MONEY,
}
_STATUS = {
    **dict.fromkeys(("pi_number", "outcome", "state", "pi_approved_id", "pi_approval_date", "message"), frames.TEXT),
    "net_amount": frames.MONEY,
    "ledger_status": frames.TEXT,
    "asked_at": frames.INSTANT,
}


class TreasuryHook(BaseHook):
    """Reaches the state treasury's JIT services through one connection.

    host: base URL with its scheme; port: None or 0 if the host names it or it is the scheme's own; login: client id;
    password: client secret; extra: public_key, and what `TreasuryConfig` has a default for. An empty field of the form
    means the default; a key may be Vault's ciphertext (`ifms.vault`); `old_log_keys` and `old_signing_keys` are
    separated by blanks or commas. `on_exchange` hears of every login, for the call log. `pace` makes what the client's
    calls await their turn by, of a connection's calls_per_second.

    The frames ask services that tell and change nothing, for whoever wants to compare what the treasury says with what
    the ledger holds. Each of their calls, the login among them, is logged in the ledger of `ledger_conn_id` like a
    sweep's; so its login must be a member of `ifms_work`. In a DAG give their task the pool `ifms_treasury`. No frame
    method sends a payment instruction, or a correction.
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
        ledger_conn_id: str = "ifms_db",
    ) -> None:
        super().__init__()
        self.treasury_conn_id = treasury_conn_id
        self.ledger_conn_id = ledger_conn_id
        self._on_exchange = on_exchange
        self._pace = pace

    def get_config(self) -> TreasuryConfig:
        """Read the connection, once. Raises ConfigurationError that names the connection and the field."""
        return self._config

    def get_conn(self) -> TreasuryClient:
        """Make the client, once; nothing is sent before its first call. Closing it is the caller's."""
        return self._client

    @cached_property
    def keyring(self) -> Keyring:
        """What seals account numbers and signs PIs. Raises ConfigurationError when the connection lacks a key of it."""
        try:
            return self.get_config().keyring
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.treasury_conn_id!r}: {error}") from None

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

    def allotments_df(self, units: Iterable[tuple[str, str, str]], since: datetime) -> pd.DataFrame:
        """What the treasury has allotted since then to each of `units`: (head of account, DDO, grantee).

        The service is VA (treasury-jit.md §2).

        A row per allotment, with the columns of the view `fund_register` that an allotment has, under the same names:
        `hoa_code`, `ddo_code`, `grantee_code`, `ssu_id`, `scheme_code`, `master_allotment_id`, `ssu_allotment_id`
        (string), `allotment_serial_no` (Int64), `transaction_number`, `transaction_type` (string), `transaction_date`
        (IST), `transaction_amount`, `treasury_balance` (rupees, Decimal). `since` has a time zone. The units that a
        city has are in its rows of `fund_register`, and in the platform's master data.

        Raises BadInputError for a code or an instant that must not be sent, TreasuryLoginError,
        TreasuryUnreachableError when no answer came, TreasuryError when the treasury answers with an error, WireError
        for a row that is not as the contract says, and ConfigurationError for a connection that can't work, or a
        ledger's login that may not log the call: then nothing is sent.
        """
        with self._inquiry() as inquiry:
            allotments = inquiry.allotments(units, since)
        return frames.frame(_ALLOTMENT, map(astuple, allotments))

    def payment_instruction_status_df(self, pi_numbers: Collection[str]) -> pd.DataFrame:
        """What the treasury says now of original PIs: a row each, in the order given, and nothing is changed.

        The service is PIS (treasury-jit.md §2).

        Columns: `pi_number`, `outcome` (answered, rejected, never_sent, unknown), `state` (APPROVED, WAITING: not
        approved yet, REJECTED by the spending unit; missing when the treasury did not say), `pi_approved_id`,
        `pi_approval_date` (IST, as the treasury wrote it), `message` (its error, or why there is no answer: string),
        `net_amount` (the ledger's, rupees, Decimal), `ledger_status` (string), `asked_at` (UTC). The ledger learns of
        an approval by ifms_pis, not by this.

        Raises BadInputError that names PIs which the ledger does not have or which are revised ones, and for the whole
        what `allotments_df` raises about the login and the connections; a PI whose call fails is a row that says so.
        """
        with self._inquiry() as inquiry:
            statuses = inquiry.statuses(pi_numbers)
        return frames.frame(_STATUS, map(astuple, statuses))

    @contextmanager
    def _inquiry(self) -> Iterator[TreasuryInquiry]:
        from ifms.ledger.status_log import CallLog, may_log
        from ifms.services.inquiry import TreasuryInquiry
        from ifms_airflow.hooks.ledger import LedgerHook

        calls = CallLog(self.sealer)
        with ExitStack() as stack:
            hook = LedgerHook(self.ledger_conn_id)
            ledger = stack.enter_context(hook.ledger())
            pace = hook.pace(stack, threading.Event(), self.get_config())
            client = stack.enter_context(TreasuryClient(self.get_config(), calls.record_login, pace=pace))
            if not ledger.transact(may_log):
                raise ConfigurationError(
                    f"connection {self.ledger_conn_id!r}: its login may not log calls, so none is made; it must be a "
                    "member of ifms_work"
                )
            try:
                yield TreasuryInquiry(ledger, client, calls)
            finally:
                calls.write_logins(ledger, None)

    @cached_property
    def _client(self) -> TreasuryClient:
        config = self.get_config()
        pace = self._pace(config) if self._pace else None
        return TreasuryClient(config, self._on_exchange, pace=pace, renewed=self._read)

    @cached_property
    def _config(self) -> TreasuryConfig:
        return self._read()

    def _read(self) -> TreasuryConfig:
        connection = self.get_connection(self.treasury_conn_id)
        extra = connection.extra_dejson
        try:
            old_log_keys, old_signing_keys = _keys(extra, "old_log_keys"), _keys(extra, "old_signing_keys")
            single = {name: vault.unwrap(_text(extra, name) or "", name) or None for name in _SECRETS}
            for secret in (connection.password, *single.values(), *old_log_keys, *old_signing_keys):
                _mask(secret)
            given: dict[str, Any] = {name: _text(extra, name) for name in _TEXTS} | single
            given |= {name: _number(extra, name, kind) for name, kind in _NUMBERS.items()}
            given |= {name: _switch(extra, name) for name in _SWITCHES}
            options = {name: value for name, value in given.items() if value is not None}
            options.setdefault("public_key", "")  # refused there, with its name
            config = TreasuryConfig(
                base_url=base_url(connection.host, connection.port),
                client_id=connection.login or "",
                client_secret=connection.password or "",
                old_log_keys=old_log_keys,
                old_signing_keys=old_signing_keys,
                **options,
            )
            hosts.check_allowed([hosts.Address.of_url(config.base_url)])
            return config
        except ConfigurationError as error:
            raise type(error)(f"connection {self.treasury_conn_id!r}: {error}") from None


def _text(extra: Mapping[str, Any], name: str) -> str | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} in extra must be a text")
    return value.strip() or None


def _keys(extra: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Keys apart by blanks or commas."""
    return vault.unwrap_all(pasted.split(_text(extra, name) or ""), name)


def _number(extra: Mapping[str, Any], name: str, kind: type[int] | type[float]) -> float | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    try:
        return kind(str(value))
    except ValueError:
        raise ConfigurationError(f"{name} in extra must be a number") from None


def _switch(extra: Mapping[str, Any], name: str) -> bool | None:
    value = extra.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.lower() in ("true", "false"):  # of an environment variable in the URI form
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} in extra must be true or false")
    return value


def _mask(secret: str | None) -> None:
    """Keep `secret` out of task logs, plain and in the forms that it takes on the way."""
    if not secret:
        return
    forms = {secret.encode()}
    with suppress(ConfigurationError):
        forms.add(decode_key(secret))
    mask_secret(secret)
    for form in forms:
        mask_secret(base64.b64encode(form).decode())
        mask_secret(form.hex())
