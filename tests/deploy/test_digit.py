"""deploy/digit has every word that DIGIT's screens may be sent and have no text for, and none too many."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ifms.ledger.status_log import LogStatus
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "digit"
SERVICES = ("PI", "PIS", "PAG", "PD", "FD", "COR", "FTPS", "FTFPS")
OF_JAVA = {f"STATUS_LOG_{service}_{of}" for service in SERVICES for of in ("NO_RESPONSE", "ERROR", "SUCCESS")} | {
    "STATUS_LOG_PI_NO_FUNDS",
    "STATUS_LOG_PIS_REJECTED",
}
NEW: dict[LogStatus, tuple[str, ...]] = {
    LogStatus.NO_NEWS: SERVICES,
    LogStatus.NOT_SENT: SERVICES,
    LogStatus.DUPLICATE: SERVICES,
    LogStatus.SETTLED_BY_HAND: ("PI", "COR"),
    LogStatus.CANCELLED: ("PI", "COR"),
    LogStatus.SAME_ACCOUNT: ("COR",),
}


def rows(name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((FOLDER / name).read_text())
    return found


def test_every_log_code_has_a_text():
    codes = {str(row["code"]) for row in rows("localisation-en_IN.json")}
    new = {f"STATUS_LOG_{service}_{status}" for status, services in NEW.items() for service in services}
    labels = {"EXP_PI_STATUS_PENDING", "BILL_STATUS_PAYMENT_PENDING"}
    assert codes == new | labels | {"STATUS_LOG_IMPORT_SUCCESS"}
    assert not codes & OF_JAVA
    known = {status for status in LogStatus if any(code.endswith(f"_{status}") for code in OF_JAVA)}
    assert known | set(NEW) == set(LogStatus)  # a new one needs its rows


def test_the_labels_are_of_statuses_that_there_are():
    assert PiStatus("PENDING")
    assert BeneficiaryStatus("Payment Pending")


def test_rows_can_be_loaded():
    loaded = rows("localisation-en_IN.json")
    keys = [(row["code"], row["module"], row["locale"]) for row in loaded]
    assert len(set(keys)) == len(keys)
    for row in loaded:
        assert row.keys() == {"code", "message", "module", "locale"}
        assert re.fullmatch(r"[A-Z][^{}<>]+", str(row["message"]))


def test_pending_is_the_next_status_of_the_master():
    data = ROOT / "include" / "ifms_simulator" / "data" / "expense_PaymentInstructionStatus-od.json"
    before = [row["data"] for row in json.loads(data.read_text())]
    [pending] = rows("expense.PaymentInstructionStatus.json")
    assert pending.keys() == before[0].keys()
    assert pending["code"] == "PENDING"
    assert pending["id"] == max(row["id"] for row in before) + 1


def test_the_page_names_every_file():
    page = (ROOT / "docs" / "digit.md").read_text()
    for file in FOLDER.iterdir():
        assert file.name in page
