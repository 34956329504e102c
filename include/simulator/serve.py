"""Serving a simulator: for a person or `make run` (blocking), and for tests (in a thread, on a free port)."""

from __future__ import annotations

import argparse
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

from simulator import platform, treasury
from simulator.faults import CONNECTION
from simulator.tls import Identity, identity_of

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
        app, host=host, port=port, http=_Protocol, ws="none", log_level="warning", access_log=False,
        server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=identity.certificate if identity else None, ssl_keyfile=identity.key if identity else None,
    )  # fmt: skip


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


def _common_arguments(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=port, help="port to listen on (default: %(default)s)")
    parser.add_argument("--state", type=Path, required=True, help="file that holds the state, made when missing")


def treasury_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ifms simulate treasury`."""
    _common_arguments(parser, 8091)
    parser.add_argument("--client-id", default="sample-client")
    parser.add_argument("--client-secret", default="sample-secret")
    parser.add_argument("--session-minutes", type=float, default=30, help="how long a login holds")
    parser.add_argument("--latency-ms", type=float, default=0, help="how late every reply is")
    parser.add_argument("--pace-seconds", type=float, default=0, help="how long each step of a bill takes")
    parser.add_argument("--repeated-pi", choices=("duplicate", "success"), default="duplicate")
    parser.add_argument("--unknown-bill", choices=("error", "empty"), default="error")
    parser.add_argument("--fd-reading", choices=("on", "since"), default="on")
    parser.add_argument(
        "--correction-list-key", choices=("either", "beneficiaryDetails", "beneficiaryDtls"), default="either"
    )
    parser.add_argument(
        "--https-name", metavar="HOST", help="serve TLS under this name, with a certificate of its own making"
    )
    parser.add_argument("--https-certificate", type=Path, help="where clients find the certificate to trust")
    parser.add_argument(
        "--allotment", action="append", metavar="RUPEES", help="an initial allotment of each SSU and head; repeatable"
    )


def run_treasury(args: argparse.Namespace) -> None:
    """Serve the treasury as the options say, until stopped."""
    given = {"allotment_initial": args.allotment} if args.allotment else {}
    app = treasury.create_app(
        args.state, client_id=args.client_id, client_secret=args.client_secret, session_minutes=args.session_minutes,
        latency_ms=args.latency_ms, pace_seconds=args.pace_seconds, repeated_pi=args.repeated_pi,
        unknown_bill=args.unknown_bill, fd_reading=args.fd_reading, correction_list_key=args.correction_list_key,
        **given,
    )  # fmt: skip
    identity = None
    if args.https_name:
        identity = identity_of(args.https_name, args.https_certificate or args.state.with_suffix(".pem"), args.state)
    run(app, args.host, args.port, identity)


def platform_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ifms simulate platform`."""
    _common_arguments(parser, 8092)
    parser.add_argument("--cities", type=int, default=27, help="how many of the 27 sample cities (default: all)")
    parser.add_argument("--bills-per-city", type=int, default=3, help="approved bills in each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other ids")
    parser.add_argument("--persist-ms", type=float, default=50, help="how late a written payment can be found")
    parser.add_argument("--latency-ms", type=float, default=0, help="how late every reply is")


def run_platform(args: argparse.Namespace) -> None:
    """Serve the platform as the options say, until stopped."""
    app = platform.create_app(
        args.state, cities=args.cities, bills_per_city=args.bills_per_city, seed=args.seed,
        persist_ms=args.persist_ms, latency_ms=args.latency_ms,
    )  # fmt: skip
    run(app, args.host, args.port)
