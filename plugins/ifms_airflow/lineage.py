"""Which tables of the ledger each kind of work reads and writes, as OpenLineage's events tell it.

Airflow's provider asks the operators, in a task that has ended, when a transport is configured; else nobody does, and
the provider need not be installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ifms_airflow.hooks import LedgerHook

SCHEMA = "ifms"


class Tables(NamedTuple):
    """Tables and views of the schema `ifms`."""

    reads: frozenset[str]
    writes: frozenset[str]


def _tables(reads: str, writes: str) -> Tables:
    return Tables(frozenset(reads.split()), frozenset(writes.split()))


_RECORDS = "status_log treasury_call audit_link outbox notice sweep_run unknown_answer ended_by_phrase setting"
_MATCHED = "reported_failure other_transfer"  # a failure that came too early is booked when its PI moves
_APPROVED = "second_person proposal"
_POLL = _tables(
    f"payment_instruction beneficiary phrase {_MATCHED}", f"payment_instruction beneficiary {_MATCHED} {_RECORDS}"
)
_BOOKS = "sanction allotment fund_movement payment bill payment_instruction beneficiary status_log treasury_call"

TABLES: dict[str, Tables] = {
    "VA": _tables(
        "va_watermark sanction phrase", f"sanction allotment fund_movement va_watermark display_name {_RECORDS}"
    ),
    "PA": _tables("bill payment", "bill payment sweep_run"),
    "PI": _tables(
        f"sanction allotment payment bill payment_instruction beneficiary phrase {_APPROVED}",
        f"payment_instruction beneficiary sanction fund_movement payment bill proposal {_MATCHED} {_RECORDS}",
    ),
    "COR": _tables(
        f"failed_beneficiary sanction allotment payment bill payment_instruction beneficiary phrase {_APPROVED}",
        f"payment_instruction beneficiary sanction fund_movement proposal {_MATCHED} {_RECORDS}",
    ),
    "PIS": Tables(_POLL.reads, _POLL.writes | {"sanction", "fund_movement", "payment"}),
    "PAG": _POLL,
    "PD": _POLL,
    "FTPS": _POLL,
    "FTFPS": _POLL,
    "FD": Tables(_POLL.reads, _POLL.writes | {"voucher_date_asked"}),
    "RELAY": _tables("outbox payment_instruction beneficiary payment bill", "outbox sweep_run"),
    "NOTIFY": _tables("outbox notice payment_instruction beneficiary", "outbox notice sweep_run"),
    "SHIP": _tables("treasury_call", "call_shipping sweep_run"),
    "REMOVE_CALLS": _tables("treasury_call call_shipping", "treasury_call call_removal audit_link sweep_run"),
    "RECONCILE": _tables(f"{_BOOKS} outbox {_MATCHED} voucher_date_asked", "payment_instruction sweep_run"),
    "AUDIT": _tables(
        "audit_link status_log treasury_call fund_movement call_access call_removal person_action sanction_closing "
        "started_run restore_cleared phrase proposal",
        "sweep_run",
    ),
    "PARQUET": _tables("beneficiary_payment fund_register payment_instruction_summary", "sweep_run"),
    "REPORTS": _tables(_BOOKS, "sweep_run"),
    "SETTLED": _tables("payment payment_instruction beneficiary status_log", "sweep_run"),
}
"""By the code that a sweep's row has."""


def of_sweep(service_id: str, hook: LedgerHook, files: Iterable[str] = ()) -> OperatorLineage[Any, Any]:
    """What a sweep reads and writes: tables, named as OpenLineage names PostgreSQL's, and files by their URLs."""
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.openlineage.extractors.manager import ExtractorManager

    connection = hook.get_connection(hook.get_conn_id())
    known: Any = hook.get_openlineage_database_info(connection)
    namespace = f"{known.scheme}://{known.authority}"

    def tables(names: Iterable[str]) -> list[Dataset]:
        return [Dataset(namespace=namespace, name=f"{known.database}.{SCHEMA}.{name}") for name in sorted(names)]

    reads, writes = TABLES[service_id]
    written = [ExtractorManager.convert_to_ol_dataset_from_object_storage_uri(url) for url in files]
    return OperatorLineage(inputs=tables(reads), outputs=tables(writes) + [file for file in written if file])
