"""The way to the ledger's database."""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from airflow.providers.common.sql.hooks.lineage import send_sql_hook_lineage
from airflow.providers.postgres.hooks.postgres import PostgresHook
from psycopg.rows import tuple_row

from ifms import hosts
from ifms.errors import BadInputError, ConfigurationError
from ifms.ledger import session
from ifms.ledger.database import Connection, Database
from ifms.ledger.rate_limit import NoRate, Rate
from ifms.queries import frames, views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import pandas as pd
    import pyarrow as pa

    from ifms.queries.views import Question
    from ifms.treasury.config import TreasuryConfig

    Parameters = Sequence[Any] | Mapping[str, Any] | None

_PORT = 5432
_ELSEWHERE = frozenset({"dsn", "conninfo", "service", "servicefile"})
CHUNK = 4_000
"""Rows of one frame or batch where many are read: some megabytes."""


class LedgerHook(PostgresHook):
    """The adapter's own database, schema `ifms`, over a connection of type `postgres`.

    For reports its login need only be a member of `ifms_read`, who sees the views and nothing else. The frames' columns
    are the views': docs/views.md says what each means, `ifms.queries.frames` which type it has. Rupees are
    Decimal, instants UTC, dates IST; an account number is never in them.

    Frames are read in a transaction that can't write, and no statement runs longer than `statement_timeout`: then it
    raises psycopg.errors.QueryCanceled. Who asks for more at a time than that gives the hook a longer one.
    """

    conn_name_attr = "ledger_conn_id"
    default_conn_name = "ifms_db"
    hook_name = "IFMS ledger"

    def __init__(
        self,
        *args: Any,
        statement_timeout: timedelta = timedelta(minutes=5),
        lock_timeout: timedelta = timedelta(seconds=30),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # A killed task leaves no statement and no lock behind for longer than this.
        self._timeouts = session.Timeouts(statement_timeout, lock_timeout, idle=timedelta(minutes=1))

    def ledger(self) -> Database:
        """The ledger, for one thread; it connects when first used. Use as a context manager."""
        return Database(lambda: cast("Connection", self.get_conn()))

    def _create_connection(self, conn_args: dict[str, Any]) -> Any:  # noqa: ANN401  (as in PostgresHook, which calls it)
        options = dict(conn_args)
        self._check_place(options)
        return session.connect(timeouts=self._timeouts, **options)

    def _check_place(self, options: Mapping[str, Any]) -> None:
        """Raise ConfigurationError unless all that says where the server is may be spoken to."""
        what = f"connection {getattr(self, self.conn_name_attr)!r}"
        if refused := sorted(_ELSEWHERE & {name for name, value in options.items() if value}):
            raise ConfigurationError(f"{what}: {', '.join(refused)} in extra is not taken: host says where it is")
        ports = str(options.get("port") or _PORT).split(",")
        try:
            hosts.check_allowed(
                hosts.Address.of(each, int(ports[place if len(ports) > 1 else 0] or _PORT))  # as libpq pairs them
                for name in ("host", "hostaddr")
                for place, each in enumerate(str(options.get(name) or "").split(","))
                if each and not each.startswith(("/", "@"))  # without a name, and by a path, it is on this machine
            )
        except (ValueError, IndexError):
            raise ConfigurationError(f"{what}: its ports are no numbers, or not as many as its hosts") from None
        except ConfigurationError as error:
            raise type(error)(f"{what}: {error}") from None

    def pace(self, stack: ExitStack, stop: threading.Event, config: TreasuryConfig) -> Rate | NoRate:
        """What calls to the treasury await their turn by; where there is a limit, on a connection of its own.

        Until `stack` closes; no call begins once `stop` is set.
        """
        if config.calls_per_second is None:
            return NoRate(stop)
        return Rate(stack.enter_context(self.ledger()), config.account, config.calls_per_second, stop)

    # Frames ----------------------------------------------------------------------------------------------------------

    def get_df(  # type: ignore[override,unused-ignore]
        self, sql: str | list[str], parameters: Parameters = None, *, df_type: str = "pandas", **kwargs: Any
    ) -> pd.DataFrame:
        """A frame of what a statement finds; of several statements, of what the last finds.

        `parameters` go to the database beside the statement: `%s` or `%(name)s` stands for a value, and
        `= ANY(%s)` takes a list. Unlike Airflow's own, which goes through SQLAlchemy, it keeps the types of the
        database: numeric is Decimal, also when no row was found.

        Raises BadInputError for a statement without rows, with two columns of one name, or with sealed bytes;
        ValueError for a `df_type` other than pandas, TypeError for options of pandas' own reader;
        psycopg.errors.ReadOnlySqlTransaction for one that writes.
        """
        _only_plain(df_type, kwargs)
        with self._reading() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            for statement in [sql] if isinstance(sql, str) else sql:
                cursor.execute(statement.encode(), parameters)
            made = frames.frame(frames.columns_of(cursor), cursor)
        send_sql_hook_lineage(context=self, sql=sql, sql_parameters=parameters)
        return made

    def get_df_by_chunks(  # type: ignore[override,unused-ignore]
        self,
        sql: str | list[str],
        parameters: Parameters = None,
        *,
        chunksize: int,
        df_type: str = "pandas",
        **kwargs: Any,
    ) -> Generator[pd.DataFrame, None, None]:
        """The same in frames of `chunksize` rows, all of one state of the ledger; at least one, if need be empty.

        The rows stay in the database until they are asked for, so this process holds one frame at a time.
        `statement_timeout` is also how long the caller may take between two frames: then the database ends the session,
        and the next frame raises psycopg.OperationalError.

        Raises what `get_df` raises, and BadInputError for a `chunksize` below 1 or several statements.
        """
        _only_plain(df_type, kwargs)
        if not isinstance(sql, str):
            raise BadInputError("frames by chunks are made of one statement, not of several")
        if chunksize < 1:
            raise BadInputError(f"chunksize {chunksize} is less than one row")
        send_sql_hook_lineage(context=self, sql=sql, sql_parameters=parameters)
        return self._chunks(sql, parameters, chunksize)

    def _chunks(self, sql: str, parameters: Parameters, size: int) -> Generator[pd.DataFrame, None, None]:
        with self._reading() as connection:
            # Who makes a report of a frame takes longer than a task that writes may; and all rows are wanted, so the
            # plan need not be the one that has the first of them soonest.
            connection.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, true),"
                " set_config('cursor_tuple_fraction', '1', true)",
                (f"{self._timeouts.statement / timedelta(milliseconds=1):.0f}",),
            )
            with connection.cursor(name=f"frames_{uuid4().hex}", row_factory=tuple_row) as cursor:
                cursor.execute(sql.encode(), parameters)
                columns = frames.columns_of(cursor)
                rows = cursor.fetchmany(size)
                yield frames.frame(columns, rows)
                while len(rows) == size and (rows := cursor.fetchmany(size)):
                    yield frames.frame(columns, rows)

    def get_batches(
        self, sql: str, parameters: Parameters = None, *, rows: int = CHUNK
    ) -> Generator[pa.RecordBatch, None, None]:
        """The same as Arrow record batches of `rows` rows, for what pandas is too slow for: see `ifms.queries.arrow`.

        All of one state of the ledger; none when nothing is found. `statement_timeout` is how long all of it may take,
        what the caller does between two batches included. `pyarrow.Table.from_batches` makes one table of them.

        Raises what `get_df` raises, and BadInputError for `rows` below 1 or a column that Arrow has no type for.
        """
        if rows < 1:
            raise BadInputError(f"batches of {rows} are less than one row")
        send_sql_hook_lineage(context=self, sql=sql, sql_parameters=parameters)
        return self._batches(sql, parameters, rows)

    def _batches(self, sql: str, parameters: Parameters, rows: int) -> Generator[pa.RecordBatch, None, None]:
        from ifms.queries import arrow

        with self._reading() as connection:
            schema = arrow.schema_of(connection, sql, parameters)
            yield from arrow.batches(connection, sql, parameters, schema, rows)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with closing(cast("Connection", self.get_conn())) as connection:
            connection.read_only = True
            yield connection

    # The views -------------------------------------------------------------------------------------------------------

    def fund_register_df(
        self,
        financial_year: str | None = None,
        *,
        tenants: Collection[str] | None = None,
        hoa_codes: Collection[str] | None = None,
        transaction_types: Collection[str] | None = None,
        recorded_from: datetime | None = None,
        recorded_until: datetime | None = None,
    ) -> pd.DataFrame:
        """The fund allocation register: a row per transaction, as it happened (view `fund_register`, user story 1).

        `financial_year` like 2024-25; `transaction_types` of Initial Allotment, Additional Allotment, Withdrawal,
        Expense, Expense Reversed; `recorded_from` is included, `recorded_until` is not. What is None says nothing, an
        empty list finds nothing. Balances (`sanctioned_balance`, `fund_available` …) are the row's sanction's.

        Raises BadInputError for a year, a type or an instant without zone that can't be.
        """
        return self._frame(
            views.fund_register(
                financial_year,
                tenants=tenants,
                hoa_codes=hoa_codes,
                transaction_types=transaction_types,
                recorded_from=recorded_from,
                recorded_until=recorded_until,
            )
        )

    def payment_instructions_df(
        self,
        financial_year: str | None = None,
        *,
        tenants: Collection[str] | None = None,
        statuses: Collection[str] | None = None,
        pi_numbers: Collection[str] | None = None,
        created_from: datetime | None = None,
        created_until: datetime | None = None,
    ) -> pd.DataFrame:
        """PIs, the oldest first: a row each, with counts of its beneficiaries (view `payment_instruction_summary`).

        Arguments as for `fund_register_df`; for more than some hundred thousand rows take
        `payment_instructions_by_chunks`. Raises BadInputError for a year, a status or an instant that can't be.
        """
        return self._frame(
            views.payment_instructions(
                financial_year,
                tenants=tenants,
                statuses=statuses,
                pi_numbers=pi_numbers,
                created_from=created_from,
                created_until=created_until,
            )
        )

    def open_payment_instructions_df(
        self,
        *,
        tenants: Collection[str] | None = None,
        statuses: Collection[str] | None = None,
        older_than: timedelta | None = None,
    ) -> pd.DataFrame:
        """PIs that wait, the oldest first: since when, for what, why (view `open_payment_instruction`).

        `older_than` counts from a PI's creation. Raises BadInputError for a status in which no PI waits.
        """
        return self._frame(views.open_payment_instructions(tenants=tenants, statuses=statuses, older_than=older_than))

    def failed_beneficiaries_df(
        self,
        *,
        tenants: Collection[str] | None = None,
        next_steps: Collection[str] | None = None,
        days_left_at_most: int | None = None,
    ) -> pd.DataFrame:
        """Failed payments that nobody has taken over, the most urgent first (view `failed_beneficiary`).

        `days_left` counts to the last day of a correction: 90 days after the failure, or 30 April of the next financial
        year (user story 12). `next_steps` of CORRECT, WAIT, PAY ANEW; raises BadInputError for another.
        """
        return self._frame(
            views.failed_beneficiaries(tenants=tenants, next_steps=next_steps, days_left_at_most=days_left_at_most)
        )

    def beneficiary_payments_df(
        self,
        financial_year: str | None = None,
        *,
        tenants: Collection[str] | None = None,
        statuses: Collection[str] | None = None,
        bill_types: Collection[str] | None = None,
        hoa_codes: Collection[str] | None = None,
        pi_numbers: Collection[str] | None = None,
        payment_numbers: Collection[str] | None = None,
        bill_numbers: Collection[str] | None = None,
        utr_numbers: Collection[str] | None = None,
        voucher_numbers: Collection[str] | None = None,
        voucher_from: date | None = None,
        voucher_until: date | None = None,
        created_from: datetime | None = None,
        created_until: datetime | None = None,
    ) -> pd.DataFrame:
        """Who is paid what: a row per beneficiary and PI, the oldest PI first (view `beneficiary_payment`).

        `statuses` are a beneficiary's, like Payment Successful; `bill_types` of WAGE, PURCHASE, SUPERVISION, MIXED; a
        PI is found by any of its `bill_numbers`; voucher dates are IST, `…_from` is included, `…_until` is not. Amounts
        of one status add up; for more than some hundred thousand rows take `beneficiary_payments_by_chunks`.

        Raises BadInputError for a year, a status, a type, a date or an instant that can't be.
        """
        return self._frame(
            views.beneficiary_payments(
                financial_year,
                tenants=tenants,
                statuses=statuses,
                bill_types=bill_types,
                hoa_codes=hoa_codes,
                pi_numbers=pi_numbers,
                payment_numbers=payment_numbers,
                bill_numbers=bill_numbers,
                utr_numbers=utr_numbers,
                voucher_numbers=voucher_numbers,
                voucher_from=voucher_from,
                voucher_until=voucher_until,
                created_from=created_from,
                created_until=created_until,
            )
        )

    def sanctions_df(
        self,
        financial_year: str | None = None,
        *,
        tenants: Collection[str] | None = None,
        hoa_codes: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Sanctions as they stand now, a row each: allotted, reserved, spent, the last allotment (`sanction_summary`).

        Raises BadInputError for a year that can't be.
        """
        return self._frame(views.sanctions(financial_year, tenants=tenants, hoa_codes=hoa_codes))

    def status_history_df(
        self,
        *,
        tenants: Collection[str] | None = None,
        pi_numbers: Collection[str] | None = None,
        payment_numbers: Collection[str] | None = None,
        services: Collection[str] | None = None,
        created_from: datetime | None = None,
        created_until: datetime | None = None,
    ) -> pd.DataFrame:
        """What has happened to payments and PIs, in the order in which it was written (view `status_history`).

        Raises BadInputError for an instant without zone. For long periods take `status_history_by_chunks`.
        """
        return self._frame(
            views.status_history(
                tenants=tenants,
                pi_numbers=pi_numbers,
                payment_numbers=payment_numbers,
                services=services,
                created_from=created_from,
                created_until=created_until,
            )
        )

    def unmatched_failures_df(
        self,
        *,
        states: Collection[str] | None = None,
        tenants: Collection[str] | None = None,
        bill_numbers: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Failures that the treasury reported and that matched nothing, the first first (view `unmatched_failure`).

        `states` of OPEN, MATCHED, CLOSED; raises BadInputError for another.
        """
        return self._frame(views.unmatched_failures(states=states, tenants=tenants, bill_numbers=bill_numbers))

    def doubtful_transfers_df(
        self,
        *,
        states: Collection[str] | None = None,
        tenants: Collection[str] | None = None,
        pi_numbers: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Transfers told beside another one of the same beneficiary, the first first (view `doubtful_transfer`).

        `states` of OPEN, PAID, NOT PAID; raises BadInputError for another.
        """
        return self._frame(views.doubtful_transfers(states=states, tenants=tenants, pi_numbers=pi_numbers))

    def waiting_payments_df(
        self, *, tenants: Collection[str] | None = None, hold_codes: Collection[str] | None = None
    ) -> pd.DataFrame:
        """Payments that have no PI, the oldest first: why, and since when (view `waiting_payment`)."""
        return self._frame(views.waiting_payments(tenants=tenants, hold_codes=hold_codes))

    def fund_register_by_chunks(
        self, financial_year: str | None = None, *, chunksize: int = CHUNK, **narrowed: Any
    ) -> Generator[pd.DataFrame, None, None]:
        """What `fund_register_df` finds, in frames of `chunksize` rows: see `get_df_by_chunks`."""
        return self._by_chunks(views.fund_register(financial_year, **narrowed), chunksize)

    def payment_instructions_by_chunks(
        self, financial_year: str | None = None, *, chunksize: int = CHUNK, **narrowed: Any
    ) -> Generator[pd.DataFrame, None, None]:
        """What `payment_instructions_df` finds, in frames of `chunksize` rows: see `get_df_by_chunks`."""
        return self._by_chunks(views.payment_instructions(financial_year, **narrowed), chunksize)

    def beneficiary_payments_by_chunks(
        self, financial_year: str | None = None, *, chunksize: int = CHUNK, **narrowed: Any
    ) -> Generator[pd.DataFrame, None, None]:
        """What `beneficiary_payments_df` finds, in frames of `chunksize` rows: see `get_df_by_chunks`."""
        return self._by_chunks(views.beneficiary_payments(financial_year, **narrowed), chunksize)

    def status_history_by_chunks(
        self, *, chunksize: int = CHUNK, **narrowed: Any
    ) -> Generator[pd.DataFrame, None, None]:
        """What `status_history_df` finds, in frames of `chunksize` rows: see `get_df_by_chunks`."""
        return self._by_chunks(views.status_history(**narrowed), chunksize)

    def fund_register_by_batches(
        self, financial_year: str | None = None, *, rows: int = CHUNK, **narrowed: Any
    ) -> Generator[pa.RecordBatch, None, None]:
        """What `fund_register_df` finds, as Arrow batches: see `get_batches`."""
        return self._by_batches(views.fund_register(financial_year, **narrowed), rows)

    def payment_instructions_by_batches(
        self, financial_year: str | None = None, *, rows: int = CHUNK, **narrowed: Any
    ) -> Generator[pa.RecordBatch, None, None]:
        """What `payment_instructions_df` finds, as Arrow batches: see `get_batches`."""
        return self._by_batches(views.payment_instructions(financial_year, **narrowed), rows)

    def beneficiary_payments_by_batches(
        self, financial_year: str | None = None, *, rows: int = CHUNK, **narrowed: Any
    ) -> Generator[pa.RecordBatch, None, None]:
        """What `beneficiary_payments_df` finds, as Arrow batches: see `get_batches`."""
        return self._by_batches(views.beneficiary_payments(financial_year, **narrowed), rows)

    def status_history_by_batches(self, *, rows: int = CHUNK, **narrowed: Any) -> Generator[pa.RecordBatch, None, None]:
        """What `status_history_df` finds, as Arrow batches: see `get_batches`."""
        return self._by_batches(views.status_history(**narrowed), rows)

    def _by_batches(self, question: Question, rows: int) -> Generator[pa.RecordBatch, None, None]:
        return self.get_batches(question.statement, question.values, rows=rows)

    def _frame(self, question: Question) -> pd.DataFrame:
        return self.get_df(question.statement, question.values)

    def _by_chunks(self, question: Question, chunksize: int) -> Generator[pd.DataFrame, None, None]:
        return self.get_df_by_chunks(question.statement, question.values, chunksize=chunksize)


def _only_plain(df_type: str, options: Mapping[str, Any]) -> None:
    if df_type != "pandas":
        raise ValueError(f"df_type {df_type!r} is not supported: make it of the pandas frame")
    if options:
        raise TypeError(f"{', '.join(options)}: the frame has the database's types and takes no options")
