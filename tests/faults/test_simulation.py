"""Whole cycles under faults that a seed decides: a few short ones in `make test`, IFMS_SEEDS in `make prove`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from faults.simulation.books import make_template
from faults.simulation.checker import Checker
from faults.simulation.many import replay_command
from faults.simulation.simulation import BEHAVIOURS, PAYMENTS, simulate
from support import figures
from support.environment import REPO, SEEDS

FEW = len(BEHAVIOURS)
"""Seeds for every change: one for each behaviour of the treasury."""
PORTIONS = 10
SHORT = 24
"""Payments of a seed for every change, and where only the simulation itself is looked at."""


@pytest.fixture(scope="module")
def server(postgres):
    make_template(postgres)
    return postgres


@pytest.mark.parametrize("seed", range(1, FEW + 1))
def test_money_is_right_in_a_few_seeds(server, seed):
    """Each ends with everybody paid exactly once, and everybody knowing it."""
    assert wrong_after(server, [seed], SHORT) == {}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("portion", range(PORTIONS))
def test_money_is_right_whatever_goes_wrong(server, portion):
    """A portion of the seeds."""
    assert wrong_after(server, range(1 + portion, SEEDS + 1, PORTIONS), PAYMENTS) == {}


def wrong_after(server, seeds, payments):
    """What is wrong after each of these seeds, by the command that shows it again."""
    wrong = {}
    for seed in seeds:
        verdict = simulate(server, seed, payments=payments)
        figures.add("simulated seeds")
        figures.add("simulated events", verdict.events)
        for name, number in verdict.faults.items():
            figures.add(f"simulated fault: {name}", number)
        if verdict.wrong:
            wrong[replay_command(seed, payments)] = verdict.wrong[:3]
    return wrong


@pytest.mark.tier("prove")
def test_a_seed_takes_the_same_course_again_in_this_process_and_in_another(server):
    told: list[str] = []
    first = simulate(server, 7, payments=SHORT, tell=told.append)  # one in which people act: settle, release, say
    again: list[str] = []
    assert simulate(server, 7, payments=SHORT, tell=again.append).trace == first.trace, _first_difference(told, again)
    environment = {"PATH": os.defpath, "PYTHONPATH": str(REPO / "tests"), "PYTHONHASHSEED": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "faults.simulation", "--seed", "7", "--payments", str(SHORT)],
        env=environment,
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    *elsewhere, last = done.stdout.splitlines()
    assert last == f"trace {first.trace}", _first_difference(told, elsewhere)


@pytest.mark.tier("prove")
def test_another_seed_takes_another_course(server):
    assert simulate(server, 12, payments=SHORT).trace != simulate(server, 16, payments=SHORT).trace


def test_the_four_behaviours_of_the_treasury_occur_equally():
    assert set(Counter(BEHAVIOURS[seed % len(BEHAVIOURS)] for seed in range(1, 21)).values()) == {5}


@pytest.mark.tier("prove")
def test_a_seed_that_goes_wrong_is_told_with_its_replay_and_the_exit_code_says_so(server, monkeypatch, capsys):
    from faults.simulation.many import progress
    from faults.simulation.simulation import Verdict
    from rich.console import Console

    monkeypatch.setattr(Checker, "at_the_end", lambda _: ["I1: sample"])
    verdict = simulate(server, 7, payments=SHORT)
    assert verdict.wrong == ["I1: sample"]
    right = Verdict(8, "", 3, Counter(refused=2))
    assert progress(Console(), iter([verdict, right]), [7, 8]) is False
    shown = capsys.readouterr().out
    assert "seed 7: I1: sample" in shown
    assert "make simulate SEED=7" in shown
    assert "failed: 7" in shown
    assert progress(Console(), iter([right]), [8]) is True


def _first_difference(one: list[str], other: list[str]) -> str:
    return next(
        (f"{a!r} became {b!r}" for a, b in zip(one, other, strict=False) if a != b), "one ends before the other"
    )
