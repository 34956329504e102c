"""The Kafka of docker-compose.yaml, set up by the image's own program from the file's environment, and run."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import compose
from support.broker import PATIENCE_SECONDS, Kafka, needed
from support.jars import free_port
from support.kafka.server import Broker, as_the_image, run

from ifms_deployment.settings import Settings

pytestmark = pytest.mark.tier("prove")  # a Kafka of its own, started by what the image is told

DATA = "/var/lib/kafka/data"
HEALTH = "/opt/kafka/bin/kafka-broker-api-versions.sh"
HEALTH_CLASS = "org.apache.kafka.tools.BrokerApiVersionsCommand"  # what that script runs
GROUP = "sample-group"


@pytest.fixture
def services(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The services, with secrets that deploy/secrets.sh has made."""
    return compose.services(compose.secrets(tmp_path, "--simulators"))


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker that is not set up yet."""
    made = Broker(free_port(), free_port(), Path(tempfile.mkdtemp(prefix="ifms-compose-kafka-")))
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.work, ignore_errors=True)


def heard(broker: Broker, topic: str) -> list[bytes | None]:
    """What the group hears, and has heard from then on."""
    from confluent_kafka import Consumer

    ours = {"group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": broker.servers, "log_level": 0, **ours})
    try:
        consumer.subscribe([topic])
        messages = consumer.consume(1, PATIENCE_SECONDS)
        assert [message.error() for message in messages] == [None] * len(messages)
        consumer.commit(asynchronous=False)
        return [message.value() for message in messages]
    finally:
        consumer.close()


def marked(clients: Kafka, topic: str) -> Sequence[int]:
    """Up to where the group has heard it, once the broker has read that again."""
    from confluent_kafka import KafkaException

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return clients.committed(GROUP, topic)
        except KafkaException:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def only_by_tls_and_password(port: int, services: dict[str, dict[str, Any]], ca: Path) -> None:
    """The connection that init makes gets in; without its password, its authority or TLS, or by another name, nobody."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    told = {name: str(value) for name, value in services["init"]["environment"].items()} | {"IFMS_CA_FILE": str(ca)}
    made = json.loads(str(Settings.of(told, "sample").connections["ifms_kafka"]["extra"]))
    ours = made | {"bootstrap.servers": f"localhost:{port}", "log_level": 0}
    assert AdminClient(ours).list_topics(timeout=PATIENCE_SECONDS).brokers
    without_authority = {name: value for name, value in ours.items() if name != "ssl.ca.location"}
    for refused in (
        ours | {"sasl.password": "another"},
        without_authority,
        ours | {"bootstrap.servers": f"127.0.0.1:{port}"},
        {"bootstrap.servers": f"localhost:{port}", "log_level": 0},
    ):
        with pytest.raises(KafkaException):
            AdminClient(refused).list_topics(timeout=5)


def known_settings(broker: Broker) -> dict[str, str | None]:
    """The settings that the running broker has and knows: what it does not know it calls secret."""
    from confluent_kafka.admin import AdminClient, ConfigResource

    client = AdminClient({"bootstrap.servers": broker.servers, "log_level": 0})
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")
    told = client.describe_configs([resource])[resource].result(PATIENCE_SECONDS)
    return {name: entry.value for name, entry in told.items() if not entry.is_sensitive}


def test_it_is_where_the_adapter_looks_and_keeps_its_data_in_the_volume(services):
    environment = services["kafka"]["environment"]
    brokers = services["init"]["environment"]["IFMS_KAFKA_BROKERS"]
    assert environment["KAFKA_ADVERTISED_LISTENERS"] == f"CLIENTS://{brokers},WITHIN://localhost:9094"
    assert services["kafka"]["volumes"][0] == f"kafka:{environment['KAFKA_LOG_DIRS']}"
    assert environment["KAFKA_LOG_DIRS"] == DATA


def test_it_starts_as_it_is_told_is_well_and_keeps_messages_and_what_was_heard(services, broker, tmp_path):
    # Other ports, a name that resolves here, and a folder that is here; all else as it is written.
    environment = services["kafka"]["environment"]
    written = json.dumps(environment)
    within = free_port()
    tls = tmp_path / "server.pem"  # as the service certificates puts it together
    tls.write_text("".join((tmp_path / f"certificates/kafka.{part}").read_text() for part in ("key", "crt")))
    here = {
        "//kafka:": "//localhost:",
        ":9092": f":{broker.port}",
        ":9093": f":{broker.controller}",
        ":9094": f":{within}",
        "/tls/server.pem": str(tls),
    }
    for there, instead in {**here, DATA: str(broker.work / "data")}.items():
        assert there in written
        written = written.replace(there, instead)
    ours = json.loads(written)
    _, check = services["kafka"]["healthcheck"]["test"]
    heap, script, *arguments = check.removesuffix(" >/dev/null").replace(":9094", f":{within}").split()
    assert (heap, script) == ("KAFKA_HEAP_OPTS=-Xmx96m", HEALTH)
    # Clients of the tests come from within; the adapter's, as it is told to, from outside.
    clients = Kafka(replace(broker, port=within), "sample")
    outside = broker.port
    broker.port = within

    with needed():
        as_the_image(broker, ours)
    lines = (broker.work / "server.properties").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line)
    assert len(settings) == len(environment) - 2, "all of them but the cluster's id and the heap"
    listener = {name for name in settings if name.startswith("listener.name.")}
    known = known_settings(broker)
    assert {name: value for name, value in settings.items() if name not in listener}.items() <= known.items()
    only_by_tls_and_password(outside, services, tmp_path / "certificates/ca.pem")
    assert f"cluster.id={environment['CLUSTER_ID']}\n" in (broker.work / "data/meta.properties").read_text()
    assert run(HEALTH_CLASS, *arguments).returncode == 0
    clients.send("sample-topic", "first")  # which makes the topic
    assert heard(broker, "sample-topic") == [b"first"]

    broker.end()
    assert run(HEALTH_CLASS, *arguments).returncode != 0
    as_the_image(broker, ours)
    clients.send("sample-topic", "second")
    assert marked(clients, "sample-topic") == [1], "what the group has heard is forgotten"
    assert [message.value for message in clients.messages("sample-topic")] == [b"first", b"second"]
