"""Each row alone: rows of the Java adapter that all fit, and what is written of each, to the last column."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from support.java_rows import (
    CITY,
    FAILED,
    NEW_YEAR,
    ORIGINALS,
    OTHER,
    REVISIONS,
    SUCCESSFUL,
    WITH_ITS_DEBIT,
    advice,
    allotment,
    copied,
    moved,
    person,
    pi,
    sanction,
)

DAY = 86_400_000
A_SANCTION, A_PI = "5a5c7a3e-0000-4000-8000-000000000001", "5a5c7a3e-0000-4000-8000-000000000002"
WRONG_IFSC = "[{errorCode=340, errorMsg=Wrong IFSC provided in Beneficiary Details for BenefId BN/1}]"
TIMED_OUT, NO_FUNDS = "Read timed out", "PAYMENT_INSUFFICIENT_FUNDS"
# FAILED PIs besides those that are there, each with the minute that it was made in and what was kept of the reply.
FAILED_TOO = {
    "earlier": (-5, TIMED_OUT),  # of the payment that `initiated` pays
    "unanswered": (20, TIMED_OUT),
    "unanswered-2": (21, "PAYMENT_SERVER_UNREACHABLE"),
    "refused": (22, "Insufficient fund"),
    "refused-2": (23, WRONG_IFSC),
    "elsewhere": (24, NO_FUNDS),  # in the city with two SSUs
}
MADE = {name: n for n, name in enumerate(ORIGINALS)} | {name: n for name, (n, _) in FAILED_TOO.items()}
MADE |= {f"{name}-2": 50 + n for n, name in enumerate(REVISIONS)} | {"partial-2": 52}


def at(minutes, milliseconds=0):
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes, milliseconds=milliseconds)


def further_allotment(key, **values):
    values = {"allotmentserialno": 3, "allotmentamount": 0, "createdtime": NEW_YEAR, **values}
    return copied("jit_allotment_details", "a2", key, **values)


CHANGES = (
    # Which allotment a PI was paid from: the last that had come by then, and no withdrawal.
    further_allotment("a3", ssuallotmentid="B", createdtime=NEW_YEAR + 150_000),
    further_allotment("a4", ssuallotmentid="C", createdtime=NEW_YEAR + 330_000),
    further_allotment("a5", allotmentserialno=9, allotmenttransactiontype="Allotment withdrawal"),
    further_allotment("a6", allotmentserialno=8, allotmentamount=6, createdtime=NEW_YEAR + 9_000_000),
    allotment("a2", allotmentamount=4),
    # A sanction of no allotments, of a year that they would have told otherwise; and one whose first tells it.
    copied("jit_sanction_details", "s2", A_SANCTION, masterallotmentid="M-u", hoacode="H2", financialyear="2024-25"),
    copied("jit_funds_summary", "f-s3", "f-u", sanctionid=A_SANCTION, tenantid=CITY),
    sanction("s2", financialyear="2099-00"),
    allotment("b4", createdtime=None),
    allotment("b3", createdtime=NEW_YEAR + 5),
    allotment(
        "b5", createdtime=NEW_YEAR - 60_000, allotmentdate=NEW_YEAR + 150 * DAY
    ),  # told again, and the first to be made
    # What came of money by itself, and when.
    moved("initiated-DEBIT", createdtime=NEW_YEAR + 500),
    moved("approved-DEBIT", createdtime=None),
    moved("rejected-REVERSAL", createdtime=NEW_YEAR + 900_000),
    f"UPDATE jit_payment_inst_details SET id = '{A_PI}' WHERE id = 'paid'",
    *(
        f"UPDATE {table} SET {column} = '{A_PI}' WHERE {column} = 'paid'"
        for table, column in (
            ("jit_beneficiary_details", "piid"),
            ("jit_payment_advice_details", "piid"),
            ("jit_pi_status_logs", "piid"),
            ("jit_transaction_details", "paymentinstid"),
        )
    ),
    # What a PI says of its bills: a revision its own, or its original's besides what else it says.
    pi("initiated", additionaldetails='{"billNumber": ["W/1"]}'),
    pi("partial", additionaldetails='{"billNumber": ["W/5"], "of": "original"}'),
    pi("partial-2", additionaldetails='{"of": "revision", "more": 1}'),
    pi("again", additionaldetails='{"billNumber": ["W/7"]}'),
    pi("again-2", additionaldetails='{"billNumber": ["W/8"]}'),
    pi("completed", additionaldetails='"text"'),
    pi("approved", lastmodifiedtime=None, piapprovedid=" 7 "),
    pi("earlier", muktareferenceid="INITIATED", netamount=60, grossamount=60),
    person("earlier-0", amount=20),
    pi("refused", netamount=70, grossamount=70),
    person("refused-0", amount=30),
    pi("elsewhere", tenantid=OTHER),
    advice("refused", patokennumber="T9"),
    advice("scrolled", patokennumber="T3", patokendate="2026-01-04"),
    # When somebody was paid, or their money came back.
    person("paid-1", voucherdate=NEW_YEAR + DAY, utrdate="2026-02-30", lastmodifiedtime=None),
    person("partial-1", challandate="NULL", voucherdate=NEW_YEAR + 3 * DAY),
    person("completed-1", challandate=None, voucherdate=None, lastmodifiedtime=NEW_YEAR + 19 * 3_600_000),
    person("completed-2-0", voucherdate=None),
    person("processed-0", bankaccountid=None, paymentstatusmessage=""),
    copied("jit_beneficiary_lineitems", "initiated-0-line", "another", lineitemid="a line"),
    # What was noted of a call.
    "UPDATE jit_pi_status_logs SET additionaldetails = '\"sample\"', createdtime = NULL WHERE id = 'initiated-log'",
    "UPDATE jit_pi_status_logs SET additionaldetails = '{\"a\": 1}' WHERE id = 'approved-log'",
)


@pytest.fixture(scope="module")
def taken(all_rows):
    """What was said of them, and the ledger that has them."""
    for name, (n, error) in FAILED_TOO.items():
        all_rows.add(name, n, "FAILED", [FAILED, FAILED], error=error)
    all_rows.add("partial-2", 52, "FAILED", [FAILED], "PI-partial", TIMED_OUT)
    for change in CHANGES:
        all_rows.database.run(change)
    with all_rows.taken_over() as taken:
        yield taken
    all_rows.restore()


@pytest.fixture(scope="module")
def look(taken):
    return taken[1]


def by(rows, column="pi_number"):
    return {row[column].removeprefix("PI-"): row for row in rows}


def test_a_sanction_is_written_with_what_the_master_data_adds(look):
    found = look("SELECT * FROM ifms.sanction ORDER BY master_allotment_id")
    names = ("hoa_code", "ddo_code", "ssu_id", "grantee_code", "scheme_code", "financial_year", "tenant_id")
    assert {row["master_allotment_id"]: tuple(row[name] for name in names) for row in found} == {
        "M-s1": ("H1", "D1", "SSU1", "G1", "S1", "2025-26", CITY),
        "M-s2": ("H1", "D1", "SSU1", "G1", "S1", "2025-26", CITY),
        "M-s3": ("H2", "D2", "SSU2", "G2", "S2", "2025-26", OTHER),
        "M-u": ("H2", "D1", "SSU1", "G1", "S2", "2024-25", CITY),
    }
    assert {(row["sanctioned_amount"], row["created_at"]) for row in found} == {(9000, at(0))}
    assert str(found[-1]["id"]) == A_SANCTION


def test_an_allotment_is_written_once(look):
    found = look(
        "SELECT s.master_allotment_id AS of, a.* FROM ifms.allotment a JOIN ifms.sanction s ON s.id = a.sanction_id"
        " ORDER BY 1, a.serial_no, a.ssu_allotment_id"
    )
    names = ("of", "ssu_allotment_id", "serial_no", "kind", "amount")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("M-s1", "A", 1, "INITIAL", 4990),
        ("M-s1", "A", 2, "ADDITIONAL", 4),
        ("M-s1", "B", 3, "ADDITIONAL", 0),
        ("M-s1", "C", 3, "ADDITIONAL", 0),
        ("M-s1", "A", 8, "ADDITIONAL", 6),
        ("M-s1", "A", 9, "WITHDRAWAL", 0),
        ("M-s2", "A", 1, "INITIAL", 250),
        ("M-s2", "A", 2, "ADDITIONAL", 80),
        ("M-s2", "A", 3, "WITHDRAWAL", 30),
        ("M-s2", "A", 4, "ADDITIONAL", 0),
    ]
    assert {row["sanction_balance"] for row in found} == {100}
    assert [row["allotment_date"] for row in found[6:8]] == [date(2026, 1, 1), date(2026, 5, 31)]
    assert [row["received_at"] for row in found[2:4]] == [at(2, 30_000), at(5, 30_000)]
    assert found[7]["received_at"] == at(-1)
    assert found[-1]["received_at"] > at(60)  # nobody knows when: by now


def test_money_moves_as_it_did_there(look):
    found = look(
        "SELECT s.master_allotment_id AS of, m.*, i.pi_number, a.serial_no FROM ifms.fund_movement m"
        " JOIN ifms.sanction s ON s.id = m.sanction_id"
        " LEFT JOIN ifms.payment_instruction i ON i.id = m.payment_instruction_id"
        " LEFT JOIN ifms.allotment a ON a.id = m.allotment_id ORDER BY m.sanction_id, m.id"
    )
    booked = {}
    for row in found:
        about = (row["pi_number"] or "").removeprefix("PI-") or row["serial_no"]
        booked.setdefault(row["of"], []).append((row["kind"], about, row["amount"], row["created_at"]))
    times = {name: (at(MADE[name]), at(MADE[name])) for name in (*WITH_ITS_DEBIT, "rejected")}
    times["initiated"] = (at(0), at(0, 500))
    assert booked == {
        "M-s1": [
            ("ALLOTMENT", 1, 4990, at(0)),
            ("ALLOTMENT", 2, 4, at(0)),
            ("ALLOTMENT", 8, 6, at(150)),  # all that was allotted first, whenever it came
            *(
                (kind, name, 100, time)
                for name in sorted(times, key=times.__getitem__)
                for kind, time in zip(("RESERVE", "DEBIT"), times[name], strict=True)
            ),
            ("REVERSAL", "rejected", 100, at(15)),
        ],
        "M-s2": [("ALLOTMENT", 2, 80, at(-1)), ("ALLOTMENT", 1, 250, at(0)), ("WITHDRAWAL", 3, 30, at(0, 5))],
    }
    left = look("SELECT master_allotment_id AS of, allotted_amount, spent_amount, reserved_amount FROM ifms.sanction")
    assert {row.pop("of"): tuple(row.values()) for row in left} == {
        "M-s1": (5000, 100 * len(WITH_ITS_DEBIT), 0),
        "M-s2": (300, 0, 0),
        "M-s3": (0, 0, 0),
        "M-u": (0, 0, 0),
    }


def test_a_watermark_goes_on_where_it_stood(look):
    [row] = look("SELECT * FROM ifms.va_watermark")
    names = ("tenant_id", "hoa_code", "ddo_code", "grantee_code", "ssu_id", "fetched_until")
    assert tuple(row[name] for name in names) == (CITY, "H1", "D1", "G1", "SSU1", at(0))


# Of each PI: its status, how its only attempt ended, and the code of its error.
ANSWERED = {name: (status, "answered", None) for name, (status, *_) in ORIGINALS.items()}
ANSWERED |= {f"{name}-2": (status, "answered", None) for name, (status, *_) in REVISIONS.items()}
STANDS = ANSWERED | {
    "scrolled": ("IN PROCESS", "answered", None),
    "rejected": ("FAILED", "answered", "PAYMENT_DECLINED"),
    "declined": ("FAILED", "never_sent", NO_FUNDS),
    "elsewhere": ("FAILED", "never_sent", NO_FUNDS),
    "earlier": ("FAILED", "unknown", "PAYMENT_FAILED"),
    "unanswered": ("FAILED", "unknown", "PAYMENT_FAILED"),
    "unanswered-2": ("FAILED", "unknown", "PAYMENT_SERVER_UNREACHABLE"),
    "refused": ("FAILED", "rejected", "PAYMENT_FAILED"),
    "refused-2": ("FAILED", "rejected", "PAYMENT_FAILED"),
    "partial-2": ("FAILED", "unknown", "CORRECTION_DECLINED"),
}


def test_a_pi_stands_where_it_stood_and_it_is_known_what_its_attempt_came_to(look):
    found = by(look("SELECT * FROM ifms.payment_instruction"))
    assert {name: (r["status"], r["last_attempt"], r["error_code"]) for name, r in found.items()} == STANDS
    for name, row in found.items():
        failed, unknown, never = (x in STANDS[name] for x in ("FAILED", "unknown", "never_sent"))
        assert (row["is_active"], row["uncertain"], row["attempts"]) == (not failed, unknown, 0 if never else 1), name
    assert {name: row["error_message"] for name, row in found.items() if row["error_message"]} == {
        **{name: error for name, (_, error) in FAILED_TOO.items()},
        "rejected": "sample reason",
        "declined": NO_FUNDS,
        "partial-2": TIMED_OUT,
    }


def test_a_pi_is_written_under_its_own_numbers_and_times(look):
    found = by(look("SELECT * FROM ifms.payment_instruction"))
    assert str(found["paid"]["id"]) == A_PI
    for name, row in found.items():
        revision = name in ("completed-2", "again-2", "partial-2")
        original = f"PI-{name.removesuffix('-2')}" if revision else None
        assert (row["pi_type"] == "REVISED", row["parent_pi_number"]) == (revision, original)
        assert row["payment_number"] == ("INITIATED" if name == "earlier" else name.removesuffix("-2").upper())
        assert row["tenant_id"] == (OTHER if name == "elsewhere" else CITY)
        made = at(MADE[name])
        assert (row["created_at"], row["last_attempt_at"]) == (made, made)
        assert row["updated_at"] == row["status_since"] == made + timedelta(seconds=0 if name == "approved" else 1)
        assert row["bill_date"] == made - timedelta(hours=5, minutes=30)  # the text that the treasury was told
        assert (row["financial_year"], row["purpose"]) == ("2025-26", "MUKTA")
        parent = found[original.removeprefix("PI-")] if original else None
        assert row["org_bill_date"] == (parent and parent["bill_date"])
        assert row["org_bill_ref_number"] == ("B" if revision else None)
        net = 40 if revision else {"earlier": 60, "refused": 70}.get(name, 100)
        more = name not in ("earlier", "refused") and MADE[name] % 2
        assert (row["net_amount"], row["gross_amount"]) == (net, net + more)
        assert row["beneficiary_count"] == (1 if revision else 2)
        assert (row["success_code"], row["success_description"]) == (f"code {name}", f"description {name}")


def test_a_pi_says_what_the_treasury_has_told_of_it(look):
    for name, row in by(look("SELECT * FROM ifms.payment_instruction")).items():
        status = "PAID" if STANDS[name][0] not in ("INITIATED", "APPROVED", "FAILED") else STANDS[name][0]
        approved = status in ("APPROVED", "PAID") and row["pi_type"] == "ORIGINAL"
        said = (" 7 " if name == "approved" else "7", "2026-01-02") if approved else (None, None)
        assert (row["pi_approved_id"], row["pi_approval_date"]) == said
        names = ("pa_fin_year", "pa_advice_id", "pa_advice_date", "pa_bill_ref_number", "pa_token_number")
        told = ("2025", f"advice {name}", f"advised {name}", "B", "T3" if name == "scrolled" else "T")
        untold = (None, None, None, None, "T9" if name == "refused" else None)
        assert tuple(row[each] for each in names) == (told if status == "PAID" else untold)
        day = "2026-01-04" if name == "scrolled" else "2026-01-03"
        assert row["pa_token_date"] == (day if status == "PAID" else None)


def test_a_pi_names_the_sanction_and_the_allotment_that_it_was_paid_from(look):
    names = ("hoa_code", "ddo_code", "grantee_code", "scheme_code", "master_allotment_id")
    for name, row in by(look("SELECT * FROM ifms.payment_instruction")).items():
        of = name.removesuffix("-2")
        if of in (*WITH_ITS_DEBIT, "rejected"):
            assert tuple(row[each] for each in names) == ("H1", "D1", "G1", "S1", "M-s1")
            n = MADE[name]
            last = ("A", 2) if n < 3 else ("B", 3) if n < 6 else ("C", 3)
        else:
            assert tuple(row[each] for each in names) == ("",) * 5
            assert row["sanction_id"] is None
            last = ("", 0)
        assert (row["ssu_allotment_id"], row["allotment_serial_no"]) == last, name
        assert row["ssu_id"] == ("" if name == "elsewhere" else "SSU1")  # of a city with one SSU it is known


def test_a_pi_names_the_bills_that_it_pays(look):
    said = {n: r["additional_details"] for n, r in by(look("SELECT * FROM ifms.payment_instruction")).items()}
    assert {name: details for name, details in said.items() if details} == {
        "initiated": {"billNumber": ["W/1"]},
        "partial": {"billNumber": ["W/5"], "of": "original"},
        "partial-2": {"billNumber": ["W/5"], "of": "original", "more": 1},
        "again": {"billNumber": ["W/7"]},
        "again-2": {"billNumber": ["W/8"]},
    }


def test_a_pi_was_paid_by_the_last_voucher_or_else_when_it_last_changed(look):
    paid = {n: r["paid_at"] for n, r in by(look("SELECT * FROM ifms.payment_instruction")).items() if r["paid_at"]}
    midnight = at(0) - timedelta(hours=5, minutes=30)
    names = ("processed", "scrolled", "completed", "again")
    assert paid == dict.fromkeys(names, midnight) | {
        "paid": midnight + timedelta(days=1),
        "partial": midnight + timedelta(days=3),
        "completed-2": at(50, 1000),
    }


def test_a_beneficiary_is_written_with_what_its_bank_told(look):
    found = look(
        "SELECT i.pi_number, i.created_at AS made, b.* FROM ifms.beneficiary b"
        " JOIN ifms.payment_instruction i ON i.id = b.payment_instruction_id"
        " ORDER BY i.created_at, b.beneficiary_number"
    )
    rows = {f"{row['pi_number'].removeprefix('PI-')} {row['beneficiary_number'][2:]}": row for row in found}
    assert len(rows) == 2 * (len(ORIGINALS) + len(FAILED_TOO)) + 3
    stands = {row: r["status"] for row, r in rows.items()}
    assert {r["imported_as"] == r["status"] for r in found} == {True}
    originals = {name: people for name, (_, *people) in ORIGINALS.items()} | dict.fromkeys(FAILED_TOO, [FAILED] * 2)
    revised = {"completed-2": SUCCESSFUL, "again-2": "Payment In Process", "partial-2": FAILED}
    assert stands == {
        **{f"{name} {name}-{m}": status for name, people in originals.items() for m, status in enumerate(people)},
        **{f"{name} {name.removesuffix('-2')}-1": status for name, status in revised.items()},
    }
    for name, row in rows.items():
        of, whose = name.split(" ")
        first = whose.endswith("-0")
        amount = {"earlier-0": 20, "refused-0": 30}.get(whose, 60 if first else 40)
        payee = (row["amount"], row["beneficiary_id"], row["name"], row["bank_account_id"])
        account = "" if whose == "processed-0" else f"account {whose}"
        assert payee == (amount, f"payee {whose}", "", account)
        m = 0 if of in revised else int(whose[-1])
        assert row["beneficiary_type"] == ("IND", "ORG", "DEPT")[(MADE[of] + m) % 3]
        assert row["line_item_ids"] == [f"line {whose}", *(["a line"] if whose == "initiated-0" else [])]
        message = f"message {of}-{m}"
        assert row["status_message"] == (None if whose == "processed-0" else message)
        assert row["created_at"] == row["made"]
        paid = row["status"] == SUCCESSFUL
        assert (row["voucher_number"], row["utr_number"]) == (("V", "U") if paid else (None, None))
        assert row["end_to_end_id"] == (f"E-{whose}" if paid else None)
        assert row["utr_date"] == (date(2026, 1, 5) if paid and whose != "paid-1" else None)
        assert row["challan_number"] == (f"C-{whose}" if row["status"] == FAILED else None)
        came_back = row["status"] == FAILED and STANDS[of][0] != "FAILED"
        days = {"partial-1": 4, "completed-1": 2}
        assert row["failed_on"] == (date(2026, 1, days.get(whose, 6)) if came_back else None), name
    days = {"completed completed-1": None, "completed-2 completed-1": None, "partial partial-1": 4, "paid paid-1": 2}
    assert {name: row["voucher_date"] and row["voucher_date"].day for name, row in rows.items()} == (
        dict.fromkeys(rows, 1) | days
    )
    other = {"paid paid-1": at(4), "completed completed-1": at(19 * 60)}
    for name, row in rows.items():
        assert row["updated_at"] == other.get(name, row["made"] + timedelta(seconds=1)), name


ROUTES = {
    "ORIGINAL": ["PENDING", "INITIATED", "APPROVED", "IN PROCESS", "SUCCESSFUL", "PARTIAL", "COMPLETED"],
    "REVISED": ["PENDING", "INITIATED", "SUCCESSFUL", "PARTIAL", "COMPLETED"],
}


def test_the_log_tells_each_step_and_what_was_noted_there(look):
    found = look("SELECT i.*, l.* FROM ifms.status_log l JOIN ifms.payment_instruction i ON i.id = l.payment_instruction_id ORDER BY l.id")  # fmt: skip
    for name, [status, *_] in STANDS.items():
        of = [row for row in found if row["pi_number"] == f"PI-{name}"]
        route = ROUTES[of[0]["pi_type"]]
        statuses = [*route[: 2 if name == "rejected" else 1], "FAILED"] if status == "FAILED" else route
        statuses = statuses[: statuses.index(status) + 1]
        steps = [(row["from_status"], row["to_status"]) for row in of if row["service_id"] == "IMPORT"]
        assert steps == list(pairwise(statuses)), name
        changed = at(MADE[name], 0 if name == "approved" else 1000)
        *imported, noted = of
        said = {(row["created_at"], row["message"], row["status"]) for row in imported}
        assert said == {(changed, "as the Java adapter had it", "STATUS_LOG_IMPORT_SUCCESS")}
        time, text = (changed, "sample") if name == "initiated" else (at(MADE[name]), None)
        told = ("PI", "sample", text, time)
        assert (noted["service_id"], noted["status"], noted["message"], noted["created_at"]) == told
        assert {(row["tenant_id"], row["payment_number"]) for row in of} == {
            (noted["tenant_id"], "INITIATED" if name == "earlier" else name.removesuffix("-2").upper())
        }
    noted = [row["created_at"] for row in found if row["service_id"] == "PI"]
    assert noted == sorted(noted)


def test_a_payment_is_paid_by_its_live_pi_or_waits_for_what_its_last_was_refused_for(look):
    found = by(
        look("SELECT y.*, i.pi_number FROM ifms.payment y LEFT JOIN ifms.payment_instruction i ON i.id = y.paid_by"),
        "payment_number",
    )
    assert {name: row["pi_number"] for name, row in found.items() if row["pi_number"]} == {
        name.upper(): f"PI-{name}" for name in WITH_ITS_DEBIT
    }
    held = {name: (row["hold_code"], row["hold_message"]) for name, row in found.items() if row["hold_code"]}
    doubt = "the treasury may have PI PI-unanswered, PI PI-unanswered-2, FAILED without an answer that is known to"
    code, message = held.pop("UNANSWERED")
    assert code == "PI_IN_DOUBT"
    assert message.startswith(doubt)
    of = "the Java adapter's PI PI"
    assert held == {
        "REJECTED": ("PI_REJECTED", f"{of}-rejected was rejected: sample reason"),
        "DECLINED": (NO_FUNDS, f"{of}-declined was never sent: no sanction had its amount"),
        "ELSEWHERE": (NO_FUNDS, f"{of}-elsewhere was never sent: no sanction had its amount"),
        "REFUSED": ("PI_REJECTED", f"{of}-refused-2 was not accepted: {WRONG_IFSC}"),
    }
    for name, row in found.items():
        first = "earlier" if name == "INITIATED" else name.lower()
        assert (row["amount"], row["raised_at"]) == (100, at(MADE[first]))
        assert row["tenant_id"] == (OTHER if name == "ELSEWHERE" else CITY)
        assert row["payment_id"] == ""


def test_what_wants_a_persons_eye_is_remarked(taken):
    report, _ = taken
    assert report.misfits == []
    failed = "is FAILED, but not by an answer that is known to refuse it; the treasury may have it all the same: ask it"
    beside = "and whether it was paid beside the one that has"
    assert report.remarks == [
        f"PI PI-earlier {failed} before its payment INITIATED gets another, {beside}",
        f"PI PI-partial-2 {failed} before its failed beneficiaries are corrected again",
        f"PI PI-unanswered {failed} before its payment UNANSWERED gets another",
        f"PI PI-unanswered-2 {failed} before its payment UNANSWERED gets another",
        "allotment M-s2/A/2 is there more than once; it counts once here",
        "sanction M-s2 is of 2025-26; the Java adapter said 2099-00",
    ]


def test_the_report_counts_by_status_there_and_here(taken):
    report, _ = taken
    assert report.states == {
        **{(f"ORIGINAL {there}", there): 1 for there in ("INITIATED", "APPROVED", "IN PROCESS", "PARTIAL")},
        ("ORIGINAL SUCCESSFUL", "IN PROCESS"): 1,
        ("ORIGINAL SUCCESSFUL", "SUCCESSFUL"): 1,
        ("ORIGINAL COMPLETED", "COMPLETED"): 2,
        ("ORIGINAL FAILED", "FAILED"): 2 + len(FAILED_TOO),
        ("REVISED INITIATED", "INITIATED"): 1,
        ("REVISED SUCCESSFUL", "SUCCESSFUL"): 1,
        ("REVISED FAILED", "FAILED"): 1,
    }
    pis = len(STANDS)
    people, lines = 2 * pis - 3, 2 * pis - 2
    money = Decimal(100 * (pis - 3) + 3 * 40 - 40 - 30)
    assert {
        t.name.removeprefix("jit_"): (t.here, t.money_here, t.left_out, t.money_left_out) for t in report.tables
    } == {
        "sanction_details": (4, 36_000, 0, 0),
        "funds_summary": (4, 0, 0, 0),
        "allotment_details": (10, 5_360, 1, 80),
        "payment_inst_details": (pis, money, 0, 0),
        "payment_advice_details": (pis, 0, 0, 0),
        "beneficiary_details": (people, money, 0, 0),
        "beneficiary_lineitems": (lines, 0, 0, 0),
        "transaction_details": (len(WITH_ITS_DEBIT) + 2, 100 * (len(WITH_ITS_DEBIT) + 2), 0, 0),
        "executed_va_logs": (1, 0, 0, 0),
        "pi_status_logs": (pis, 0, 0, 0),
    }
    assert all(t.rows == t.here + t.left_out for t in report.tables)
    assert report.changed == sum(t.here for t in report.tables)
    assert not report.rehearsed
