"""Which reports there are, and what may be asked of them: a form's or a command's fields become a request here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from ifms import clock
from ifms.cities import label
from ifms.errors import BadInputError
from ifms.ledger.database import Connection
from ifms.queries.funds import KINDS
from ifms.reports.amounts_transferred import AMOUNTS_TRANSFERRED
from ifms.reports.bank_transfers import BANK_TRANSFERS
from ifms.reports.failure_reasons import FAILURE_REASONS
from ifms.reports.fund_register import FUND_REGISTER
from ifms.reports.payment_ageing import PAYMENT_AGEING
from ifms.reports.payments_by_group import PAYMENTS_BY_GROUP
from ifms.reports.period import Period, parse
from ifms.reports.project_payments import PROJECT_PAYMENTS
from ifms.reports.reconciliation import RECONCILIATION
from ifms.reports.report import Report, Request
from ifms.reports.response_times import RESPONSE_TIMES

REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        FUND_REGISTER,
        PAYMENT_AGEING,
        FAILURE_REASONS,
        RECONCILIATION,
        RESPONSE_TIMES,
        AMOUNTS_TRANSFERRED,
        BANK_TRANSFERS,
        PROJECT_PAYMENTS,
        PAYMENTS_BY_GROUP,
    )
}
FORMATS = ("xlsx", "csv", "pdf")

_KNOWN = 10
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def report_named(name: str) -> Report:
    """The report. Raises BadInputError for a name that is none."""
    if name not in REPORTS:
        raise BadInputError(f"{name[:40]!r} is no report: there are {', '.join(REPORTS)}")
    return REPORTS[name]


def formats_named(names: Sequence[str]) -> tuple[str, ...]:
    """The formats, each once. Raises BadInputError for one that is none."""
    for name in names:
        if name not in FORMATS:
            raise BadInputError(f"{name[:40]!r} is no format: there are {', '.join(FORMATS)}")
    return tuple(dict.fromkeys(names))


def request(
    report: Report,
    as_of: datetime,
    *,
    period: Period | str | None = None,
    tenants: Sequence[str] | None = None,
    hoa_code: str | None = None,
    transaction_type: str | None = None,
) -> Request:
    """What is asked of a report as of an instant; without a period it is the report's own.

    Raises BadInputError for a period that is none or that begins after `as_of`, for an unknown transaction type, and
    for filters that this report does not have.
    """
    chosen = parse(period) if isinstance(period, str) else period
    chosen = report.default_period(as_of) if chosen is None else chosen
    if chosen.since is not None and chosen.since >= as_of:
        raise BadInputError(
            f"the period {chosen.label} begins after {clock.wire_datetime(as_of)} IST, of which the report speaks"
        )
    if transaction_type is not None and transaction_type not in KINDS:
        raise BadInputError(f"{transaction_type[:40]!r} is no transaction type: there are {', '.join(KINDS)}")
    if report is not FUND_REGISTER and (hoa_code or transaction_type):
        raise BadInputError(f"head of account and transaction type are filters of {FUND_REGISTER.name} only")
    return Request(chosen, as_of, None if tenants is None else tuple(sorted(set(tenants))), hoa_code, transaction_type)


def check_tenants(connection: Connection, tenants: Sequence[str] | None) -> None:
    """Raise BadInputError for a city of which the ledger has never heard."""
    if tenants is None:
        return
    unknown = connection.execute(
        """
        SELECT tenant FROM unnest(%s::text[]) AS tenant
        WHERE NOT EXISTS (SELECT FROM ifms.va_watermark w WHERE w.tenant_id = tenant)
          AND NOT EXISTS (SELECT FROM ifms.sanction s WHERE s.tenant_id = tenant)
          AND NOT EXISTS (SELECT FROM ifms.payment q WHERE q.tenant_id = tenant)
          AND NOT EXISTS (SELECT FROM ifms.payment_instruction p WHERE p.tenant_id = tenant)
        ORDER BY tenant LIMIT 1
        """,
        (list(tenants),),
    ).fetchone()
    if unknown is None:
        return
    rows = connection.execute(
        "SELECT tenant_id FROM ifms.va_watermark UNION SELECT tenant_id FROM ifms.sanction ORDER BY 1 LIMIT %s",
        (_KNOWN + 1,),
    ).fetchall()
    known = ", ".join(row[0] for row in rows[:_KNOWN]) or "none yet"
    more = " …" if len(rows) > _KNOWN else ""
    raise BadInputError(f"city {unknown[0][:40]!r} is not known here; the ledger knows {known}{more}")


def file_name(report: Report, asked: Request, extension: str) -> str:
    """A file's name: report, period, cities and filters, of letters, digits, dots, hyphens and underlines only."""
    cities = label(asked.tenants)
    period = asked.period.label.replace("..", "_")
    asked_for = [cities, asked.hoa_code, (asked.transaction_type or "").lower()]
    parts = [report.name, period, *(_UNSAFE.sub("-", part) for part in asked_for if part)]
    return f"{'_'.join(filter(None, parts))[:200]}.{extension}"
