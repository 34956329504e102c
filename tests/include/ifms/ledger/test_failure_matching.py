"""Whom a reported failure is about, and what booking it changes. End to end: test_cor.py."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pytest
import time_machine
from support.keys import KEYRING
from support.pis import instruction

from ifms.ledger import failure_matching
from ifms.ledger.beneficiaries import Failure, Tally
from ifms.ledger.binding import seal_account
from ifms.ledger.instructions import Change
from ifms.ledger.models import Beneficiary
from ifms.ledger.statuses import BeneficiaryStatus, Event, PiStatus
from ifms.wire.scroll import FailedBeneficiary

SEALER = KEYRING.sealer
PI = instruction()
REFERENCE = PI.pa_bill_ref_number


def payee(number, account="000012345678", ifsc="SMPL0000001"):
    known = {
        "id": UUID(int=number),
        "beneficiary_number": f"BN-SA/{number:06d}",
        "beneficiary_id": f"payee-{number}",
        "amount": Decimal(100),
        "line_item_ids": [f"line-{number}"],
        "name": "Sample Payee",
        "account_last4": "" if account is None else account[-4:],
        "ifsc": ifsc,
        "status": BeneficiaryStatus.SUCCESSFUL,
    }
    row = Beneficiary(**{f.name: known.get(f.name) for f in fields(Beneficiary)})
    sealed = None if account is None else seal_account(SEALER, PI.tenant_id, PI.pi_number, row, account)
    return replace(row, account_sealed=sealed)


ROWS = [payee(1), payee(2, "000012345679"), payee(3, "000012345678", "SMPL0000002"), payee(4, None)]
TOLD = Failure(voucher_date=date(2026, 6, 1), reason="Account is Dormant", challan_number="7", challan_date=None)


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ({"beneficiary_id": "BN-SA/000002"}, 2),
        ({"beneficiary_id": "bn-sa/000002"}, 2),
        ({"account_number": "000012345678", "ifsc": "SMPL0000002"}, 3),
        ({"account_number": "000012345679", "ifsc": "SMPL0000001"}, 2),
        # The number is trusted before the account, and the account where the number is not ours.
        ({"beneficiary_id": "BN-SA/000001", "account_number": "000012345678", "ifsc": "SMPL0000002"}, 1),
        ({"beneficiary_id": "BN-XX/000001", "account_number": "000012345679", "ifsc": "SMPL0000001"}, 2),
    ],
)
def test_matched_by_number_else_by_account_and_ifsc(told, number):
    row = failure_matching.match(PI, ROWS, replace(TOLD, **told), SEALER)
    assert not isinstance(row, str)
    assert row.id == UUID(int=number)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"beneficiary_id": "BN-SA/00000"},
        {"account_number": "000012345678"},
        {"ifsc": "SMPL0000001"},
        {"account_number": "12345678", "ifsc": "SMPL0000001"},  # the zeros belong to it
        {"account_number": "000012345678", "ifsc": "SMPL0000003"},
    ],
)
def test_what_matches_nobody_is_nobody_s(told):
    found = failure_matching.match(PI, ROWS, replace(TOLD, **told), SEALER)
    assert found == failure_matching.NO_SUCH_BENEFICIARY


NAMED = {"beneficiary_id": "BN-SA/000001"}
PAID = [payee(1)]
TODAY = datetime(2026, 6, 10, 18, 29, tzinfo=UTC)  # a minute before midnight in Odisha


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"account_number": "99995679"}, "it names an account that ends in 5679, and the beneficiary's ends in 5678"),
        ({"account_end": "5679"}, "it names an account that ends in 5679, and the beneficiary's ends in 5678"),
        ({"bill_ref_number": "17"}, "it names the bill reference 17, and the payment instruction's is *********0001"),
        ({"challan_date": date(2026, 6, 18)}, "it is dated 2026-06-18, more than 7 days ahead"),
        ({"voucher_date": date(2062, 6, 1)}, "it is dated 2062-06-01, more than 7 days ahead"),
        (
            {"voucher_date": date(2062, 6, 1), "challan_date": date(2026, 6, 2)},
            "it is dated 2062-06-01, more than 7 days ahead",
        ),
        ({"challan_date": date(2024, 5, 31)}, "it is dated 2024-05-31, and the payment instruction 2024-06-02"),
        ({"voucher_date": date(2024, 2, 22)}, "it is dated 2024-02-22, and the payment instruction 2024-06-02"),
        ({"voucher_date": date(2001, 1, 1)}, "it is dated 2001-01-01, and the payment instruction 2024-06-02"),
    ],
)
def test_a_failure_of_another_transfer_is_nobody_s(told, why):
    failure = replace(TOLD, **NAMED, **told)
    with time_machine.travel(TODAY, tick=False):
        assert failure_matching.match(PI, PAID, failure, SEALER) == why


@pytest.mark.parametrize(
    "told",
    [
        {"account_number": "12345678", "bill_ref_number": REFERENCE},
        {"utr_number": "RBI-ANOTHER"},  # a return may have one of its own
        {"account_number": None, "bill_ref_number": None},
        {"account_number": "XXXXXXXX"},
        {"account_number": "5679"},  # no more than what may be shown of one
        {"challan_date": date(2026, 6, 17)},
        {"challan_date": date(2024, 6, 1), "voucher_date": date(2024, 2, 23)},  # the bill's day, told in another zone
    ],
)
def test_what_agrees_or_is_left_out_contradicts_nothing(told):
    failure = replace(TOLD, **NAMED, **told)
    with time_machine.travel(TODAY, tick=False):
        assert failure_matching.match(PI, PAID, failure, SEALER) == PAID[0]


def test_what_is_not_known_here_is_not_contradicted():
    failure = replace(TOLD, **NAMED, account_number="12345678", bill_ref_number=REFERENCE)
    row = replace(PAID[0], account_last4="")
    assert failure_matching.match(replace(PI, pa_bill_ref_number=None), [row], failure, SEALER) == row


def test_failure_of_what_the_treasury_told():
    told = FailedBeneficiary.model_validate(
        {"benfId": "BN-SA/000001", "failedReason": " Account is Dormant", "challanNumber": "86581", "utrNo": "RBI1"}
    )
    failure = failure_matching.failure_of(told, date(2026, 6, 1))
    assert (failure.beneficiary_id, failure.reason, failure.utr_number) == (
        "BN-SA/000001",
        "Account is Dormant",
        "RBI1",
    )
    assert failure.failed_on == date(2026, 6, 1)  # no challan's date: the voucher's


def test_a_reason_is_kept_without_the_account_that_it_quotes():
    told = FailedBeneficiary.model_validate({"benfId": "BN-SA/000001", "failedReason": "000012345678 is closed"})
    assert failure_matching.failure_of(told, date(2026, 6, 1)).reason == "********5678 is closed"


@pytest.fixture
def done(monkeypatch):
    """What booking wrote, with a ledger that does as it is told: `newly` fail, `waiting` are not yet paid."""
    done = SimpleNamespace(newly=[payee(1)], waiting=0, held=[], advanced=[], told=[], noted=0, sms=[], indexed=0)
    told, advance = (
        done.told,
        lambda _c, pi, _m, event, **_k: done.advanced.append((pi.status, event)) or Change(None, ""),
    )
    monkeypatch.setattr(failure_matching.beneficiaries, "record_failures", lambda _c, _f: done.newly)
    monkeypatch.setattr(
        failure_matching.beneficiaries, "tallies", lambda _c, pis: {pi.id: Tally(done.waiting, 1) for pi in pis}
    )
    monkeypatch.setattr(failure_matching.beneficiaries, "hold", lambda _c, pis: done.held.extend(pis))
    monkeypatch.setattr(failure_matching.instructions, "advance", advance)
    monkeypatch.setattr(failure_matching.instructions, "note", lambda *_a: setattr(done, "noted", done.noted + 1))
    monkeypatch.setattr(
        failure_matching.outbox, "enqueue_line_statuses", lambda *args, **more: told.append((*args[2:], more))
    )
    monkeypatch.setattr(failure_matching.outbox, "enqueue_sms", lambda *args: done.sms.append(args[2:]))
    monkeypatch.setattr(
        failure_matching.outbox, "enqueue_pi_index", lambda *_a: setattr(done, "indexed", done.indexed + 1)
    )
    return done


@pytest.mark.parametrize(
    ("status", "pi_type", "waiting", "moves"),
    [
        (PiStatus.SUCCESSFUL, "ORIGINAL", 0, True),
        (PiStatus.IN_PROCESS, "ORIGINAL", 1, False),
        (PiStatus.IN_PROCESS, "ORIGINAL", 0, True),
        (PiStatus.PARTIAL, "ORIGINAL", 0, False),
        (PiStatus.COMPLETED, "ORIGINAL", 0, False),
        (PiStatus.INITIATED, "ORIGINAL", 0, False),
        (PiStatus.INITIATED, "REVISED", 0, True),
        (PiStatus.INITIATED, "REVISED", 1, False),
        (PiStatus.SUCCESSFUL, "REVISED", 0, True),
        (PiStatus.PARTIAL, "REVISED", 0, False),
    ],
)
@pytest.mark.parametrize("claim", [None, object()])
def test_a_pi_is_partial_once_everybody_is_paid_or_failed(done, status, pi_type, waiting, moves, claim):
    done.waiting = waiting
    pi = instruction(status=status, pi_type=pi_type)
    failure_matching.book(None, pi, [(payee(1), TOLD)], claim)
    assert done.held == [pi]
    assert done.advanced == ([(status, Event.SOME_FAILED)] if moves else [])
    assert done.noted == (claim is not None and not moves)  # a claim is given back in either case
    [(number, lines, line_status, more)] = done.told
    assert (number, lines, line_status) == ("EP/0/2024-25/06/01/000017", ["line-1"], "FAILED")
    assert more == {"above": "PARTIAL", "status": "PARTIAL", "reference_status": "PAYMENT_PARTIAL"}
    assert done.sms == [("failed", {"BN-SA/000001": TOLD.utr_number})]
    assert done.indexed == (not moves)  # of a status it hears by itself


def test_what_was_known_changes_nothing_and_tells_nobody(done):
    done.newly = []
    assert failure_matching.book(None, instruction(status=PiStatus.SUCCESSFUL), [(payee(1), TOLD)], None) is None
    assert (done.advanced, done.told, done.noted, done.sms, done.indexed) == ([], [], 0, [], 0)
