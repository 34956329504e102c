"""NotificationHook: one connection of the provider's type, with our own fields beside the client's settings."""

from __future__ import annotations

import json

import pytest

from ifms.errors import ConfigurationError

pytestmark = pytest.mark.airflow


@pytest.fixture
def connect(monkeypatch):
    def made(extra):
        monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps({"conn_type": "kafka", "extra": extra}))

    return made


@pytest.fixture
def hook(airflow_db):
    from ifms_airflow.hooks import NotificationHook

    return NotificationHook()


def test_without_a_connection_nobody_is_notified(hook, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_IFMS_KAFKA", raising=False)
    assert hook.configured() is False


def test_with_servers_alone_the_contracts_topics_are_used(hook, connect):
    connect({"bootstrap.servers": "127.0.0.1:1"})
    assert hook.configured()
    assert hook.settings().topics == {"sms": "egov.core.notification.sms", "pi_index": "ifms-pi-index-enrich"}


def test_our_fields_are_ours_and_the_rest_is_the_clients(hook, connect, kafka):
    from ifms.delivery.kafka import KafkaMessage

    connect(kafka.connection(sms_topic="none", sms_paid="{amount} {utr}", **{"linger.ms": 1})["extra"])
    assert hook.settings().topics.keys() == {"pi_index"}
    assert hook.settings().texts.templates["paid"] == "{amount} {utr}"
    publisher = hook.get_conn()
    posted = publisher.publish([KafkaMessage(1, kafka.topic("index"), "k", b"{}")])
    publisher.close()
    assert posted.acknowledged == [1]
    assert hook.test_connection() == (True, "1 broker(s) answer")


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"sms_paid": "{amount} {name}"}, "sms_paid has '{name}' in it"),
        ({"pi_index_topic": 7}, "pi_index_topic must be a name"),
        ({}, "bootstrap.servers"),
        ({"error_cb": "os.system"}, "callback_allowlist"),
        ({"security.protocol": "sample-secret"}, "Kafka's client does not take the settings"),
    ],
)
def test_what_can_not_work_is_named_with_its_connection(hook, connect, extra, says):
    from ifms_airflow.hooks import NotificationHook

    connect({"bootstrap.servers": "127.0.0.1:1", **extra} if extra else {})
    worked, why = NotificationHook().test_connection()
    assert not worked
    assert why.startswith("connection 'ifms_kafka': ")
    assert says in why
    assert "sample-secret" not in why


@pytest.mark.tier("prove")
def test_a_broker_that_does_not_answer_is_said(hook, connect):
    connect({"bootstrap.servers": "127.0.0.1:1"})
    worked, why = hook.test_connection()
    assert not worked
    assert "no broker answers" in why


def test_a_publisher_that_can_not_be_made_raises(hook, connect):
    connect({})
    with pytest.raises(ConfigurationError, match="connection 'ifms_kafka': .*bootstrap.servers"):
        hook.get_conn()
