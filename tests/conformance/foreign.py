"""A treasury that is asked as a stranger: by its address and a key, without a control endpoint.

By default that is the simulator, in both of the behaviours that nobody outside the treasury knows. Another one, a UAT
host, is named by environment variables; then nothing else of this suite is run, and what was learned is printed:

    CONFORMANCE_TREASURY   an Airflow connection of type ifms_treasury, as JSON or URI (as in AIRFLOW_CONN_…)
    CONFORMANCE_SAMPLE     JSON: hoa, ddo_code and grantee_code to ask as; with CONFORMANCE_SPEND also account and ifsc
    CONFORMANCE_SPEND=1    may have one PI of one rupee accepted; without it no PI is sent that could be paid

    pytest tests/conformance -p no:xdist
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.simulators import both

from ifms import clock
from ifms.treasury.client import TreasuryClient
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import Answered, Outcome
from ifms.wire.envelope import parse_rows
from ifms.wire.pi import PiBeneficiary, PiRequest
from ifms.wire.va import AllotmentType, VaRequest, VaRow

POINTED_ELSEWHERE = "CONFORMANCE_TREASURY"
NO_BANK = "ZZZZ0000000"  # well formed, and no bank's
SAMPLE = {
    "hoa": "999900000000000000000000001",
    "ddo_code": "SAMPLEDDO01",
    "grantee_code": "SAMPLEGRANTEE1",
    "account": "000000000001",
    "ifsc": "SMPL0000001",
}

learned: dict[str, str] = {}
"""What was found out about the treasury: question, answer."""


@dataclass(frozen=True)
class Foreign:
    """The treasury, what to ask it as, and whether a rupee may be spent on it."""

    config: TreasuryConfig
    sample: dict[str, str]
    spends: bool

    @contextmanager
    def client(self, **changes: Any) -> Iterator[TreasuryClient]:
        """A client of it; `changes` to the connection by field name."""
        with TreasuryClient(replace(self.config, **changes), login_pauses_seconds=()) as client:
            yield client

    def allotments(self, client: TreasuryClient, since: timedelta = timedelta(days=400)) -> list[VaRow]:
        """Its allotments to whom we ask as."""
        outcome = client.call(
            VaRequest(
                hoa=self.sample["hoa"],
                ddo_code=self.sample["ddo_code"],
                grantee_code=self.sample["grantee_code"],
                from_date=clock.now() - since,
            )
        )
        assert isinstance(outcome, Answered), shown(outcome)
        return parse_rows(VaRow, outcome.reply)

    def instruction(self, client: TreasuryClient, ifsc: str) -> PiRequest:
        """A PI of one rupee, from the newest allotment that is no withdrawal; its number is nobody else's."""
        allotment = next(
            row
            for row in reversed(self.allotments(client))
            if row.allotment_txn_type is not AllotmentType.WITHDRAWAL and row.allotment_amount
        )
        return PiRequest(
            jit_bill_no=number(),
            jit_bill_date=today(),
            jit_bill_ddo_code=allotment.ddo_code,
            grantee_ag_code=allotment.grantee_ag_code,
            scheme_code=allotment.scheme_code,
            hoa=self.sample["hoa"],
            ssu_ia_id=allotment.ssu_id,
            mst_allotment_dist_id=allotment.mst_allotment_dist_id,
            ssu_allotment_id=allotment.ssu_allotment_id,
            allotment_txn_sl_no=allotment.allotment_txn_sl_no,
            bill_gross_amount=1,
            bill_net_amount=1,
            purpose=self.config.purpose,
            beneficiary_details=(
                PiBeneficiary(
                    benef_id="BN-CONFORMANCE/1",
                    benef_name="Sample Payee",
                    benf_acct_no=self.sample.get("account", SAMPLE["account"]),
                    benf_bank_ifsc_code=ifsc,
                    benf_mobile_no="9999999999",
                    benf_address="Sample Ward 1",
                    benf_account_type="SAVINGS",
                    benf_amount=1,
                ),
            ),
        )


def number() -> str:
    """A bill number that no treasury has seen."""
    return f"PI-CONFORMANCE/{secrets.token_hex(6).upper()}"


def today() -> datetime:
    """Now, to the second, as a bill is dated."""
    return clock.now().replace(microsecond=0)


def shown(outcome: Outcome) -> str:
    """What became of a call, for a person; no whole account number."""
    errors = getattr(outcome, "errors", None)
    return f"{type(outcome).__name__}: {'; '.join(map(str, errors)) if errors else getattr(outcome, 'reason', '')}"


@contextmanager
def simulated(folder: Path, **behaviour: str) -> Iterator[Foreign]:
    """The simulator as a treasury that nobody knows."""
    with both(folder, {"refused_ifsc": [NO_BANK], **behaviour}, {"cities": 1}) as simulators:
        yield Foreign(simulators.treasury_config(), SAMPLE, spends=True)


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Foreign:
    """The treasury of CONFORMANCE_TREASURY, by the hook that a task uses."""
    from ifms_airflow.hooks import TreasuryHook

    monkeypatch.setenv("AIRFLOW_CONN_CONFORMANCE", os.environ[POINTED_ELSEWHERE])
    sample = json.loads(os.environ.get("CONFORMANCE_SAMPLE", "{}"))
    return Foreign(TreasuryHook("conformance").get_config(), sample, os.environ.get("CONFORMANCE_SPEND") == "1")
