"""A small HTTP server on a real socket, which a test listens with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Heard = Callable[[str, Any, bytes], int]
"""Is given the path, the headers and the body of a POST; its result is the answer's status."""


@contextmanager
def listening(heard: Heard) -> Iterator[int]:
    """Take POSTs until the block ends; the port."""

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(heard(self.path, self.headers, body))
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
