"""Who is told when a DAG has failed, or has not ended in time: nobody by default, all by the environment.

IFMS_ALERTS is `log` (a line in Airflow's own logs), or the id of a connection: of type http a POST of {"text": …} to
its address, which is what Slack's and others' incoming webhooks take; of type smtp a mail to IFMS_ALERT_TO.
IFMS_ALERT_MINUTES is how long after it was queued a run may take (60); `none` for as long as it likes.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ifms.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk.definitions.deadline import DeadlineAlert

DEFAULT_MINUTES = "60"


def to_whom() -> str | None:
    """IFMS_ALERTS: a connection's id, or `log`; None when nobody is told."""
    chosen = os.environ.get("IFMS_ALERTS", "").strip()
    return None if chosen.lower() in ("", "none") else chosen


def alerts() -> dict[str, Any]:
    """What a DAG is given so that somebody hears of its trouble; nothing unless IFMS_ALERTS is set. At parse time."""
    chosen = to_whom()
    if chosen is None:
        return {}
    from ifms_airflow.notifier import Alert

    given: dict[str, Any] = {"on_failure_callback": Alert(to=chosen)}
    deadline = _deadline(chosen)
    return given if deadline is None else given | {"deadline": deadline}


def _deadline(to: str) -> DeadlineAlert | None:
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    from ifms_airflow.notifier import Alert

    minutes = os.environ.get("IFMS_ALERT_MINUTES", "").strip() or DEFAULT_MINUTES
    if minutes.lower() == "none":
        return None
    try:
        interval = timedelta(minutes=float(minutes))
    except (ValueError, OverflowError):
        interval = timedelta()
    if interval <= timedelta():
        raise ConfigurationError(f"IFMS_ALERT_MINUTES is {minutes[:20]!r}: write a number of minutes, or none")
    # From when it was queued: a run that an asset or a person has started has no logical date.
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=interval,
        callback=AsyncCallback(Alert, kwargs={"to": to}),
        name="not ended in time",
    )
