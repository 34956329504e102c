from ifms_simulator import sample


def test_bulk_bills_have_their_payments(start_platform):
    client = start_platform(bills_per_city=0)
    made = sample.bulk(client.url, bills=3, payees=4)
    payments = client.control("state")["payments"]
    assert [row["paymentNumber"] for row in made] == [payment["paymentNumber"] for payment in payments]
    assert all(len(row["payees"]) == 4 for row in made)
    assert client.bills() == []


def test_bulk_bills_can_wait_for_their_payments(start_platform):
    client = start_platform(bills_per_city=0)
    made = sample.bulk(client.url, bills=2, payees=1, with_payments=False)
    assert {bill["id"] for bill in client.bills()} == {row["id"] for row in made}


def test_bulk_instructions_are_known_to_the_treasury(start_treasury):
    client = start_treasury()
    made = sample.bulk_instructions(client.url, 5, 2)
    assert len(client.control("state")["bills"]) == 5
    told = client.data("PIS", client.status(made[4]))
    assert told[0]["totalNumberOfBeneficiary"] == "2"
