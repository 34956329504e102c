"""A TCP proxy before PostgreSQL that cuts a connection at its COMMIT."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

LATE_SECONDS = 0.3

Cut = Literal["answer lost", "never arrived", "arrives late"]


class Proxy:
    """Passes everything on; once armed, cuts the next COMMIT of a transaction that says `marker`.

    "answer lost": the server has committed, its answer is not passed on. "never arrived": the COMMIT is not passed on.
    "arrives late": the client is cut off first, the server hears the COMMIT a little later.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.cuts = 0
        self._target = target
        self._armed: tuple[Cut, bytes] | None = None
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    def cut(self, how: Cut, marker: str) -> None:
        """Arm it, once."""
        self._armed = (how, marker.encode())

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(client, server), daemon=True, name="proxy").start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        back = _Back(server, client)
        threading.Thread(target=back.run, daemon=True, name="proxy").start()
        said = b""
        with suppress(OSError):
            while data := client.recv(65536):
                said += data
                how = self._cuts(said) if b"COMMIT\0" in data else None
                if how is not None:
                    self._cut(how, client, server, back, data)
                    break
                server.sendall(data)
                if b"COMMIT\0" in data:
                    said = b""
        _end(server)
        _end(client)

    def _cuts(self, said: bytes) -> Cut | None:
        with self._lock:
            if self._armed is None or self._armed[1] not in said:
                return None
            how, self._armed = self._armed[0], None
            self.cuts += 1
            return how

    def _cut(self, how: Cut, client: socket.socket, server: socket.socket, back: _Back, data: bytes) -> None:
        if how == "answer lost":
            back.swallow.set()
            server.sendall(data)
            assert back.committed.wait(30), "the server did not answer the COMMIT"
        elif how == "arrives late":
            _end(client)
            time.sleep(LATE_SECONDS)
            server.sendall(data)
            assert back.committed.wait(30), "the server did not answer the COMMIT"


class _Back:
    """The server's half of a connection."""

    def __init__(self, server: socket.socket, client: socket.socket) -> None:
        self.swallow = threading.Event()
        self.committed = threading.Event()
        self._server = server
        self._client = client

    def run(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65536):
                if b"COMMIT\0" in data:
                    self.committed.set()
                if not self.swallow.is_set():
                    with suppress(OSError):
                        self._client.sendall(data)
        _end(self._client)


@contextmanager
def before(dsn: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the server of `dsn`, and the DSN of the way through it."""
    address = urlsplit(dsn)
    assert address.hostname
    assert address.port
    proxy = Proxy((address.hostname, address.port))
    through = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{proxy.port}"))
    try:
        yield proxy, urlunsplit(through)
    finally:
        proxy.close()


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
