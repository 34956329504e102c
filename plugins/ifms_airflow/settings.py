"""What the environment tells the DAGs, the alerts and the pages; docs/operations.md says where to set it."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field

from ifms.settings import FromEnvironment

_MOST_MINUTES = 366 * 24 * 60


def _minutes(text: object) -> float | None:
    if str(text).lower() == "none":
        return None
    try:
        minutes = float(str(text))
    except ValueError:
        minutes = 0
    if not 0 < minutes <= _MOST_MINUTES:
        raise ValueError("write a number of minutes, or none")
    return minutes


def _day(text: object) -> date:
    return date.fromisoformat(str(text))  # pydantic would take digits for seconds since 1970


def _days_or_none(text: object) -> object:
    return None if str(text).lower() == "none" else text


class AlertSettings(FromEnvironment):
    """Who is told of a DAG's trouble."""

    alerts: str = Field("", validation_alias="IFMS_ALERTS")
    """The id of a connection of type http or smtp, or `log`; `none` or nothing: nobody is told."""

    alert_minutes: Annotated[float | None, BeforeValidator(_minutes)] = Field(60, validation_alias="IFMS_ALERT_MINUTES")
    """How long after it was queued a run may take, in minutes; None (`none`): for as long as it likes."""

    alert_to: str = Field("", validation_alias="IFMS_ALERT_TO")
    """Who gets the mail: addresses, separated by commas or blanks."""


class PageSettings(FromEnvironment):
    """Who sees what on the pages."""

    unmasked_roles: str = Field("", validation_alias="IFMS_UNMASKED_ROLES")
    """Further roles that see all whole account numbers, separated by commas."""


class ParseSettings(AlertSettings):
    """What the DAGs are made with, at parse time: checked together."""

    start_date: Annotated[date, BeforeValidator(_day)] = Field(date(2026, 11, 1), validation_alias="IFMS_START_DATE")
    """The day (IST) from which on a DAG that catches up asks, as yyyy-mm-dd."""

    fd_days: int = Field(100, ge=1, le=366, validation_alias="IFMS_FD_DAYS")
    """How far back FD asks for what came back from the bank, in days."""

    call_log_days: Annotated[int | None, BeforeValidator(_days_or_none)] = Field(
        400, validation_alias="IFMS_CALL_LOG_DAYS"
    )
    """For how many days calls stay in the ledger; None (`none`): for good."""

    remove_unshipped_calls: str = Field("", validation_alias="IFMS_REMOVE_UNSHIPPED_CALLS")
    """`yes`: old calls go even if no Elasticsearch has them."""

    reports_path: str | None = Field(None, validation_alias="IFMS_REPORTS_PATH")
    """Where reports go: a folder, or the URL of an object storage; None: Airflow's own folder."""

    shards: int = Field(1, validation_alias="IFMS_SHARDS")
    """Into how many tasks a sweep is divided; less than one counts as one."""

    payment_topic: str | None = Field(None, validation_alias="IFMS_PAYMENT_TOPIC")
    """The platform's Kafka topic of new payments, whose messages start ifms_pi; None: nothing is listened to."""
