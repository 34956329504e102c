import requests


def test_a_wrong_order_is_named_and_changes_nothing(start_treasury):
    client = start_treasury()
    for path, body, text in (
        ("rules", {"effect": "explode"}, "explode"),
        ("rules", [3], "not a JSON object"),
        ("settings", {"no_such": 1}, "no_such"),
        ("allotments", {"ddoCode": "X"}, "hoa"),
        ("failures", {"bill_number": "PI-0"}, "no bill"),
    ):
        reply = requests.post(f"{client.url}/control/{path}", json=body, timeout=5)
        assert reply.status_code == 400
        assert text in reply.json()["error"]
    assert client.control("rules") == []


def test_rules_come_and_go(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    made = client.rule(service="idgen", effect="errors")
    assert client.control("rules") == made
    assert client.control(f"rules?id={made[0]['id']}", method="DELETE") == {"dropped": 1}
    assert client.control("health") == {"status": "up"}
