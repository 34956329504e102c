"""PIS: has the SSU approved this PI? (treasury-jit.md §2). A rejection comes as an error: `envelope.is_rejection`."""

from __future__ import annotations

from typing import ClassVar

from ifms.wire.envelope import EchoedText, OptionalAmount, OptionalText, Request, Row, SentDate, SentText, Service


class PisRequest(Request):
    """What became of a PI that the treasury took."""

    service: ClassVar[Service] = Service.PIS

    jit_bill_no: SentText
    jit_bill_date: SentDate
    ssu_ia_id: SentText

    @property
    def bill_number(self) -> str:
        """The PI number."""
        return self.jit_bill_no


class PisRow(Row):
    """An approval. `pay_inst_date` is kept as text: PAG wants it back verbatim."""

    pmt_inst_id: EchoedText
    pay_inst_date: EchoedText
    jit_bill_number: OptionalText = None
    jit_bill_date: OptionalText = None
    bill_net_amount: OptionalAmount = None
    bill_gross_amount: OptionalAmount = None
    total_number_of_beneficiary: OptionalText = None
    scheme_code: OptionalText = None
    ssu_ia_id: OptionalText = None
