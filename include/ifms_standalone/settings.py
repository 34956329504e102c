"""Where `make run` keeps its things, on which ports it serves, and the secrets that it makes for itself."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from ifms_standalone.errors import StandaloneError
from ifms_standalone.postgres import LOOPBACK

REPOSITORY = Path(__file__).resolve().parents[2]

NEEDED_DISK_MB = 500
NEEDED_MEMORY_MB = 1600
"""Measured: all processes of a run together hold 1,550 MB at most."""


@dataclass(frozen=True)
class Ports:
    """The TCP ports on 127.0.0.1, each with the environment variable that changes it."""

    airflow: int = 8080
    postgres: int = 5433
    treasury: int = 8091
    platform: int = 8092

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Ports:
        """Read IFMS_PORT_AIRFLOW, _POSTGRES, _TREASURY and _PLATFORM.

        Raises StandaloneError for one that is no port, or the same port twice.
        """
        ports: dict[str, int] = {}
        for name, default in asdict(cls()).items():
            given = environment.get(_variable(name), str(default))
            if not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
                raise StandaloneError(f"{_variable(name)} is {given!r}, which is no port number (1 to 65535).")
            if int(given) in ports.values():
                other = next(other for other, port in ports.items() if port == int(given))
                raise StandaloneError(f"{_variable(other)} and {_variable(name)} are both {given}; set another.")
            ports[name] = int(given)
        return cls(**ports)

    def check_free(self) -> None:
        """Raise StandaloneError if something listens on one of them."""
        for name, port in asdict(self).items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last run's closed connections
                try:
                    probe.bind((LOOPBACK, port))
                except OSError as error:
                    raise StandaloneError(
                        f"Port {port} ({name}) can't be used: {error.strerror}; set {_variable(name)} to another one."
                    ) from error


def _variable(name: str) -> str:
    return f"IFMS_PORT_{name.upper()}"


@dataclass(frozen=True)
class Secrets:
    """Keys and passwords of this installation, made once and kept with its data: without them the data are lost."""

    postgres_password: str = field(repr=False)
    admin_password: str = field(repr=False)
    fernet_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    log_key: str = field(repr=False)
    """32 bytes in base64: seals the secrets in the log of treasury calls."""
    signing_key: str = field(repr=False)
    """32 bytes in base64: signs payment instructions."""

    @classmethod
    def kept_in(cls, file: Path) -> Secrets:
        """Read the secrets, or make them and write them where only the owner can read them.

        Raises StandaloneError for a file that can't be read or is damaged.
        """
        try:
            if not file.exists():
                made = cls._made()
                with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
                    json.dump(asdict(made), target, indent=1)
                return made
            return cls(**json.loads(file.read_text()))
        except OSError as error:
            raise StandaloneError(f"The secrets in {file} can't be read or written: {error.strerror}.") from error
        except (ValueError, TypeError) as error:
            raise StandaloneError(
                f"The secrets in {file} are damaged; restore them, or remove {file.parent} to begin anew."
            ) from error

    @classmethod
    def _made(cls) -> Secrets:
        return cls(
            postgres_password=secrets.token_urlsafe(24),
            admin_password=secrets.token_urlsafe(9),
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            api_secret=secrets.token_urlsafe(32),
            jwt_secret=secrets.token_urlsafe(48),
            log_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            signing_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        )


@dataclass(frozen=True)
class Folder:
    """What a run leaves behind, all below one folder of the repository."""

    root: Path = REPOSITORY / ".run"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data."""
        return self.root / "postgres"

    @property
    def simulators(self) -> Path:
        """What the simulated treasury and platform remember."""
        return self.root / "simulators"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        """One log file per process, and Airflow's task logs."""
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        """The record of what runs, by which the next run finds what a killed one has left."""
        return self.root / "processes.json"

    def first_day(self, today: date) -> date:
        """Tell on which day the first run was here: `today` if it is this one. Raises StandaloneError."""
        file = self.root / "first-day"
        try:
            if not file.exists():
                file.write_text(f"{today}\n")
            return date.fromisoformat(file.read_text().strip())
        except (OSError, ValueError) as error:
            raise StandaloneError(f"The day of the first run in {file} can't be read or written: {error}.") from error

    @property
    def secrets(self) -> Path:
        """The file of `Secrets`."""
        return self.root / "secrets.json"

    def make(self) -> None:
        """Make the folders. Raises StandaloneError if that can't be done."""
        try:
            # Open enough to pass through: PostgreSQL may have to run as another user (postgres.py).
            self.root.mkdir(mode=0o711, exist_ok=True)
            for folder in (self.simulators, self.airflow, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StandaloneError(f"{self.root} can't be made or written: {error.strerror}.") from error


def check_machine(folder: Path) -> None:
    """Raise StandaloneError if there is too little disk or memory to begin with."""
    free = shutil.disk_usage(folder).free // 2**20
    if free < NEEDED_DISK_MB:
        raise StandaloneError(f"Only {free} MB are free on the disk of {folder}; {NEEDED_DISK_MB} MB are needed.")
    available = psutil.virtual_memory().available // 2**20
    if available < NEEDED_MEMORY_MB:
        raise StandaloneError(
            f"Only {available} MB of memory are available; PostgreSQL, Airflow and the simulators need "
            f"{NEEDED_MEMORY_MB} MB."
        )
