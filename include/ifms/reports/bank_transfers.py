"""Every transfer that the bank was told of, by the day of its voucher: what a bank reconciles by UTR.

One row for each beneficiary of each payment instruction that had its debit scrolls at `as of`. The period is about the
date of the voucher (IST); a transfer whose voucher was not told is not in it. Of an account its last four digits are
told.
"""

from __future__ import annotations

from ifms.reports import point_in_time
from ifms.reports.period import of_financial_year
from ifms.reports.report import Column, Cube, Kind, Report, Table

OUTCOMES = ("debited", "came back")

_QUERY = f"""
    SELECT v.voucher_date, v.voucher_number, v.utr_number, v.utr_date, v.end_to_end_id, v.tenant_id, v.hoa_code,
           v.pi_number, v.beneficiary_number, v.account_last4, v.ifsc, v.amount,
           CASE WHEN v.failed_on IS NOT NULL AND v.updated_at < %(as_of)s THEN 'came back' ELSE 'debited' END AS outcome
    FROM ifms.beneficiary_payment v
    JOIN ifms.payment_instruction p ON p.id = v.payment_instruction_id
    {point_in_time.state("p", "st")}
    WHERE p.created_at < %(as_of)s AND st.status IN {point_in_time.PAID}
      AND v.voucher_date IS NOT NULL AND {point_in_time.on_days("v.voucher_date")}
      AND {point_in_time.of_cities("v.tenant_id")}
    ORDER BY v.voucher_date, v.voucher_number, v.utr_number, v.pi_number, v.beneficiary_number
"""

_WORDS = {outcome: outcome.replace(" ", "_") for outcome in OUTCOMES}
_SUMS = (
    Column("rows", "Transfers", Kind.COUNT, width=10, total=True),
    Column("amount", "Amount", Kind.MONEY, width=17, total=True),
    *(Column(_WORDS[each], each.capitalize(), Kind.MONEY, width=17, total=True) for each in OUTCOMES),
)


def _table(title: str, by: Column) -> Table:
    return Table(
        title,
        (by, *_SUMS),
        lambda counted: counted.wide("transfers", "outcome", OUTCOMES, "amount", by.name).rename(columns=_WORDS)[
            [by.name, *(column.name for column in _SUMS)]
        ],
    )


BANK_TRANSFERS = Report(
    name="bank_transfers",
    title="Transfers by Voucher and UTR",
    about="Each transfer by its voucher and the bank's reference (UTR), and whether it came back.",
    columns=(
        Column("voucher_date", "Voucher Date", Kind.DATE, width=11),
        Column("voucher_number", "Voucher", width=13),
        Column("utr_number", "UTR", width=23),
        Column("utr_date", "UTR Date", Kind.DATE, width=11),
        Column("end_to_end_id", "End-to-End Id", width=22, on_paper=False),
        Column("tenant_id", "City", width=13),
        Column("hoa_code", "Head of Account", width=26, on_paper=False),
        Column("pi_number", "Payment Instruction", width=20),
        Column("beneficiary_number", "Beneficiary", width=14),
        Column("account_last4", "Account, Last Four", width=10),
        Column("ifsc", "IFSC", width=12),
        Column("amount", "Amount", Kind.MONEY, width=15, total=True),
        Column("outcome", "Outcome", width=11),
    ),
    query=_QUERY,
    default_period=of_financial_year,
    cubes={"transfers": Cube(("voucher_date", "tenant_id", "outcome"), {"amount": "sum"})},
    tables=(
        _table("By day of the voucher", Column("voucher_date", "Voucher Date", Kind.DATE, width=14)),
        _table("By city", Column("tenant_id", "City", width=20)),
    ),
)
