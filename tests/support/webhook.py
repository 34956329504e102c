"""An incoming webhook on a real socket, as chat services have them: it keeps what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


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
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    made = Webhook(server.server_port)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.told.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            self.send_response(500 if "broken" in self.path else 200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server.RequestHandlerClass = Hook
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
