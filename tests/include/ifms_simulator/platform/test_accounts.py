import requests

ACCOUNTS = "bankaccount-service/bankaccount/v1/_search"
AUDIT = "audit-service/log/v1/_search"
DECRYPT = "egov-enc-service/crypto/v1/_decrypt"


def made(client, **order):
    return client.control("bills", {"type": "wage", "tenantId": "od.samplea", **order})[0]


def search(client, references, status=200, pagination=None, **criteria):
    body = {"bankAccountDetails": {"tenantId": "od.samplea", "referenceId": references, **criteria}}
    return client.call(ACCOUNTS, {**body, "pagination": pagination}, status)


def numbers(client, references, **criteria):
    found = search(client, references, pagination={"limit": 200}, **criteria)["bankAccounts"]
    return {row["referenceId"]: row["bankAccountDetails"][0]["accountNumber"] for row in found}


def test_the_limit_is_ten_unless_asked_and_never_more_than_200(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    payees = made(client, payees=205)["payees"]
    assert len(search(client, payees)["bankAccounts"]) == 10
    reply = search(client, payees, pagination={"limit": 500, "offSet": 0, "order": "asc"})
    assert len(reply["bankAccounts"]) == 200
    assert reply["pagination"] == {"limit": 200, "offSet": 0, "totalCount": 205}
    rest = search(client, payees, pagination={"limit": 200, "offSet": 200})["bankAccounts"]
    assert {row["referenceId"] for row in reply["bankAccounts"] + rest} == set(payees)


def test_numbers_are_masked_unless_the_role_may_see_them(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    payee = made(client)["payees"][0]
    plain = numbers(client, [payee])[payee]
    assert plain.isdigit()
    assert plain.startswith("0")
    client.info["userInfo"]["roles"] = [{"code": "SYSTEM"}]
    assert numbers(client, [payee])[payee] == "*" * (len(plain) - 4) + plain[-4:]
    client.info["userInfo"]["roles"] = [{"code": "VIEW_WS_UNMASKED"}]
    assert numbers(client, [payee])[payee] == plain


def test_inactive_accounts_are_hidden_unless_asked_for(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    payee = made(client, broken="inactive_account")["payees"][0]
    assert numbers(client, [payee]) == {}
    assert set(numbers(client, [payee], isActive=False)) == {payee}
    assert numbers(client, [payee], isActive=False, isPrimary=False) == {}


def test_accounts_are_found_by_number_holder_branch_and_service(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    payees = made(client, payees=3)["payees"]
    one = search(client, [payees[1]])["bankAccounts"][0]["bankAccountDetails"][0]
    assert set(numbers(client, payees, accountNumber=[one["accountNumber"]])) == {payees[1]}
    assert set(numbers(client, payees, accountHolderName=one["accountHolderName"])) == {payees[1]}
    assert set(numbers(client, payees, bankBranchIdentifierCode={"code": "SMPL0000001", "type": "IFSC"})) == set(payees)
    assert numbers(client, payees, bankBranchIdentifierCode={"code": "SMPL0000009"}) == {}
    assert numbers(client, payees, serviceCode="ORG") == {}


def test_departments_have_accounts_in_each_city(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    references = [f"Deduction_od.samplea_{code}" for code in ("LC", "ITTDS", "ROM", "ECB", "GSTTDS")]
    assert set(numbers(client, references)) == set(references)


def test_criteria_and_tenant_are_needed(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    assert client.codes(ACCOUNTS, {}) == ["BANK_ACCOUNTS_SEARCH_CRITERIA_REQUEST"]
    assert client.codes(ACCOUNTS, {"bankAccountDetails": {}}) == ["TENANT_ID"]
    payee = made(client)["payees"][0]
    assert numbers(client, [payee], tenantId="od") == {}  # exact match


def test_rules_drop_and_mask_accounts(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    payees = made(client, payees=3)["payees"]
    client.rule(service="account", effect="drop_account", payees=[payees[0]])
    client.rule(service="account", effect="mask_account", payees=[payees[1]])
    found = numbers(client, payees)
    assert set(found) == set(payees[1:])
    assert [("*" in found[payee]) for payee in payees[1:]] == [True, False]


def test_the_audit_log_tells_what_an_account_was(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    payee = made(client)["payees"][0]
    account = search(client, [payee])["bankAccounts"][0]
    old = account["bankAccountDetails"][0]["accountNumber"]
    for number in ("111111111", "222222222"):
        client.control(
            "accounts",
            {"tenantId": "od.samplea", "referenceId": payee, "accountNumber": number, "ifsc": f"SMPL0{number[:6]}"},
        )
    assert numbers(client, [payee])[payee] == "222222222"
    query = {"tenantId": "od.samplea", "objectId": account["id"]}
    rows = client.call(AUDIT, {}, **query, limit=1000)["AuditLogs"]
    assert len(rows) == 12
    assert [row["changeDate"] for row in rows] != sorted((row["changeDate"] for row in rows), reverse=True)
    details = sorted(
        (row for row in rows if row["entityName"] == "eg_bank_account_detail"), key=lambda row: row["changeDate"]
    )
    assert [row["operationType"] for row in details] == ["CREATE", "UPDATE", "UPDATE"]
    ciphers = [{"accountNumber": row["keyValueMap"]["accountNumber"]} for row in details]
    plain = client.post(DECRYPT, ciphers, info=False).json()
    assert [row["accountNumber"] for row in plain] == [old, "111111111", "222222222"]
    codes = {row["keyValueMap"]["code"] for row in rows if row["entityName"] == "eg_bank_branch_identifier"}
    assert codes == {"SMPL0000001", "SMPL0111111", "SMPL0222222"}


def test_the_audit_log_gives_thirty_rows_at_most(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    payee = made(client)["payees"][0]
    account = search(client, [payee])["bankAccounts"][0]["id"]
    client.control("accounts", [{"tenantId": "od.samplea", "referenceId": payee, "isActive": True}] * 10)
    query = {"tenantId": "od.samplea", "objectId": account}
    pages = [client.call(AUDIT, {}, **query, limit=1000, offset=offset)["AuditLogs"] for offset in (0, 30)]
    assert [len(page) for page in pages] == [30, 14]
    assert len({row["id"] for page in pages for row in page}) == 44
    assert len(client.call(AUDIT, {}, **query)["AuditLogs"]) == 10
    for missing in ({"tenantId": "od.samplea"}, {"objectId": account}):
        assert client.codes(AUDIT, {}, **missing) == ["EG_AUDIT_LOGS_SEARCH_ERR"]


def test_an_account_that_is_not_there_can_not_be_changed(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    order = {"tenantId": "od.samplea", "referenceId": "no-such", "accountNumber": "1"}
    reply = requests.post(f"{client.url}/control/accounts", json=order, timeout=5)
    assert reply.status_code == 400
    assert "no-such" in reply.json()["error"]
