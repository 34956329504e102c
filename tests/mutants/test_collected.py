"""What of a fault can be put into a module that is imported already, and what can't."""

import importlib.util

import pytest

from mutants.__main__ import Host
from mutants.collected import NotInPlaceError, changed_functions, functions_of
from mutants.trials import Trial

SOURCE = """
import functools

RATE = 2

def double(x, by=2):
    return [n * by for n in range(x)]

def outer():
    def inner():
        return 1
    return inner

class Account:
    limit = 3

    @property
    def left(self):
        return self.limit - 1

    @functools.cache
    def kept(self):
        return lambda: 4
"""


def changed(old, new):
    assert SOURCE.count(old) == 1
    wrong = SOURCE.replace(old, new)
    codes = [compile(text, "sample", "exec", dont_inherit=True) for text in (SOURCE, wrong)]
    return [(mine.co_qualname, theirs.co_qualname) for mine, theirs in changed_functions(*codes)]


@pytest.mark.parametrize(
    ("old", "new", "function"),
    [
        ("return [n * by", "return [n + by", "double"),
        ("return 1", "return 2", "outer"),
        ("self.limit - 1", "self.limit", "Account.left"),
        ("lambda: 4", "lambda: 5", "Account.kept"),
        ("    return inner", "\n    return None", "outer"),
    ],
)
def test_a_fault_in_a_function_is_in_that_function_alone(old, new, function):
    assert changed(old, new) == [(function, function)]


def test_where_nothing_but_lines_has_changed_no_function_has():
    assert changed("import functools\n", "import functools\n\n\n") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("RATE = 2", "RATE = 3"), ("by=2", "by=3"), ("limit = 3", "limit = 4"), ("@property", "@staticmethod")],
)
def test_what_importing_has_made_of_it_can_not_be_changed_in_place(old, new):
    with pytest.raises(NotInPlaceError):
        changed(old, new)


def test_functions_are_found_behind_what_decorates_them(tmp_path):
    file = tmp_path / "sample.py"
    file.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("sample_of_functions", file)
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    found = functions_of(file)
    assert {name for name, _ in found} == {"double", "outer", "Account.left", "Account.kept"}
    [kept] = next(functions for (name, _), functions in found.items() if name == "Account.kept")
    kept.__code__ = kept.__code__.replace(co_consts=(None, 6))
    assert module.Account.kept.__wrapped__ is kept


@pytest.fixture
def ask(tmp_path):
    """What a host says of a fault in a file of such a project."""
    host = Host(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "include").mkdir()
    (tmp_path / "tests").mkdir()

    def ask(path, code):
        return host.ask(
            Trial(path, code, ["tests/test_it.py"], ["tests/test_it.py::test_it"], 60, in_place=True)
        ).failed

    yield ask
    host.end()


@pytest.mark.tier("prove")  # runs of pytest in forks
def test_for_a_fault_in_a_function_nothing_is_imported_again(tmp_path, ask):
    """Also where the tests themselves have frozen what there is, as this suite's do."""
    code = "with open('imported', 'a') as file:\n    file.write('once ')\n\n\ndef double(x, by=2):\n    return x * by\n"
    (tmp_path / "include" / "counted.py").write_text(code)
    (tmp_path / "tests" / "conftest.py").write_text(
        "import gc\n\ndef pytest_collection_finish(session):\n    gc.freeze()\n"
    )
    (tmp_path / "tests" / "test_it.py").write_text(
        "import pathlib, sys\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'include'))\n"
        "from counted import double\n\n\ndef test_it():\n    assert double(2) == 4\n"
    )
    wrong = code.replace("x * by", "x * 3")
    failed = "tests/test_it.py::test_it"
    assert [ask("include/counted.py", each) for each in (wrong, code, wrong)] == [failed, None, failed]
    assert (tmp_path / "imported").read_text() == "once "
    assert ask("include/counted.py", code.replace("by=2", "by=3")) == failed
    assert (tmp_path / "imported").read_text() == "once once "


@pytest.mark.tier("prove")  # runs of pytest in forks
def test_a_file_that_importing_has_read_is_read_anew_with_its_fault(tmp_path, ask):
    (tmp_path / "include" / "early.sql").write_text("SELECT 1")
    (tmp_path / "tests" / "test_it.py").write_text(
        "import pathlib\nTEXT = (pathlib.Path(__file__).parents[1] / 'include' / 'early.sql').read_text()\n\n\n"
        "def test_it():\n    assert TEXT == 'SELECT 1'\n"
    )
    assert [ask("include/early.sql", f"SELECT {n}") for n in (2, 1)] == ["tests/test_it.py::test_it", None]
