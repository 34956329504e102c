from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from ifms.errors import (
    BadInputError,
    ConfigurationError,
    PaymentExistsError,
    PaymentNotYetPersistedError,
    PlatformRefusedError,
    PlatformReplyError,
    PlatformUnavailableError,
)
from ifms.platform.client import PlatformClient
from ifms.platform.config import PlatformConfig
from ifms.platform.models import Bill, NewPayment, Payment, Works
from ifms.platform.payees import PayeeShare

BASE = "http://digit.test"
TENANT = "od.demo"


def page(rows, body, key="pagination", offset="offSet"):
    paging = body[key]
    return rows[paging[offset] : paging[offset] + paging["limit"]]


# RequestInfo ----------------------------------------------------------------------------------------------------------


def test_calls_carry_the_system_user_which_is_looked_up_once(platform, client):
    platform.answer("payment_search", {"payments": []})
    threads = [threading.Thread(target=lambda: list(client.payments(TENANT, ids=["x"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(platform.sent["user_search"]) == 1
    assert len(platform.sent["payment_search"]) == 4
    asked = platform.sent["user_search"][0]
    assert (asked["tenantId"], asked["userName"], asked["pageSize"]) == ("od", "IFMS_CRONJOB", "1")
    info = platform.sent["payment_search"][0]["RequestInfo"]
    assert info["userInfo"]["uuid"] == "user-uuid"
    assert info["userInfo"]["roles"][0]["code"] == "BILL_ACCOUNTANT"
    assert "aadhaarNumber" not in info["userInfo"]
    assert info["msgId"].endswith("|en_IN")
    assert info["ts"] > 1_600_000_000_000
    assert "authToken" not in info


def test_the_token_is_sent_when_there_is_one(platform):
    platform.answer("payment_search", {"payments": []})
    with PlatformClient(PlatformConfig(BASE, auth_token="token-1")) as client:
        list(client.payments(TENANT, ids=["x"]))
    assert platform.sent["payment_search"][0]["RequestInfo"]["authToken"] == "token-1"
    assert platform.sent["user_search"][0]["requestInfo"]["authToken"] == "token-1"


@pytest.mark.parametrize(
    ("users", "error"),
    [
        ([], ConfigurationError),
        ([{"userName": "IFMS_CRONJOB"}], PlatformReplyError),
        ([{"uuid": "u", "userName": "SOMEBODY"}], PlatformReplyError),
        (None, PlatformReplyError),
    ],
)
def test_without_the_system_user_nothing_is_called(platform, client, users, error):
    platform.answer("user_search", {"user": users})
    with pytest.raises(error):
        client.bills(TENANT, ["b"])


# Bills ----------------------------------------------------------------------------------------------------------------


def serve_bills(platform, rows, with_workflow=10):
    """Search as the platform does: by id or all unpaid, wfStatus on the first ten of a page only."""

    def search(body):
        criteria = body["billCriteria"]
        found = [row for row in rows if row["id"] in criteria["ids"]] if "ids" in criteria else rows
        found = page(found, body)
        return 202, {"bills": [row | ({} if n < with_workflow else {"wfStatus": None}) for n, row in enumerate(found)]}

    platform.answer("bill_search", search)


def test_approved_unpaid_bills_of_all_pages_are_given(platform, client, wage_bill):
    rows = [wage_bill | {"id": f"b{n}"} for n in range(23)]
    rows[3]["wfStatus"] = "approved"
    rows[4]["wfStatus"] = "PENDING_FOR_APPROVAL"
    rows[5]["paymentStatus"] = "INITIATED"
    serve_bills(platform, rows)
    assert [bill.id for bill in client.bills_to_pay(TENANT)] == [f"b{n}" for n in range(23) if n not in (4, 5)]
    assert [body["pagination"] for body in platform.sent["bill_search"]] == [
        {"limit": 10, "offSet": n} for n in (0, 10, 20)
    ]
    assert platform.sent["bill_search"][0]["billCriteria"] == {"tenantId": TENANT, "isPaymentStatusNull": True}


def test_all_pages_are_read_before_the_first_bill_is_given(platform, client, wage_bill):
    serve_bills(platform, [wage_bill | {"id": f"b{n}"} for n in range(23)])
    next(client.bills_to_pay(TENANT))
    assert len(platform.sent["bill_search"]) == 3


def test_bills_whose_workflow_status_was_left_out_are_asked_for_again(platform, wage_bill):
    serve_bills(platform, [wage_bill | {"id": f"b{n:02d}"} for n in range(45)])
    with PlatformClient(PlatformConfig(BASE, bill_page_size=100)) as client:
        assert len(list(client.bills_to_pay(TENANT))) == 45
    again = [body["billCriteria"]["ids"] for body in platform.sent["bill_search"][1:]]
    assert [len(ids) for ids in again] == [10, 10, 10, 5]
    assert again[0][0] == "b10"


def test_a_bill_without_any_workflow_status_waits_and_is_said(platform, client, wage_bill, caplog):
    serve_bills(platform, [wage_bill | {"id": "b1", "wfStatus": None}, wage_bill | {"id": "b2"}])
    assert [bill.id for bill in client.bills_to_pay(TENANT)] == ["b2"]
    assert "WB/2026-27/000001" in caplog.text


def test_who_wants_to_hears_of_an_approved_bill_without_any_workflow_status(platform, client, wage_bill):
    without = wage_bill | {"wfStatus": None}
    rows = [without | {"id": "b1"}, without | {"id": "b2", "status": "INWORKFLOW"}, wage_bill | {"id": "b3"}]
    serve_bills(platform, [*rows, without | {"id": "b4", "paymentStatus": "INITIATED"}])
    heard = []
    assert [bill.id for bill in client.bills_to_pay(TENANT, without_workflow=heard.append)] == ["b3"]
    assert [bill.id for bill in heard] == ["b1"]


def test_an_unreadable_bill_is_named_after_the_others_were_given(platform, client, wage_bill):
    serve_bills(platform, [wage_bill | {"id": "bad", "totalAmount": None}, wage_bill])
    bills = client.bills_to_pay(TENANT)
    assert next(bills).id == "bill-1"
    with pytest.raises(PlatformReplyError, match=r"bills\.totalAmount .*id bad"):
        next(bills)


def test_a_service_that_ignores_the_offset_does_not_keep_us(platform, client, wage_bill):
    platform.answer("bill_search", {"bills": [wage_bill | {"id": f"b{n}"} for n in range(10)]})
    with pytest.raises(PlatformReplyError, match="page 2 repeats"):
        list(client.bills_to_pay(TENANT))


def test_bills_by_id_come_in_chunks_and_unknown_ones_are_absent(platform, client, wage_bill):
    serve_bills(platform, [wage_bill | {"id": f"b{n}"} for n in range(50)])
    ids = [f"b{n}" for n in range(45)] + ["b1", "nobody"]
    assert set(client.bills(TENANT, ids)) == {f"b{n}" for n in range(45)}
    assert [len(body["billCriteria"]["ids"]) for body in platform.sent["bill_search"]] == [20, 20, 6]
    assert client.bills(TENANT, []) == {}


# Payments -------------------------------------------------------------------------------------------------------------


def test_a_payment_is_created_with_exact_amounts(platform, client, wage_bill, payment_row):
    platform.answer("payment_create", (201, {"payments": [payment_row]}))
    created = client.create_payment(NewPayment.for_bill(Bill.model_validate(wage_bill)))
    assert created.payment_number == "EP/0/2026-27/11/23/000001"
    assert created.net_payable_amount == Decimal(1000)
    sent = platform.sent["payment_create"][0]["payment"]
    assert str(sent["netPayableAmount"]) == "1000.00"
    assert set(sent["bills"][0]) == {"billId", "tenantId", "totalAmount", "totalPaidAmount", "billDetails"}


@pytest.mark.parametrize("code", ["EG_PAYMENT_DUPLICATE_BILLS_ERROR", "EG_PAYMENT_DUPLICATE_PAYMENT_ERROR"])
def test_an_existing_payment_has_its_own_error(platform, client, wage_bill, code):
    platform.refuse("payment_create", code)
    with pytest.raises(PaymentExistsError) as caught:
        client.create_payment(NewPayment.for_bill(Bill.model_validate(wage_bill)))
    assert caught.value.codes == (code,)


def test_other_refusals_of_a_payment_stay_what_they_are(platform, client, wage_bill):
    platform.refuse("payment_create", "EG_PAYMENT_INVALID_BILLS_ERROR")
    with pytest.raises(PlatformRefusedError) as caught:
        client.create_payment(NewPayment.for_bill(Bill.model_validate(wage_bill)))
    assert not isinstance(caught.value, PaymentExistsError)


def test_creating_and_updating_are_never_repeated(platform, client, wage_bill, payment_row):
    platform.answer("payment_create", {}, 503)
    platform.answer("payment_update", {}, 503)
    with pytest.raises(PlatformUnavailableError):
        client.create_payment(NewPayment.for_bill(Bill.model_validate(wage_bill)))
    with pytest.raises(PlatformUnavailableError):
        client.update_payment(Payment.model_validate(payment_row))
    assert len(platform.sent["payment_create"]) == len(platform.sent["payment_update"]) == 1


@pytest.mark.parametrize(
    "change", [{"netPayableAmount": 999}, {"tenantId": "od.other"}, {"bills": []}, {"paymentNumber": None}]
)
def test_a_reply_about_something_else_is_not_taken(platform, client, wage_bill, payment_row, change):
    platform.answer("payment_create", {"payments": [payment_row | change]})
    with pytest.raises(PlatformReplyError, match=r"payment_create for od\.demo"):
        client.create_payment(NewPayment.for_bill(Bill.model_validate(wage_bill)))


def test_a_payment_names_each_bill_once(client, wage_bill):
    payment = NewPayment.for_bill(Bill.model_validate(wage_bill))
    payment.bills.append(payment.bills[0])
    with pytest.raises(BadInputError, match="bill-1, bill-1"):
        client.create_payment(payment)


def test_payments_are_paged_chunked_and_given_once(platform, client, payment_row):
    rows = [payment_row | {"id": f"p{n:03d}", "paymentNumber": f"EP/{n}"} for n in range(120)]

    def search(body):
        wanted = body["paymentCriteria"]
        found = [row for row in rows if row["paymentNumber"] in wanted.get("paymentNumbers", [row["paymentNumber"]])]
        return 202, {"payments": page(found, body)}

    platform.answer("payment_search", search)
    assert len(list(client.payments(TENANT))) == 120
    numbers = [f"EP/{n}" for n in range(60)]
    assert [p.payment_number for p in client.payments(TENANT, numbers=[*numbers, "EP/1"])] == numbers
    asked = [body["paymentCriteria"] for body in platform.sent["payment_search"]]
    assert "paymentNumbers" not in asked[0]
    assert max(len(criteria.get("paymentNumbers", [])) for criteria in asked) == 50


def test_an_unreadable_payment_is_named_after_the_others_were_given(platform, client, payment_row):
    rows = [payment_row | {"id": "p1"}, payment_row | {"id": "p2", "bills": 7}, payment_row | {"id": "p3"}]
    platform.answer("payment_search", {"payments": rows})
    given = []
    with pytest.raises(PlatformReplyError, match=r"1 payment\(s\) of od\.demo can't be read: .*payments\.bills.*id p2"):
        given.extend(client.payments("od.demo"))
    assert [payment.id for payment in given] == ["p1", "p3"]


def test_criteria_are_combined_and_each_status_is_asked_for(platform, client):
    platform.answer("payment_search", {"payments": []})
    list(client.payments(TENANT, bill_ids=["b"], ids=["p"], statuses=["INITIATED", "FAILED"]))
    assert [body["paymentCriteria"] for body in platform.sent["payment_search"]] == [
        {"tenantId": TENANT, "ids": ["p"], "billIds": ["b"], "status": status} for status in ("INITIATED", "FAILED")
    ]


@pytest.mark.parametrize("name", ["numbers", "bill_ids", "statuses", "ids"])
def test_an_empty_criterion_finds_nothing_and_asks_nobody(platform, client, name):
    assert list(client.payments(TENANT, **{name: []})) == []
    assert platform.sent == {}


def test_an_update_sends_the_whole_payment_back(platform, client, payment_row):
    platform.answer("payment_update", lambda body: (202, {"payments": [body["payment"]]}))
    updated = client.update_payment(Payment.model_validate(payment_row).with_status("SUCCESSFUL", "PAYMENT_SUCCESS"))
    assert updated.status == "SUCCESSFUL"
    sent = platform.sent["payment_update"][0]["payment"]
    assert sent["additionalDetails"] == payment_row["additionalDetails"]
    assert sent["bills"][0]["billDetails"][0]["payableLineItems"][0]["status"] == "SUCCESSFUL"


def test_a_payment_that_is_not_stored_yet_has_its_own_error(platform, client, payment_row):
    platform.refuse("payment_update", "EG_EXPENSE_PAYMENT_UPDATE_ERROR", "Payment id is invalid")
    with pytest.raises(PaymentNotYetPersistedError):
        client.update_payment(Payment.model_validate(payment_row))


def test_an_update_without_every_status_is_not_sent(platform, client, payment_row):
    payment_row["bills"][0]["billDetails"][0]["status"] = None
    with pytest.raises(BadInputError, match=r"EP/0/.*detail detail-1"):
        client.update_payment(Payment.model_validate(payment_row))
    assert platform.sent == {}


def test_an_update_of_another_payment_is_not_taken(platform, client, payment_row):
    platform.answer("payment_update", {"payments": [payment_row | {"id": "other"}]})
    with pytest.raises(PlatformReplyError, match="another payment"):
        client.update_payment(Payment.model_validate(payment_row))


# Payees ---------------------------------------------------------------------------------------------------------------


def test_individuals_are_asked_for_with_all_three_query_fields(platform, client):
    platform.answer("individual_search", lambda body: {"Individual": [{"id": i} for i in body["Individual"]["id"]]})
    assert len(client.individuals(TENANT, [f"i{n}" for n in range(101)])) == 101
    assert platform.queries["individual_search"] == [
        {"tenantid": [TENANT], "offset": ["0"], "limit": ["100"]},
        {"tenantid": [TENANT], "offset": ["0"], "limit": ["1"]},
    ]


def test_organisations_are_asked_for_with_their_own_paging(platform, client):
    platform.answer(
        "organisation_search", lambda body: {"organisations": [{"id": i} for i in body["SearchCriteria"]["id"]]}
    )
    assert set(client.organisations(TENANT, ["o1", "o2"])) == {"o1", "o2"}
    body = platform.sent["organisation_search"][0]
    assert body["Pagination"] == {"limit": 2, "offset": 0}
    assert body["SearchCriteria"] == {"tenantId": TENANT, "id": ["o1", "o2"]}


def serve_accounts(platform, rows):
    def search(body):
        assert body["pagination"]["limit"] <= 200
        wanted = body["bankAccountDetails"]["referenceId"]
        return {"bankAccounts": page([row for row in rows if row["referenceId"] in wanted], body)}

    platform.answer("bank_account_search", search)


def test_no_account_is_lost_behind_the_page_limit(platform, client, account_row):
    rows = [account_row | {"id": f"a{n}-{m}", "referenceId": f"r{n}"} for n in range(150) for m in range(3)]
    serve_accounts(platform, rows)
    assert len(client.bank_accounts(TENANT, [f"r{n}" for n in range(150)])) == 150
    assert [len(body["bankAccountDetails"]["referenceId"]) for body in platform.sent["bank_account_search"]] == [
        100,
        100,
        50,
    ]


def test_of_several_accounts_the_newest_usable_one_is_taken_in_any_order(platform, client, account_row):
    def account(account_id, changed, **detail):
        details = [account_row["bankAccountDetails"][0] | detail]
        times = {"auditDetails": {"lastModifiedTime": changed}}
        return account_row | {"id": account_id, "bankAccountDetails": details} | times

    rows = [
        account("a", 5),
        account("c", 9),
        account("b", 9),
        account("z", 99, isPrimary=False),
        account("y", 99, isActive=False),
    ]
    for order in (rows, rows[::-1]):
        serve_accounts(platform, order)
        assert client.bank_accounts(TENANT, ["ind-1"])["ind-1"].id == "b"


def test_a_reference_without_a_usable_account_is_absent(platform, client, account_row):
    serve_accounts(platform, [account_row | {"bankAccountDetails": []}])
    assert client.bank_accounts(TENANT, ["ind-1", "nobody"]) == {}


def test_the_payees_of_many_payments_are_looked_up_at_once(platform, client, account_row):
    rows = [account_row | {"referenceId": reference} for reference in ("i1", "o1", "Deduction_od.demo_LC")]
    serve_accounts(platform, rows)
    platform.answer("individual_search", {"Individual": [{"id": "i1", "mobileNumber": "9000000001"}]})
    platform.answer("organisation_search", {"organisations": [{"id": "o1"}]})
    shares = [
        PayeeShare("i1", "IND", Decimal(1), ("l1",)),
        PayeeShare("o1", "ORG", Decimal(1), ("l2",)),
        PayeeShare("Deduction_od.demo_LC", "DEPT", Decimal(1), ("l3",)),
        PayeeShare("i1", "IND", Decimal(2), ("l4",)),
    ]
    directory = client.payee_directory(TENANT, shares)
    assert [directory.payee(share).ifsc for share in shares] == ["SAMP0000001"] * 4
    assert {service: len(bodies) for service, bodies in platform.sent.items()} == {
        "user_search": 1,
        "individual_search": 1,
        "organisation_search": 1,
        "bank_account_search": 1,
    }


def test_decryption_sends_a_bare_list_and_keeps_the_order(platform, client):
    platform.answer("decrypt", lambda body: [f"plain {cipher}" for cipher in body])
    ciphers = [f"100001|q83v{n}=" for n in range(250)]
    assert client.decrypt(ciphers) == [f"plain {cipher}" for cipher in ciphers]
    assert [len(body) for body in platform.sent["decrypt"]] == [200, 50]
    assert "user_search" not in platform.sent


@pytest.mark.parametrize("text", ["", "1234500001", "|q83v", "100001|"])
def test_what_is_no_cipher_is_not_sent_and_not_quoted(platform, client, text):
    with pytest.raises(BadInputError) as caught:
        client.decrypt(["100001|q83v", text])
    assert "1234500001" not in str(caught.value)
    assert platform.sent == {}


@pytest.mark.parametrize("reply", [[], [None], {"a": "b"}, ["a", "b"]])
def test_a_decryption_of_another_shape_is_not_taken(platform, client, reply):
    platform.answer("decrypt", reply)
    with pytest.raises(PlatformReplyError, match="list of 1"):
        client.decrypt(["100001|q83v"])


def test_audit_rows_are_read_to_the_end_then_sorted(platform, client):
    rows = [
        {"id": f"r{n}", "objectId": "acc-1", "changeDate": n * 7 % 65, "keyValueMap": {"code": "X"}} for n in range(65)
    ]
    pages = iter((rows[:30], rows[30:60], rows[60:]))
    platform.answer("audit_search", lambda _: {"AuditLogs": next(pages)})
    found = client.audit_logs(TENANT, "acc-1")
    assert [row.change_date for row in found] == sorted((row["changeDate"] for row in rows), reverse=True)
    assert [query["offset"] for query in platform.queries["audit_search"]] == [["0"], ["30"], ["60"]]
    assert platform.queries["audit_search"][0]["limit"] == ["30"]


# Numbers, references, texts -------------------------------------------------------------------------------------------


def test_new_ids_are_asked_for_by_their_number(platform, client):
    numbers = iter(range(1000))
    platform.answer(
        "id_generate",
        lambda body: {"idResponses": [{"id": f"BN-{next(numbers)}"} for _ in range(body["idRequests"][0]["count"])]},
    )
    assert client.new_ids("ifms.benef.reference.number", TENANT, 250) == [f"BN-{n}" for n in range(250)]
    assert [body["idRequests"] for body in platform.sent["id_generate"]] == [
        [{"idName": "ifms.benef.reference.number", "tenantId": TENANT, "format": None, "count": count}]
        for count in (200, 50)
    ]
    assert client.new_ids("x", TENANT, 0) == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"Errors": [{"code": "IDGEN ERROR", "message": "no such sequence"}]}, PlatformRefusedError),
        ({"idResponses": None}, PlatformRefusedError),
        ({"idResponses": [{"id": "A"}]}, PlatformRefusedError),
        ({"idResponses": [{"id": "A"}, {"id": "A"}]}, PlatformReplyError),
        ({"idResponses": [{"id": "A"}, {"id": " "}]}, PlatformReplyError),
        ({"idResponses": [{"id": "A"}, None]}, PlatformReplyError),
        ({"idResponses": [{"id": "A"}, {"id": "B"}, {"id": "C"}]}, PlatformReplyError),
    ],
)
def test_anything_but_the_ids_asked_for_is_an_error(platform, client, reply, error):
    platform.answer("id_generate", reply)
    with pytest.raises(error, match=r"id_generate for od\.demo"):
        client.new_ids("ifms.pi.reference.number", TENANT, 2)


def test_works_come_by_bill(platform, client):
    rows = [
        {"contractNumber": "CON-1", "projectNumber": "PJ-1", "bill": {"billNumber": "WB/1"}},
        {"contractNumber": "CON-1", "projectNumber": "PJ-1", "bill": {"billNumber": "WB/1"}},
        {"contractNumber": "CON-2", "projectNumber": None, "bill": {"billNumber": "WB/1"}},
        {"contractNumber": None, "bill": {"billNumber": "WB/2"}},
    ]
    platform.answer("calculator_search", lambda body: {"bills": page(rows, body, offset="offset")})
    assert client.works(TENANT, ["WB/1", "WB/2", "WB/3"]) == {
        "WB/1": Works(("CON-1", "CON-2"), ("PJ-1",)),
        "WB/2": Works(),
    }


def test_localised_messages_come_by_code(platform, client):
    platform.answer("localisation_search", {"messages": [{"code": "A", "message": "Rs {amount}", "locale": "en_IN"}]})
    assert client.localised_messages("rainmaker-ifms", "en_IN") == {"A": "Rs {amount}"}
    assert platform.queries["localisation_search"] == [
        {"tenantid": ["od"], "module": ["rainmaker-ifms"], "locale": ["en_in"]}  # requests-mock lowers the case
    ]


def test_a_localised_row_that_is_not_asked_for_or_not_readable_is_absent(platform, client):
    rows = [
        {"code": "A", "message": "ours", "module": "rainmaker-ifms", "locale": "en_IN"},
        {"code": "A", "message": "another's", "module": "rainmaker-ifms", "locale": "or_IN"},
        {"code": "A", "message": "another's", "module": "rainmaker-common", "locale": "en_IN"},
        {"code": "B", "message": None},
        "text",
    ]
    platform.answer("localisation_search", {"messages": rows})
    assert client.localised_messages("rainmaker-ifms", "en_IN") == {"A": "ours"}


# Master data ----------------------------------------------------------------------------------------------------------

STATE_MASTERS = {
    "tenant": {
        "tenants": [
            {"code": "od", "name": "Odisha", "city": {"code": "0"}},
            {"code": "od.demo", "name": "Demo", "city": {"code": "DM"}},
            {"code": "od.bare", "name": "Bare", "city": {"code": "BR"}},
        ]
    },
    "ifms": {
        "HeadOfAccounts": [
            {"id": "1", "code": "111", "name": "General", "sequence": 3, "schemeCode": 13145, "active": True},
            {"id": "2", "code": "222", "name": "SC", "sequence": 1, "schemeCode": 13145, "active": True},
            {"id": "4", "code": "444", "name": "Test", "sequence": 0, "schemeCode": 13145, "active": False},
        ]
    },
    "expense": {"HeadCodes": [{"id": "5", "code": "LC", "category": "deduction", "active": True, "service": "x"}]},
}
UNIT = {"id": "1", "ssuId": 1621, "ddoCode": "DDO1", "granteeAgCode": "AG1", "active": True}


def serve_masters(platform, state=STATE_MASTERS, units=(UNIT, UNIT | {"ssuId": "9", "active": False})):
    def search(body):
        criteria = body["MdmsCriteria"]
        if criteria["tenantId"] == "od":
            wanted = {detail["moduleName"] for detail in criteria["moduleDetails"]}
            return {
                "ResponseInfo": None,
                "MdmsRes": {name: masters for name, masters in state.items() if name in wanted},
            }
        return {"MdmsRes": {"ifms": {"SSUDetails": list(units)}} if criteria["tenantId"] == "od.demo" else {}}

    platform.answer("mdms_search", search)


def test_master_data_of_a_run(platform, client):
    serve_masters(platform)
    data = client.master_data()
    assert [(city.tenant_id, city.city_code) for city in data.cities] == [("od.demo", "DM"), ("od.bare", "BR")]
    assert [(head.code, head.scheme_code) for head in data.heads] == [("222", "13145"), ("111", "13145")]
    assert data.head_codes["LC"].is_deduction
    assert [unit.ssu_id for unit in data.units["od.demo"]] == ["1621"]
    assert data.units["od.bare"] == ()
    assert len(platform.sent["mdms_search"]) == 3


def test_master_data_of_some_cities(platform, client):
    serve_masters(platform)
    assert [city.tenant_id for city in client.master_data(["od.bare"]).cities] == ["od.bare"]
    assert client.master_data([]).cities == ()
    with pytest.raises(BadInputError, match=r"od, od\.nowhere"):
        client.master_data(["od.nowhere", "od"])


def test_the_cities_alone_take_one_call(platform, client):
    serve_masters(platform, {"tenant": STATE_MASTERS["tenant"]})
    assert [city.tenant_id for city in client.city_list().cities] == ["od.demo", "od.bare"]
    assert [sent["MdmsCriteria"]["tenantId"] for sent in platform.sent["mdms_search"]] == ["od"]
    assert [city.tenant_id for city in client.city_list(["od.bare"]).cities] == ["od.bare"]
    with pytest.raises(BadInputError, match=r"od, od\.nowhere"):
        client.city_list(["od.nowhere", "od"])
    with pytest.raises(BadInputError, match=r"'od\.nowhere' is none of the 2 cities"):
        client.city_list().city("od.nowhere")


def test_the_head_codes_alone_take_one_call(platform, client):
    serve_masters(platform, {"expense": STATE_MASTERS["expense"]})
    assert client.head_codes()["LC"].is_deduction
    assert [sent["MdmsCriteria"]["tenantId"] for sent in platform.sent["mdms_search"]] == ["od"]


@pytest.mark.parametrize(
    ("module", "path"),
    [("tenant", "tenant.tenants"), ("ifms", "ifms.HeadOfAccounts"), ("expense", "expense.HeadCodes")],
)
def test_a_missing_master_is_named(platform, client, module, path):
    serve_masters(platform, {name: masters for name, masters in STATE_MASTERS.items() if name != module})
    with pytest.raises(PlatformReplyError, match=f"mdms_search for od: MdmsRes.{path} is missing"):
        client.master_data()


def test_a_missing_field_of_one_city_is_named_and_does_not_stop_the_others(platform, client):
    serve_masters(platform, units=({"ssuId": "1", "active": True, "granteeAgCode": "AG1"}, UNIT))
    data = client.master_data()
    assert data.units == {"od.demo": (), "od.bare": ()}
    assert set(data.problems) == {"od.demo"}
    assert data.problems["od.demo"].startswith("mdms_search for od.demo: MdmsRes.ifms.SSUDetails[0].ddoCode")


def test_a_row_of_the_state_that_is_not_in_use_spoils_nothing(platform, client):
    serve_masters(platform)
    sound = client.master_data()
    old = {"code": "999", "active": False}
    heads = [*STATE_MASTERS["ifms"]["HeadOfAccounts"], old, old | {"sequence": None, "effectiveTo": 253402300799000}]
    codes = [*STATE_MASTERS["expense"]["HeadCodes"], {"code": "OLD", "active": False, "category": None}]
    serve_masters(
        platform,
        STATE_MASTERS | {"ifms": {"HeadOfAccounts": heads}, "expense": {"HeadCodes": codes}},
        units=(UNIT, {"ddoCode": "OLD", "active": False}),
    )
    assert client.master_data() == sound
    assert sound.unread == ()


def test_a_row_of_the_state_that_can_not_be_read_is_named_and_the_others_are_there(platform, client):
    codes = [*STATE_MASTERS["expense"]["HeadCodes"], {"code": "LC", "category": None}, {"code": "X", "category": "a"}]
    cities = [*STATE_MASTERS["tenant"]["tenants"], {"name": "Nowhere"}]
    serve_masters(platform, STATE_MASTERS | {"tenant": {"tenants": cities}, "expense": {"HeadCodes": codes}})
    data = client.master_data()
    assert [city.tenant_id for city in data.cities] == ["od.demo", "od.bare"]
    assert set(data.head_codes) == {"X"}  # whether the other row of LC is a deduction, too, nobody knows
    assert [text.split(" (")[0].rsplit(".", 2)[1:] for text in data.unread] == [
        ["tenants[3]", "code"],
        ["HeadCodes[1]", "category"],
    ]
    assert client.city_list().unread == data.unread[:1]
    with pytest.raises(BadInputError, match=r"od\.nowhere: no city .*tenants\[3\]\.code"):
        client.city_list(["od.nowhere"])


@pytest.mark.parametrize(
    ("spoiled", "paying"),
    [
        ({"code": "333", "sequence": 2, "active": None}, ["222"]),
        ({"code": None, "sequence": 3, "active": True}, ["222"]),
        ({"code": "333", "sequence": 9, "active": "?"}, ["222", "111"]),
        ({"code": "333", "active": True}, []),
        (None, []),
    ],
)
def test_from_a_head_of_account_that_can_not_be_read_on_none_pays(platform, client, spoiled, paying):
    heads = [*STATE_MASTERS["ifms"]["HeadOfAccounts"], spoiled]
    serve_masters(platform, STATE_MASTERS | {"ifms": {"HeadOfAccounts": heads}})
    data = client.master_data()
    assert [head.code for head in data.heads] == ["222", "111"]  # asked about they are
    assert [head.code for head in data.paying] == paying
    assert "HeadOfAccounts[3]" in data.why_not_paying
    assert data.unread == (data.unread_head.fault,)


# Trouble --------------------------------------------------------------------------------------------------------------


def test_searches_and_ids_are_tried_three_times(platform, client):
    for service in ("bill_search", "id_generate", "decrypt"):
        platform.answer(service, {}, 503)
    for ask in (
        lambda: client.bills(TENANT, ["b"]),
        lambda: client.new_ids("x", TENANT, 1),
        lambda: client.decrypt(["1|x"]),
    ):
        with pytest.raises(PlatformUnavailableError, match="HTTP 503"):
            ask()
    assert [len(platform.sent[service]) for service in ("bill_search", "id_generate", "decrypt")] == [3, 3, 3]


def test_a_search_that_gets_through_at_last_is_fine(platform, client):
    statuses = iter((500, 502, 202))
    platform.answer("bill_search", lambda _: (next(statuses), {"bills": []}))
    assert client.bills(TENANT, ["b"]) == {}


def test_a_refusal_is_not_tried_again(platform, client):
    platform.refuse("bill_search", "EG_EXPENSE_BILL_SEARCH_ERROR")
    with pytest.raises(PlatformRefusedError):
        client.bills(TENANT, ["b"])
    assert len(platform.sent["bill_search"]) == 1


@pytest.mark.parametrize("reply", [{}, {"bills": None}, {"bills": {}}, [], "text", {"bills": [None]}])
def test_a_reply_without_its_list_names_service_tenant_and_field(platform, client, reply):
    platform.answer("bill_search", reply)
    with pytest.raises(PlatformReplyError, match=r"bill_search for od\.demo: (bills|the reply)"):
        client.bills(TENANT, ["b"])


def test_no_error_quotes_what_a_reply_holds(platform, client, account_row):
    account_row["bankAccountDetails"][0]["isPrimary"] = "000000123456"
    serve_accounts(platform, [account_row])
    with pytest.raises(PlatformReplyError, match="isPrimary") as caught:
        client.bank_accounts(TENANT, ["ind-1"])
    assert "123456" not in str(caught.value)
    assert "Sample Payee" not in str(caught.value)


def test_check_says_what_there_is(platform, client):
    serve_masters(platform)
    assert client.check() == "2 cities of od; user IFMS_CRONJOB may see whole account numbers."


def test_check_says_when_accounts_would_be_masked(platform, client):
    serve_masters(platform)
    platform.answer(
        "user_search", {"user": [{"uuid": "u", "userName": "IFMS_CRONJOB", "roles": [{"code": "CITIZEN"}]}]}
    )
    assert "holds no role" in client.check()


# Whose a token is -----------------------------------------------------------------------------------------------------

LOGGED_IN = {
    "uuid": "u-1",
    "userName": "sample-clerk",
    "active": True,
    "roles": [{"code": "BILL_ACCOUNTANT", "tenantId": "od.samplea"}, {"code": "CITIZEN"}],
}


def test_whose_a_token_is(platform, client):
    platform.answer("user_details", LOGGED_IN)
    user = client.user_of("token-7")
    assert (user.uuid, user.user_name) == ("u-1", "sample-clerk")
    assert [(role.code, role.tenant_id) for role in user.roles] == [
        ("BILL_ACCOUNTANT", "od.samplea"),
        ("CITIZEN", None),
    ]
    assert platform.queries["user_details"] == [{"access_token": ["token-7"]}]
    assert platform.sent["user_details"][0]["RequestInfo"]["authToken"] == "token-7"
    assert "user_search" not in platform.sent, "nobody's name is put beside another's token"


def test_a_token_of_nobody(platform, client):
    platform.answer("user_details", LOGGED_IN | {"active": False})
    assert client.user_of("token-7") is None
    for status in (400, 401, 403):
        platform.answer("user_details", {"Errors": [{"code": "X", "message": "token-7 is none"}]}, status)
        assert client.user_of("token-7") is None


@pytest.mark.parametrize(
    "reply", [[], {}, LOGGED_IN | {"uuid": ""}, LOGGED_IN | {"roles": "all"}, {"user": [LOGGED_IN]}]
)
def test_what_is_no_user_is_nobodys_word(platform, client, reply):
    platform.answer("user_details", reply)
    with pytest.raises(PlatformReplyError):
        client.user_of("token-7")


def test_without_an_answer_the_token_is_not_told(platform, client):
    platform.answer("user_details", {"Errors": [{"code": "X", "message": "token-7 is busy"}]}, 503)
    with pytest.raises(PlatformUnavailableError) as told:
        client.user_of("token-7")
    assert "token-7" not in str(told.value)
    assert len(platform.sent["user_details"]) == 1
