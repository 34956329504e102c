"""`python -m ifms_deployment`: make an installation ready for Airflow; the init service of docker-compose.yaml.

Roles and databases, the ledger's schema, Airflow's, the treasury's pool, the connections. Run again it brings all of it
to this version and leaves alone what people have edited; run twice at once, one waits for the other. It makes no login:
whoever installs does, by Airflow's own command, which asks for the password.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping

import psycopg
import requests

from ifms.errors import IfmsError
from ifms.ledger.migrate import migrate
from ifms.ledger.session import alone, connect
from ifms_deployment.errors import DeploymentError
from ifms_deployment.roles import LEDGER, OWNER, make_roles
from ifms_deployment.settings import POOL, Settings, treasury_url

_ONE_AT_A_TIME = 4937002  # an advisory lock
_SERVER_SECONDS = 120.0


def main() -> int:
    """Do it; 0, or 1 with a sentence."""
    try:
        initialise(os.environ)
    except (DeploymentError, IfmsError, psycopg.Error, OSError) as error:
        print(f"deployment: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def initialise(environment: Mapping[str, str]) -> None:
    """Make all ready as the environment says. Raises DeploymentError, psycopg.Error, OSError."""
    settings = Settings.of(environment, _public_key(environment))
    # First of all, for it waits for the server.
    with _connected(settings) as connection, alone(_superuser(settings), _ONE_AT_A_TIME, "init", _say):
        _say("roles and databases")
        make_roles(connection, settings)
        _say("the ledger's schema")
        left_to_do = migrate(settings.dsn(OWNER, settings.owner_password, LEDGER), _say)
        if left_to_do:
            raise DeploymentError("; ".join(left_to_do))
        _say("Airflow's schema, pool and connections")
        _prepare_airflow(settings, environment)
    _say("ready")


def _prepare_airflow(settings: Settings, environment: Mapping[str, str]) -> None:
    """Run ifms_airflow.bootstrap, which knows Airflow. Raises DeploymentError with its last words when it fails."""
    order = {
        "pools": {POOL: {"slots": settings.pool_slots, "description": "Treasury sweeps at a time"}},
        "ours": {"ifms_db": settings.ledger_connection},
        "theirs": settings.connections,
    }
    # Through stdin: a list of processes would show what is secret in it.
    done = subprocess.run(
        [sys.executable, "-m", "ifms_airflow.bootstrap"],
        input=json.dumps(order),
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"exit code {done.returncode}"]
        raise DeploymentError(f"Airflow could not be made ready: {lines[-1]}")


def _connected(settings: Settings) -> psycopg.Connection:
    """The superuser's connection; a server that has just been started is waited for."""
    deadline = time.monotonic() + _SERVER_SECONDS
    while True:
        try:
            return connect(_superuser(settings), autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


def _superuser(settings: Settings) -> str:
    return settings.dsn(settings.superuser, settings.superuser_password, "postgres")


def _public_key(environment: Mapping[str, str]) -> str | None:
    """The public key of a simulated treasury, asked of it where the environment has none."""
    url = treasury_url(environment)
    if url is None:
        return None
    try:
        reply = requests.get(
            f"{url}/control/public-key", timeout=30, verify=environment.get("IFMS_TREASURY_CA_BUNDLE") or True
        )
        reply.raise_for_status()
        key: str = reply.json()["public_key"]
    except (requests.RequestException, ValueError, KeyError) as error:
        raise DeploymentError(
            f"the simulated treasury at {url} does not tell its public key ({type(error).__name__}): is it up? "
            "For a real one, write IFMS_TREASURY_PUBLIC_KEY into .env and no IFMS_SIMULATED"
        ) from None
    return key


def _say(what: str) -> None:
    print(f"deployment: {what}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
