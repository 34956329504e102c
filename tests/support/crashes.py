"""Kill a sweep at each of its points, run it again as Airflow would, and compare with a run that nobody disturbed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from support.adapter import EVERYTHING, Adapter, Treasury, assert_money_is_right
from support.books import books, differences
from support.failed import TENANT
from support.simulators import CLIENT_ID, CLIENT_SECRET, Simulators
from support.warm import Warm

from ifms.errors import SweepError
from ifms.ledger.database import Database
from ifms.services.correction_order import Order
from ifms.services.manual_settlement import Verdict, settle
from ifms_standalone.postgres import Server

SWEEPS = 2  # within so many sweeps all must be as if nothing had happened …
DAYS = 2  # … but for a bill that is refused when it is sent again: so many days more, or a person's word

_numbers = count(1)


@dataclass(frozen=True)
class Scenario:
    """A sweep worth killing: what is there before it, and which sweeps follow it.

    `prepare` may return the numbers of original PIs that the sweep, one of ifms_cor, shall pay anew. `treasury` are
    settings of the simulated treasury.
    """

    service: str
    prepare: Callable[[Adapter, Treasury], list[str] | None]
    then: tuple[str, ...] = ()
    treasury: Mapping[str, Any] = field(default_factory=dict)
    bills: int = 0


class Stage:
    """A scenario that is prepared once, and then set up as often as wanted: a database and two state files."""

    def __init__(self, scenario: Scenario, server: Server, template: str, folder: Path, warm: Warm) -> None:
        self.scenario = scenario
        self._folder = folder
        self._warm = warm
        self._public_key: str | None = None
        name = f"stage_{next(_numbers)}"  # goes with its server
        server.create_database(name, template)
        self._dsn = server.dsn(name)
        folder.mkdir()
        with self._simulators(folder) as simulators:
            adapter = Adapter(self._dsn, simulators, {"max_concurrency": 1})
            self._repay = tuple(scenario.prepare(adapter, Treasury(simulators)) or ())
        self._connection = psycopg.connect(self._dsn, autocommit=True, row_factory=dict_row)
        self._snapshot = Snapshot(self._connection)
        with self._set_up() as (adapter, treasury):
            ended = self._sweep(adapter)
            assert ended.signal is None
            self.points = ended.points
            self.error = ended.error
            self._follow(adapter)
            assert_money_is_right(adapter, treasury)
            self.expected = books(adapter, treasury)

    def close(self) -> None:
        """Give its connection back."""
        self._connection.close()

    def killed_at(self, point: int) -> list[str]:
        """Kill the sweep at a point and run it again; what is not as in an undisturbed run, and after how many sweeps.

        Empty when all is as it should be.
        """
        with self._set_up() as (adapter, treasury):
            ended = self._sweep(adapter, point)
            if ended.signal != signal.SIGKILL:
                return [f"it was not killed there: it ended with {ended}"]
            _alone(adapter)
            try:
                assert_money_is_right(adapter, treasury)
            except AssertionError as wrong:
                return [f"right after the kill: {wrong}"]
            for number in range(SWEEPS + DAYS):
                leases_run_out(self._connection)
                a_day_passes(self._connection)
                error = self._again(adapter)
                self._follow(adapter)
                left = differences(books(adapter, treasury), self.expected)
                if not left or (number + 1 >= SWEEPS and not in_doubt(adapter)):
                    break
            if left and in_doubt(adapter):  # its status service answers with empty data, which proves nothing
                self._settle_by_hand(adapter, treasury)
                error = self._again(adapter)
                self._follow(adapter)
                left = differences(books(adapter, treasury), self.expected)
            try:
                assert_money_is_right(adapter, treasury)
            except AssertionError as wrong:
                left.append(f"after the sweeps: {wrong}")
            return left if not left or error is None else [*left, f"the last sweep said: {error}"]

    def _sweep(self, adapter: Adapter, kill_at: int | None = None) -> Any:
        return self._warm.sweep(
            self.scenario.service, adapter.dsn, adapter.simulators, kill_at=kill_at, repay=self._repay
        )

    def _again(self, adapter: Adapter) -> str | None:
        """The sweep once more, as a retry of its task is."""
        sweep = adapter.sweep(self.scenario.service)
        try:
            with sweep:
                adapter.work(sweep, EVERYTHING, tuple(Order(TENANT, n, new_original=True) for n in self._repay))
        except SweepError as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _settle_by_hand(self, adapter: Adapter, treasury: Treasury) -> None:
        """A person asks the treasury, and says what is so."""
        accepted = treasury.accepted
        for number in in_doubt(adapter):
            verdict = Verdict.ACCEPTED if number in accepted else Verdict.NOT_THERE
            with Database(lambda: psycopg.connect(adapter.dsn)) as db:
                db.transact(
                    partial(settle, pi_number=number, verdict=verdict, reason="asked", person="a tester", typed=number)
                )

    def _follow(self, adapter: Adapter) -> None:
        for service in self.scenario.then:
            with contextlib.suppress(SweepError):
                adapter.run(service)

    @contextmanager
    def _set_up(self) -> Iterator[tuple[Adapter, Treasury]]:
        folder = self._folder / "now"
        folder.mkdir()
        for file in self._folder.glob("*.db*"):
            shutil.copy(file, folder)
        self._snapshot.restore()
        try:
            with self._simulators(folder) as simulators:
                yield _Adapter(self._dsn, simulators, connection=self._connection), Treasury(simulators)
        finally:
            shutil.rmtree(folder)

    @contextmanager
    def _simulators(self, folder: Path) -> Iterator[Simulators]:
        import ifms_simulator.platform
        import ifms_simulator.treasury
        from ifms_simulator.serve import running

        treasury = ifms_simulator.treasury.create_app(
            folder / "treasury.db", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, **self.scenario.treasury
        )
        platform = ifms_simulator.platform.create_app(
            folder / "platform.db", cities=1, bills_per_city=self.scenario.bills, persist_ms=0
        )
        with running(treasury) as treasury_url, running(platform) as platform_url:
            if self._public_key is None:  # kept in the state file
                simulators = Simulators(treasury_url, platform_url, "")
                self._public_key = simulators.ask_treasury("GET", "public-key")["public_key"]
            yield Simulators(treasury_url, platform_url, self._public_key)


@dataclass
class _Adapter(Adapter):
    """The adapter of a set-up stage; questions go over one connection, since making one costs more than asking."""

    connection: psycopg.Connection[dict[str, Any]] = field(kw_only=True)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a query finds."""
        return self.connection.execute(query, values).fetchall()


class Snapshot:
    """The ledger's rows as they are, to be put back: a tenth of what a new database costs."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection
        columns = connection.execute(
            """
            SELECT table_name, string_agg(quote_ident(column_name::text), ', ') AS names
            FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 'ifms' AND table_type = 'BASE TABLE' AND is_generated = 'NEVER' GROUP BY table_name
            """
        ).fetchall()
        self._columns: dict[str, str] = {row["table_name"]: row["names"] for row in columns}
        self._sequences = connection.execute(
            "SELECT sequencename, coalesce(last_value, 1) AS value, last_value IS NOT NULL AS used"
            " FROM pg_sequences WHERE schemaname = 'ifms'"
        ).fetchall()
        connection.execute("CREATE SCHEMA before")
        for table, names in self._columns.items():
            connection.execute(f"CREATE TABLE before.{table} AS SELECT {names} FROM ifms.{table}")

    def restore(self) -> None:
        """Put the rows back, in one transaction."""
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")  # or the ledger refuses to forget
            for table, names in self._columns.items():
                self._connection.execute(f"DELETE FROM ifms.{table}")
                self._connection.execute(
                    f"INSERT INTO ifms.{table} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM before.{table}"
                )
            for row in self._sequences:
                self._connection.execute(
                    "SELECT setval(('ifms.' || %(sequencename)s)::regclass, %(value)s, %(used)s)", row
                )


def _alone(adapter: Adapter) -> None:
    """Wait until PostgreSQL has noticed that the killed process's connection has ended."""
    others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    _until(lambda: not adapter.rows(others), "PostgreSQL still has the killed process's connection")


def leases_run_out(connection: psycopg.Connection[dict[str, Any]]) -> None:
    """As if so much time had passed that no claim holds any more."""
    for row in connection.execute(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'ifms' AND column_name = 'claimed_until'"
    ).fetchall():
        connection.execute(
            f"UPDATE ifms.{row['table_name']} SET claimed_until = now() - interval '1 s' WHERE claimed_until > now()"
        )


def in_doubt(adapter: Adapter) -> list[str]:
    """The PENDING PIs that the treasury has refused after they may have arrived."""
    rows = adapter.rows(
        "SELECT pi_number FROM ifms.payment_instruction WHERE status = 'PENDING' AND uncertain AND refusal IS NOT NULL"
    )
    return [row["pi_number"] for row in rows]


def a_day_passes(connection: psycopg.Connection[dict[str, Any]]) -> None:
    """As if a day had passed since a status service did not know a bill."""
    connection.execute(
        "UPDATE ifms.payment_instruction SET absent_since = absent_since - interval '25 hours'"
        " WHERE absent_since IS NOT NULL"
    )


def _until(true: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.005)
