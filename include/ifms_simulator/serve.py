"""Serving a simulator: for a person or `make run` (blocking), and for tests (in a thread, on a free port)."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ifms_simulator.faults import CONNECTION
from ifms_simulator.platform import create_app as make_platform
from ifms_simulator.tls import Identity, identity_of
from ifms_simulator.treasury import create_app as make_treasury

_GRACE_SECONDS = 1
"""How long calls that are under way may still take when the server ends."""


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, handing the connection on to the replies that break HTTP on purpose."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {CONNECTION: self.transport}
        self.scope["extensions"] = extensions


class _Threaded(uvicorn.Server):
    """A server that a test ends from another thread: at once, where uvicorn looks ten times a second whether it should.

    A thousand tests start two of them each.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def end(self) -> None:
        """Let it end; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # its loop is closed: it has ended by itself
                self._loop.call_soon_threadsafe(self._ended.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and know the loop to be ended."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Serve until the end."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let calls that are under way have a second to end, as uvicorn does, and wait no longer than they need."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        deadline = time.monotonic() + _GRACE_SECONDS
        while (self.server_state.connections or self.server_state.tasks) and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


def _config(app: Starlette, host: str, port: int, identity: Identity | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_Protocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=identity.certificate if identity else None,
        ssl_keyfile=identity.key if identity else None,
    )


def run(app: Starlette, host: str, port: int, identity: Identity | None = None) -> None:
    """Serve `app` until SIGINT or SIGTERM, with an identity over TLS. Raises OSError when the port can't be had."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        uvicorn.Server(_config(app, host, port, identity)).run(sockets=[listener])


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Serve `app` in a thread on a free loopback port; gives the base URL, without a slash at its end."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = _Threaded(_config(app, "127.0.0.1", port))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="simulator")
        thread.start()
        try:
            deadline = time.monotonic() + 30
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise RuntimeError("the simulator did not start")
                time.sleep(0.005)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.end()
            thread.join(timeout=10)


def treasury(
    state: Path,
    host: str,
    port: int,
    https_name: str | None = None,
    https_certificate: Path | None = None,
    **settings: Any,
) -> None:
    """Serve a treasury until stopped, with a name over TLS; `settings` are those of `treasury.create_app`."""
    app = make_treasury(state, **settings)
    identity = None
    if https_name:
        identity = identity_of(https_name, https_certificate or state.with_suffix(".pem"), state)
    run(app, host, port, identity)


def platform(state: Path, host: str, port: int, **settings: Any) -> None:
    """Serve a platform until stopped; `settings` as `ifms_simulator.platform.create_app` has them."""
    run(make_platform(state, **settings), host, port)
