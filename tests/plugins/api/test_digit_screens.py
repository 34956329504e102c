"""What DIGIT's own screens read of the API, field by field as the contract lists them (digit-clients.md §2)."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.adapter import Adapter, Treasury, assert_money_is_right
from support.failed import TENANT, fail, mend, original, paid_and_failed, revisions, wage_bill

from ifms.errors import SweepError

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0, "persist_ms": 0})]

CONTRACT = Path(__file__).parents[3] / "docs" / "contracts" / "digit-clients.md"


def fields(begin: str, end: str) -> list[str]:
    """The paths that the contract lists between two of its words: a.{b, c} is a.b and a.c."""
    text = " ".join(CONTRACT.read_text().split())
    listed = re.search(f"{re.escape(begin)}(.*?){re.escape(end)}", text)
    assert listed, begin
    found = []
    for part in re.findall(r"[\w.\[\]]+(?:\{[^}]*\})?", re.sub(r"\([^)]*\)", "", listed[1])):
        stem, brace, inner = part.partition("{")
        found += [f"{stem}{each}" for each in inner.rstrip("}").split(", ")] if brace else [part]
    return found


PI_FIELDS = fields("It uses ", "; then `funds")
FUND_FIELDS = fields("{tenantId, ids} for ", ". Where a PI")


def read(document: Any, path: str) -> list[Any]:
    """What a screen finds at a path: `a[].b` of all rows, `a[0].b` of the first."""
    values = [document]
    for step in path.split("."):
        name, index = re.fullmatch(r"(\w+)(\[\d*\])?", step).groups()  # type: ignore[union-attr]
        values = [value.get(name) for value in values]
        if index == "[]":
            values = [row for rows in values for row in rows]
        elif index:
            values = [rows[int(index[1:-1])] for rows in values]
    return values


def view_payment(post: Any, payment: str) -> list[dict[str, Any]]:
    """The search of View Payment: without pagination; the newest first."""
    found: list[dict[str, Any]] = post(
        "pi/v1/_search", searchCriteria={"tenantId": TENANT, "muktaReferenceId": payment}
    ).json()["paymentInstructions"]
    return found


def head_and_allotment(post: Any, pi: dict[str, Any]) -> tuple[str, str]:
    """What View Payment shows beside a PI, by the sanction of its first transaction."""
    sanction = pi["transactionDetails"][0]["sanctionId"]
    [fund] = [
        each
        for each in post("funds/v1/_search", searchCriteria={"tenantId": TENANT, "ids": [sanction]}).json()["funds"]
        if each["id"] == sanction
    ]
    return fund["hoaCode"], fund["masterAllotmentId"]


@pytest.fixture
def revised(adapter: Adapter, treasury: Treasury) -> str:
    """A payment that was paid, of which one payee failed and was revised; the payment's number."""
    paid_and_failed(adapter)
    mend(adapter)
    adapter.correct()
    return str(original(adapter)["payment_number"])


def pending(adapter: Adapter, treasury: Treasury) -> dict[str, Any]:
    """A PI that was sent, and nobody knows whether it arrived."""
    wage_bill(adapter)
    for service in ("VA", "PA"):
        adapter.run(service)
    treasury.rule("PI", "lost_reply", times=1)
    with suppress(SweepError):
        adapter.run("PI")
    [row] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'PENDING'")
    return row


def test_the_contract_lists_fields():
    assert {"parentPiNumber", "paDetails[0].paTokenDate", "beneficiaryDetails[].auditDetails.lastModifiedTime"} <= set(
        PI_FIELDS
    )
    assert len(PI_FIELDS) == 20
    assert FUND_FIELDS == ["id", "hoaCode", "masterAllotmentId"]


ADVICE = [path for path in PI_FIELDS if path.startswith("paDetails")]
UNKNOWN = {
    "paid and failed": ["parentPiNumber"],
    "revised": ADVICE,
    "pending": ["parentPiNumber", *ADVICE],
    "declined": ["parentPiNumber", *ADVICE],
}
"""What a screen shows as NA, as nobody knows it yet; every other field of the contract is there."""


def missing(pi: dict[str, Any]) -> list[str]:
    """The paths at which a screen finds nothing; the message is that of failed beneficiaries, if there are any."""
    lacking = []
    for path in PI_FIELDS:
        values = read(pi, path)
        if path.endswith("paymentStatusMessage"):
            values = [
                each.get("paymentStatusMessage")
                for each in pi["beneficiaryDetails"]
                if each["paymentStatus"] == "Payment Failed"
            ]
        elif not values:
            lacking.append(path)
        if None in values:
            lacking.append(path)
    return lacking


def test_view_payment_finds_every_field_of_every_pi(adapter: Adapter, treasury: Treasury, post: Any, revised: str):
    treasury.rule("PI", "error", errorMsg="Insufficient fund", times=1)
    wage_bill(adapter)
    for service in ("PA", "PI"):
        with suppress(SweepError):
            adapter.run(service)
    [declined] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'FAILED'")
    newest, oldest = view_payment(post, revised)
    shown = {
        "paid and failed": oldest,
        "revised": newest,
        "pending": view_payment(post, pending(adapter, treasury)["payment_number"])[0],
        "declined": view_payment(post, declined["payment_number"])[0],
    }
    assert {name: missing(pi) for name, pi in shown.items()} == UNKNOWN
    assert newest["parentPiNumber"] == oldest["jitBillNo"]
    rows = {row["pi_number"]: row for row in adapter.rows("SELECT * FROM ifms.payment_instruction")}
    for name, pi in shown.items():
        row = rows[pi["jitBillNo"]]
        assert head_and_allotment(post, pi) == (row["hoa_code"], row["master_allotment_id"]), name
        assert pi["piStatusLogs"][0]["status"].startswith("STATUS_LOG_")
        assert all(isinstance(day, str) for day in read(pi, "paDetails[0].paAdviceDate") if day)  # it splits them


def test_a_link_to_a_sanction_moves_no_money(adapter: Adapter, treasury: Treasury, post: Any, revised: str):
    newest, oldest = view_payment(post, revised)
    assert [row["transactionType"] for row in oldest["transactionDetails"]] == ["DEBIT"]
    unsure = view_payment(post, pending(adapter, treasury)["payment_number"])[0]
    for pi in (newest, unsure):
        [link] = pi["transactionDetails"]
        assert (link["transactionType"], link["transactionAmount"]) == (None, 0)
        assert (link["paymentInstId"], link["tenantId"]) == (pi["id"], TENANT)


def test_view_pi_finds_the_bill_of_a_revision_too(post: Any, revised: str):
    """By piNumber, with a pagination of texts; additionalDetails.billNumber[0] makes the bill's link."""
    newest, oldest = view_payment(post, revised)
    for pi in (newest, oldest):
        [shown] = post(
            "pi/v1/_search",
            searchCriteria={"tenantId": TENANT, "piNumber": pi["jitBillNo"]},
            pagination={"limit": "10", "offSet": "0", "sortBy": "createdTime", "order": "ASC"},
        ).json()["paymentInstructions"]
        assert shown["additionalDetails"]["billNumber"][0].startswith("WB")
        assert shown["additionalDetails"]["referenceId"]
    assert newest["additionalDetails"] == oldest["additionalDetails"]


def test_view_pi_revises_by_the_number_of_the_revision_that_it_shows(
    adapter: Adapter, treasury: Treasury, post: Any, revised: str
):
    [first] = revisions(adapter)
    adapter.run("FTPS")
    fail(adapter, 1, first["pi_number"])
    adapter.run("FTFPS")
    mend(adapter, account="000099990077")
    made = post("pi/v1/_create", tenantId=TENANT, parentPI=first["pi_number"])
    assert made.status_code == 200, made.text
    assert made.json()["paymentInstruction"]["parentPiNumber"] == original(adapter)["pi_number"]
    assert len(revisions(adapter)) == 2
    assert_money_is_right(adapter, treasury)


def test_a_revision_of_another_city_is_nobodys(adapter: Adapter, treasury: Treasury, post: Any, revised: str):
    [first] = revisions(adapter)
    answer = post("pi/v1/_create", tenantId="od.sampleb", parentPI=first["pi_number"])
    assert answer.status_code == 400
    assert len(revisions(adapter)) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("pi/v1/_create", {"tenantId": TENANT, "parentPI": "PI-SA/0"}),
        ("pi/v1/_create", {}),
        ("pi/v1/_create", {"tenantId": 7}),
        ("pi/v1/_search", {"searchCriteria": {}}),
        ("funds/v1/_search", {}),
    ],
)
def test_an_error_says_the_same_to_those_who_read_description_and_to_those_who_read_message(
    adapter: Adapter, post: Any, path: str, body: dict[str, Any]
):
    answer = post(path, **body)
    assert answer.status_code == 400
    for error in answer.json()["Errors"]:
        assert error["message"]
        assert error["description"] == error["message"]
