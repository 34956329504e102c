"""Where made reports are kept: what is listed there and opened, in a folder and in an object storage, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ifms.cities import Cities
from ifms.errors import ReportSourceError
from ifms.reports import catalogue
from ifms.reports.catalogue import FORMATS, REPORTS, file_name, request
from ifms_airflow import report_storage
from ifms_airflow.report_storage import Place, folder_name, listed, read

pytestmark = pytest.mark.airflow

AS_OF = datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
FOLDER = "2026-11-28T000000"


@pytest.fixture(params=["folder", "memory"])
def put(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`put(FOLDER, name, content)`: a file is kept there; the place."""
    if request.param == "folder":

        def into_folder(folder: str, name: str, content: bytes = b"sample") -> str:
            (tmp_path / "reports" / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / "reports" / folder / name).write_bytes(content)
            return str(tmp_path / "reports")

        return into_folder
    from airflow.sdk.io import fs
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setitem(fs._register_filesystems(), "memory", lambda _: MemoryFileSystem())  # type: ignore[arg-type]
    place = f"memory://{tmp_path.name}/reports"

    def into_memory(folder: str, name: str, content: bytes = b"sample") -> str:
        from airflow.sdk import ObjectStoragePath

        MemoryFileSystem().pipe_file((ObjectStoragePath(place) / folder / name).path, content)
        return place

    return into_memory


def stems(place: str, **asked: Any) -> list[tuple[str, str]]:
    return [(made.folder, made.stem) for made in listed(place, **{"most": 50, "cities": [Cities.ALL]} | asked)[0]]


def test_names_are_the_catalogues():
    assert tuple(REPORTS) == report_storage.REPORTS
    assert report_storage.FORMATS == FORMATS


@pytest.mark.parametrize("report", REPORTS.values(), ids=lambda report: report.name)
@pytest.mark.parametrize("period", [None, "all", "2026-27", "2026-11", "2026-11-23", "2026-11-01..2026-11-23"])
@pytest.mark.parametrize("tenants", [None, ["od.samplea"], ["od.a", "od.b"], [f"od.city{n}" for n in range(9)]])
def test_whatever_a_report_is_called_it_is_known_again(report: Any, period: str | None, tenants: list[str] | None):
    asked = catalogue.request(report, AS_OF, period=period, tenants=tenants)
    assert report_storage.is_made(folder_name(AS_OF), file_name(report, asked, "csv"), [Cities.ALL])


def test_the_register_s_own_filters_and_long_names_too(put: Any):
    asked = request(
        REPORTS["fund_register"],
        AS_OF,
        tenants=[f"od.{letter * 90}" for letter in "abc"],
        hoa_code="990017057890000000000000001",
        transaction_type="Initial Allotment",
    )
    name = file_name(REPORTS["fund_register"], asked, "pdf")
    [made], _ = listed(put(FOLDER, name), most=9, cities=[Cities.ALL])
    assert f"{made.stem}.pdf" == name


def test_formats_of_a_report_are_one_row_the_latest_first(put: Any):
    put(FOLDER, "reconciliation_2026-27_all.csv", b"12345")
    put(FOLDER, "reconciliation_2026-27_all.xlsx")
    put(FOLDER, "fund_register_2026-11-01_2026-11-23_od.samplea_9900_expense.csv")
    place = put("2026-11-29T101500", "payment_ageing_all_all.csv")
    made, following = listed(place, most=9, cities=[Cities.ALL])
    assert following is None
    assert [(each.report, each.period, each.about) for each in made] == [
        ("payment_ageing", "all", ("all",)),
        ("fund_register", "2026-11-01_2026-11-23", ("od.samplea", "9900", "expense")),
        ("reconciliation", "2026-27", ("all",)),
    ]
    assert made[2].files == {"csv": 5, "xlsx": 6}
    assert made[2].as_of == AS_OF
    assert b"".join(read(place, FOLDER, "reconciliation_2026-27_all.csv")) == b"12345"
    assert stems(place, until="2026-11-28") == [(each.folder, each.stem) for each in made[1:]]


@pytest.mark.parametrize("most", [1, 2, 3, 4, 9])
def test_page_after_page_shows_each_once(put: Any, most: int):
    for day in (26, 27, 28):
        for report in ("fund_register", "payment_ageing", "reconciliation"):
            place = put(f"2026-11-{day}T000000", f"{report}_all_all.csv")
    seen: list[tuple[str, str]] = []
    following: Place | None = None
    for _ in range(9):
        made, following = listed(place, most=most, cities=[Cities.ALL], place=following)
        assert len(made) <= most
        seen += [(each.folder, each.stem) for each in made]
        if following is None:
            break
    assert seen == stems(place)
    assert len(seen) == 9


def test_one_page_looks_into_so_many_folders_only(put: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report_storage, "FOLDERS_AT_ONCE", 2)
    for day in (24, 25, 26):
        put(f"2026-11-{day}T000000", "something else")
    place = put("2026-11-23T000000", "payment_ageing_all_all.csv")
    assert listed(place, most=9, cities=[Cities.ALL]) == ([], Place("2026-11-24T000000"))
    made, following = listed(place, most=9, cities=[Cities.ALL], place=Place("2026-11-24T000000"))
    assert ([each.report for each in made], following) == (["payment_ageing"], None)


NOT_OURS = [
    (FOLDER, "passwords.json"),
    (FOLDER, ".fund_register_2026-27_all.csv.0a1b2c3d.part"),
    (FOLDER, "fund_register_2026-27_all.csv.0a1b2c3d.part"),
    (FOLDER, "fund_register_2026-27_all.html"),
    (FOLDER, "fund_register.csv"),
    (FOLDER, "fund_register_soon_all.csv"),
    (FOLDER, "fund_register_2026-27_all.csv\n"),
    (FOLDER, 'fund_register_2026-27_a"l;l.csv'),
    (FOLDER, "salaries_2026-27_all.csv"),
    ("2026-13-45T000000", "fund_register_2026-27_all.csv"),
    ("latest", "fund_register_2026-27_all.csv"),
    ("٢٠٢٦-11-28T000000", "fund_register_2026-27_all.csv"),
]


@pytest.mark.parametrize(("folder", "name"), NOT_OURS)
def test_what_was_not_made_here_is_neither_listed_nor_read(put: Any, folder: str, name: str):
    place = put(folder, name)
    assert listed(place, most=9, cities=[Cities.ALL]) == ([], None)
    with pytest.raises(FileNotFoundError):
        next(read(place, folder, name))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("..", "fund_register_2026-27_all.csv"),
        (f"{FOLDER}/..", "fund_register_2026-27_all.csv"),
        (FOLDER, "../fund_register_2026-27_all.csv"),
        (FOLDER, "fund_register_2026-27_all/../../../secret.csv"),
        (FOLDER, "/etc/passwd"),
        (FOLDER, "fund_register_2026-27_none.csv"),
        ("2026-11-27T000000", "fund_register_2026-27_all.csv"),
    ],
)
def test_nothing_outside_and_nothing_that_is_not_there_is_read(put: Any, folder: str, name: str):
    put("..", "secret.csv")
    put("..", "fund_register_2026-27_all.csv")
    place = put(FOLDER, "fund_register_2026-27_all.csv")
    with pytest.raises(FileNotFoundError):
        next(read(place, folder, name))


def test_no_link_is_followed(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "payment_ageing_all_all.csv").write_text("secret")
    folder = tmp_path / "reports" / FOLDER
    folder.mkdir(parents=True)
    (folder / "fund_register_all_all.csv").symlink_to(secret)
    (folder / "reconciliation_all_all.csv").mkdir()
    (tmp_path / "reports" / "2026-11-29T000000").symlink_to(elsewhere)
    place = str(tmp_path / "reports")
    assert listed(place, most=9, cities=[Cities.ALL]) == ([], None)
    for of, name in ((FOLDER, "fund_register"), (FOLDER, "reconciliation"), ("2026-11-29T000000", "payment_ageing")):
        with pytest.raises(FileNotFoundError):
            next(read(place, of, f"{name}_all_all.csv"))


def test_before_the_first_report_there_is_nothing(tmp_path: Path):
    assert listed(str(tmp_path / "reports"), most=9, cities=[Cities.ALL]) == ([], None)


def test_a_place_that_can_not_be_read_is_said_without_its_address():
    for call in (
        lambda: listed("nosuch://sample-user@bucket", most=9, cities=[Cities.ALL]),
        lambda: next(read("nosuch://b", FOLDER, "payment_ageing_all_all.csv")),
    ):
        with pytest.raises(ReportSourceError, match="IFMS_REPORTS_PATH") as told:
            call()
        assert "bucket" not in str(told.value)


def test_without_a_path_it_is_the_folder_of_airflow_s_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_HOME", "/opt/airflow")
    assert report_storage.location(None) == "/opt/airflow/reports"
    assert report_storage.root(None).path == "/opt/airflow/reports"
