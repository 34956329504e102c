"""One operator per kind of work, usable in anyone's DAG."""

from ifms_airflow.operators.allotments import FetchAllotmentsOperator
from ifms_airflow.operators.audit import AuditOperator
from ifms_airflow.operators.call_log import RemoveOldCallsOperator, ShipCallsOperator
from ifms_airflow.operators.corrections import CorrectOperator
from ifms_airflow.operators.failures import FetchFailuresOperator
from ifms_airflow.operators.instructions import CreatePaymentInstructionsOperator
from ifms_airflow.operators.notifications import NotifyOperator
from ifms_airflow.operators.parquet import ExportParquetOperator
from ifms_airflow.operators.payments import CreatePaymentsOperator
from ifms_airflow.operators.poll import PollOperator
from ifms_airflow.operators.reconcile import ReconcileOperator
from ifms_airflow.operators.relay import RelayOperator
from ifms_airflow.operators.report import ReportOperator
from ifms_airflow.operators.settled import AnnounceSettledDaysOperator

__all__ = [
    "AnnounceSettledDaysOperator",
    "AuditOperator",
    "CorrectOperator",
    "CreatePaymentInstructionsOperator",
    "CreatePaymentsOperator",
    "ExportParquetOperator",
    "FetchAllotmentsOperator",
    "FetchFailuresOperator",
    "NotifyOperator",
    "PollOperator",
    "ReconcileOperator",
    "RelayOperator",
    "RemoveOldCallsOperator",
    "ReportOperator",
    "ShipCallsOperator",
]
