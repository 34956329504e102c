"""What is made wrong in an SQL text, and what is left alone."""

import pytest
from cosmic_ray.mutating import mutate_code

from mutants.sql import SqlFault, faults


def wrong(text):
    """The text with each of its faults."""
    return [text[:start] + put + text[end:] for start, end, put in faults(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a WHERE b = %s AND c IS NULL", "SELECT a WHERE ((b = %s) OR true) AND c IS NULL"),
        ("SELECT a WHERE b = %s AND c IS NULL", "SELECT a WHERE b = %s AND ((c IS NULL) OR true)"),
        ("SELECT a WHERE b = %s AND c IS NULL", "SELECT a WHERE b <> %s AND c IS NULL"),
        ("SELECT a WHERE b = %s AND c IS NULL", "SELECT a WHERE b = %s AND c IS NOT NULL"),
        ("(a IS NULL OR b = ANY(c))", "(a IS NULL OR ((b = ANY(c)) AND false))"),
        ("SELECT a WHERE b >= c - d(e)", "SELECT a WHERE b > c - d(e)"),
        ("SELECT a WHERE b >= c - d(e)", "SELECT a WHERE b >= c + d(e)"),
        ("SELECT a JOIN b ON a.c = b.c\n  WHERE 1 > 0", "SELECT a JOIN b ON ((a.c = b.c) OR true)\n  WHERE 1 > 0"),
        ("SELECT a WHERE b IN ('PARTIAL')", "SELECT a WHERE b NOT IN ('PARTIAL')"),
        ("SELECT a WHERE b IN ('PARTIAL')", "SELECT a WHERE b IN ('CHANGED')"),
        ("SELECT a WHERE NOT EXISTS (SELECT)", "SELECT a WHERE EXISTS (SELECT)"),
        ("UPDATE a SET b = greatest(b, 1) WHERE c < 1", "UPDATE a SET b = least(b, 1) WHERE c < 1"),
        ("SELECT a ORDER BY b DESC LIMIT 1 FOR UPDATE OF a", "SELECT a ORDER BY b LIMIT 1 FOR UPDATE OF a"),
        ("SELECT a ORDER BY b DESC LIMIT 1 FOR UPDATE OF a", "SELECT a ORDER BY b DESC LIMIT 1"),
    ],
)
def test_a_condition_a_comparison_a_sign_and_a_literal_are_made_wrong(text, expected):
    assert expected in wrong(text)


@pytest.mark.parametrize(
    "text",
    ["UPDATE a SET b = 1, c = 2", "SELECT a->>'b', c::text -- = 'NOTE' AND x", "SELECT a::jsonb @> b, c <-> d, e || f"],
)
def test_assignments_other_operators_and_comments_are_left_alone(text):
    assert wrong(text) == []


def test_the_and_of_a_between_is_no_condition_of_its_own():
    assert wrong("SELECT a WHERE b BETWEEN 1 AND c") == ["SELECT a WHERE ((b BETWEEN 1 AND c) OR true)"]


@pytest.mark.parametrize("code", ['"""SELECT a WHERE b = 1"""\n', 'x = "a < b, and no SQL"\n'])
def test_docstrings_and_prose_are_left_alone(code):
    assert mutate_code(code, SqlFault(), 0) is None


def test_an_f_string_is_made_wrong_outside_its_braces():
    assert mutate_code('x = f"SELECT {a = } WHERE b > 1"\n', SqlFault(), 1) == 'x = f"SELECT {a = } WHERE b >= 1"\n'
