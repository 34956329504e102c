"""FTPS: what is asked about a revised PI, and which scrolls are its own. End to end: test_cor.py."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from support import failed
from support.pis import PI_NUMBER, instruction, treasury_config

from ifms import clock
from ifms.errors import SweepNeedsAttentionError, WireError
from ifms.ledger import beneficiaries, instructions
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.failure_matching import book_and_log
from ifms.services.ftps import RevisedSuccess
from ifms.wire.envelope import Reply
from ifms.wire.phrasebook import shipped

NUMBER = "COR-SA/2024-25/000018"
REVISION = instruction(
    pi_number=NUMBER,
    pi_type="REVISED",
    parent_pi_number=PI_NUMBER,
    org_bill_ref_number="1717400000001",
    org_bill_date=datetime(2024, 6, 1, 20, tzinfo=UTC),
    pa_bill_ref_number=None,
    pa_token_number=None,
    pa_token_date=None,
)
SCROLLS = {
    "jitCorBillNo": NUMBER,
    "jitOrgBillRefNo": "1717400000001",
    "voucherNo": "22999",
    "voucherDate": "2024-06-05",
    "billRefNo": "1717400009999",
    "tokenNumber": "9",
    "tokenDate": "2024-06-04",
    "benfDtls": [{"benfId": "BN-SA/000001", "utrNo": "RBI900"}],
}


def read(*rows):
    return RevisedSuccess().read(REVISION, Reply("FTPS", data=list(rows)), shipped())


def test_asks_by_the_revision_and_its_original():
    request = RevisedSuccess().request(REVISION, treasury_config())
    assert json.loads(request.to_wire()) == {
        "serviceId": "FTPS",
        "params": {
            "jitCorBillNo": NUMBER,
            "jitCorBillDate": "2024-06-02 01:30:00",
            "jitCorBillDeptCode": treasury_config().department_code,
            "jitOrgBillRefNo": "1717400000001",
            "jitOrgBillNo": PI_NUMBER,
            "jitOrgBillDate": "2024-06-02 01:30:00",
        },
    }


def test_reads_the_scrolls_and_what_ftfps_must_name():
    news = read(SCROLLS)
    assert [scroll.beneficiary_number for scroll in news.scrolls] == ["BN-SA/000001"]
    assert (news.bill_ref_no, news.token_number, news.token_date) == ("1717400009999", "9", "2024-06-04")


def test_rows_about_the_same_bill_are_read_together():
    other = SCROLLS | {"voucherNo": "23000", "benfDtls": [{"benfId": "BN-SA/000002", "utrNo": "RBI901"}]}
    assert {s.beneficiary_number: s.voucher_number for s in read(SCROLLS, other).scrolls} == {
        "BN-SA/000001": "22999",
        "BN-SA/000002": "23000",
    }


def test_without_a_row_there_is_no_news():
    assert read() is None


@pytest.mark.parametrize("nobody", [[], None])
def test_references_may_come_before_any_scroll_and_are_news_once(nobody):
    news = read(SCROLLS | {"benfDtls": nobody})
    assert (news.scrolls, news.bill_ref_no, news.token_number, news.token_date) == (
        *((), "1717400009999", "9", "2024-06-04"),
    )
    known = replace(REVISION, pa_bill_ref_number="1717400009999", pa_token_number="9", pa_token_date="2024-06-04")
    assert RevisedSuccess().read(known, Reply("FTPS", data=[SCROLLS | {"benfDtls": nobody}]), shipped()) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"jitCorBillNo": "COR-SA/2024-25/000019"}, "names the bill"),
        ({"jitOrgBillRefNo": "1717400000002"}, "names the original's reference"),
        ({"voucherNo": None}, "no voucher or UTR"),
        ({"benfDtls": [{"benfId": "BN-SA/000001"}]}, "no voucher or UTR"),
    ],
)
def test_a_reply_that_is_not_about_it_is_an_error(change, said):
    with pytest.raises(WireError, match=said):
        read(SCROLLS | change)


def test_two_references_for_one_revision_are_an_error():
    with pytest.raises(WireError, match="names 2 bill references and tokens"):
        read(SCROLLS, SCROLLS | {"tokenNumber": "10"})


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_scrolls_are_kept_as_they_come(adapter, treasury):
    failed.paid_and_failed(adapter, payees=3, failures=2)
    failed.mend(adapter)
    adapter.correct()
    treasury.rule("FTPS", "partial_scrolls", beneficiaries=1)
    adapter.run("FTPS")
    [revision] = failed.revisions(adapter)
    assert (revision["status"], revision["pa_bill_ref_number"] is None) == ("INITIATED", False)
    rows = "SELECT utr_number FROM ifms.beneficiary WHERE payment_instruction_id = %s ORDER BY 1"
    assert [row["utr_number"] is None for row in adapter.rows(rows, revision["id"])] == [False, True]
    treasury.clear()
    adapter.run("FTPS")
    assert failed.revisions(adapter)[0]["status"] == "SUCCESSFUL"


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_scroll_of_another_account_than_was_corrected_pays_nobody(adapter, treasury):
    failed.paid_and_failed(adapter, payees=3, failures=2)
    failed.mend(adapter)
    adapter.correct()
    treasury.rule("FTPS", "unknown_text", field="benfAcctNo", text="99999999999", times=1)
    with pytest.raises(SweepNeedsAttentionError, match="an account that ends in 9999"):
        adapter.run("FTPS")
    [revision] = failed.revisions(adapter)
    assert (revision["status"], revision["pa_bill_ref_number"] is None) == ("INITIATED", False)
    adapter.run("FTPS")
    assert failed.revisions(adapter)[0]["status"] == "SUCCESSFUL"


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_revision_that_fails_without_a_scroll_is_heard_of_by_its_references(adapter, treasury):
    """Seen: its token was thrown away, so that FTFPS never asked: INITIATED for ever, all green."""
    failed.paid_and_failed(adapter, payees=1, failures=1)
    failed.mend(adapter)
    adapter.correct()
    treasury.rule("FTPS", "partial_scrolls", beneficiaries=0)
    assert adapter.run("FTPS").counts["references_told"] == 1
    [revision] = failed.revisions(adapter)
    assert (revision["status"], revision["pa_token_number"] is None, revision["paid_at"]) == ("INITIATED", False, None)
    assert adapter.run("FTPS").counts["no_news"] == 1
    adapter.run("FTFPS")
    assert failed.revisions(adapter)[0]["status"] == "INITIATED"
    failed.fail(adapter, "all", revision["pi_number"])
    adapter.run("FTFPS")
    [revision] = failed.revisions(adapter)
    assert (revision["status"], revision["paid_at"]) == ("PARTIAL", None)
    asked = treasury.state["calls"]["FTFPS"]
    adapter.run("FTFPS")
    assert treasury.state["calls"]["FTFPS"] == asked, "all have failed: nothing more can come"
    failed.mend(adapter, account="000099990009")
    treasury.clear()
    adapter.correct()
    adapter.run("FTPS")
    assert [row["status"] for row in failed.revisions(adapter)] == ["COMPLETED", "SUCCESSFUL"]
    assert failed.original(adapter)["status"] == "COMPLETED"
    adapter.reconcile()


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize(("effect", "options"), [("error", {"errorMsg": "sample"}), ("html", {})])
def test_no_error_changes_a_revision(adapter, treasury, effect, options):
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    adapter.correct()
    treasury.rule("FTPS", effect, **options)
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("FTPS")
    assert failed.revisions(adapter)[0]["status"] == "INITIATED"


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_revision_whose_payments_came_back_before_its_references_is_asked_about_until_they_come(adapter, treasury):
    """The next revision must name its reference."""
    failed.paid_and_failed(adapter, payees=1, failures=1)
    failed.mend(adapter)
    adapter.correct()
    [first] = failed.revisions(adapter)
    with psycopg.connect(adapter.dsn) as connection:  # what FD tells of it, before FTPS was asked
        [beneficiary] = connection.execute(
            "SELECT id FROM ifms.beneficiary WHERE payment_instruction_id = %s", (first["id"],)
        ).fetchone()
        pi = instructions.lock(connection, first["pi_number"])
        row = beneficiaries.of(connection, [pi.id])[pi.id][0]
        assert row.id == beneficiary
        day = clock.to_ist(clock.now()).date()
        book_and_log(connection, pi, [(row, Failure(day, "Account is Dormant", "C1", day))], None)
    assert failed.revisions(adapter)[0]["status"] == "PARTIAL"
    failed.fail(adapter, "all", first["pi_number"])
    adapter.run("FTPS")
    [first] = failed.revisions(adapter)
    assert (first["status"], first["pa_bill_ref_number"] is not None) == ("PARTIAL", True)
    assert adapter.run("FTPS").counts == {}
    failed.mend(adapter, account="000099990777")
    adapter.correct()
    assert [row["status"] for row in failed.revisions(adapter)] == ["COMPLETED", "INITIATED"]
    adapter.run("FTPS")
    assert [row["status"] for row in failed.revisions(adapter)] == ["COMPLETED", "SUCCESSFUL"]
