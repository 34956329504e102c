from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ifms.errors import WireError
from ifms.wire.envelope import Reply, parse_rows
from ifms.wire.pis import PisRequest, PisRow

ROW = {
    "pmtInstId": "858",
    "payInstDate": "2023-10-28 11:03:04",
    "jitBillNumber": "PI-TE/2024-25/002954",
    "jitBillDate": "2024-10-28",
    "billNetAmount": "30000",
    "billGrossAmount": 30000,
    "totalNumberOfBeneficiary": "2",
    "schemeCode": "13145",
    "ssuIaId": "1621",
}


def test_the_request():
    request = PisRequest(
        jit_bill_no="PI-TE/2024-25/002954", jit_bill_date=datetime(2024, 10, 27, 18, 30, tzinfo=UTC), ssu_ia_id="1621"
    )
    assert json.loads(request.to_wire()) == {
        "serviceId": "PIS",
        "params": {"jitBillNo": "PI-TE/2024-25/002954", "jitBillDate": "2024-10-28", "ssuIaId": "1621"},
    }
    assert request.bill_number == "PI-TE/2024-25/002954"


def test_the_reply_keeps_the_date_verbatim():
    (row,) = parse_rows(PisRow, Reply("PIS", data=[ROW]))
    assert (row.pmt_inst_id, row.pay_inst_date) == ("858", "2023-10-28 11:03:04")
    assert (row.jit_bill_number, row.bill_net_amount) == ("PI-TE/2024-25/002954", Decimal("30000.00"))
    assert (row.bill_gross_amount, row.total_number_of_beneficiary) == (Decimal("30000.00"), "2")


def test_two_fields_are_enough():
    (row,) = parse_rows(PisRow, Reply("PIS", data=[{"pmtInstId": 858, "payInstDate": "2023-10-28 11:03:04"}]))
    assert (row.pmt_inst_id, row.jit_bill_number, row.bill_net_amount) == ("858", None, None)


@pytest.mark.parametrize("name", ["pmtInstId", "payInstDate"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_missing_field_is_named(name, value):
    with pytest.raises(WireError, match=f"PIS reply: {name}"):
        parse_rows(PisRow, Reply("PIS", data=[{**ROW, name: value}]))
