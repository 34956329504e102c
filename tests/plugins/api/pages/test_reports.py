"""The page of made reports: what it lists, page by page, and the files that it gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.api import our_app, token_of
from support.asgi import Caller

from ifms_airflow.api.messages import english, texts
from ifms_airflow.api.pages import reports
from ifms_airflow.report_storage import REPORTS

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})]

FOLDER = "2026-11-28T000000"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where reports are kept."""
    monkeypatch.setenv("IFMS_REPORTS_PATH", str(tmp_path / "reports"))
    return tmp_path / "reports"


def keep(place: Path, folder: str, name: str, content: bytes = b"sample") -> None:
    (place / folder).mkdir(parents=True, exist_ok=True)
    (place / folder / name).write_bytes(content)


def test_every_report_has_its_title():
    assert {f"rep.report.{name}" for name in REPORTS} == {
        key for key in texts("en").keys if key.startswith("rep.report.")
    }


def test_it_lists_what_was_made_and_gives_the_files(api: Any, place: Path):
    viewer = api("viewer", cookie=True)
    assert english("rep.none") in viewer.get("/ifms/reports").text
    for kind, content in (("csv", b"a,b\r\n"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
        keep(place, FOLDER, f"fund_register_2026-27_od.samplea.{kind}", content)
    keep(place, FOLDER, "passwords.json")
    page = viewer.get("/ifms/reports").text
    for text in ("Fund allocation register", "2026-27", "od.samplea", "28 Nov 2026, 00:00"):
        assert text in page, text
    assert "passwords" not in page
    links = re.findall(r'href="(/ifms/reports/[^"]+)" download', page)
    assert [link.rpartition(".")[2] for link in links] == ["xlsx", "csv", "pdf"]
    told = {}
    for link in links:
        answer = viewer.get(link)
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="{link.rpartition("/")[2]}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        told[answer.headers["content-type"].partition(";")[0]] = answer.content
    assert told == {
        "text/csv": b"a,b\r\n",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": b"PK",
        "application/pdf": b"%PDF",
    }


def test_who_may_make_reports_is_shown_where(api: Any, place: Path):
    link = 'href="/dags/ifms_reports"'
    assert link in api("op", cookie=True).get("/ifms/reports").text
    assert link not in api("viewer", cookie=True).get("/ifms/reports").text


def test_page_by_page_and_up_to_a_day(api: Any, place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reports, "PAGE", 2)
    for day in (26, 27, 28):
        keep(place, f"2026-11-{day}T000000", "payment_ageing_all_all.csv")
    viewer = api("viewer", cookie=True)
    first = viewer.get("/ifms/reports").text
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    assert ("28 Nov 2026" in first, "26 Nov 2026" in first) == (True, False)
    second = viewer.get(following.replace("&amp;", "&")).text
    assert ("28 Nov 2026" in second, "26 Nov 2026" in second, 'rel="next"' in second) == (False, True, False)
    asked = viewer.get("/ifms/reports?day=2026-11-26").text
    assert ("27 Nov 2026" in asked, "26 Nov 2026" in asked) == (False, True)


@pytest.mark.parametrize("query", ["day=soon", "day=2026-11-28%00", "after=../..", "after=2026-11-28T000000/../x"])
def test_what_is_no_day_and_no_place_is_refused(api: Any, place: Path, query: str):
    assert api("viewer").get(f"/ifms/reports?{query}").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        f"{FOLDER}/secret.csv",
        f"{FOLDER}/..%2F..%2Fsecret.csv",
        f"{FOLDER}/%2e%2e/secret.csv",
        f"..%2F{FOLDER}/fund_register_2026-27_all.csv",
        "%2e%2e/fund_register_2026-27_all.csv",
        f"{FOLDER}/fund_register_2026-27_all.csv%00",
        f"{FOLDER}/fund_register_2026-27_all.csv%0d%0aX-Sample:1",
        f"{FOLDER}/fund_register_2026-27_none.csv",
        "2026-11-27T000000/fund_register_2026-27_all.csv",
    ],
)
def test_nothing_else_is_given(api: Any, place: Path, path: str):
    keep(place, FOLDER, "fund_register_2026-27_all.csv")
    (place / FOLDER / "secret.csv").write_text("secret")
    (place.parent / "secret.csv").write_text("secret")
    (place.parent / "fund_register_2026-27_all.csv").write_text("secret")
    answer = api("viewer").get(f"/ifms/reports/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_a_place_that_can_not_be_read_is_said(api: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IFMS_REPORTS_PATH", "nosuch://sample@bucket/reports")
    for path in ("reports", f"reports/{FOLDER}/fund_register_2026-27_all.csv"):
        answer = api("viewer").get(f"/ifms/{path}")
        assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (503, "REPORTS_UNAVAILABLE")
        assert "bucket" not in answer.text


def test_files_are_taken_few_at_a_time(airflow_app: Any, airflow_connections: Any, place: Path):
    """The same places as for files that are made: of one user one that is sent and one that waits."""
    keep(place, FOLDER, "fund_register_2026-27_all.csv", b"x" * 3_000_000)
    headers = {"Authorization": f"Bearer {token_of(airflow_app, 'sample-viewer', 'viewer')}"}

    async def main() -> None:
        held = our_app(airflow_app).state.exports.of_each
        async with held.place("sample-viewer"):
            waits = Caller(airflow_app, "GET", f"/ifms/reports/{FOLDER}/fund_register_2026-27_all.csv", headers)
            refused = Caller(airflow_app, "GET", f"/ifms/reports/{FOLDER}/fund_register_2026-27_all.csv", headers)
            async with anyio.create_task_group() as group:
                group.start_soon(waits.send)
                await anyio.sleep(0.5)
                await refused.send()
                assert refused.status == 429
                group.cancel_scope.cancel()

    anyio.run(main)
