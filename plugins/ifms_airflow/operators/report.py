"""Reports as a task: read from the ledger, written to a folder or to an object storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ifms.errors import (
    BadInputError,
    ConfigurationError,
    NothingToReportError,
    ReportTargetError,
    SignatureError,
)
from ifms_airflow import report_storage
from ifms_airflow.operators.sweep import SweepOperator, tenant_ids

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from ifms.reports.report import Report, Request
    from ifms.signing import Signer
    from ifms.sweep.run import Sweep
    from ifms_airflow.hooks import LedgerHook

REPORTS, FORMATS = report_storage.REPORTS, report_storage.FORMATS
"""The values that `report` and `format` may have."""
ANCHORED = "reconciliation"
"""The report that says where the records were last anchored."""
TRANSACTION_TYPES = ("Initial Allotment", "Additional Allotment", "Withdrawal", "Expense", "Expense Reversed")


class ReportOperator(SweepOperator):
    """Make reports as of the end of the run's data interval; asks neither the treasury nor the platform.

    The files go to ``<path>/<as of, IST>/<report>_<period>_<cities>.<format>``: the same run makes the same again.

    :param report: one of REPORTS (or a template that renders to one); all of them when empty.
    :param period: ``2026-27`` (a financial year), ``2026-11``, ``2026-11-23``, ``2026-11-01..2026-11-23`` or ``all``;
        what each report is usually about when empty.
    :param format: ``xlsx``, ``csv`` or ``pdf``; all of them when empty.
    :param hoa_code: of the fund register only this head of account.
    :param transaction_type: of the fund register only this type.
    :param path: a folder, or any URL that ObjectStoragePath takes; the folder ``reports`` of AIRFLOW_HOME when None.
    :param anchors: the path of ifms_audit; the reconciliation says where the records were last anchored.

    Asked for one report that has no rows it fails; asked for all, it leaves out those that have none.
    """

    template_fields: Sequence[str] = ("tenants", "report", "period", "format", "hoa_code", "transaction_type", "path")
    service_id = "REPORTS"

    def __init__(
        self,
        *,
        report: str | None = None,
        period: str | None = None,
        format: str | None = None,
        hoa_code: str | None = None,
        transaction_type: str | None = None,
        path: str | None = None,
        anchors: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.period = period
        self.format = format
        self.hoa_code = hoa_code
        self.transaction_type = transaction_type
        self.path = path
        self.anchors = anchors

    @cached_property
    def ledger_hook(self) -> LedgerHook:
        """The way to the ledger, with time enough for reports of whole tables."""
        from ifms_airflow.hooks import LedgerHook

        return LedgerHook(self.ledger_conn_id, statement_timeout=timedelta(minutes=30))

    def execute(self, context: Context) -> None:
        """Make what is asked for, write the sweep's row; raises a SweepError, or an error that says what was wrong."""
        from ifms.reports import writer

        as_of = _known_at(context)
        wanted, formats = self._wanted(as_of)
        folder = report_storage.opened(self.path, report_storage.folder_name(as_of))
        with self.ledger_hook.ledger() as ledger, self.sweep(context, ledger) as sweep:
            for report, plain in wanted:
                asked = self._anchored(sweep, plain) if report.name == ANCHORED else plain
                with TemporaryDirectory(prefix="ifms-report-") as here:
                    try:
                        made = writer.make(ledger, report, asked, formats, Path(here))
                    except NothingToReportError as nothing:
                        if self.report:
                            raise
                        sweep.add_warning(str(nothing))
                        sweep.counts["empty"] += 1
                        continue
                    for file in made.files:
                        report_storage.put(file, folder, file.name)
                        self.written.append(str(folder / file.name))
                        self.log.info("%s is at %s", file.name, folder / file.name)
                    sweep.counts["rows"] += made.rows
                    sweep.counts["files"] += len(made.files)

    def _anchored(self, sweep: Sweep, asked: Request) -> Request:
        """The request with what the newest anchor from before then says; one that is no good is a warning."""
        from ifms_airflow.hooks import TreasuryHook
        from ifms_airflow.operators.audit import anchored_before

        def signer() -> Signer:
            return TreasuryHook(self.treasury_conn_id).keyring.signer

        try:
            anchor = anchored_before(self.anchors, asked.as_of, signer)
        except (BadInputError, ConfigurationError, SignatureError, ReportTargetError) as error:
            sweep.add_warning(f"where the records were last anchored is not told: {error}")
            return asked
        return asked if anchor is None else replace(asked, anchored=anchor.heads, anchored_at=anchor.at)

    def _wanted(self, as_of: datetime) -> tuple[list[tuple[Report, Request]], tuple[str, ...]]:
        """What to make. Raises BadInputError for what is no report, no period, no format or no list of cities."""
        from ifms.reports import catalogue

        for name in ("report", "period", "format", "hoa_code", "transaction_type"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise BadInputError(f"{name} must be a text, or empty")
        tenants = tenant_ids(self.tenants)
        filtered = self.hoa_code or self.transaction_type
        names = [self.report] if self.report else ["fund_register"] if filtered else list(catalogue.REPORTS)
        wanted = []
        for name in names:
            report = catalogue.report_named(name)
            asked = catalogue.request(
                report,
                as_of,
                period=self.period or None,
                tenants=tenants,
                hoa_code=self.hoa_code or None,
                transaction_type=self.transaction_type or None,
            )
            wanted.append((report, asked))
        return wanted, catalogue.formats_named([self.format] if self.format else catalogue.FORMATS)


def _known_at(context: Context) -> datetime:
    """The end of the run's data interval; of a run that has none, when it was to run."""
    run = context["dag_run"]
    return run.data_interval_end or run.run_after
