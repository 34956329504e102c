"""Which faults are planted, under which keys, and which lines a test must run to notice one."""

from dataclasses import replace

import pytest
from cosmic_ray.work_item import MutationSpec, WorkItem

from mutants.__main__ import Selection, without_a_fault
from mutants.planting import Fault, lines_for, plant
from mutants.trials import Verdict

SOURCE = '''"""SELECT nothing WHERE this = docstring."""

QUERY = """
    SELECT 1 WHERE a = %s
"""
OTHER = "SELECT 2 WHERE b = %s"


def f(x, rows):
    match x:
        case 1:
            g(QUERY)
        case _:
            return rows[0]
    if (
        x > 1
        and x < 5
    ):
        return [
            x,
        ]
    return None


@cache
def h(x):
    return x


def k():
    return (
        h(2)
    )
'''


@pytest.fixture
def module(tmp_path):
    (tmp_path / "m.py").write_text(SOURCE)
    return tmp_path


def test_each_fault_is_another_module_and_has_a_key_of_its_own(module):
    faults = plant(module, "m.py")
    assert len({fault.code for fault in faults}) == len({fault.key for fault in faults}) == len(faults)
    assert SOURCE not in {fault.code for fault in faults}
    diffs = {fault.diff for fault in faults}
    assert "-    SELECT 1 WHERE a = %s\n+    SELECT 1 WHERE a <> %s" in diffs
    assert "-            g(QUERY)\n+            pass" in diffs
    assert "-        case 1:\n+        case 1 if False:" in diffs
    assert not any("rows[" in diff and "-1" in diff for diff in diffs)  # the last of one is the first


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("if not a:\n    f()\n", {"if  a:", "pass"}),  # and not `not not a`, too
        ("while True:\n    f()\n", {"while not True:", "pass"}),
        ("if a == b:\n    f()\n", {"if not a == b:", "pass"}),
        ("TRIES = 5  # a setting\n", set()),
        ("@dataclass(frozen=True)\nclass C:\n    def f(self, *, a): ...\n", set()),
    ],
)
def test_what_means_the_same_is_planted_once(tmp_path, code, expected):
    (tmp_path / "m.py").write_text(code)
    assert {fault.diff.splitlines()[-1].removeprefix("+").strip() for fault in plant(tmp_path, "m.py")} == expected


def test_a_key_outlives_what_changes_elsewhere(module):
    before = {fault.diff: fault.key for fault in plant(module, "m.py")}
    (module / "m.py").write_text(f"import a\nimport b\n{SOURCE}")
    assert {fault.diff: fault.key for fault in plant(module, "m.py")} == before


def test_faults_are_planted_in_a_file_of_sql_too_and_not_in_what_it_says_of_itself(tmp_path):
    (tmp_path / "m.sql").write_text("-- rule: a AND b = c\nSELECT 1\nWHERE a = 1\n\n-- rule: d\nSELECT a FROM b\n")
    assert [(fault.line, fault.diff) for fault in plant(tmp_path, "m.sql")] == [  # the next rule is no part of it
        (3, "-WHERE a = 1\n+WHERE ((a = 1) OR true)"),
        (3, "-WHERE a = 1\n+WHERE a <> 1"),
    ]


def test_an_explanation_is_found_that_no_fault_of_its_module_answers_to(module):
    faults = plant(module, "m.py")
    of = [{"key": key, "path": path} for key in (faults[0].key, "gone") for path in ("m.py", "another.py")]
    assert without_a_fault(of, "m.py", faults) == [{"key": "gone", "path": "m.py"}]


@pytest.mark.parametrize(("line", "tests"), [(9, {"a", "b"}), (10, {"b"}), (12, {"a", "b"}), (14, set())])
def test_what_importing_the_module_runs_every_test_may_notice(module, line, tests):
    """Also what one of them runs as well: a function that makes a constant, and is called once more."""
    lines = {"": frozenset({9, 12}), "a": frozenset({20}), "b": frozenset({10, 12})}
    selection = Selection(Verdict(seconds={"a": 1.0, "b": 2.0}, lines=lines), "own")
    fault = replace(plant(module, "m.py")[0], line=line)
    assert set(selection.tests(SOURCE, fault)) == tests
    assert selection.in_place(SOURCE, fault) == (line in {10, 14})


def test_a_file_of_sql_has_no_lines_of_python():
    sql = "-- rule: somebody's row\nSELECT 1 WHERE a = 1\n"
    fault = Fault(
        "key", "m.sql", 2, sql, "", WorkItem.single("key", MutationSpec("m.sql", "sample", 0, (2, 0), (2, 1)))
    )
    selection = Selection(Verdict(seconds={"a": 1.0}, lines={"": frozenset({2})}), "own")
    assert (selection.tests(sql, fault), selection.in_place(sql, fault)) == (["a"], True)


def test_who_has_caught_one_nearby_looks_first_then_the_module_s_own_tests_then_the_quickest(module):
    seconds = {"own::slow": 9.0, "other::quick": 1.0, "other::slow": 8.0, "own::quick": 2.0}
    lines = dict.fromkeys(seconds, frozenset({9, 10}))
    caught = [("other::slow", 9)]
    fault = replace(plant(module, "m.py")[0], line=10)
    tests = Selection(Verdict(seconds=seconds, lines=lines), "own", caught).tests(SOURCE, fault)
    assert tests == ["other::slow", "own::quick", "own::slow", "other::quick"]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (4, {12}),  # a constant of the module: where it is used
        (6, {6}),  # one that others use
        (12, {12}),
        (10, {10}),
        (16, {15, 16, 17, 18}),
        (20, {19, 20, 21}),
        (27, {27, 31, 32, 33}),  # kept: of two tests that need it, the first alone runs it
    ],
)
def test_a_test_must_run_the_statement_that_has_the_fault(line, lines):
    assert lines_for(SOURCE, line) == lines
