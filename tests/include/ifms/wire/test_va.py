from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ifms.errors import WireError
from ifms.wire.envelope import Reply, parse_rows
from ifms.wire.va import AllotmentType, VaRequest, VaRow

SAMPLES = Path(__file__).parents[4].parent / "shared" / "samples" / "mdms" / "ifms_JitMockResponse-od_testing.json"

ROW = {
    "ddoCode": "OLSHUD001",
    "schemeCode": "13145",
    "schemeName": "Sample scheme",
    "granteeAgCode": "GOHUDULBMPL0036",
    "granteeName": "SAMPLE MUNICIPALITY",
    "ssuId": "1621",
    "ssuOffice": "sample_op",
    "allotmentDate": "2024-05-11",
    "allotmentTxnSlNo": "0",
    "allotmentAmount": "200000",
    "availableBalance": "600000",
    "allotmentTxnType": "Initial Allotment",
    "mstAllotmentDistId": "928",
    "ssuAllotmentId": "860",
}


def read(**change: object) -> VaRow:
    return parse_rows(VaRow, Reply("VA", data=[{**ROW, **change}]))[0]


def test_the_request():
    request = VaRequest(
        hoa="221705789358641045908",
        ddo_code="OLSHUD001",
        grantee_code="GOHUDULBMPL0036",
        from_date=datetime(2023, 5, 10, 10, 56, 42, tzinfo=UTC),
    )
    assert json.loads(request.to_wire()) == {
        "serviceId": "VA",
        "params": {
            "hoa": "221705789358641045908",
            "ddoCode": "OLSHUD001",
            "granteCode": "GOHUDULBMPL0036",
            "fromDate": "2023-05-10 16:26:42",
        },
    }
    assert request.bill_number is None


def test_the_reply():
    row = read()
    assert (row.allotment_amount, row.available_balance) == (Decimal("200000.00"), Decimal("600000.00"))
    assert (row.allotment_date, row.allotment_txn_type) == (date(2024, 5, 11), AllotmentType.INITIAL)
    assert (row.mst_allotment_dist_id, row.ssu_allotment_id, row.allotment_txn_sl_no) == ("928", "860", "0")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("INITIAL ALLOTMENT", AllotmentType.INITIAL),
        ("Additional Allotment", AllotmentType.ADDITIONAL),
        (" allotment  withdrawal ", AllotmentType.WITHDRAWAL),
    ],
)
def test_the_type_is_read_without_regard_to_case(text, kind):
    assert read(allotmentTxnType=text).allotment_txn_type is kind


@pytest.mark.parametrize("text", ["Allotment", "", None, 1, "Initial Allotment reversed"])
def test_an_unknown_type_is_never_guessed(text):
    with pytest.raises(WireError, match="allotmentTxnType"):
        read(allotmentTxnType=text)


def test_a_negative_amount_is_refused_but_not_a_negative_balance():
    with pytest.raises(WireError, match="allotmentAmount"):
        read(allotmentAmount="-1")
    assert read(availableBalance="-1").available_balance == Decimal("-1.00")


@pytest.mark.parametrize("name", sorted(set(ROW) - {"schemeName", "granteeName", "ssuOffice"}))
def test_a_missing_field_is_named(name):
    with pytest.raises(WireError, match=f"VA reply: {name}: is missing"):
        parse_rows(VaRow, Reply("VA", data=[{key: value for key, value in ROW.items() if key != name}]))


def test_the_deployments_own_stub_replies_are_read():
    from ifms.wire.fd import FdRow
    from ifms.wire.pag import PagRow
    from ifms.wire.pd import PdRow
    from ifms.wire.pi import PiRow
    from ifms.wire.pis import PisRow

    if not SAMPLES.exists():
        pytest.skip("the samples of the deployment are not beside this repository")
    models = {"VA": VaRow, "PI": PiRow, "PIS": PisRow, "PAG": PagRow, "PD": PdRow, "FD": FdRow}
    replies = [record["data"] for record in json.loads(SAMPLES.read_text())]
    assert {reply["serviceId"] for reply in replies} == set(models)
    for reply in replies:
        rows = parse_rows(models[reply["serviceId"]], Reply(reply["serviceId"], data=reply["data"]))
        assert len(rows) == len(reply["data"])
