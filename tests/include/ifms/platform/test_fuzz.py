"""Whole replies of the platform made wrong somewhere: only our own typed errors come out, and no account number."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import figures
from support.mutations import ACCOUNT, fuzzed, mutated

from ifms import clock
from ifms.errors import BadInputError, ConfigurationError, PlatformError
from ifms.platform.accounts import account_at
from ifms.platform.client import PlatformClient
from ifms.platform.config import PlatformConfig
from ifms.platform.models import Bill, HeadCode, NewPayment, Payment
from ifms.platform.payees import PayeeDirectory, PayeeShare, merge_by_payee, payable_lines
from ifms.services.instruction_draft import draft
from ifms.services.pa import _ledger_payment

TENANT = "od.demo"
HEADS = {code: HeadCode(code=code, category=kind) for code, kind in (("WEG", "expense"), ("LC", "deduction"))}


def paged(rows, key):
    return {"responseInfo": {"status": "successful"}, key: rows}


def bills(client):
    for bill in client.bills_to_pay(TENANT):
        NewPayment.for_bill(bill).wire()


def payments(client):
    for payment in client.payments(TENANT):
        _ledger_payment(payment)
        payment.with_status("FAILED", "PAYMENT_FAILED").wire()
        merge_by_payee(payable_lines(Bill.model_validate(SOUND["bill"]), payment, HEADS))


def accounts(client):
    share = PayeeShare("ind-1", "IND", Decimal(1), ("line-1",))
    individuals = client.individuals(TENANT, ["ind-1"])
    draft("Sample", [share], PayeeDirectory(individuals, {}, client.bank_accounts(TENANT, ["ind-1"])))
    account_at(client, TENANT, "ind-1", clock.now())


def updated(client):
    client.update_payment(Payment.model_validate(SOUND["payment"]))


def created(client):
    client.create_payment(NewPayment.for_bill(Bill.model_validate(SOUND["bill"])))


SOUND = {}
CALLS = {
    "bill_search": (bills, lambda: paged([SOUND["bill"]], "bills")),
    "payment_search": (payments, lambda: paged([SOUND["payment"]], "payments")),
    "payment_update": (updated, lambda: paged([SOUND["payment"]], "payments")),
    "payment_create": (created, lambda: paged([SOUND["payment"]], "payments")),
    "bank_account_search": (accounts, lambda: paged([SOUND["account"]], "bankAccounts")),
    "individual_search": (accounts, lambda: {"Individual": [SOUND["individual"]]}),
    "audit_search": (accounts, lambda: {"AuditLogs": [SOUND["audit"]]}),
    "decrypt": (accounts, lambda: [ACCOUNT]),
    "id_generate": (
        lambda client: client.new_ids("ifms.pi.reference.number", TENANT, 2),
        lambda: {"idResponses": [{"id": "PI-SA/2026-27/000001"}, {"id": "PI-SA/2026-27/000002"}]},
    ),
    "user_search": (lambda client: client.new_ids("x", TENANT, 1), lambda: {"user": [SOUND["user"]]}),
    "localisation_search": (
        lambda client: client.localised_messages("rainmaker-ifms", "en_IN"),
        lambda: {"messages": [{"code": "A", "message": "B"}]},
    ),
    "mdms_search": (
        lambda client: client.master_data(),
        lambda: {
            "MdmsRes": {
                "tenant": {"tenants": [{"code": TENANT, "name": "Sample", "city": {"code": "SA"}}]},
                "ifms": {
                    "HeadOfAccounts": [
                        {
                            "code": "1",
                            "sequence": 1,
                            "schemeCode": 13145,
                            "active": True,
                            "effectiveFrom": 1700000000000,
                        }
                    ],
                    "SSUDetails": [{"ssuId": "1", "ddoCode": "D", "granteeAgCode": "G", "active": True}],
                },
                "expense": {"HeadCodes": [{"code": "WEG", "category": "expense", "active": True}]},
            }
        },
    ),
}


@pytest.fixture
def sound(wage_bill, payment_row, account_row):
    """Every service answers as the contract says."""
    account_row["bankAccountDetails"][0]["accountNumber"] = ACCOUNT
    SOUND.update(
        bill=wage_bill,
        payment=payment_row,
        account=account_row,
        individual={"id": "ind-1", "mobileNumber": "9999999999", "address": [{"ward": {"code": "W1"}}]},
        audit={
            "id": "a1",
            "objectId": "acc-1",
            "entityName": "eg_bank_account_detail",
            "changeDate": 1,
            "keyValueMap": {"accountNumber": "1|abc"},
        },
        user={"uuid": "u", "userName": "IFMS_CRONJOB", "tenantId": "od", "roles": []},
    )
    return SOUND


_MESSAGE = f"account {ACCOUNT} is wrong"


def shown(text, reply):
    """What an error may tell: not an account number, unless the reply has put it where an id belongs."""
    told = reply.count(f'"accountNumber":"{ACCOUNT}"') + reply.count(_MESSAGE)  # not a text that stands for an id
    kept = reply.count(ACCOUNT) == told
    assert not (kept and ACCOUNT in text)
    assert len(text) < 50_000


@pytest.mark.parametrize("service", CALLS)
@fuzzed
@given(random=st.randoms(use_true_random=False))
def test_a_reply_made_wrong_is_read_or_refused(service, random, platform, sound):
    for name, (_, document) in CALLS.items():
        platform.answer(name, document())
    call, document = CALLS[service]
    errors = {"ResponseInfo": None, "Errors": [{"code": "A", "message": _MESSAGE}]}
    made_wrong = mutated(random, errors if random.randrange(8) == 0 else document())
    status = random.choice((200, 200, 200, 202, 400, 500))
    platform.answer(service, lambda _: (status, made_wrong.encode("utf-8", "surrogatepass")))
    figures.add("fuzzed replies", 1)
    with PlatformClient(PlatformConfig("http://digit.test"), sleep=lambda _: None) as client:
        try:
            call(client)
        except (PlatformError, BadInputError, ConfigurationError) as error:
            shown(str(error), made_wrong)


@pytest.mark.parametrize(
    "service", ["bill_search", "payment_search", "payment_update", "payment_create", "id_generate"]
)
def test_the_reply_that_is_made_wrong_is_right(service, platform, sound):
    for name, (_, document) in CALLS.items():
        platform.answer(name, document())
    with PlatformClient(PlatformConfig("http://digit.test"), sleep=lambda _: None) as client:
        CALLS[service][0](client)
