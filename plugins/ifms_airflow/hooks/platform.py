"""The way to the DIGIT platform's services."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from ifms import clock, hosts
from ifms.errors import BadInputError, ConfigurationError, IfmsError
from ifms.platform.client import PlatformClient
from ifms.platform.config import PlatformConfig
from ifms.platform.models import AuditDetails, Bill
from ifms.platform.payees import PayeeShare
from ifms.queries import frames
from ifms.wire.bank import valid_account_number, valid_ifsc
from ifms_airflow.hooks.base_url import base_url

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from ifms.platform.payees import PayeeDirectory, PayeeType

_PAYMENT = {
    **dict.fromkeys(("id", "tenant_id", "payment_number", "status", "reference_status"), frames.TEXT),
    "net_payable_amount": frames.MONEY,
    "net_paid_amount": frames.MONEY,
    "bill_ids": frames.OTHER,
    "created_at": frames.INSTANT,
    "changed_at": frames.INSTANT,
}
_BILL = {
    **dict.fromkeys(("id", "tenant_id", "bill_number", "business_service", "reference_id"), frames.TEXT),
    **dict.fromkeys(("status", "wf_status", "payment_status"), frames.TEXT),
    "total_amount": frames.MONEY,
    "total_paid_amount": frames.MONEY,
    "payee_count": frames.WHOLE,
    "active_line_count": frames.WHOLE,
    "bill_date": frames.INSTANT,
    "created_at": frames.INSTANT,
    "changed_at": frames.INSTANT,
}
_PAYEE = {
    "payee_id": frames.TEXT,
    "payee_type": frames.TEXT,
    "payable": frames.TRUTH,
    "problem": frames.TEXT,
    "bank_account_id": frames.TEXT,
    "account_last4": frames.TEXT,
    "ifsc": frames.TEXT,
}


class PlatformHook(BaseHook):
    """The DIGIT platform, over a connection of type `ifms_platform`.

    The connection's host is the base URL of all services, its port theirs if the host names none (None or 0: none);
    its extra holds the other fields of `PlatformConfig` by their names (`state_tenant`, `system_user`, `auth_token`,
    `services` …), each optional. Addresses are https, but for hosts that the environment variable
    IFMS_PLATFORM_HTTP_HOSTS names, and of hosts that IFMS_ALLOWED_HOSTS names.

    The frames are searches: nothing is created or updated by them. Amounts are rupees (Decimal), instants UTC. Besides
    what each names they raise what every call to the platform may: PlatformUnavailableError, PlatformRefusedError,
    PlatformReplyError, and ConfigurationError for a connection that can't work.
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
            config = PlatformConfig(base_url=base_url(connection.host, connection.port), **_given(extra))
            hosts.check_plain_http(config.http_hosts)
            hosts.check_allowed(map(hosts.Address.of_url, config.addresses))
            return config
        except json.JSONDecodeError:
            raise ConfigurationError(f"connection {self.platform_conn_id}: extra is not JSON") from None
        except ConfigurationError as error:
            raise type(error)(f"connection {self.platform_conn_id}: {error}") from None

    def get_conn(self) -> PlatformClient:
        """Return the client, the same for all callers of this hook; nothing is sent before its first call."""
        if self._client is None:
            self._client = PlatformClient(self.get_config())
        return self._client

    def payments_df(
        self,
        tenants: Collection[str],
        *,
        numbers: Collection[str] | None = None,
        bill_ids: Collection[str] | None = None,
        statuses: Collection[str] | None = None,
        ids: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """The payments of these cities that meet every criterion given: a row each (digit-services.md §3).

        Columns: `id`, `tenant_id`, `payment_number`, `status`, `reference_status` (string), `net_payable_amount`,
        `net_paid_amount` (rupees), `bill_ids` (a list of texts), `created_at`, `changed_at` (UTC; missing where the
        platform does not say). A criterion that is None says nothing, an empty one finds nothing.
        """
        with PlatformClient(self.get_config()) as client:
            found = [
                payment
                for tenant in _tenants(tenants)
                for payment in client.payments(tenant, numbers=numbers, bill_ids=bill_ids, statuses=statuses, ids=ids)
            ]
        return frames.frame(
            _PAYMENT,
            (
                (
                    each.id,
                    each.tenant_id,
                    each.payment_number,
                    each.status,
                    each.reference_status,
                    each.net_payable_amount,
                    each.net_paid_amount,
                    [bill.bill_id for bill in each.bills],
                    *_times(each.audit_details),
                )
                for each in found
            ),
        )

    def bills_df(self, tenant_id: str, ids: Collection[str]) -> pd.DataFrame:
        """These bills of a city: a row each; an unknown id is absent (digit-services.md §2).

        Columns: `id`, `tenant_id`, `bill_number`, `business_service`, `reference_id`, `status`, `wf_status` (missing
        where the platform leaves it out), `payment_status` (missing before a payment exists), `total_amount`,
        `total_paid_amount` (rupees), `payee_count`, `active_line_count` (Int64), `bill_date`, `created_at`,
        `changed_at` (UTC).
        """
        with PlatformClient(self.get_config()) as client:
            return _bills(client.bills(tenant_id, ids).values())

    def bills_to_pay_df(self, tenants: Collection[str]) -> pd.DataFrame:
        """The approved bills of these cities that have no payment yet, with the columns of `bills_df`."""
        with PlatformClient(self.get_config()) as client:
            return _bills([bill for tenant in _tenants(tenants) for bill in client.bills_to_pay(tenant)])

    def payees_df(self, tenant_id: str, ids: Collection[str], payee_type: PayeeType = "IND") -> pd.DataFrame:
        """Whether these payees of a city could be paid now: a row each, in the order given (digit-services.md §5, §6).

        `payee_type`: IND (individuals), ORG (organisations) or DEPT (departments' accounts). Columns: `payee_id`,
        `payee_type` (string), `payable` (boolean), `problem` (why not, else missing), `bank_account_id`,
        `account_last4` (the last four digits of the number; missing, like `ifsc`, where it can't be used). Raises
        BadInputError for another type.
        """
        if payee_type not in ("IND", "ORG", "DEPT"):
            raise BadInputError(f"payee_type {payee_type!r} is none of IND, ORG, DEPT")
        shares = [PayeeShare(each, payee_type, Decimal(0), ()) for each in dict.fromkeys(ids)]
        with PlatformClient(self.get_config()) as client:
            directory = client.payee_directory(tenant_id, shares)
        return frames.frame(_PAYEE, (_payee(directory, share) for share in shares))

    def test_connection(self) -> tuple[bool, str]:
        """Look the system user and the cities up, for the Test button."""
        try:
            with PlatformClient(self.get_config()) as client:
                return True, client.check()
        except IfmsError as error:
            return False, str(error)


def _tenants(tenants: Collection[str]) -> Iterator[str]:
    if isinstance(tenants, str):
        raise BadInputError(f"tenants must be a list of texts, not the text {tenants[:100]!r}")
    yield from dict.fromkeys(tenants)


def _times(audit: AuditDetails | None) -> tuple[datetime | None, datetime | None]:
    return (None, None) if audit is None else (_instant(audit.created_time), _instant(audit.last_modified_time))


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else clock.from_epoch_ms(milliseconds)


def _bills(bills: Iterable[Bill]) -> pd.DataFrame:
    return frames.frame(
        _BILL,
        (
            (
                each.id,
                each.tenant_id,
                each.bill_number,
                each.business_service,
                each.reference_id,
                each.status,
                each.wf_status,
                each.payment_status,
                each.total_amount,
                each.total_paid_amount,
                len({detail.payee.identifier for detail in each.bill_details if detail.payee}),
                sum(len(detail.active_lines) for detail in each.bill_details),
                _instant(each.bill_date),
                *_times(each.audit_details),
            )
            for each in bills
        ),
    )


def _payee(directory: PayeeDirectory, share: PayeeShare) -> tuple[object, ...]:
    """A row about a payee, judged as it is before its payment (money-rules.md R12)."""
    named = (share.payee_id, share.payee_type)
    try:
        payee = directory.payee(share)
    except BadInputError as error:
        return *named, False, str(error), None, None, None
    who = f"payee {share.payee_id}"
    try:
        number, ifsc = valid_account_number(payee.account_number, who), valid_ifsc(payee.ifsc, who)
    except BadInputError as error:
        return *named, False, str(error), payee.bank_account_id, None, None
    return *named, True, None, payee.bank_account_id, number[-4:], ifsc


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
    for name in ("services", "city_locales"):
        if isinstance(given.get(name), str):  # as a form or an environment variable may give it
            given[name] = json.loads(given[name])
    return given
