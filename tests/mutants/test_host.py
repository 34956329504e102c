"""A host tries one fault after another: each in a fork, with the tests asked for, and with an end."""

import time

import pytest

from mutants.__main__ import Host
from mutants.trials import Trial

pytestmark = pytest.mark.tier("prove")  # runs of pytest in forks

TESTS = """
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "include"))
from sample import double, half

def test_slow():
    assert double(half(4)) == 4

def test_double():
    assert double(2) == 4

def test_half():
    assert half(4) == 2
"""
CODE = "def double(x):\n    return x * 2\n\n\ndef half(x):\n    return x // 2\n"
PATH, FILE = "include/sample.py", "tests/test_sample.py"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for path, text in {PATH: CODE, FILE: TESTS, "pyproject.toml": "[tool.pytest.ini_options]\n"}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture(scope="module")
def host(root):
    host = Host(root)
    yield host
    host.end()
    assert not host.process.is_alive()


@pytest.fixture(params=[False, True], ids=["imported anew", "in place"])
def tried(host, request):
    def tried(code, *tests, seconds=60.0, at_most=60.0):
        names = [f"{FILE}::{test}" for test in tests or ("test_double", "test_half", "test_slow")]
        bounds = dict.fromkeys(names, at_most)
        return host.ask(Trial(PATH, code, [FILE], names, seconds, bounds, request.param))

    return tried


def test_it_learns_which_lines_each_test_runs(host):
    verdict = host.ask(Trial(PATH, None, [FILE], None, 60))
    assert verdict.failed is None
    assert verdict.lines == {
        "": {1, 5},
        f"{FILE}::test_slow": {2, 6},
        f"{FILE}::test_double": {2},
        f"{FILE}::test_half": {6},
    }
    assert verdict.seconds.keys() == verdict.lines.keys() - {""}


def test_what_tests_share_each_of_them_runs(host, root):
    file = "tests/test_shared.py"
    (root / file).write_text(
        "import pathlib, sys, pytest\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'include'))\n"
        "from sample import double, half\n\n"
        "@pytest.fixture(scope='module')\ndef two():\n    return half(4)\n\n"
        "def test_one(two):\n    assert double(two) == 4\n\n"
        "def test_another(two):\n    assert two == 2\n"
    )
    lines = host.ask(Trial(PATH, None, [file], None, 60)).lines
    assert lines == {"": {1, 5}, f"{file}::test_one": {2, 6}, f"{file}::test_another": {6}}


def test_a_fault_is_seen_by_the_first_of_the_tests_asked_for_and_the_file_stays_as_it_is(tried, root):
    wrong = CODE.replace("x * 2", "x * 3")
    assert tried(wrong).failed == f"{FILE}::test_double"
    assert tried(wrong, "test_slow", "test_double").failed == f"{FILE}::test_slow"
    assert tried(wrong, "test_half").failed is None
    assert tried(CODE).failed is None
    assert (root / PATH).read_text() == CODE


@pytest.mark.parametrize(
    ("does", "seconds", "timed_out"),
    [("while True: pass", 3, True), ("import os; os._exit(3)", 60, False), ("raise SystemExit", 60, False)],
)
def test_what_never_ends_or_dies_ends_the_fork_only(tried, does, seconds, timed_out):
    verdict = tried(CODE.replace("return x // 2", does), seconds=seconds)
    assert (verdict.timed_out, verdict.failed is not None) == (timed_out, not timed_out)
    assert tried(CODE).failed is None


def test_one_test_that_never_ends_is_not_waited_for_as_long_as_all_may_take(tried):
    began = time.monotonic()
    assert tried(CODE.replace("return x // 2", "while True: pass"), at_most=2.0).timed_out
    assert time.monotonic() - began < 40
    assert tried(CODE, at_most=20.0).timed_out is False


def test_what_the_project_has_of_its_own_is_imported_by_no_trial_for_the_next(host):
    modules = host.ask(Trial(PATH, None, [FILE], None, 60)).modules
    assert "pytest" in modules
    assert not {"sample", "test_sample", "tests.test_sample"} & set(modules)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_file_of_sql_is_read_with_its_fault_by_the_fork_only(host, root, in_place):
    (root / "include" / "sample.sql").write_text("SELECT 1")
    (root / "tests" / "test_sql.py").write_text(
        "import pathlib\n\n\ndef test_it():\n"
        "    file = pathlib.Path(__file__).parents[1] / 'include' / 'sample.sql'\n"
        "    assert file.read_text() == file.read_bytes().decode() == 'SELECT 1'\n"
    )
    files, tests = ["tests/test_sql.py"], ["tests/test_sql.py::test_it"]
    assert host.ask(Trial("include/sample.sql", "SELECT 2", files, tests, 60, in_place=in_place)).failed == tests[0]
    assert host.ask(Trial("include/sample.sql", None, files, None, 60)).seconds.keys() == set(tests)
    assert host.ask(Trial("include/sample.sql", "SELECT 1", files, tests, 60, in_place=in_place)).failed is None


def test_a_module_that_can_not_be_imported_has_failed(tried):
    assert tried("raise ImportError").failed is not None


def test_without_a_fault_the_suite_s_own_tests_pass_there(monkeypatch):
    """In an environment that says nothing: one whose ledger needs what only the suite's ledgers have."""
    monkeypatch.delenv("IFMS_SECOND_PERSON")
    file = "tests/include/ifms/services/test_cor.py"
    test = f"{file}::test_what_pays_failed_beneficiaries_keeps_bill_and_work_order_numbers[repayment]"
    host = Host()
    verdict = host.ask(Trial("include/ifms/ledger/corrections.py", None, [file], [test], 300))
    host.end()
    assert (verdict.failed, verdict.timed_out) == (None, False), verdict.said
    assert verdict.seconds.keys() == {test}
