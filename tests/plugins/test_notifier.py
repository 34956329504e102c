"""Telling somebody, for real: a webhook on a real socket, a mail to a real SMTP server, a line in the log."""

from __future__ import annotations

import asyncio
import json
import socket
import threading

import pytest
from support.webhook import webhook

from ifms.errors import ConfigurationError

pytestmark = pytest.mark.airflow
CONTEXT = {"dag_run": {"dag_id": "ifms_pis", "run_id": "sample"}, "deadline": {"id": "1"}}


@pytest.fixture
def hook():
    """An incoming webhook."""
    with webhook() as made:
        yield made


def connect(monkeypatch, **described):
    monkeypatch.setenv("AIRFLOW_CONN_SAMPLE_ALERTS", json.dumps(described))


def test_a_webhook_is_told_at_once_and_from_the_triggerer(hook, monkeypatch):
    from ifms_airflow.notifier import Alert

    connect(monkeypatch, **hook.connection(password="t0ken"))
    Alert(to="sample_alerts")(dict(CONTEXT))

    async def late():
        await Alert(to="sample_alerts", context=dict(CONTEXT))

    asyncio.run(late())
    assert [(path, token) for path, token, _ in hook.told] == [("/hooks/1", "Bearer t0ken")] * 2
    assert hook.texts()[0].startswith("IFMS: ifms_pis has not ended in time")


def test_one_that_refuses_is_an_error_that_airflow_logs(hook, monkeypatch):
    import requests

    from ifms_airflow.notifier import Alert

    connect(monkeypatch, conn_type="http", host=f"http://127.0.0.1:{hook.port}", extra={"path": "broken"})
    with pytest.raises(requests.HTTPError):
        Alert(to="sample_alerts")(dict(CONTEXT))
    assert len(hook.told) == 1


def test_a_mail_is_sent_to_whom_the_environment_names(monkeypatch):
    from ifms_airflow.notifier import Alert

    with socket.create_server(("127.0.0.1", 0)) as listening:
        said = []

        def serve():
            connection, _ = listening.accept()
            with connection, connection.makefile("rwb") as wire:
                wire.write(b"220 sample\r\n")
                wire.flush()
                data = False
                for line in wire:
                    said.append(line.decode().strip())
                    if data and line != b".\r\n":
                        continue
                    reply = b"354 go on" if line.upper().startswith(b"DATA") else b"250 sample"
                    data = line.upper().startswith(b"DATA")
                    if line.upper().startswith(b"QUIT"):
                        reply = b"221 bye"
                    wire.write(reply + b"\r\n")
                    wire.flush()
                    if reply.startswith(b"221"):
                        return

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "ifms@sample.invalid"}
        connect(monkeypatch, conn_type="smtp", host="127.0.0.1", port=listening.getsockname()[1], extra=extra)
        monkeypatch.setenv("IFMS_ALERT_TO", "a@sample.invalid, b@sample.invalid")
        Alert(to="sample_alerts").notify(dict(CONTEXT))
        server.join(timeout=30)
    assert "rcpt TO:<a@sample.invalid>" in said
    assert "rcpt TO:<b@sample.invalid>" in said
    assert any(line.startswith("Subject: IFMS: ifms_pis has not ended in time") for line in said)
    monkeypatch.setenv("IFMS_ALERT_TO", "")
    with pytest.raises(ConfigurationError, match="IFMS_ALERT_TO is empty"):
        Alert(to="sample_alerts").notify(dict(CONTEXT))


def test_other_connections_are_named(monkeypatch):
    from ifms_airflow.notifier import Alert

    connect(monkeypatch, conn_type="postgres", host="127.0.0.1")
    with pytest.raises(ConfigurationError, match="of type 'postgres'"):
        Alert(to="sample_alerts").notify(dict(CONTEXT))


def test_the_sentence_says_which_dag_and_what_to_look_at():
    from types import SimpleNamespace

    from ifms_airflow.notifier import sentence

    late = sentence({"dag_run": {"dag_id": "ifms_pis", "run_id": "r1"}, "deadline": {"id": "1"}})
    assert late.startswith("ifms_pis has not ended in time (run r1)")
    failed = sentence({"dag_run": SimpleNamespace(dag_id="ifms_pd", run_id="r2")})
    assert failed.startswith("ifms_pd has failed (run r2)")
    assert sentence({}).startswith("? has failed")
