"""A walk through all that works with the ledger's database: sweeps, hooks, pages, exports and commands.

For tests of what stands between them and the database: nothing of it may change what they come to.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from support import failed
from support.adapter import CYCLE, Adapter
from support.simulators import SIGNING_KEY

from ifms.cli import main
from ifms.ledger import session
from ifms.ledger.database import Database

PAYEES = 3
SERVICES = (*CYCLE, "FD", "FTPS", "FTFPS", "RELAY")
PAGES = (
    "overview",
    "waiting",
    "waiting.csv",
    "instructions",
    "instructions.csv",
    "register",
    "sanctions",
    "runs",
    "answers",
    "failures",
)


def sweeps(adapter: Adapter) -> None:
    """A wage bill, from its allotment until it is paid; then one payee's money comes back, and all is looked at."""
    failed.wage_bill(adapter, PAYEES)
    for service in CYCLE:
        adapter.run(service)
    [(number, status)] = _ask(adapter, "SELECT pi_number, status FROM ifms.payment_instruction")
    assert status == "SUCCESSFUL"
    failed.fail(adapter, 1, number)
    for service in ("FD", "FTPS", "FTFPS", "RELAY"):
        adapter.run(service)
    assert dict(_ask(adapter, "SELECT status, count(*) FROM ifms.beneficiary GROUP BY 1")) == {
        "Payment Failed": 1,
        "Payment Successful": PAYEES - 1,
    }
    assert adapter.reconcile().problems == []


def hooks() -> None:
    """Frames of all kinds, by the connection ifms_db."""
    from ifms_airflow.hooks import CallLogHook, LedgerHook

    hook = LedgerHook()
    assert len(hook.payment_instructions_df()) == 1
    whole = hook.fund_register_df()
    assert str(whole.dtypes["recorded_at"]) == "datetime64[us, UTC]"
    assert sum(len(part) for part in hook.fund_register_by_chunks(chunksize=1)) == len(whole) > 1
    assert len(hook.failed_beneficiaries_df()) == 1
    assert hook.get_records("SELECT DISTINCT pi_number FROM ifms.payment_instruction_summary")
    assert len(CallLogHook().get_df()) > len(CYCLE)


def pages(api: Any, adapter: Adapter) -> None:
    """Pages, files, and one act that writes."""
    browser = api("admin", cookie=True)
    for page in PAGES:
        shown = browser.get(f"/ifms/{page}")
        assert shown.status_code == 200, page
    [(year,)] = _ask(adapter, "SELECT DISTINCT financial_year FROM ifms.fund_register")
    rows = _ask(adapter, "SELECT transaction_number FROM ifms.fund_register ORDER BY movement_id")
    told = csv.DictReader(io.StringIO(browser.get(f"/ifms/register.csv?year={year}").content.decode("utf-8-sig")))
    assert [(line["Transaction number"],) for line in told] == rows
    assert load_workbook(io.BytesIO(browser.get(f"/ifms/register.xlsx?year={year}").content))
    [(sanction,)] = _ask(adapter, "SELECT id FROM ifms.sanction WHERE available_amount > 0 ORDER BY id LIMIT 1")
    order = {"sanction": str(sanction), "closed": "true", "reason": "a sample", "city": failed.TENANT}
    assert browser.post("/ifms/sanctions", data=order).status_code == 303
    assert _ask(adapter, "SELECT closed_reason FROM ifms.fund_register WHERE closed_reason IS NOT NULL") != []


def commands(dsn: str, folder: Path, log_key: str) -> None:
    """What an operator types; `dsn` is the owner's, the key that of the call log."""
    keys, signing = folder / "keys", folder / "signing"
    keys.write_text(log_key)
    signing.write_text(SIGNING_KEY)
    with Database(lambda: session.connect(dsn)) as db:
        [call] = db.read_snapshot(lambda c: c.execute("SELECT id FROM ifms.treasury_call LIMIT 1").fetchone())
    for command in (
        ["migrate"],
        ["reconcile"],
        ["views"],
        ["report", "fund_register", "--period", "all", "--format", "csv", "xlsx", "--to-folder", str(folder)],
        ["sanction", "list"],
        ["phrases", "unknown"],
        ["failures", "list"],
        ["log", "open", str(call), "--key-file", str(keys)],
        ["reseal", "--key-file", str(keys), "--signing-key-file", str(signing)],
        ["after-restore", "list"],
    ):
        assert main([*command, "--dsn", dsn]) == 0, command


def _ask(adapter: Adapter, query: str) -> list[Any]:
    """What a query finds, whatever is set for the database."""
    with Database(lambda: session.connect(adapter.dsn)) as db:
        return list(db.read_snapshot(lambda c: c.execute(query.encode()).fetchall()))
