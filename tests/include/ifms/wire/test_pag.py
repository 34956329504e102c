from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ifms.errors import WireError
from ifms.wire.envelope import Reply, parse_rows
from ifms.wire.pag import PagRequest, PagRow

ADVICE = {
    "finYear": "2024",
    "adviceId": "38",
    "adviceDate": "2024-10-28",
    "onlineBillRefNo": "1730112305000",
    "tokenNumber": "5",
    "tokenDate": "2024-10-28",
}
ROW = {**ADVICE, "billNo": "PI-TE/2024-25/002954", "ssuIaId": "1621", "benfList": None}


def test_the_request():
    request = PagRequest(
        pmt_inst_id="858",
        pmt_inst_date="2023-10-28 11:03:04",
        bill_no="PI-TE/2024-25/002954",
        bill_date=datetime(2024, 10, 28, 6, 0, tzinfo=UTC),
        ssu_ia_id="1621",
    )
    assert json.loads(request.to_wire()) == {
        "serviceId": "PAG",
        "params": {
            "pmtInstId": "858",
            "pmtInstDate": "2023-10-28 11:03:04",
            "billNo": "PI-TE/2024-25/002954",
            "billDate": "2024-10-28",
            "ssuIaId": "1621",
        },
    }
    assert request.bill_number == "PI-TE/2024-25/002954"


def test_the_reply():
    (row,) = parse_rows(PagRow, Reply("PAG", data=[ROW]))
    assert (row.bill_no, row.fin_year, row.advice_id, row.advice_date) == (ROW["billNo"], "2024", "38", "2024-10-28")
    assert (row.online_bill_ref_no, row.token_number, row.token_date) == ("1730112305000", "5", "2024-10-28")


@pytest.mark.parametrize("name", ADVICE)
@pytest.mark.parametrize("value", [None, "", " ", [], {}])
def test_each_of_the_six_is_needed(name, value):
    with pytest.raises(WireError, match=f"PAG reply: {name}"):
        parse_rows(PagRow, Reply("PAG", data=[{**ROW, name: value}]))
    with pytest.raises(WireError, match=f"PAG reply: {name}: is missing"):
        parse_rows(PagRow, Reply("PAG", data=[{key: kept for key, kept in ROW.items() if key != name}]))
