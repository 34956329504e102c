from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ifms.errors import WireError
from ifms.wire.envelope import parse_reply, parse_rows
from ifms.wire.ftfps import FtfpsRequest, FtfpsRow


def test_the_request():
    request = FtfpsRequest(
        jit_cor_bill_no="PI-TE/2024-25/003000",
        jit_cor_bill_date=datetime(2024, 11, 1, 6, 0, tzinfo=UTC),
        bill_ref_no="1730119999000",
        token_number="9",
        token_date="2024-11-02",
    )
    assert json.loads(request.to_wire()) == {
        "serviceId": "FTFPS",
        "params": {
            "jitCorBillNo": "PI-TE/2024-25/003000",
            "jitCorBillDate": "2024-11-01 11:30:00",
            "billRefNo": "1730119999000",
            "tokenNumber": "9",
            "tokenDate": "2024-11-02",
        },
    }
    assert request.bill_number == "PI-TE/2024-25/003000"


def test_the_reply_whose_service_id_has_a_leading_blank():
    text = json.dumps(
        {
            "serviceId": " FTFPS",
            "data": [
                {
                    "jitCorBillNo": "PI-TE/2024-25/003000",
                    "billRefNo": "1730119999000",
                    "benfDtls": [{"benfId": "BN-TE/003535", "failedReason": " Account does not exist"}],
                }
            ],
        }
    )
    reply = parse_reply(text)
    (row,) = parse_rows(FtfpsRow, reply)
    assert reply.service_id == "FTFPS"
    assert row.jit_cor_bill_no == "PI-TE/2024-25/003000"
    assert [failed.failed_reason for failed in row.benf_dtls] == ["Account does not exist"]


def test_a_row_names_its_bill():
    with pytest.raises(WireError, match="FTFPS reply: jitCorBillNo: is missing"):
        parse_rows(FtfpsRow, parse_reply('{"serviceId":"FTFPS","data":[{}]}'))
