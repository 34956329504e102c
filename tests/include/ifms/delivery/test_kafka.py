"""Nothing counts as brought that a real broker has not acknowledged; what it refuses does not hold the others up."""

from __future__ import annotations

from collections import Counter

import pytest

from ifms.delivery.kafka import MESSAGE_ID, KafkaMessage, KafkaPublisher
from ifms.errors import ConfigurationError

LARGE = b"x" * 300_000  # more than the tests' broker takes, less than the client does


@pytest.fixture
def publisher(kafka):
    made = KafkaPublisher({"bootstrap.servers": kafka.broker.servers, "auto.offset.reset": "earliest"})
    yield made
    made.close()


def letters(topic, *values, key="k", first=1):
    return [KafkaMessage(first + place, topic, key, value) for place, value in enumerate(values)]


def test_letters_of_one_key_stay_in_order_whatever_partitions_there_are(kafka, publisher):
    topic = kafka.topic("many", partitions=4)
    sent = [KafkaMessage(n, topic, f"key {n % 7}", str(n).encode()) for n in range(700)]
    posted = publisher.publish(sent)
    assert sorted(posted.acknowledged) == list(range(700))
    assert (posted.refused, posted.later) == ({}, {})
    heard = kafka.messages(topic)
    assert len(heard) == 700
    assert len({record.partition for record in heard}) > 1
    for key in {record.key for record in heard}:
        of_key = [record for record in heard if record.key == key]
        assert len({record.partition for record in of_key}) == 1
        numbers = [int(record.value) for record in of_key]
        assert numbers == sorted(numbers)
    assert Counter(record.headers[MESSAGE_ID] for record in heard) == Counter(f"{topic}:{n}" for n in range(700))


def test_a_letter_that_is_too_large_is_refused_and_those_it_travelled_with_are_not(kafka, publisher):
    topic = kafka.topic("large")
    posted = publisher.publish(letters(topic, b"a", LARGE, b"b", LARGE, b"c"))
    assert sorted(posted.acknowledged) == [1, 3, 5]
    assert {each.split(" (")[0] for each in posted.refused.values()} == {"the broker refuses it: MSG_SIZE_TOO_LARGE"}
    assert posted.refused.keys() == {2, 4}
    assert [record.value for record in kafka.messages(topic)] == [b"a", b"b", b"c"]


def test_a_letter_that_is_too_large_for_the_client_is_refused_too(kafka, publisher):
    topic = kafka.topic("larger")
    posted = publisher.publish(letters(topic, b"x" * 2_000_000, b"a"))
    assert posted.acknowledged == [2]
    assert posted.refused.keys() == {1}


def test_many_that_are_too_large_together_all_arrive(kafka, publisher):
    topic = kafka.topic("together")
    posted = publisher.publish(letters(topic, *[b"x" * 90_000] * 6))
    assert sorted(posted.acknowledged) == [1, 2, 3, 4, 5, 6]
    assert len(kafka.messages(topic)) == 6


def test_nobody_at_the_address_is_no_word():
    publisher = KafkaPublisher({"bootstrap.servers": "127.0.0.1:1"}, 1.0)
    posted = publisher.publish(letters("nowhere", b"a", b"b"))
    assert posted.acknowledged == []
    assert posted.later.keys() == {1, 2}
    assert all("127.0.0.1:1" in why or "TIMED_OUT" in why for why in posted.later.values())
    with pytest.raises(ConfigurationError, match="no broker answers"):
        publisher.check()
    publisher.close()


def test_a_broker_says_that_it_is_there(publisher):
    assert publisher.check() == "1 broker(s) answer"


@pytest.mark.parametrize(
    "settings",
    [
        {"sasl.password": "sample-secret", "sample.unknown": "sample-secret"},
        {"security.protocol": "sample-secret"},
        {"retries": "sample-secret"},
        {"linger.ms": ["sample-secret"]},
    ],
)
def test_settings_that_the_client_does_not_take_are_refused_without_their_values(settings):
    with pytest.raises(ConfigurationError, match="Kafka's client does not take the settings: ") as refused:
        KafkaPublisher({"bootstrap.servers": "127.0.0.1:1", **settings})
    assert "sample-secret" not in str(refused.value)


def test_what_makes_it_safe_can_not_be_switched_off(kafka):
    settings = {"bootstrap.servers": kafka.broker.servers, "acks": "0", "enable.idempotence": False}
    publisher = KafkaPublisher(settings)
    topic = kafka.topic("safe")
    assert publisher.publish(letters(topic, b"a")).acknowledged == [1]
    assert [record.value for record in kafka.messages(topic)] == [b"a"]
    publisher.close()
