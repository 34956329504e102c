"""Faults in SQL texts, which cosmic-ray does not plant by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cosmic_ray.operators.operator import Example, Operator

# What says that a text is SQL: prose has none of these in capitals.
_SQL = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|FROM|WHERE|JOIN|AND|OR|IS NULL|NULLS|CASE|UNION)\b")
_CHANGES = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"\bIS NULL\b", "IS NOT NULL"),
        (r"\bIS NOT NULL\b", "IS NULL"),
        (r"\bNOT (?=EXISTS\b|[a-z])", ""),
        (r"\bIS DISTINCT FROM\b", "IS NOT DISTINCT FROM"),
        (r"(?<!NOT )\bIN (?=\()", "NOT IN "),
        (r" DESC\b", ""),
        (r"\bNULLS FIRST\b", "NULLS LAST"),
        (r"\bDISTINCT(?! FROM)(?: ON \([^)]*\))? ", ""),
        (r"\bgreatest\b", "least"),
        (r"\bleast\b", "greatest"),
        (r"\bLEFT JOIN\b(?! LATERAL)", "JOIN"),
        (r" FOR UPDATE(?: OF \w+)?(?: SKIP LOCKED)?", ""),
        (r"(?<=[\w)'] )\+(?= )", "-"),
        (r"(?<=[\w)'] )-(?= )", "+"),
        (r"(?<=[ (])-(?=\w)", ""),
        (r"'[A-Z][A-Za-z_ ]+'", "'CHANGED'"),
    )
)
_COMPARISON = re.compile(r"(?<![-=<>!|:#@?])(?:<>|>=|<=|=|>|<)(?![-=<>@])")
_INSTEAD = {"=": "<>", "<>": "=", ">=": ">", ">": ">=", "<=": "<", "<": "<="}
_ASSIGNED = re.compile(r"\bSET\b(.*?)(?:\b(?:WHERE|FROM|RETURNING)\b|\Z)", re.DOTALL)
_CONDITION = re.compile(r"\b(?:WHERE|AND|OR|ON)\s+(?!CONFLICT|COMMIT|COLUMNS)")
_END = re.compile(
    r"\s*(?:\b(?:AND|OR|WHERE|ORDER BY|GROUP BY|HAVING|LIMIT|FOR UPDATE|RETURNING|UNION|THEN|WHEN|END"
    r"|(?:LEFT |CROSS )?JOIN)\b|;|\Z)"
)
_BETWEEN = re.compile(r"\bBETWEEN\s+\S+\s*\Z")  # its AND joins no conditions
_COMMENT = re.compile(r"--[^\n]*")


def faults(text: str) -> Iterator[tuple[int, int, str]]:
    """Each way to make an SQL text wrong: from where, to where, and what stands there instead."""
    seen = _COMMENT.sub(lambda comment: " " * len(comment[0]), text)
    for word in _CONDITION.finditer(seen):
        end = None if _BETWEEN.search(seen[: word.start()]) else _end_of_condition(seen, word.end())
        if end is not None:  # it is overruled, not left out: whatever is bound in it must still be used
            overruled = "AND false" if word[0].startswith("OR") else "OR true"
            yield word.end(), end, f"(({text[word.end() : end]}) {overruled})"
    assigned = [found.span(1) for found in _ASSIGNED.finditer(seen)]
    for found in _COMPARISON.finditer(seen):
        if not (found[0] == "=" and any(start <= found.start() < end for start, end in assigned)):
            yield *found.span(), _INSTEAD[found[0]]
    for pattern, put in _CHANGES:
        yield from ((*found.span(), put) for found in pattern.finditer(seen))


def _end_of_condition(text: str, start: int) -> int | None:
    """Where it ends; None where that is in another text."""
    depth = 0
    for place in range(start, len(text) + 1):
        if depth == 0 and place > start and _END.match(text, place) and not _BETWEEN.search(text[start:place]):
            return place
        depth += {"(": 1, ")": -1}.get(text[place : place + 1], 0)
        if depth < 0:
            return place
    return None


class SqlFault(Operator):  # type: ignore[misc]  # cosmic-ray's classes have no types
    """Makes one condition, comparison, sign, order or literal of an SQL text wrong."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """One for each fault: the line that it is in."""
        for start, _, _ in _faults_of(node):
            line = node.start_pos[0] + node.value[:start].count("\n")
            yield (line, 0), (line, 1)

    def mutate(self, node: Any, index: int) -> Any:
        """The text with that fault in it."""
        start, end, put = list(_faults_of(node))[index]
        node.value = node.value[:start] + put + node.value[end:]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """The first two of a text."""
        return (
            Example('x = "SELECT 1 WHERE a = 1"', 'x = "SELECT 1 WHERE ((a = 1) OR true)"'),
            Example('x = "SELECT 1 WHERE a = 1"', 'x = "SELECT 1 WHERE a <> 1"', occurrence=1),
        )


def _faults_of(node: Any) -> Iterator[tuple[int, int, str]]:
    if node.type not in {"string", "fstring_string"} or node.parent.type == "simple_stmt":  # a docstring
        return
    quotes = re.match(r"\w*(\"\"\"|'''|\"|')", node.value) if node.type == "string" else None
    first, last = (quotes.end(), len(node.value) - len(quotes[1])) if quotes else (0, len(node.value))
    text = node.value[first:last]
    if _SQL.search(text):
        yield from ((first + start, first + end, put) for start, end, put in faults(text))
