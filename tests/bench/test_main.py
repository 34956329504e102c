"""A run of the figures: which parts it measures, on what, and what it says at its end."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.table import Table

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))
    from bench import __main__

    return __main__


@pytest.fixture
def measured(bench, monkeypatch: pytest.MonkeyPatch):
    """What was measured, each part with the number of the harness that it was given."""
    seen: list[tuple[str, int]] = []
    made = iter(range(99))

    @contextmanager
    def harness():
        yield next(made)

    def part(name: str):
        def measure(run, number):
            seen.append((name, number))
            table = Table("what", "time", "", title=name)
            table.add_row("sample", "1 s", "[red]over[/]" if name == "workers" else "[green]ok[/]")
            run.show(table)

        return measure

    parts = {name: bench.Part(each.what, part(name), filled=each.filled) for name, each in bench.PARTS.items()}
    monkeypatch.setattr(bench, "PARTS", parts)
    monkeypatch.setattr(bench, "harness", harness)
    return seen


def test_all_parts_are_measured_and_those_of_the_filled_ledger_on_the_same_one(bench, measured, capsys):
    assert bench.main([]) == 0
    numbers = dict(measured)
    assert list(numbers) == list(bench.PARTS)
    assert numbers["growth"] == numbers["reading"] == numbers["reports"]
    assert len(set(numbers.values())) == len(numbers) - 2
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "missed: workers: sample (time 1 s)"
    said = " ".join(printed)
    for name in bench.PARTS:
        assert re.search(rf"Seconds:.*\b{name} 0\b", said)


def test_named_parts_are_measured_alone(bench, measured, capsys):
    assert bench.main(["--import", "--growth", "--pis", "7"]) == 0
    assert [name for name, _ in measured] == ["import", "growth"]
    assert capsys.readouterr().out.splitlines()[-1] == "All limits are kept."


def test_without_pis_nothing_is_measured_among_them(bench, measured):
    assert bench.main(["--pis", "0"]) == 0
    assert not {name for name, _ in measured} & {"audit", "plans", "growth", "reading", "reports"}


def test_the_head_says_what_it_is_measured_on(bench, measured, capsys):
    bench.main(["--sweeps"])
    head = " ".join(capsys.readouterr().out.split())
    assert re.match(r"\d+ cores, .*Python 3\..* PostgreSQL 1\d.* Airflow 3\..* load average [\d.]+ at the start", head)
    assert re.search(r"; 5,000,000 squares in \d+\.\d\d s", head)


def test_make_names_each_part(bench):
    named = re.search(r"^bench:.*PART=(\w+) \(or ([\w, ]+)\)", (REPO / "Makefile").read_text(encoding="utf-8"), re.M)
    assert named is not None
    assert [named[1], *named[2].split(", ")] == list(bench.PARTS)
