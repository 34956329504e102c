"""A real Elasticsearch for tests: one node per test process, started when the first test asks for it.

Its settings are those of docker-compose.yaml, without security's, for which there are not all jars.

Where there can be none, its tests are skipped with a sentence; in CI they fail instead.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import compose
from support.elasticsearch.server import Node, UnavailableError, running

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


@dataclass
class SearchEngine:
    """The node, and a client that waits as long as the adapter's does."""

    node: Node
    client: Elasticsearch

    def documents(self, index: str) -> list[dict[str, Any]]:
        """All documents of an index, as they are kept."""
        self.client.indices.refresh(index=index, ignore_unavailable=True)
        found = self.client.search(index=index, size=10_000, ignore_unavailable=True)
        return [hit["_source"] for hit in found["hits"]["hits"]]

    def connection(self, **extra: Any) -> dict[str, Any]:
        """It as an Airflow connection."""
        return {
            "conn_type": "elasticsearch",
            "host": "127.0.0.1",
            "port": self.node.port,
            "schema": "http",
            "extra": extra,
        }

    def block_writes(self, index: str, *, blocked: bool = True) -> None:
        """Make an index read-only, as a full disk does."""
        self.client.indices.put_settings(index=index, settings={"index.blocks.read_only_allow_delete": blocked or None})

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it hang: connections are taken, nothing is answered."""
        self.node.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.node.process.send_signal(signal.SIGCONT)


def settings() -> dict[str, str]:
    """The settings of docker-compose.yaml that a node without security takes."""
    environment = compose.written()["services"]["elasticsearch"]["environment"]
    return {
        name: value for name, value in environment.items() if "." in name and not name.startswith("xpack.security.")
    }


@pytest.fixture(scope="session")
def _node() -> Iterator[Node]:
    yield from _running(9)


@pytest.fixture(scope="module")
def elasticsearch_8() -> Iterator[Node]:
    """A running Elasticsearch of the major version before the client's; its indexes stay for the module."""
    yield from _running(8)


def _running(major: int) -> Iterator[Node]:
    try:
        with running(settings(), major=major) as node:
            yield node
    except UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture
def elasticsearch(_node: Node) -> Iterator[SearchEngine]:
    """A running Elasticsearch with nothing in it."""
    from elasticsearch import Elasticsearch

    with Elasticsearch(_node.url, request_timeout=60, max_retries=0) as client:
        if kept := list(client.indices.get(index="*")):
            client.indices.delete(index=kept)
        for template in client.indices.get_index_template()["index_templates"]:
            client.indices.delete_index_template(name=template["name"])
        yield SearchEngine(_node, client)
