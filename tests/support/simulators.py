"""A treasury and a platform of the test's own, on real sockets, and the connections to them."""

from __future__ import annotations

import base64
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from support.databases import as_worker

from ifms.clock import now, to_ist

if TYPE_CHECKING:
    from support.past import Past

    from ifms.platform.config import PlatformConfig
    from ifms.treasury.config import TreasuryConfig
    from ifms_simulator.store import Store

CLIENT_ID = "sample-client"
CLIENT_SECRET = "sample-secret"
LOG_KEY = base64.b64encode(bytes(range(32))).decode()
SIGNING_KEY = base64.b64encode(bytes(range(32, 64))).decode()


@dataclass(frozen=True)
class Simulators:
    """The base URLs of both, and the treasury's public key."""

    treasury: str
    platform: str
    public_key: str

    def treasury_config(self, **changes: Any) -> TreasuryConfig:
        """What a client of the treasury needs; `changes` by field name."""
        from ifms.treasury.config import TreasuryConfig

        given: dict[str, Any] = {
            "base_url": self.treasury,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "public_key": self.public_key,
            "log_key": LOG_KEY,
            "signing_key": SIGNING_KEY,
        }
        return TreasuryConfig(**given | changes)

    def platform_config(self, **changes: Any) -> PlatformConfig:
        """What a client of the platform needs; `changes` by field name."""
        from ifms.platform.config import PlatformConfig

        return PlatformConfig(**{"base_url": self.platform} | changes)

    def connections(self, **treasury: Any) -> dict[str, dict[str, Any]]:
        """The Airflow connections to both, by id; `treasury` is for the extra of the treasury's."""
        return {
            "ifms_treasury": {
                "conn_type": "ifms_treasury",
                "host": self.treasury,
                "login": CLIENT_ID,
                "password": CLIENT_SECRET,
                "extra": {"public_key": self.public_key, "log_key": LOG_KEY, "signing_key": SIGNING_KEY, **treasury},
            },
            "ifms_platform": {"conn_type": "ifms_platform", "host": self.platform},
        }

    def ask_treasury(self, method: str, path: str, body: Any = None) -> Any:
        """Call a control endpoint of the treasury (`"POST", "rules", {…}`)."""
        return _control(self.treasury, method, path, body)

    def ask_platform(self, method: str, path: str, body: Any = None) -> Any:
        """Call a control endpoint of the platform."""
        return _control(self.platform, method, path, body)


@pytest.fixture
def simulators(request: pytest.FixtureRequest, tmp_path: Path, past: Past | None) -> Iterator[Simulators]:
    """Both simulators, new; `@pytest.mark.simulators(platform={"cities": 3}, treasury={…})` gives options.

    With `after=` what that does has happened to them, and to the ledger (see `support.past`).
    """
    if past:
        past.put_files(tmp_path)
    with both(tmp_path, **options(request)) as running:
        yield running


def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a test's mark says of both simulators."""
    marker = request.node.get_closest_marker("simulators")
    return {name: value for name, value in marker.kwargs.items() if name != "after"} if marker else {}


@contextmanager
def both(
    folder: Path, treasury: dict[str, Any] | None = None, platform: dict[str, Any] | None = None
) -> Iterator[Simulators]:
    """Both simulators, new, with these options; their data in `folder`."""
    import ifms_simulator.platform
    import ifms_simulator.treasury
    from ifms_simulator.serve import running

    prepare(folder, platform or {})
    treasury_app = ifms_simulator.treasury.create_app(
        folder / "treasury.db", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, **(treasury or {})
    )
    platform_app = ifms_simulator.platform.create_app(folder / "platform.db", **(platform or {}))
    with running(treasury_app) as treasury_url, running(platform_app) as platform_url:
        key = _control(treasury_url, "GET", "public-key")["public_key"]
        yield Simulators(treasury_url, platform_url, key)


def prepare(folder: Path, platform: dict[str, Any]) -> None:
    """Put both state files into `folder`, unless they are there: as each simulator would make its own, at less cost.

    A key pair and 27 cities take longer than most tests; so they are made once a process, and each test has a copy.
    """
    for name, content in {
        "treasury.db": _treasury_state,
        "platform.db": partial(_platform_state, json.dumps(platform, sort_keys=True), to_ist(now()).date()),
    }.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(content())


@cache
def _treasury_state() -> bytes:
    """A treasury's state with its key pair, and nothing else yet."""
    from ifms_simulator.treasury.sessions import Sessions
    from ifms_simulator.treasury.state import State, TreasurySettings

    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder) / "state.db", TreasurySettings())
        Sessions(state, CLIENT_ID, CLIENT_SECRET)
        return _closed(state.store, Path(folder) / "state.db")


@cache
def _platform_state(options: str, today: date) -> bytes:
    """A platform's state with the sample that these options ask for, made on this day."""
    from ifms_simulator.platform.app import Platform
    from ifms_simulator.platform.state import PlatformSettings, State

    given = {"cities": 27, "bills_per_city": 3, "seed": 1} | json.loads(options)
    cities, bills, seed = (given.pop(name) for name in ("cities", "bills_per_city", "seed"))
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder) / "state.db", PlatformSettings(**given), seed)
        Platform(state, cities).sampler.fill(bills)
        return _closed(state.store, Path(folder) / "state.db")


def _closed(store: Store, path: Path) -> bytes:
    """The content of a store's file, which nobody needs any more."""
    store.close()
    return content(path)


def content(path: Path) -> bytes:
    """What is in a state file that no simulator works on."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.serialize()


@pytest.fixture
def airflow_connections(simulators: Simulators, ledger_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Simulators:
    """Both simulators and an empty ledger, as Airflow's connections ifms_treasury, ifms_platform and ifms_db."""
    ledger = urlsplit(as_worker(ledger_dsn))
    described = simulators.connections() | {
        "ifms_db": {
            "conn_type": "postgres",
            "host": ledger.hostname,
            "port": ledger.port,
            "login": ledger.username,
            "password": ledger.password,
            "schema": ledger.path.lstrip("/"),
        }
    }
    for name, connection in described.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    return simulators


def _control(address: str, method: str, path: str, body: Any = None) -> Any:
    reply = requests.request(method, f"{address}/control/{path}", json=body, timeout=60)
    assert reply.ok, f"{method} {path}: {reply.status_code} {reply.text}"
    return reply.json()
