"""A report as CSV: its rows and nothing else, so that the same rows are the same file, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from ifms.reports.files.sheets import csv_line, csv_rows
from ifms.reports.report import Aggregates, Report, Request, Row


class CsvFile:
    """A sink that writes to a binary stream; a spreadsheet takes nothing in it for a formula."""

    every_row, takes_columns = True, False

    def __init__(self, stream: BinaryIO, report: Report, request: Request) -> None:
        self._stream = stream
        self._stream.write("".join(csv_rows([column.heading for column in report.columns], ())).encode())

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        self._stream.write("".join(map(csv_line, rows)).encode())

    def finish(self, counted: Aggregates) -> None:
        """Nothing comes after the rows."""

    def close(self) -> None:
        """Nothing is held."""
