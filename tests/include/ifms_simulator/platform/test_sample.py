import pytest
import requests

ACCOUNTS = "bankaccount-service/bankaccount/v1/_search"


@pytest.fixture
def client(start_platform):
    return start_platform(cities=1, bills_per_city=0)


def ordered(client, **order):
    return client.control("bills", {"type": "wage", "tenantId": "od.samplea", **order})[0]


def accounts(client, payees):
    body = {"bankAccountDetails": {"tenantId": "od.samplea", "referenceId": payees}}
    found = client.call(ACCOUNTS, body)["bankAccounts"]
    return {row["referenceId"]: row["bankAccountDetails"][0] for row in found}


def payable(bill):
    return [line for detail in bill["billDetails"] for line in detail["payableLineItems"]]


@pytest.mark.parametrize("broken", ["no_account", "inactive_account"])
def test_the_last_payee_has_no_account(client, broken):
    payees = ordered(client, payees=3, broken=broken)["payees"]
    assert set(accounts(client, payees)) == set(payees[:2])


@pytest.mark.parametrize(
    ("broken", "name", "sign"),
    [("masked", "accountNumber", "*"), ("undecrypted", "accountNumber", "|")],
)
def test_the_last_payees_number_can_not_be_read(client, broken, name, sign):
    payees = ordered(client, payees=2, broken=broken)["payees"]
    found = accounts(client, payees)
    assert sign in found[payees[1]][name]
    assert sign not in found[payees[0]][name]


def test_the_last_payees_branch_is_wrong(client):
    payees = ordered(client, payees=2, broken="bad_ifsc")["payees"]
    found = accounts(client, payees)
    assert [found[payee]["bankBranchIdentifier"]["code"][4] for payee in payees] == ["0", "1"]


def test_sums_that_disagree_and_heads_that_nobody_knows(client):
    ordered(client, payees=2, broken="sums")
    bill = client.bills()[0]
    assert bill["totalAmount"] != sum(line["amount"] for line in payable(bill))
    number = ordered(client, payees=2, broken="unknown_head")["billNumber"]
    bill = next(bill for bill in client.bills() if bill["billNumber"] == number)
    assert {line["headCode"] for line in payable(bill)} == {"WEG", "NOSUCHHEAD"}


def test_a_line_that_must_not_be_paid(client):
    ordered(client, payees=1, broken="inactive_line")
    bill = client.bills()[0]
    assert [line["status"] for line in payable(bill)] == ["ACTIVE", "INACTIVE"]
    assert bill["totalAmount"] == payable(bill)[0]["amount"]


def test_payees_can_share_an_account(client):
    payees = ordered(client, payees=3, same_account=True)["payees"]
    assert len({row["accountNumber"] for row in accounts(client, payees).values()}) == 1


def test_amounts_deductions_holder_and_workflow_state_are_the_orders(client):
    order = ordered(
        client, type="purchase", amounts=["900.10"], deductions={"LC": "9.09"}, wfStatus="REJECTED", holder="Sample A B"
    )
    bill = client.bills()[0]
    assert [(line["headCode"], line["amount"]) for line in payable(bill)] == [("PURCHASE", 900.10), ("LC", 9.09)]
    assert (bill["totalAmount"], bill["status"], bill["wfStatus"]) == (909.19, "INACTIVE", "REJECTED")
    assert accounts(client, order["payees"])[order["payees"][0]]["accountHolderName"] == "Sample A B"


@pytest.mark.parametrize(
    "order",
    [
        {"type": "gift", "tenantId": "od.samplea"},
        {"type": "wage", "tenantId": "od"},
        {"type": "wage", "tenantId": "od.samplea", "broken": "all"},
    ],
)
def test_a_wrong_order_makes_nothing(client, order):
    good = {"type": "wage", "tenantId": "od.samplea"}
    assert requests.post(f"{client.url}/control/bills", json=[good, order], timeout=5).status_code == 400
    assert client.bills() == []


def test_the_seed_decides_the_ids(start_platform, tmp_path):
    ids = [
        sorted(bill["id"] for bill in start_platform(tmp_path / name, seed=seed).bills())
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert ids[0] == ids[1]
    assert set(ids[0]).isdisjoint(ids[2])
