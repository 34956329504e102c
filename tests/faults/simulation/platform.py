"""The platform in this process: the simulator's own services, without a socket between.

`PlatformLine` stands in for `ifms.platform.transport.Transport`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from faults.simulation.process import Process
from faults.simulation.world import World

from ifms.errors import PlatformRefusedError, PlatformReplyError, PlatformUnavailableError
from ifms.platform.config import PlatformConfig
from ifms.strict_json import decode, encode
from ifms_simulator.platform.app import Platform
from ifms_simulator.platform.envelope import Call, ServiceError
from ifms_simulator.platform.state import PlatformSettings, State
from ifms_simulator.store import dump, dump_bytes, load

FAULTS = {"down": 5, "lost reply": 4, "refused": 3, "garbage": 1}


class _State(State):
    """Writes arrive when the world's clock says so, and the seed decides how late that is."""

    world: World

    def send(self, kind: str, document: object) -> None:
        # A claim on a bill lasts ten minutes: the platform stores what it has announced within that.
        late = self.world.choose((0, 0, 60, 400)) if self.world.chance(1) else 0
        # In the order in which they were sent, as through one partition of Kafka.
        row = self.store.row("SELECT max(due) AS last FROM topic")
        due = max(self.world.clock.time() + late, (row["last"] if row else None) or 0)
        self.store.run("INSERT INTO topic (due, kind, document) VALUES (?, ?, ?)", due, kind, dump(document))

    def arrived(self) -> list[tuple[str, Any]]:
        now = self.world.clock.time()
        rows = self.store.rows("SELECT id, kind, document FROM topic WHERE due <= ? ORDER BY id", now)
        if rows:
            self.store.run_many("DELETE FROM topic WHERE id = ?", [(row["id"],) for row in rows])
        return [(row["kind"], load(row["document"])) for row in rows]


@dataclass
class Town:
    """The platform, and its services by path."""

    world: World
    platform: Platform

    @classmethod
    def open(cls, world: World, cities: int) -> Town:
        """A platform without any bill."""
        state = _State(Path(":memory:"), PlatformSettings(persist_ms=0), seed=1)
        state.world = world
        platform = Platform(state, cities)
        platform.sampler.fill(0)
        return cls(world, platform)

    def __post_init__(self) -> None:
        self.by_path = {path: (name, status, work) for name, (path, status, work) in self.platform.services.items()}


class PlatformLine:
    """One client's way to the platform."""

    town: Town

    def __init__(self, config: PlatformConfig) -> None:
        assert Process.current is not None
        self._process = Process.current
        self._world = self._process.world
        self._config = config

    def close(self) -> None:
        """Nothing is open."""

    def call(self, service: str, tenant_id: str, body: object, query: Mapping[str, object] | None = None) -> object:
        """The reply. Raises the PlatformErrors that the real one raises, or Killed."""
        where = f"{service} for {tenant_id}"
        process, fault = self._process, ""
        process.seam(f"before a call of {service}")
        if self._world.chance(process.platform_level):
            fault = self._world.weighted(FAULTS)
            self._world.fault(f"platform: {fault}")
        self._world.event(f"{process.name}: platform {where}{f': {fault}' if fault else ''}")
        try:
            return self._carry(fault, service, where, encode(body), query)
        finally:
            process.seam(f"after a call of {service}")

    def _carry(self, fault: str, service: str, where: str, body: bytes, query: Mapping[str, object] | None) -> object:
        if fault == "down":
            raise PlatformUnavailableError(f"{where}: HTTP 503")
        if fault == "refused":
            raise PlatformRefusedError(f"{where}: HTTP 400: SAMPLE_ERROR", ("SAMPLE_ERROR",))
        reply = self._answer(service, where, body, query)
        if fault == "lost reply":
            raise PlatformUnavailableError(f"{where}: no whole answer, deadline 30 s (ConnectionError)")
        if fault == "garbage":
            raise PlatformReplyError(f"{where}: HTTP 200 with a body that is not JSON")
        return decode(reply)

    def _answer(self, service: str, where: str, body: bytes, query: Mapping[str, object] | None) -> bytes:
        platform = self.town.platform
        platform.arrive()
        _, _, work = self.town.by_path[urlsplit(self._config.url(service)).path]
        asked = {name: str(value) for name, value in (query or {}).items()}
        try:
            with platform.state.store.transaction():
                return dump_bytes(work(Call(load(body), asked)))
        except ServiceError as error:
            codes = tuple(code for code, _ in error.errors)
            raise PlatformRefusedError(f"{where}: HTTP {error.status}: {error}", codes) from None
