"""What `python -m ifms_deployment` is told by the environment, checked before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg.conninfo import make_conninfo

from ifms_deployment.errors import DeploymentError

POOL = "ifms_treasury"


@dataclass(frozen=True)
class Settings:
    """The database server's superuser, the passwords of the logins to make, and what the connections lead to."""

    host: str
    port: int
    superuser: str
    superuser_password: str = field(repr=False)
    airflow_password: str = field(repr=False)
    owner_password: str = field(repr=False)
    tasks_password: str = field(repr=False)
    reports_password: str = field(repr=False)
    pool_slots: int
    ca_file: str | None
    """Whose certificates the servers have; None: what they have is not looked at."""
    connections: Mapping[str, Mapping[str, object]] = field(repr=False)
    """By connection id: those that are made when they are missing, and then left to whoever edits them."""

    @classmethod
    def of(cls, environment: Mapping[str, str], public_key: str | None = None) -> Settings:
        """Read the environment; `public_key` is the treasury's where the environment has none.

        Raises DeploymentError that names what is missing or wrong, all of it at once.
        """
        read = _Reader(environment)
        made = cls(
            host=read.text("IFMS_POSTGRES_HOST", "postgres"),
            port=read.number("IFMS_POSTGRES_PORT", 5432),
            superuser=read.text("IFMS_POSTGRES_SUPERUSER", "postgres"),
            superuser_password=read.text("POSTGRES_PASSWORD"),
            airflow_password=read.text("AIRFLOW_DB_PASSWORD"),
            owner_password=read.text("IFMS_OWNER_PASSWORD"),
            tasks_password=read.text("IFMS_DB_PASSWORD"),
            reports_password=read.text("IFMS_REPORTS_PASSWORD"),
            pool_slots=read.number("IFMS_TREASURY_POOL_SLOTS", 8),
            ca_file=read.optional("IFMS_CA_FILE"),
            connections=_connections(read, public_key),
        )
        read.check()
        return made

    def dsn(self, user: str, password: str, database: str) -> str:
        """Where `user` finds `database`; with the password in it: don't log it."""
        options = {"user": user, "password": password, "dbname": database, **self._verified}
        return make_conninfo(host=self.host, port=self.port, **options)

    @property
    def ledger_connection(self) -> dict[str, object]:
        """The connection ifms_db."""
        return {
            "conn_type": "postgres",
            "host": self.host,
            "port": self.port,
            "login": "ifms_airflow",
            "password": self.tasks_password,
            "schema": "ifms",
            "extra": _json(self._verified),
        }

    @property
    def _verified(self) -> dict[str, str]:
        return {} if self.ca_file is None else {"sslmode": "verify-full", "sslrootcert": self.ca_file}


def treasury_url(environment: Mapping[str, str]) -> str | None:
    """Where to ask for the public key of a simulated treasury; None where it is given, or the treasury is real."""
    if environment.get("IFMS_TREASURY_PUBLIC_KEY") or environment.get("IFMS_SIMULATED") != "yes":
        return None
    return environment.get("IFMS_TREASURY_URL") or None


class _Reader:
    """Reads variables and remembers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._wrong: list[str] = []

    def optional(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None

    def text(self, name: str, default: str | None = None) -> str:
        value = self.optional(name) or default
        if value is None:
            self._wrong.append(f"{name} is missing")
        return value or ""

    def number(self, name: str, default: int) -> int:
        value = self.optional(name) or str(default)
        if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
            self._wrong.append(f"{name} is {value!r}, which is no number from 1 to 65535")
            return default
        return int(value)

    def rate(self, name: str) -> float | None:
        value = self.optional(name)
        try:
            return None if value is None else float(value)
        except ValueError:
            self._wrong.append(f"{name} is {value!r}, which is no number")
            return None

    def check(self) -> None:
        if self._wrong:
            raise DeploymentError("; ".join(self._wrong) + " (deploy/secrets.sh makes what is secret)")


def _connections(read: _Reader, public_key: str | None) -> dict[str, dict[str, object]]:
    extra = {
        "public_key": read.text("IFMS_TREASURY_PUBLIC_KEY", public_key),
        "log_key": read.text("IFMS_LOG_KEY"),
        "signing_key": read.text("IFMS_SIGNING_KEY"),
        "ca_bundle": read.optional("IFMS_TREASURY_CA_BUNDLE"),
        "calls_per_second": read.rate("IFMS_TREASURY_CALLS_PER_SECOND"),
    }
    made: dict[str, dict[str, object]] = {
        "ifms_treasury": {
            "conn_type": "ifms_treasury",
            "host": read.text("IFMS_TREASURY_URL"),
            "login": read.text("IFMS_TREASURY_CLIENT_ID"),
            "password": read.text("IFMS_TREASURY_CLIENT_SECRET"),
            "extra": _json(extra),
        },
        "ifms_platform": {"conn_type": "ifms_platform", "host": read.text("IFMS_PLATFORM_URL")},
    }
    ca_file = read.optional("IFMS_CA_FILE")
    if (host := read.optional("IFMS_ELASTICSEARCH_HOST")) is not None:
        made["ifms_elasticsearch"] = {
            "conn_type": "elasticsearch",
            "host": host,
            "port": 9200,
            "schema": "http" if ca_file is None else "https",
            "login": "elastic",
            "password": read.text("ELASTIC_PASSWORD"),
            "extra": _json({"ca_certs": ca_file}),
        }
    if (brokers := read.optional("IFMS_KAFKA_BROKERS")) is not None:
        made["ifms_kafka"] = {
            "conn_type": "kafka",
            "extra": _json({"bootstrap.servers": brokers, "group.id": "ifms", **_kafka_login(read, ca_file)}),
        }
    return made


def _kafka_login(read: _Reader, ca_file: str | None) -> dict[str, object]:
    if ca_file is None:
        return {}
    return {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": ca_file,
        "sasl.mechanism": "PLAIN",
        "sasl.username": "ifms",
        "sasl.password": read.text("KAFKA_PASSWORD"),
    }


def _json(extra: Mapping[str, object]) -> str:
    return json.dumps({name: value for name, value in extra.items() if value is not None})
