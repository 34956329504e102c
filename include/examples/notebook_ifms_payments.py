"""Example: what was paid to whom, cell by cell: a script that an editor runs as a notebook

## What
Reads the views `beneficiary_payment`, `fund_register` and `sanction_summary` into data frames: what was paid by month
and type of bill, what a bank's list of UTRs and the ledger do not agree on, what came back and is still owed, and
whether the register and the sanctions tell the same.

## Needs
The connection `ifms_db` (say, as AIRFLOW_CONN_IFMS_DB); its login need only be a member of `ifms_read`. The columns are
in docs/views.md. Rupees are Decimal: their sums are exact.
"""

# %% The year that is looked at, and what the bank says (a column `utr` and a column `rupees`, in a file of yours)
from __future__ import annotations

import pandas as pd

from ifms import clock
from ifms_airflow.hooks import LedgerHook

ledger = LedgerHook()
year = clock.financial_year_label(clock.financial_year(clock.now()))
bank = pd.DataFrame({"utr": pd.Series(dtype="string"), "rupees": pd.Series(dtype="object")})

# %% What was paid, by month of the voucher and type of bill; chunk by chunk, so that a year needs no more memory
parts = []
for chunk in ledger.beneficiary_payments_by_chunks(year, statuses=["Payment Successful"]):
    month = chunk["voucher_date"].dt.strftime("%Y-%m").fillna("no voucher date").rename("month")
    kind = chunk["bill_type"].fillna("not known")
    parts.append(chunk.groupby([month, kind])["amount"].agg(["count", "sum"]))
paid = pd.concat(parts).groupby(level=["month", "bill_type"]).sum() if parts else pd.DataFrame()
print(f"Paid in {year}, by month and type of bill:\n{paid}\n")

# %% The bank's list against the ledger: one UTR may stand for several payments
found = ledger.beneficiary_payments_df(utr_numbers=bank["utr"].tolist())
ours = found.groupby("utr_number")["amount"].sum().rename("ledger")
compared = bank.groupby("utr")["rupees"].sum().rename("bank").to_frame().join(ours)
differing = compared[compared["bank"] != compared["ledger"]]
print(f"UTRs that the bank and the ledger do not agree on:\n{differing}\n")

# %% What came back and nobody has paid anew
back = ledger.beneficiary_payments_df(year, statuses=["Payment Failed"])
owed = back[back["failed_on"].notna() & back["superseded_by"].isna()]
print(
    f"Still owed: {owed['amount'].sum()} rupees to {len(owed)}:\n{owed[['beneficiary_number', 'amount', 'reason']]}\n"
)

# %% The register's last row of each sanction tells what the sanction has spent
register = ledger.fund_register_df(year).groupby("sanction_id").last()["spent_after"]
sanctions = ledger.sanctions_df(year).set_index("id")["spent_amount"]
print(f"Sanctions on which the register differs: {int((register != sanctions.reindex(register.index)).sum())}")
