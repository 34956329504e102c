"""The whole way of a payment against a platform that behaves like the real one."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
import requests

from ifms.errors import BadInputError, PaymentExistsError, PaymentNotYetPersistedError, PlatformRefusedError
from ifms.platform.client import PlatformClient
from ifms.platform.config import PlatformConfig
from ifms.platform.models import NewPayment
from ifms.platform.payees import merge_by_payee, payable_lines
from ifms_simulator.platform import create_app
from ifms_simulator.serve import running

BILLS = 13  # more than a page, more than get their workflow status


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    app = create_app(tmp_path_factory.mktemp("platform") / "state.db", cities=3, bills_per_city=BILLS, persist_ms=150)
    with running(app) as url:
        yield url


@pytest.fixture(params=[10, 100], ids=["small pages", "large pages"])
def client(url, request):
    with PlatformClient(PlatformConfig(url, bill_page_size=request.param)) as client:
        yield client


def eventually(ask, wanted):
    """Give a write of the platform time to be found."""
    deadline = time.monotonic() + 60
    while not wanted(found := ask()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_from_an_approved_bill_to_a_paid_payment(client):
    master = client.master_data()
    tenant = master.cities[client.config.bill_page_size == 100].tenant_id  # each run has bills of its own
    assert [head.sequence for head in master.heads] == sorted(head.sequence for head in master.heads)
    assert master.units[tenant]
    assert master.head_codes["LC"].is_deduction
    assert not master.problems

    bills = {bill.id: bill for bill in client.bills_to_pay(tenant)}
    assert len(bills) == BILLS
    created = [client.create_payment(NewPayment.for_bill(bill)) for bill in bills.values()]
    with pytest.raises(PaymentNotYetPersistedError):
        client.update_payment(created[-1])
    numbers = [payment.payment_number for payment in created]
    stored = eventually(lambda: list(client.payments(tenant, numbers=numbers)), lambda found: len(found) == BILLS)
    assert {payment.id for payment in stored} == {payment.id for payment in created}
    with pytest.raises(PaymentExistsError):
        client.create_payment(NewPayment.for_bill(next(iter(bills.values()))))
    assert eventually(lambda: list(client.bills_to_pay(tenant)), lambda found: not found) == []

    fresh = client.bills(tenant, bills)
    shares = {}
    for payment in stored:
        bill = fresh[payment.bills[0].bill_id]
        shares[payment.id] = merge_by_payee(payable_lines(bill, payment, master.head_codes))
        assert sum((share.amount for share in shares[payment.id]), Decimal(0)) == payment.net_payable_amount
    directory = client.payee_directory(tenant, [share for some in shares.values() for share in some])
    payees = [directory.payee(share) for some in shares.values() for share in some]
    assert {payee.payee_type for payee in payees} == {"IND", "ORG", "DEPT"}
    assert all(payee.account_number.isalnum() and payee.ifsc and payee.name and payee.mobile for payee in payees)

    account = payees[0].bank_account_id
    logs = client.audit_logs(tenant, account)
    cipher = next(log.key_value_map["accountNumber"] for log in logs if "accountNumber" in log.key_value_map)
    assert client.decrypt([cipher]) == [payees[0].account_number]
    works = client.works(tenant, [bill.bill_number for bill in fresh.values()])
    assert set(works) <= {bill.bill_number for bill in fresh.values()}

    client.update_payment(stored[0].with_status("SUCCESSFUL", "PAYMENT_SUCCESS"))
    paid = eventually(lambda: list(client.payments(tenant, statuses=["SUCCESSFUL"])), bool)
    assert [payment.id for payment in paid] == [stored[0].id]
    bill = eventually(lambda: client.bills(tenant, [paid[0].bills[0].bill_id]), bool).popitem()[1]
    assert payable_lines(bill, paid[0], master.head_codes) == []


def test_ids_and_the_check(client):
    tenant = client.master_data().cities[0].tenant_id
    ids = client.new_ids(client.config.beneficiary_id_name, tenant, 205)
    assert ids == sorted(set(ids))
    with pytest.raises(PlatformRefusedError):
        client.new_ids("no.such.name", tenant, 1)
    assert client.check() == "3 cities of od; user IFMS_CRONJOB may see whole account numbers."
    assert isinstance(client.localised_messages("rainmaker-ifms", "en_IN"), dict)


@pytest.fixture
def broken_bill(url, client):
    """Make a bill with its payment in the third city, broken on purpose; give both, and the payee it is about."""

    def make(broken):
        tenant = client.master_data().cities[2].tenant_id
        order = {"type": "wage", "payees": 2, "tenantId": tenant, "broken": broken, "with_payments": True}
        reply = requests.post(f"{url}/control/bills", json=order, timeout=10)
        assert reply.ok, reply.text
        made = reply.json()[0]
        bill = client.bills(tenant, [made["id"]])[made["id"]]
        payment = eventually(lambda: list(client.payments(tenant, numbers=[made["paymentNumber"]])), bool)[0]
        return bill, payment, made["payees"][-1]

    return make


@pytest.mark.parametrize(("broken", "named"), [("sums", "add up to"), ("unknown_head", "NOSUCHHEAD")])
def test_a_bill_that_cannot_be_paid_is_named(client, broken_bill, broken, named):
    bill, payment, _ = broken_bill(broken)
    with pytest.raises(BadInputError, match=f"{bill.bill_number}.*{named}"):
        payable_lines(bill, payment, client.master_data().head_codes)


@pytest.mark.parametrize("broken", ["no_account", "inactive_account"])
def test_a_payee_without_a_usable_account_is_named_and_the_others_are_found(client, broken_bill, broken):
    bill, payment, payee_id = broken_bill(broken)
    shares = merge_by_payee(payable_lines(bill, payment, client.master_data().head_codes))
    directory = client.payee_directory(bill.tenant_id, shares)
    assert directory.payee(shares[0]).account_number
    with pytest.raises(BadInputError, match=payee_id):
        directory.payee(shares[1])


def test_a_line_that_was_switched_off_is_not_paid(client, broken_bill):
    bill, payment, _ = broken_bill("inactive_line")
    lines = payable_lines(bill, payment, client.master_data().head_codes)
    assert sum(line.amount for line in lines) == bill.total_amount
    assert len(lines) < sum(len(detail.payable_line_items) for detail in bill.bill_details)
