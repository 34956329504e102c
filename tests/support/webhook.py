"""An incoming webhook on a real socket, as chat services have them: it keeps what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.listener import listening


@dataclass
class Webhook:
    """What it was told, as (path, token, body), and where it is."""

    port: int
    told: list[tuple[str, str | None, Any]] = field(default_factory=list)

    def connection(self, path: str = "hooks/1", **more: Any) -> dict[str, Any]:
        """It as an Airflow connection."""
        where = {"conn_type": "http", "host": "127.0.0.1", "schema": "http", "port": self.port}
        return {**where, "extra": json.dumps({"path": path}), **more}

    def texts(self) -> list[str]:
        """The sentences."""
        return [body["text"] for _, _, body in self.told]


@contextmanager
def webhook() -> Iterator[Webhook]:
    """One until the block ends; under a path with `broken` in it, it answers with an error."""
    made = Webhook(0)

    def heard(path: str, headers: Any, body: bytes) -> int:
        made.told.append((path, headers.get("Authorization"), json.loads(body)))
        return 500 if "broken" in path else 200

    with listening(heard) as made.port:
        yield made
