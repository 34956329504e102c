"""What Airflow reads when it is imported: set once per process, before any test module is."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
ASKED = {"IFMS_SEEDS", "IFMS_TEST_SEED"}  # what is for the tests themselves, in each of xdist's processes
RIGHTS = "; ".join(
    [
        "user:admin = *:act",  # of `make run`
        "role:Viewer = *:read *:accounts",
        "role:User = *:act",
        "role:Op = *:act",
        "user:dag_test = *:act",  # who starts a run in `DAG.test`
        "user:test = *:act",
    ]
)
"""IFMS_RIGHTS of a test that says nothing else: Airflow's roles as if there were one city."""
SEEDS = int(os.environ.get("IFMS_SEEDS", "12"))
"""How many seeds the simulation of faults runs; read before this process's own settings are forgotten."""


@dataclass(frozen=True)
class Environment:
    """This process's folder for Airflow and the address that its PostgreSQL will have."""

    home: Path
    port: int
    password: str
    _reservation: socket.socket

    def release_port(self) -> None:
        """Let go of the port, for PostgreSQL to take: until then nobody else can be given it."""
        self._reservation.close()

    def remove(self) -> None:
        """Close what is open and remove the folder."""
        self.release_port()
        shutil.rmtree(self.home, ignore_errors=True)


def prepare() -> Environment:
    """Point Airflow at a folder and a database of this process's own, and forget the developer's own settings.

    The database's address has to be known now, because Airflow reads it on import, but nothing is started: a test that
    needs no database never pays for one.
    """
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "IFMS_")) and name not in ASKED]:
        del os.environ[name]
    # The suite starts some hundred Pythons, and each would compile Airflow anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    reservation = socket.socket()
    reservation.bind(("127.0.0.1", 0))
    home = Path(tempfile.mkdtemp(prefix="ifms-airflow-"))
    environment = Environment(home, reservation.getsockname()[1], secrets.token_hex(8), reservation)
    os.environ |= {
        "IFMS_ALLOWED_HOSTS": "treasury.example digit.test expense es.example",  # of sample connections
        "IFMS_PLATFORM_HTTP_HOSTS": "127.0.0.1",  # where simulators are
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPO / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "IFMS_RIGHTS": RIGHTS,
        "IFMS_SECOND_PERSON": "none",  # of ledgers made here: tests of the second person say otherwise
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
            f"postgresql+psycopg2://postgres:{environment.password}@127.0.0.1:{environment.port}/airflow"
        ),
    }
    return environment
