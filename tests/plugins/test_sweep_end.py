"""At the end of a sweep the overview is counted anew, and what goes wrong with that harms no sweep."""

from __future__ import annotations

import logging

import pytest
from support.adapter import Adapter
from support.failed import wage_bill

from ifms_airflow.sweep_end import ended

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]


def test_a_sweep_counts_what_it_has_done(adapter: Adapter):
    wage_bill(adapter)
    for service in ("VA", "PA"):
        adapter.run(service)
    sweep = adapter.sweep("PI")  # the only one that counts: two within a moment count once
    sweep.ended = ended
    with sweep:
        adapter.work(sweep)
    assert [row["status"] for row in adapter.rows("SELECT status FROM ifms.overview_instruction")] == ["INITIATED"]


def test_what_goes_wrong_is_logged_and_the_sweep_ends_well(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(_: object) -> bool:
        raise RuntimeError("sample")

    monkeypatch.setattr("ifms.ledger.overview.refresh", broken)
    sweep = adapter.sweep("PA")
    sweep.ended = ended
    with caplog.at_level(logging.WARNING), sweep:
        adapter.work(sweep)
    assert "the overview is not counted anew" in caplog.text
    assert [row["state"] for row in adapter.rows("SELECT state FROM ifms.sweep_run")] == ["success"]
