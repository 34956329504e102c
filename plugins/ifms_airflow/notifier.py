"""Airflow's notifier that tells somebody in a log line, at a webhook or by mail (`alerts` says which)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier

from ifms.errors import ConfigurationError
from ifms_airflow.hooks.base_url import base_url

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

TIMEOUT_SECONDS = 20


class Alert(BaseNotifier):
    """Tells of a DAG run that has failed, in the DAG processor, or has missed its deadline, in the triggerer.

    :param to: the id of a connection of type http or smtp, or `log`.
    """

    def __init__(self, *, to: str = "log", context: Context | None = None) -> None:
        super().__init__(context)
        self.to = to

    def notify(self, context: Context) -> None:
        """Tell it. Raises ConfigurationError for a connection of another type."""
        text = sentence(context)
        self.log.error("IFMS: %s", text)
        if self.to == "log":
            return
        connection = BaseHook.get_connection(self.to)
        match connection.conn_type:
            case "http" | "https":
                _post(connection, text)
            case "smtp":
                _mail(self.to, text)
            case other:
                raise ConfigurationError(f"connection {self.to!r} is of type {other!r}; alerts go by http or smtp")

    async def async_notify(self, context: Context) -> None:
        """The same from the triggerer's loop, which it does not hold up."""
        await asyncio.to_thread(self.notify, context)


def _post(connection: Connection, text: str) -> None:
    import requests

    host = connection.host or ""
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}"
    path = connection.extra_dejson.get("path", "")
    token = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    address = base_url(host, connection.port)
    if path:
        address = f"{address.rstrip('/')}/{str(path).lstrip('/')}"
    reply = requests.post(
        address, json={"text": f"IFMS: {text}"}, headers=token, timeout=TIMEOUT_SECONDS, allow_redirects=False
    )
    reply.raise_for_status()


def _mail(conn_id: str, text: str) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    to = [each for each in os.environ.get("IFMS_ALERT_TO", "").replace(",", " ").split() if each]
    if not to:
        raise ConfigurationError("IFMS_ALERT_TO is empty: it names who gets the mail")
    with SmtpHook(smtp_conn_id=conn_id) as hook:
        hook.send_email_smtp(to=to, subject=f"IFMS: {text.partition('. ')[0]}", html_content=f"<p>{text}</p>")


def sentence(context: Mapping[str, Any]) -> str:
    """What somebody is told: which DAG, which run, and what is the matter."""
    run = context.get("dag_run")
    dag_id, run_id = (_of(run, "dag_id"), _of(run, "run_id", "dag_run_id"))
    if context.get("deadline"):
        return (
            f"{dag_id} has not ended in time (run {run_id}). What is due stays due; see the page Runs, and whether "
            "the treasury can be reached."
        )
    return (
        f"{dag_id} has failed (run {run_id}). What could be done is done; its log and its row in ifms.sweep_run say "
        "what a person must look at."
    )


def _of(run: Any, *names: str) -> str:  # noqa: ANN401  (a DAG run, or what the scheduler tells of one)
    values = (run.get(name) if isinstance(run, Mapping) else getattr(run, name, None) for name in names)
    return str(next(filter(None, values), "?"))
