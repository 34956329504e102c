"""Links to the platform's screens, as the site names them."""

from __future__ import annotations

import pytest

from ifms_airflow.api.pages import links


def test_a_site_that_names_no_screens_has_no_links(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(links.BILL, raising=False)
    monkeypatch.setenv(links.BENEFICIARY, "  ")
    assert links.bill("WB/1", "od.samplea") is None
    assert links.beneficiary("IND-1", "IND", "od.samplea") is None


def test_what_is_filled_in_stays_in_its_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(links.BILL, "https://works.example/bill?tenantId={tenant}&billNumber={bill}")
    monkeypatch.setenv(links.BENEFICIARY, "https://works.example/{type}/{id}?tenantId={tenant}")
    found = links.bill("WB/2024-25/1&x={tenant}", "od.samplea")
    assert found == "https://works.example/bill?tenantId=od.samplea&billNumber=WB%2F2024-25%2F1%26x%3D%7Btenant%7D"
    assert links.beneficiary("IND-1/2", "IND", "od.a") == "https://works.example/IND/IND-1%2F2?tenantId=od.a"


@pytest.mark.parametrize("address", ["javascript:alert(1)//{bill}", "data:text/html,{bill}", "//works.example/{bill}"])
def test_a_link_leads_to_a_page_and_nothing_else(monkeypatch: pytest.MonkeyPatch, address: str):
    monkeypatch.setenv(links.BILL, address)
    assert links.bill("WB/1", "od.samplea") is None
