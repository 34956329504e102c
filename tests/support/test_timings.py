"""Tests are spread by the time that they take, and the times are kept."""

from __future__ import annotations

from support import timings

SECONDS = {"long.py": 100.0, "whole.py": 15.0, "short.py": 2.0}


def test_what_takes_longest_begins_first_and_only_a_long_module_is_taken_apart():
    ids = [
        "tests/short.py::test_a",
        "tests/new.py::test_a",
        "tests/whole.py::test_a",
        "tests/long.py::test_a[x@y/z]",
        "tests/whole.py::test_b",
        "tests/long.py::test_b",
        "tests/long.py::test_c@shared",
        "tests/short.py::test_b@shared",
    ]
    places = timings.longest_first(ids, SECONDS)
    assert list(places) == [
        "shared",
        "tests/long.py::test_a[x@y/z]",
        "tests/long.py::test_b",
        "whole.py",
        "short.py",
        "new.py",
    ]
    assert [timings.unit(each, SECONDS) for each in ids] == [
        "short.py",
        "new.py",
        "whole.py",
        "tests/long.py::test_a[x@y/z]",
        "whole.py",
        "tests/long.py::test_b",
        "shared",
        "shared",
    ]


def test_a_run_renews_the_times_of_its_own_modules_and_leaves_out_the_short_ones():
    assert timings.renewed({"a.py": 5.0, "b.py": 7.0}, {"b.py": 2.04, "c.py": 0.94}) == {"a.py": 5.0, "b.py": 2.0}


def test_the_committed_times_are_read():
    assert timings.FILE.is_file()
    assert min(timings.read().values()) >= 1
