"""One operator per kind of work, usable in anyone's DAG."""

from ifms_airflow.operators.allotments import FetchAllotmentsOperator
from ifms_airflow.operators.instructions import CreatePaymentInstructionsOperator
from ifms_airflow.operators.payments import CreatePaymentsOperator
from ifms_airflow.operators.poll import PollOperator

__all__ = [
    "CreatePaymentInstructionsOperator",
    "CreatePaymentsOperator",
    "FetchAllotmentsOperator",
    "PollOperator",
]
