"""Making a report: its rows are read once, in one snapshot, and go to all files that are wanted while they come.

A file has another name until it is whole. What fails leaves none behind.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ifms.errors import NothingToReportError, ReportTargetError
from ifms.ledger.database import Connection, Database
from ifms.reports import point_in_time
from ifms.reports.catalogue import check_tenants, file_name
from ifms.reports.report import Report, Request, Row, Sink

if TYPE_CHECKING:
    from ifms.reports.aggregates import Counted

CHUNK = 5000
"""Rows in memory at a time."""
PROGRESS = 100_000

log = logging.getLogger("ifms.reports")


@dataclass(frozen=True)
class Made:
    """A report's files and how many rows they have."""

    files: tuple[Path, ...]
    rows: int


def make(
    db: Database, report: Report, asked: Request, formats: Sequence[str], folder: Path, *, chunk: int = CHUNK
) -> Made:
    """Write the report's files into `folder`, over those of the same names.

    Raises BadInputError for an unknown city or an `as_of` that is yet to come, NothingToReportError when there are no
    rows, ReportTargetError when the folder can't be written to.
    """
    db.read_snapshot(lambda connection: check_tenants(connection, asked.tenants))
    if not point_in_time.wait_until_settled(db, asked.as_of):
        log.warning("%s: a transaction that began before %s is still open", report.name, asked.known_at)
    try:
        with ExitStack() as stack:
            parts = [stack.enter_context(_Part(folder, file_name(report, asked, each))) for each in formats]
            sinks = [_sink(each, part.stream, report, asked) for each, part in zip(formats, parts, strict=True)]
            for sink in sinks:
                stack.callback(sink.close)
            counted = db.read_snapshot(partial(_read, report=report, asked=asked, sinks=sinks, chunk=chunk))
            for sink in sinks:  # the snapshot is given back before: pages take longer than reading them
                sink.finish(counted)
            for part in parts:
                part.whole = True
    except OSError as error:
        raise ReportTargetError.of(folder, error) from None
    files = tuple(part.path for part in parts)
    log.info("%s: %s rows in %s", report.name, f"{counted.rows:,}", ", ".join(path.name for path in files))
    return Made(files, counted.rows)


def _read(connection: Connection, report: Report, asked: Request, sinks: Sequence[Sink], chunk: int) -> Counted:
    from ifms.reports.aggregates import Counted

    if not any(sink.every_row for sink in sinks) and (counted := _digested(connection, report, asked)):
        return counted
    counted = Counted(report)
    columns = report.in_columns and any(sink.takes_columns for sink in sinks)
    for rows in read(connection, report, asked, chunk=chunk, columns=columns):
        for sink in sinks:
            sink.add(rows)
        before = counted.rows // PROGRESS
        counted.add(rows)
        if counted.rows // PROGRESS > before:
            log.info("%s: %s rows so far", report.name, f"{counted.rows:,}")
    if not counted.rows:
        cities = "" if asked.tenants is None else f" of {', '.join(asked.tenants[:5])}"
        raise NothingToReportError(
            f"{report.name} has nothing{cities} for {asked.period.described} as of {asked.known_at}: no file was "
            "written; ask for another period or for other cities"
        )
    values = _values(report, asked)
    for name, (_, query) in report.also.items():
        counted.keep(name, connection.execute(query.encode(), values, prepare=False).fetchall())
    return counted


def _digested(connection: Connection, report: Report, asked: Request) -> Counted | None:
    """What more rows come to than anybody prints, without any of them; None when they are fewer."""
    from ifms.reports.aggregates import Counted

    if report.digest is None or report.also:
        return None
    with connection.cursor() as cursor:
        found = cursor.execute(report.digest.encode(), _values(report, asked), prepare=False).fetchall()
        columns = [column.name for column in cursor.description or ()]
    counted = Counted(report)
    counted.add_digest(columns, found)
    return counted if counted.rows > report.printed else None


def read(
    connection: Connection, report: Report, asked: Request, *, chunk: int = CHUNK, columns: bool = False
) -> Iterator[Sequence[Row]]:
    """The report's rows, some at a time, in columns if they are wanted so: inside the caller's transaction."""
    # All rows will be fetched, so the plan is to be the cheapest for all of them.
    connection.execute("SET LOCAL cursor_tuple_fraction = 1")
    if columns:
        yield from _in_columns(connection, report, asked, chunk)
        return
    with connection.cursor(name="ifms_report") as cursor:
        cursor.execute(report.query.encode(), _values(report, asked))
        while rows := cursor.fetchmany(chunk):
            yield rows


def _in_columns(connection: Connection, report: Report, asked: Request, chunk: int) -> Iterator[Sequence[Row]]:
    from ifms.queries import arrow
    from ifms.reports.batches import Batch

    values = _values(report, asked)
    schema = arrow.schema_of(connection, report.query, values)
    with closing(arrow.batches(connection, report.query, values, schema, chunk)) as batches:
        yield from map(Batch, batches)


def _values(report: Report, asked: Request) -> dict[str, object]:
    return asked.values | report.parameters(asked)


def _sink(name: str, stream: BinaryIO, report: Report, asked: Request) -> Sink:
    if name == "csv":
        from ifms.reports.files.csv_file import CsvFile

        return CsvFile(stream, report, asked)
    if name == "xlsx":
        from ifms.reports.files.xlsx_file import XlsxFile

        return XlsxFile(stream, report, asked)
    from ifms.reports.files.pdf_file import PdfFile

    return PdfFile(stream, report, asked)


class _Part:
    """A file under a name that nobody takes for a result, until it is `whole`: then it gets its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self._unfinished = folder / f".{name}.{secrets.token_hex(4)}.part"
        self.whole = False

    def __enter__(self) -> _Part:
        self._unfinished.parent.mkdir(parents=True, exist_ok=True)
        self.stream: BinaryIO = self._unfinished.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stream.close()
            if self.whole:
                os.replace(self._unfinished, self.path)
        finally:
            self._unfinished.unlink(missing_ok=True)
