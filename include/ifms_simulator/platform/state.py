"""What the simulated platform keeps, the settings it runs under, and how late its writes can be found."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ifms_simulator.settings import Settings
from ifms_simulator.store import Store, dump, load

STATE_TENANT = "od"

SCHEMA = """
CREATE TABLE IF NOT EXISTS master (tenant TEXT, name TEXT, document TEXT, PRIMARY KEY (tenant, name));
CREATE TABLE IF NOT EXISTS bill (
    id TEXT PRIMARY KEY, tenant TEXT, number TEXT UNIQUE, service TEXT, reference TEXT, status TEXT,
    payment_status TEXT, workflow TEXT, created INTEGER, origin TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS bill_of ON bill (tenant, id);
CREATE TABLE IF NOT EXISTS payment (
    id TEXT PRIMARY KEY, tenant TEXT, number TEXT UNIQUE, status TEXT, reference_status TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS payment_of ON payment (tenant, id);
CREATE TABLE IF NOT EXISTS paid_bill (bill TEXT, payment TEXT, PRIMARY KEY (bill, payment));
CREATE TABLE IF NOT EXISTS topic (id INTEGER PRIMARY KEY, due REAL, kind TEXT, document TEXT);
CREATE TABLE IF NOT EXISTS account (
    id TEXT PRIMARY KEY, tenant TEXT, reference TEXT, service TEXT, modified INTEGER, shown TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS account_of ON account (tenant, reference);
CREATE TABLE IF NOT EXISTS individual (id TEXT PRIMARY KEY, tenant TEXT, deleted INTEGER, document TEXT);
CREATE TABLE IF NOT EXISTS organisation (id TEXT PRIMARY KEY, tenant TEXT, mobile TEXT, document TEXT);
CREATE TABLE IF NOT EXISTS audit (id TEXT PRIMARY KEY, tenant TEXT, object TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS audit_of ON audit (tenant, object);
"""
"""`topic` holds writes that are on their way: the services answer first and persist later, as over Kafka."""

_NAMES = uuid.UUID("6f1d5a52-5f37-4d0b-9a39-0f6f7f1c0002")


@dataclass
class PlatformSettings:
    """How the platform behaves.

    `persist_ms`: how long a written payment can't be found. `latency_ms`: how late every reply is.
    `clock_offset_seconds`: added to the platform's clock. `system_user_roles`: what IFMS_CRONJOB holds. `user_tokens`:
    who is logged in, by token: uuid, userName, active, and roles with their code and tenantId.
    """

    persist_ms: float = 50
    latency_ms: float = 0
    clock_offset_seconds: float = 0
    system_user_roles: Sequence[str] = ("BILL_ACCOUNTANT", "SYSTEM")
    user_tokens: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("persist_ms", "latency_ms"):
            if float(getattr(self, name)) < 0:
                raise ValueError(f"{name} is less than zero")
        float(self.clock_offset_seconds)
        if not all(isinstance(user, Mapping) for user in self.user_tokens.values()):
            raise ValueError("user_tokens has something else than users")
        self.system_user_roles = tuple(self.system_user_roles)


class State:
    """The platform's store with its settings, its clock and its topics."""

    def __init__(self, path: Path, settings: PlatformSettings, seed: int) -> None:
        self.store = Store(path, SCHEMA)
        self._settings = Settings(self.store, settings)
        self._seed = seed

    @property
    def settings(self) -> PlatformSettings:
        """The settings in force."""
        return self._settings.now

    def change_settings(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change some settings, for good; all are returned. Raises ValueError for what can't be."""
        return self._settings.change(changes) if changes else self._settings.values()

    def now(self) -> float:
        """The platform's time, in epoch seconds."""
        return time.time() + float(self.settings.clock_offset_seconds)

    def now_ms(self) -> int:
        """The platform's time, in epoch milliseconds."""
        return int(self.now() * 1000)

    def new_id(self, kind: str) -> str:
        """A UUID that depends on nothing but the seed and how many were made."""
        return str(uuid.uuid5(_NAMES, f"{self._seed}/{kind}/{self.store.count(f'ids:{kind}')}"))

    def send(self, kind: str, document: object) -> None:
        """Put a write on its way."""
        due = time.time() + float(self.settings.persist_ms) / 1000
        self.store.run("INSERT INTO topic (due, kind, document) VALUES (?, ?, ?)", due, kind, dump(document))

    def arrived(self) -> list[tuple[str, Any]]:
        """The writes that are due, in the order in which they were sent; they are taken off."""
        now = time.time()
        rows = self.store.rows("SELECT id, kind, document FROM topic WHERE due <= ? ORDER BY id", now)
        if rows:
            self.store.run_many("DELETE FROM topic WHERE id = ?", [(row["id"],) for row in rows])
        return [(row["kind"], load(row["document"])) for row in rows]
