"""What the doorbell's reader is, whatever the connection says; our fields and a writer's never reach it."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def settings(monkeypatch):
    """What the client is given."""
    from ifms_airflow.hooks import kafka

    given: dict[str, object] = {}
    monkeypatch.setattr(kafka, "Consumer", given.update)

    def of(**extra):
        given.clear()
        kafka.ListenerHook(["sample"], "ifms_kafka")._get_client(extra)
        return given

    return of


def test_it_begins_at_the_beginning_in_a_group_of_its_topics_own(settings):
    made = settings(**{"bootstrap.servers": "127.0.0.1:1"})
    assert (made["group.id"], made["auto.offset.reset"]) == ("ifms-doorbell.sample", "earliest")


def test_what_was_heard_is_the_doorbells_to_say(settings):
    made = settings(**{"enable.auto.commit": True, "enable.auto.offset.store": True})
    assert (made["enable.auto.commit"], made["enable.auto.offset.store"]) == (False, False)


def test_the_connection_chooses_the_rest(settings):
    made = settings(**{"group.id": "sample", "auto.offset.reset": "latest", "security.protocol": "SSL"})
    assert (made["group.id"], made["auto.offset.reset"], made["security.protocol"]) == ("sample", "latest", "SSL")


def test_neither_our_fields_nor_a_writers_reach_it(settings):
    made = settings(sms_topic="a", sms_paid="{amount}", **{"acks": "all", "linger.ms": 5, "enable.idempotence": True})
    assert not made.keys() & {"sms_topic", "sms_paid", "acks", "linger.ms", "enable.idempotence"}


def test_both_clients_are_made_from_one_connection(kafka, monkeypatch):
    from ifms_airflow.hooks.kafka import ListenerHook, PublisherHook

    monkeypatch.setenv("AIRFLOW_CONN_IFMS_KAFKA", json.dumps(kafka.connection(acks="all")))
    topic = kafka.topic("sample")
    ListenerHook([topic], "ifms_kafka").get_consumer().close()
    publisher = PublisherHook("ifms_kafka").get_conn
    assert publisher.check()
    publisher.close()
