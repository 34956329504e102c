"""FTFPS: what is asked about a paid revision, and which failures are its own. End to end: test_cor.py."""

import json
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
import time_machine
from support import failed
from support.databases import rewrite
from support.pis import instruction, treasury_config
from support.simulators import LOG_KEY

from ifms.errors import SweepNeedsAttentionError, WireError
from ifms.sealing import Sealer
from ifms.services.ftfps import RevisedFailure
from ifms.wire.envelope import Reply
from ifms.wire.phrasebook import shipped

NUMBER = "COR-SA/2024-25/000018"
REVISION = instruction(
    pi_number=NUMBER, pi_type="REVISED", pa_bill_ref_number="1717400009999", org_bill_ref_number="1717400000001"
)
FAILURES = {
    "jitCorBillNo": NUMBER,
    "billRefNo": "1717400009999",
    "benfDtls": [{"benfId": "BN-SA/000001", "failedReason": "Account is Dormant", "challanDate": "2024-06-07"}],
}


def service():
    return RevisedFailure(Sealer.from_config(LOG_KEY))


def read(*rows):
    return service().read(REVISION, Reply("FTFPS", data=list(rows)), shipped())


def test_asks_by_the_revision_s_own_reference():
    """The Java adapter sends the original's: then the treasury knows of no failure."""
    assert json.loads(service().request(REVISION, treasury_config()).to_wire()) == {
        "serviceId": "FTFPS",
        "params": {
            "jitCorBillNo": NUMBER,
            "jitCorBillDate": "2024-06-02 01:30:00",
            "billRefNo": "1717400009999",
            "tokenNumber": "5",
            "tokenDate": "2024-06-04",
        },
    }


def test_reads_who_failed_and_why():
    [failure] = read(FAILURES)
    assert (failure.beneficiary_id, failure.reason, failure.failed_on) == (
        "BN-SA/000001",
        "Account is Dormant",
        date(2024, 6, 7),
    )


@pytest.mark.parametrize(("instant", "day"), [("18:29", date(2027, 3, 31)), ("18:31", date(2027, 4, 1))])
def test_without_a_challan_s_date_it_failed_today_in_odisha(instant, day):
    hour, minute = map(int, instant.split(":"))
    with time_machine.travel(datetime(2027, 3, 31, hour, minute, tzinfo=UTC), tick=False):
        [failure] = read(FAILURES | {"benfDtls": [{"benfId": "BN-SA/000001"}]})
    assert failure.failed_on == day


@pytest.mark.parametrize("rows", [[], [FAILURES | {"benfDtls": None}]])
def test_without_a_failure_there_is_no_news(rows):
    assert read(*rows) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"jitCorBillNo": "COR-SA/2024-25/000019"}, "names the bill 'COR"),
        ({"billRefNo": "1717400000001"}, "names the bill reference"),
    ],
)
def test_a_reply_that_is_not_about_it_is_an_error(change, said):
    with pytest.raises(WireError, match=said):
        read(FAILURES | change)


@pytest.fixture
def corrected(adapter):
    """Two failed beneficiaries of a paid PI, corrected and paid."""
    failed.paid_and_failed(adapter, payees=3, failures=2)
    failed.mend(adapter)
    adapter.correct()
    adapter.run("FTPS")
    return adapter


CITY = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


@CITY
def test_asking_again_changes_nothing_and_a_later_failure_counts(corrected):
    [revision] = failed.revisions(corrected)
    failed.fail(corrected, 1, revision["pi_number"])
    corrected.run("FTFPS")
    rows = "SELECT status, status_message, failed_on FROM ifms.beneficiary ORDER BY id"
    once = corrected.rows(rows), corrected.rows("SELECT * FROM ifms.outbox ORDER BY id")
    assert failed.revisions(corrected)[0]["status"] == "PARTIAL"
    assert len(failed.failing(corrected)) == 1
    corrected.run("FTFPS")
    assert (corrected.rows(rows), corrected.rows("SELECT * FROM ifms.outbox ORDER BY id")) == once
    failed.fail(corrected, 2, revision["pi_number"])
    corrected.run("FTFPS")
    assert len(failed.failing(corrected)) == 2


@CITY
def test_all_that_failed_is_not_asked_about_any_more(corrected, treasury):
    [revision] = failed.revisions(corrected)
    failed.fail(corrected, "all", revision["pi_number"])
    corrected.run("FTFPS")
    asked = treasury.state["calls"]["FTFPS"]
    corrected.run("FTFPS")
    assert treasury.state["calls"]["FTFPS"] == asked


@CITY
def test_a_stranger_in_the_reply_changes_nothing(corrected, treasury):
    [revision] = failed.revisions(corrected)
    failed.fail(corrected, "all", revision["pi_number"])
    treasury.rule("FTFPS", "missing_field", field="benfId")
    with psycopg.connect(corrected.dsn) as connection:
        connection.execute("SET session_replication_role = replica")  # the ledger forgets no account by itself
        connection.execute("UPDATE ifms.beneficiary SET account_sealed = NULL")
    with pytest.raises(SweepNeedsAttentionError, match="names None, which is not in it"):
        corrected.run("FTFPS")
    assert failed.revisions(corrected)[0]["status"] == "SUCCESSFUL"
    assert failed.failing(corrected) == []


@CITY
def test_a_failure_of_another_transfer_is_kept_and_the_others_are_booked(corrected, treasury):
    """Such as the original's, of a revision that is paid."""
    [revision] = failed.revisions(corrected)
    one, other = failed.paid_by(corrected, revision)
    told = [{"benfId": one, "benfAcctNo": "99990000", "failedReason": "the original's"}, {"benfId": other}]
    text = {"serviceId": "FTFPS", "errorMsg": None, "data": [{"jitCorBillNo": revision["pi_number"], "benfDtls": told}]}
    treasury.rule("FTFPS", "plain_reply", text=json.dumps(text))
    with pytest.raises(
        SweepNeedsAttentionError, match=f"failure of '{one}' is not booked, but kept: it names an account"
    ):
        corrected.run("FTFPS")
    assert failed.failing(corrected) == [other]
    assert failed.revisions(corrected)[0]["status"] == "PARTIAL"
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):  # known by then, though asked on another day
        corrected.run("FTFPS")
    [kept] = corrected.rows("SELECT bill_number, beneficiary_id, matched_at FROM ifms.reported_failure")
    assert kept == {"bill_number": revision["pi_number"], "beneficiary_id": one, "matched_at": None}


@CITY
@pytest.mark.parametrize("day", [4, 60, 95, 99])
def test_a_return_days_after_the_revision_s_voucher_is_booked(corrected, day):
    paid = "UPDATE ifms.payment_instruction SET paid_at = paid_at - make_interval(days => %s) WHERE pi_type = 'REVISED'"
    rewrite(corrected.dsn, paid, [day])
    [revision] = failed.revisions(corrected)
    failed.fail(corrected, 1, revision["pi_number"])
    corrected.run("FTFPS")
    assert failed.revisions(corrected)[0]["status"] == "PARTIAL"
