"""Views as Parquet in an object storage, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError, ReportTargetError
from ifms_airflow import report_storage
from ifms_airflow.operators.sweep import SweepOperator, tenant_ids

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms_airflow.hooks import LedgerHook


class ExportParquetOperator(SweepOperator):
    """Write a month of a view as Parquet, to ``<path>/<view>/city=<tenant>/month=<yyyy-mm>/rows.parquet``.

    :param path: a folder, or any URL that ObjectStoragePath takes, or a template that renders to one.
    :param view: ``beneficiary_payment``, ``fund_register`` or ``payment_instruction_summary``.
    :param month: like 2026-11, IST: by ``recorded_at`` of the register, else by ``created_at``.

    Made again, each file takes the place of the one before as a whole: under another name until it is there.
    """

    template_fields: Sequence[str] = ("tenants", "path", "view", "month")
    service_id = "PARQUET"

    def __init__(self, *, path: str, view: str, month: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.view = view
        self.month = month

    @cached_property
    def ledger_hook(self) -> LedgerHook:
        """The way to the ledger, with time enough for whole months."""
        from ifms_airflow.hooks import LedgerHook

        return LedgerHook(self.ledger_conn_id, statement_timeout=timedelta(minutes=30))

    def execute(self, context: Context) -> None:
        """Write the files, and the sweep's row. Raises BadInputError for what is no month or view."""
        from airflow.sdk import ObjectStoragePath

        from ifms.reports.files import parquet_file

        if not all(isinstance(value, str) and value for value in (self.path, self.view, self.month)):
            raise BadInputError("path, view and month must be texts")
        month, cities = parquet_file.month_named(self.month), tenant_ids(self.tenants)
        with (
            TemporaryDirectory(prefix="ifms-parquet-") as here,
            self.ledger_hook.ledger() as ledger,
            self.sweep(context, ledger) as sweep,
        ):
            made = ledger.read_snapshot(lambda c: parquet_file.write(c, self.view, month, Path(here), tenants=cities))
            for part in made:
                folder = ObjectStoragePath(self.path) / part.folder
                try:
                    folder.fs.makedirs(folder.path, exist_ok=True)
                except Exception as error:  # each kind of storage has its own
                    raise ReportTargetError.of(self.path, error) from None
                report_storage.put(part.file, folder, parquet_file.FILE)
                self.written.append(str(folder / parquet_file.FILE))
                sweep.counts["rows"] += part.rows
                sweep.counts["files"] += 1
