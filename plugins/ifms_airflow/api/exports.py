"""Files that are made while somebody waits: few at a time, in threads of their own, for as long as somebody waits.

A file is made whole before it is sent, so that a slow reader holds neither a thread nor a connection.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO, TypeVar

import anyio
import psycopg
from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from ifms.ledger.database import Connection, Database
from ifms.reports.files import sheets
from ifms_airflow.api import dag_runs
from ifms_airflow.api.access import User
from ifms_airflow.api.digit import DigitError
from ifms_airflow.api.limits import Limits, Places, PlacesOfEach
from ifms_airflow.api.read_pool import connect

T = TypeVar("T")

WAITING = 4
"""So many files wait to be made, besides those that are."""
RETRY_AFTER = 30
REPORTS = "ifms_reports"
"""The DAG that makes files of any size."""

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_CHUNK = 64 * 1024


class TooManyRowsError(DigitError):
    """A file that would have too many rows; `report` is the form that has ifms_reports make it, None where it can't."""

    def __init__(self, message: str, report: Mapping[str, str] | None = None) -> None:
        super().__init__("EXPORT_TOO_LARGE", message)
        self.report = report


class GoneError(Exception):
    """Nobody waits for the file any more."""


class Work:
    """A file while it is made, in one thread: where it is written to, its connections, and whether to go on."""

    def __init__(self, limits: Limits, file: BinaryIO) -> None:
        self.file = file
        self.rows = limits.export_rows
        """The most rows that the file may have."""
        self.running = False
        self.gone = False
        self._seconds = limits.export_seconds
        self._lock = threading.Lock()
        self._connections: list[Connection] = []
        self._opened = ExitStack()

    def connection(self) -> Connection:
        """A connection that can't write, open until the file is made."""
        connection = connect(self._seconds, lock_seconds=self._seconds)
        self._opened.callback(connection.close)
        with self._lock:
            self._connections.append(connection)
        self.check()
        return connection

    def ledger(self) -> Database:
        """The same as the ledger, of which a report is made."""
        return _Watched(self)

    def check(self) -> None:
        """Raise GoneError when nobody waits for the file any more."""
        if self.gone:
            raise GoneError

    def table(self, media_type: str, title: str, header: Sequence[str], rows: Iterable[Sequence[sheets.Cell]]) -> None:
        """Write a table into the file, as CSV or XLSX."""
        if media_type == XLSX:
            self.file.write(sheets.xlsx(title, header, rows))
        else:
            self.file.writelines(line.encode() for line in sheets.csv_rows(header, rows))

    def run(self, write: Callable[[Work], None]) -> None:
        """Make the file."""
        with self._opened:
            self.check()
            write(self)

    def stop(self) -> None:
        """Have it end soon: what runs at the database is cancelled."""
        self.gone = True
        with self._lock:
            for connection in self._connections:
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=2.0)


class _Watched(Database):
    def __init__(self, work: Work) -> None:
        super().__init__(work.connection)
        self._work = work

    def read_snapshot(self, work: Callable[[Connection], T]) -> T:
        self._work.check()
        return super().read_snapshot(work)


class Exports:
    """The exports of this process: so many at a time, WAITING that wait, and of one user one of each."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.places = Places(
            limits.exports, WAITING, RETRY_AFTER, "Too many files are being made just now; try again in half a minute"
        )
        self.of_each = PlacesOfEach(
            lambda: Places(
                1, 1, RETRY_AFTER, "A file is being made for you and another one waits; take these two first"
            )
        )


class Export:
    """One export of one user, until its file is sent."""

    def __init__(self, request: Request, exports: Exports, user: User, held: AsyncExitStack) -> None:
        self._request = request
        self._exports = exports
        self._user = user
        self._held = held

    async def made(self, write: Callable[[Work], None], media_type: str, name: str) -> Response:
        """What `write` writes into its work's file, once it is whole; an empty answer when nobody is there to read it.

        Who takes it is recorded before it is made.

        Raises what `write` raises, and 429 when too many wait already.
        """
        file: Any = self._held.enter_context(TemporaryFile())  # noqa: SIM115
        work = Work(self._exports.limits, file)
        failed: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, work, group.cancel_scope)
            try:
                await self._held.enter_async_context(self._exports.of_each.place(self._user.get_id()))
                async with self._exports.places.place(), _running(work):
                    thread = CapacityLimiter(1)  # none of Airflow's threads
                    await to_thread.run_sync(self._note, limiter=thread)
                    await to_thread.run_sync(work.run, write, limiter=thread)
            except Exception as error:
                failed = error
            group.cancel_scope.cancel()
        if work.gone:
            return Response(status_code=499)
        if failed is not None:
            raise failed
        size = file.tell()
        file.seek(0)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(size)}
        return StreamingResponse(_chunks(file), media_type=media_type, headers=headers)

    def _note(self) -> None:
        url = self._request.url
        dag_runs.note(self._user, "export", dag_id=REPORTS, path=url.path, query=url.query)

    async def _watch(self, work: Work, scope: CancelScope) -> None:
        """End the work when its client goes, or when the server does."""
        try:
            while (await self._request.receive())["type"] != "http.disconnect":
                pass
            work.gone = True
            scope.cancel()  # it leaves the queue at once; a thread is waited for
        finally:
            with CancelScope(shield=True):
                while work.running:  # what is cancelled between two statements is cancelled at the next
                    await to_thread.run_sync(work.stop, limiter=CapacityLimiter(1))
                    await anyio.sleep(0.2)


@asynccontextmanager
async def _running(work: Work) -> AsyncIterator[None]:
    work.running = True
    try:
        yield
    finally:
        work.running = False


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    # Of a file that was just written: reading it takes no time, and so no thread.
    while chunk := file.read(_CHUNK):
        yield chunk


async def _export(request: Request, user: User) -> AsyncIterator[Export]:
    async with AsyncExitStack() as held:
        yield Export(request, request.app.state.exports, user, held)


Exporting = Annotated[Export, Depends(_export)]
"""What a route makes a file with. What it holds is given back when the file is sent."""
