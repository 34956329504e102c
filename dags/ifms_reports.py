"""Reports of money and of time, as files

## What
Makes reports, each as XLSX (rows, sums, charts), CSV (rows) and PDF (for paper):

- `fund_register`: the Fund Allocation Register of a financial year, with the story's columns, filters and balances.
- `payment_ageing`: what has been waiting, for which service, in which city, for how long.
- `failure_reasons`: what the bank gave back and why, and whether correcting it helped.
- `reconciliation`: bills, payments, payment instructions and debit scrolls side by side, with a verdict each; in
  XLSX and PDF also where each city's records were last anchored (`ifms_audit`): number, SHA-256 and time.
- `response_times`: how fast and how often the treasury answers, and how long each status lasts.
- `amounts_transferred`: what was paid and came back, by month, type of bill, city and head of account.
- `bank_transfers`: each transfer by the date of its voucher, with its UTR.
- `project_payments`: what was paid and came back, by project and type of bill.
- `payments_by_group`: how many payments reached individuals, by gender and social category; small numbers left out.

Each is as of the end of the run's data interval: from movements, status log and calls with their times, not from what a
row says now. So the same run makes the same files again, its CSV byte for byte. Calls are
there for as long as the ledger keeps them (`IFMS_CALL_LOG_DAYS`).

## When
Daily at 00:00 IST (`IFMS_SCHEDULE_REPORTS`), as of that midnight: the day, the month and the financial year that end
then are whole. Through the form: one report, some cities, another period or format, as of now. A backfill makes the
reports as of each day of its range. `ifms report` does the same at a terminal.

## Reads
The schema `ifms`, in one snapshot per report; the newest anchor from before then (`IFMS_ANCHORS_PATH`), and the signing
key of `ifms_treasury` to believe it. Nothing is asked of the treasury or the platform.

## Writes
Files into `IFMS_REPORTS_PATH` (a folder, or a URL like `s3://connection@bucket/reports`; the folder `reports` of
AIRFLOW_HOME), below the time that they are as of; the page "Reports" lists them. And `ifms.sweep_run`.

## If it fails
No half-written file is left. What was asked for may have no rows, or name an unknown city: the message says so. A place
that can't be written to is named. A report without rows is left out of the daily ones; the `sweep_run` row tells which.
"""

from airflow.sdk import DAG, Param

from ifms_airflow.alerts import alerts
from ifms_airflow.operators import ReportOperator
from ifms_airflow.operators.report import FORMATS, REPORTS, TRANSACTION_TYPES
from ifms_airflow.schedules import DEFAULT_ARGS, NUMBER, TENANTS, anchors_path, clock, reports_path

with DAG(
    "ifms_reports",
    description="Funds, ageing, failures, reconciliation, response times, transfers, projects: daily 00:00 IST",
    schedule=clock("REPORTS", "0 0 * * *"),
    doc_md=__doc__,
    tags=["ifms", "ledger"],
    default_args=DEFAULT_ARGS,
    params={
        "report": Param(
            None,
            type=["null", "string"],
            enum=[None, *REPORTS],
            title="Report",
            description="Which one; all of them when empty.",
        ),
        "tenants": TENANTS,
        "period": Param(
            None,
            type=["null", "string"],
            pattern=r"^(all|\d{4}-\d{2}|\d{4}-\d{2}-\d{2}(\.\.\d{4}-\d{2}-\d{2})?)$",
            title="Period",
            description="2026-27 (a financial year), 2026-11, 2026-11-23, 2026-11-01..2026-11-23 or all; when empty "
            "the financial year, of payment_ageing all, of response_times the month.",
        ),
        "format": Param(
            None,
            type=["null", "string"],
            enum=[None, *FORMATS],
            title="Format",
            description="Which one; all of them when empty.",
        ),
        "hoa_code": Param(
            None,
            **NUMBER,
            title="Head of account",
            description="Of the fund register only this one; all of them when empty.",
        ),
        "transaction_type": Param(
            None,
            type=["null", "string"],
            enum=[None, *TRANSACTION_TYPES],
            title="Transaction type",
            description="Of the fund register only this one; all of them when empty.",
        ),
    },
    render_template_as_native_obj=True,
    max_active_runs=1,
    catchup=False,
    **alerts(),
):
    # No slot of the treasury's, which it does not ask.
    ReportOperator(
        task_id="report",
        report="{{ params.report }}",
        tenants="{{ params.tenants }}",
        period="{{ params.period }}",
        format="{{ params.format }}",
        hoa_code="{{ (params.hoa_code or '') | tojson }}",  # all digits, and yet a text
        transaction_type="{{ params.transaction_type }}",
        path=reports_path(),
        anchors=anchors_path(),
        pool="default_pool",
    )
