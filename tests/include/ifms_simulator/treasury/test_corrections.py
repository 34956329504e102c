import pytest


class Case:
    """A paid bill whose first two beneficiaries came back."""

    def __init__(self, client, list_key="beneficiaryDetails"):
        self.client, self.key = client, list_key
        self.pi = client.instruction(beneficiaries=3)
        self.advice, self.paid = client.paid(self.pi)
        client.control("failures", {"bill_number": self.pi["jitBillNo"], "beneficiaries": 2})

    def correction(self, number=1, current=None, account=None, rows=2):
        originals = self.pi["beneficiaryDetails"][:rows]
        return {
            "jitCorBillNo": f"COR-SA/2026-27/{number:06d}",
            "jitCorBillDate": "2026-05-01 10:00:00",
            "jitCorBillDeptCode": "MUKTA",
            "jitOrgBillRefNo": self.advice["onlineBillRefNo"],
            "jitOrgBillNo": self.pi["jitBillNo"],
            "jitOrgBillDate": self.pi["jitBillDate"],
            self.key: [
                {
                    "benefId": row["benefId"],
                    "jitCurBillRefNo": current or self.advice["onlineBillRefNo"],
                    "orgAccountNo": row["benfAcctNo"],
                    "orgIfsc": row["benfBankIfscCode"],
                    "correctedAccountNo": f"{number}{position}000000",
                    "correctedIfsc": "SMPL0000002",
                    "curAccountNo": f"{account}{position}000000" if account else row["benfAcctNo"],
                    "curIfsc": "SMPL0000002" if account else row["benfBankIfscCode"],
                }
                for position, row in enumerate(originals)
            ],
        }

    def success(self, cor):
        names = (
            "jitCorBillNo",
            "jitCorBillDate",
            "jitCorBillDeptCode",
            "jitOrgBillRefNo",
            "jitOrgBillNo",
            "jitOrgBillDate",
        )
        return self.client.data("FTPS", {name: cor[name] for name in names})

    def failure(self, cor, told):
        names = ("billRefNo", "tokenNumber", "tokenDate")
        params = {name: cor[name] for name in ("jitCorBillNo", "jitCorBillDate")}
        return self.client.call("FTFPS", {**params, **{name: told[name] for name in names}})


@pytest.mark.parametrize("key", ["beneficiaryDetails", "beneficiaryDtls"])
def test_a_correction_is_paid_to_the_corrected_account(start_treasury, key):
    client = start_treasury()
    case = Case(client, key)
    cor = case.correction()
    receipt = client.data("COR", cor)[0]
    assert (receipt["jitCorBillNo"], receipt["successCode"]) == (cor["jitCorBillNo"], "0")
    told = case.success(cor)[0]
    assert told["billRefNo"] != case.advice["onlineBillRefNo"]
    assert told["jitOrgBillRefNo"] == case.advice["onlineBillRefNo"]
    assert [row["benfAcctNo"] for row in told["benfDtls"]] == ["10000000", "11000000"]
    assert case.failure(cor, told) == {"serviceId": " FTFPS", "errorMsg": None, "data": []}
    assert [row["stage"] for row in client.control("state")["corrections"]] == ["paid"]


def test_the_list_key_can_be_fixed(start_treasury):
    client = start_treasury(correction_list_key="beneficiaryDtls")
    case = Case(client)
    assert client.call("COR", case.correction())["errorMsg"] == "Beneficiary detail is missing: beneficiaryDtls"
    case.key = "beneficiaryDtls"
    assert client.data("COR", case.correction())


def test_three_revisions_in_a_chain(start_treasury):
    client = start_treasury()
    case = Case(client)
    reference = account = None
    for number in (1, 2, 3):
        cor = case.correction(number, current=reference, account=account, rows=1)
        client.data("COR", cor)
        told = case.success(cor)[0]
        client.control("failures", {"bill_number": cor["jitCorBillNo"], "beneficiaries": 1})
        came_back = case.failure(cor, told)["data"][0]
        assert came_back["jitCorBillNo"] == cor["jitCorBillNo"]
        assert [row["benfId"] for row in came_back["benfDtls"]] == [case.pi["beneficiaryDetails"][0]["benefId"]]
        assert case.failure({**cor}, {**told, "billRefNo": case.advice["onlineBillRefNo"]})["errorMsg"]
        reference, account = told["billRefNo"], number
    assert len(client.control("state")["corrections"]) == 3


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"jitOrgBillNo": "PI-0"}, "Original bill PI-0"),
        ({"jitOrgBillRefNo": "1"}, "jitOrgBillRefNo"),
        ({"jitOrgBillDate": "2026-04-10 11:00:01"}, "jitOrgBillDate"),
        ({"jitCorBillDeptCode": "OTHER"}, "jitCorBillDeptCode"),
    ],
)
def test_the_original_must_be_named_rightly(start_treasury, change, text):
    client = start_treasury()
    assert text in client.call("COR", {**Case(client).correction(), **change})["errorMsg"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"benefId": "BN-0"}, "Beneficiary BN-0 is not in the original PI"),
        ({"orgAccountNo": "99999"}, "orgAccountNo of beneficiary"),
        ({"curIfsc": "SMPL0000009"}, "curIfsc of beneficiary"),
        ({"jitCurBillRefNo": "1"}, "jitCurBillRefNo of beneficiary"),
        ({"correctedAccount": "1"}, "correctedAccount is not a known field"),
    ],
)
def test_a_beneficiary_must_be_named_rightly(start_treasury, change, text):
    client = start_treasury()
    cor = Case(client).correction()
    cor["beneficiaryDetails"][0].update(change)
    assert text in client.call("COR", cor)["errorMsg"]


def test_only_failed_beneficiaries_can_be_corrected_and_only_once(start_treasury):
    client = start_treasury()
    case = Case(client)
    assert "has not failed" in client.call("COR", case.correction(rows=3))["errorMsg"]
    client.data("COR", case.correction(1))
    again = client.call("COR", case.correction(2, current="1800000000001", account=1))
    assert "in COR-SA/2026-27/000001 has not failed" in again["errorMsg"]


def test_the_same_account_is_paid_once_more(start_treasury):
    client = start_treasury()
    case = Case(client)
    cor = case.correction(rows=1)
    [row] = cor["beneficiaryDetails"]
    row |= {"correctedAccountNo": row["curAccountNo"], "correctedIfsc": row["curIfsc"]}
    assert client.data("COR", cor)[0]["successCode"] == "0"
    [told] = case.success(cor)
    assert [each["benfAcctNo"] for each in told["benfDtls"]] == [row["orgAccountNo"]]


def test_a_wrong_ifsc_is_322(start_treasury):
    client = start_treasury()
    cor = Case(client).correction()
    cor["beneficiaryDetails"][0]["correctedIfsc"] = "WRONG"
    number = cor["beneficiaryDetails"][0]["benefId"]
    text = f"Wrong IFSC provided in Beneficiary Details for BenefId {number}"
    assert client.call("COR", cor) == {
        "serviceId": "COR",
        "errorMsgs": [{"errorCode": "322", "errorMsg": text}],
        "data": [],
    }


def test_a_repeated_correction_is_taken_in_once(start_treasury):
    client = start_treasury()
    cor = Case(client).correction()
    client.data("COR", cor)
    assert client.call("COR", cor)["errorMsg"] == "Duplicate Payment Information Id"
    client.control("settings", {"repeated_pi": "success"})
    assert client.data("COR", cor)
    assert "other details" in client.call("COR", {**cor, "jitCorBillDate": "2026-05-02 10:00:00"})["errorMsg"]
    kept = client.control("state")["corrections"][0]
    assert (kept["accepted"], kept["received"], kept["conflicts"]) == (1, 4, 1)


def test_an_account_without_a_history_may_be_left_out(start_treasury):
    client = start_treasury()
    cor = Case(client).correction()
    for name in ("orgAccountNo", "orgIfsc", "curAccountNo", "curIfsc"):
        del cor["beneficiaryDetails"][0][name]
    assert client.data("COR", cor)


def test_rules_reach_the_revised_services(start_treasury):
    client = start_treasury()
    case = Case(client)
    cor = case.correction()
    client.data("COR", cor)
    client.rule(service="FTPS", effect="partial_scrolls", beneficiaries=1, times=1)
    client.rule(service="FTFPS", effect="failed_beneficiaries", beneficiaries=1, bill_number=cor["jitCorBillNo"])
    assert len(case.success(cor)[0]["benfDtls"]) == 1
    told = case.success(cor)[0]
    assert len(told["benfDtls"]) == 2
    assert len(case.failure(cor, told)["data"][0]["benfDtls"]) == 1
    assert client.failed(case.paid)[0]["billNumber"] == case.pi["jitBillNo"]  # FD tells of originals only
