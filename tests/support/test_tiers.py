"""Each test is in one tier, by what it needs; the targets of the Makefile and CI run all of them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import tiers
from support.environment import REPO

import ifms.ledger.migrate  # noqa: F401  (SQLAlchemy can't come twice: pytester has forgotten what comes with its tests)

pytest_plugins = ["pytester"]

MONEY = [
    f"tests/{each}"
    for each in (
        "conformance",
        *(f"include/ifms/{room}" for room in ("ledger", "services", "sweep", "treasury", "wire")),
    )
]
TELL = """
import sys, pytest

class Tell:
    def pytest_collection_finish(self, session):
        from support.tiers import tier
        for item in session.items:
            print("@", tier(item), repr(item.nodeid))

options = ["--collect-only", "-qq", "-n0", "-s", "-p", "no:cacheprovider"]
sys.exit(pytest.main([*sys.argv[1:], *options], [Tell()]))
"""


def collected(*arguments: str) -> list[tuple[str, str]]:
    """The tier and the name of each test of such a run."""
    done = subprocess.run(
        [sys.executable, "-c", TELL, *arguments], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = re.findall(r"^@ (\w+) (.*)$", done.stdout, re.MULTILINE)
    return [(tier, ast.literal_eval(name)) for tier, name in found]


def test_the_targets_of_the_makefile_run_each_tier_and_ci_all_of_them():
    makefile = (REPO / "Makefile").read_text()
    rules = re.findall(r"^(\w+): install.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    ran = {target: re.findall(r"--tier (\S+)", recipe) for target, recipe in rules if "--tier" in recipe}
    assert ran == {"check": ["check"], "test": ["check,test"], "prove": ["prove"]}
    lines = (REPO / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make test", "make prove", "make lint"]


@pytest.mark.tier("prove")  # it collects half of all tests
def test_every_tier_has_tests_and_those_of_money_are_in_what_every_change_must_pass():
    seeds, quick = "tests/faults/test_simulation.py", "tests/include/ifms/test_money.py"
    everything = collected(seeds, quick, *MONEY)
    assert {tier for tier, _ in everything} == set(tiers.TIERS)
    assert len({name for _, name in everything}) == len(everything)
    assert {name.split("::")[0] for tier, name in everything if tier == tiers.PROVE} == {seeds}
    assert [tier for tier, name in everything if "in_a_few_seeds" in name] == [tiers.TEST] * 4
    kept = collected("--tier", "check,test", seeds, quick)
    assert kept == [each for each in everything if each[1].startswith((seeds, quick)) and each[0] != tiers.PROVE]


SAMPLES = {
    "include/test_pure.py": ("def test_it(tmp_path): pass", tiers.CHECK),
    "test_beside_the_conftest.py": ("def test_it(): pass", tiers.CHECK),
    "include/test_server.py": ("def test_it(simulators): pass", tiers.TEST),
    "include/test_process.py": ("def test_it():\n    import subprocess", tiers.TEST),
    "include/test_airflow.py": ("def test_it():\n    from airflow.models import DagRun", tiers.TEST),
    "include/test_types.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from airflow.models import DagRun\ndef test_it(): pass",
        tiers.CHECK,
    ),
    "include/test_helper.py": ("from support.durable import Durable\ndef test_it(): pass", tiers.TEST),
    "include/test_fixture.py": (
        "import pytest\nfrom support.browser import standalone\ndef test_it(standalone): pass",
        tiers.PROVE,
    ),
    "faults/test_long.py": ("import pytest\n@pytest.mark.timeout(301)\ndef test_it(): pass", tiers.PROVE),
    "faults/test_short.py": ("import pytest\n@pytest.mark.timeout(299)\ndef test_it(): pass", tiers.CHECK),
    "include/test_java.py": ("def test_it(kafka): pass", tiers.PROVE),
    "include/test_says.py": ("import pytest\n@pytest.mark.tier('prove')\ndef test_it(): pass", tiers.PROVE),
    "dags/test_dag.py": ("def test_it(): pass", tiers.TEST),
    "plugins/hooks/test_low.py": ("import pytest\n@pytest.mark.tier('check')\ndef test_it(): pass", tiers.TEST),
    "include/examples/test_example.py": ("def test_it(): pass", tiers.TEST),
    "e2e/test_whole.py": ("def test_it(): pass", tiers.PROVE),
}


@pytest.fixture
def sample(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """`sample(name, source)`: a test module in a folder of tests, with our helpers."""
    monkeypatch.setattr(tiers, "TESTS", pytester.path)
    pytester.path.joinpath("support").symlink_to(REPO / "tests" / "support")
    pytester.makeini("[pytest]\ntimeout = 300\nmarkers =\n    tier(name)")

    def made(name: str, source: str) -> Path:
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    return made


@pytest.mark.tier("prove")  # a pytest for each
@pytest.mark.parametrize("name", SAMPLES)
def test_a_new_test_finds_its_tier(pytester: pytest.Pytester, sample, name: str):
    source, tier = SAMPLES[name]
    (item,) = pytester.genitems([pytester.getpathnode(sample(name, source))])
    assert tiers.tier(item) == tier


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("elsewhere/test_it.py", "def test_it(): pass", "its folder is in no tier; add it to FOLDERS in tiers.py"),
        (
            "include/test_it.py",
            "import pytest\n@pytest.mark.tier('slow')\ndef test_it(): pass",
            "tier 'slow' is none of",
        ),
    ],
)
def test_a_test_that_is_in_no_tier_ends_the_run(
    pytester: pytest.Pytester, sample, name: str, source: str, message: str
):
    sample(name, source)
    done = pytester.runpytest_inprocess("-p", "support.tiers", "-n0")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{message}*"])


def test_a_quick_test_that_starts_a_process_fails(pytester: pytest.Pytester, sample):
    """It gets there by something that is not known to start one."""
    sample("include/test_it.py", "import os\ndef test_it():\n    os.system('true')\ndef test_other(): pass")
    done = pytester.runpytest_inprocess("-p", "support.tiers", "-n0", "--tier", "check")
    assert done.parseoutcomes()["failed"] == 1
    done.stdout.fnmatch_lines(["*include/test_it.py::test_it is in the tier 'check' and starts a process (os.system)*"])


def test_a_tier_that_is_none_is_refused(pytester: pytest.Pytester):
    done = pytester.runpytest_inprocess("-p", "support.tiers", "-n0", "--tier", "quick")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--tier: quick is none of check, test, prove*"])
