"""`ifms report`: a file and its name on stdout, or one sentence and 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.databases import as_worker
from support.reported import Reported

from ifms import clock
from ifms.cli import main


@pytest.fixture
def report(reported: Reported, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`report("NAME", "--period", …)`: the exit code, what was printed, and the error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        dsn = as_worker(reported.adapter.dsn)
        code = main(["report", *arguments, "--dsn", dsn, "--to-folder", str(tmp_path / "made")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def made(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "made").iterdir()) if (tmp_path / "made").exists() else []


def test_a_report_is_made_and_its_place_told(report, tmp_path: Path):
    code, said, error = report("fund_register", "--format", "csv", "xlsx", "--period", "all", "--tenants", "od.samplea")
    assert (code, error) == (0, "")
    assert made(tmp_path) == ["fund_register_all_od.samplea.csv", "fund_register_all_od.samplea.xlsx"]
    first, second = said.splitlines()
    assert first.startswith(f"{tmp_path}/made/fund_register_all_od.samplea.csv: ")
    assert " rows as of " in second
    assert " IST" in second


def test_as_of_an_instant_it_is_the_file_of_then(report, reported: Reported, tmp_path: Path):
    at, told = reported.told["failed"]
    day = f"{clock.to_ist(at):%Y-%m-%d}"
    code, *_ = report(
        "failure_reasons", "--format", "csv", "--as-of", at.isoformat(), "--from", "2026-01-01", "--to", day
    )
    assert code == 0
    assert (tmp_path / "made" / f"failure_reasons_2026-01-01_{day}_all.csv").read_bytes() == told["failure_reasons"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("register",), "'register' is no report: there are fund_register, "),
        (("fund_register", "--format", "docx"), "'docx' is no format: there are xlsx, csv, pdf"),
        (("fund_register", "--period", "soon"), "'soon' is no period: write 2026-27"),
        (("fund_register", "--period", "2020-21"), "has nothing for financial year 2020-21"),
        (("fund_register", "--from", "2026-11-02", "--to", "2026-11-01"), "ends before it begins"),
        (("fund_register", "--from", "2026-11-02"), "say --from and --to together"),
        (
            ("fund_register", "--from", "2026-11-02", "--to", "2026-11-03", "--period", "all"),
            "say --from and --to together",
        ),
        (("fund_register", "--from", "1.1.2026", "--to", "2.1.2026"), "is no period"),
        (("fund_register", "--from", "2026-01-01", "--to", "9999-12-31"), "is no period"),
        (("fund_register", "--as-of", "now"), "'now' is no instant: write it like 2026-11-24T00:00"),
        (("fund_register", "--as-of", "2100-01-01"), "is yet to come"),
        (("fund_register", "--tenants", "od.nowhere"), "city 'od.nowhere' is not known here"),
        (("payment_ageing", "--hoa-code", "9900"), "are filters of fund_register only"),
        (("fund_register", "--transaction-type", "expense"), "is no transaction type"),
    ],
)
def test_what_can_not_be_made_is_one_sentence_and_no_file(
    report, tmp_path: Path, arguments: tuple[str, ...], said: str
):
    code, shown, error = report(*arguments)
    assert (code, shown) == (1, "")
    assert error.startswith("ifms: ")
    assert said in error
    assert error.count("\n") == 1
    assert made(tmp_path) == []


def test_a_database_without_a_ledger(empty_database: str, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["report", "fund_register", "--dsn", empty_database, "--to-folder", str(tmp_path)]) == 1
    assert "run `ifms migrate` first" in capsys.readouterr().err
