"""Faults in Python that cosmic-ray does not plant by itself: what is left out, and what is looked at in part only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator
from parso.python.tree import Keyword, Name, PythonLeaf

from mutants.sql import SqlFault

Place = tuple[tuple[int, int], tuple[int, int]]


class StatementLeftOut(Operator):  # type: ignore[misc]  # cosmic-ray's classes have no types
    """Leaves out a call that is a statement of its own, or what is set on, or added to, something else."""

    def mutation_positions(self, node: Any) -> Iterator[Place]:
        """Where such a statement is."""
        if node.type == "simple_stmt" and _has_effect(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, _index: int) -> Any:
        """`pass` instead."""
        left_out = node.children[0]
        node.children[0] = Keyword("pass", left_out.start_pos, prefix=left_out.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """One of each kind."""
        return (Example("f(1)\n", "pass\n"), Example("a.b = 1\n", "pass\n"), Example("a += 1\n", "pass\n"))


def _has_effect(node: Any) -> bool:
    if isinstance(node, PythonLeaf):
        return False
    if node.type == "expr_stmt":
        target, follows = node.children[0], node.children[1]
        return follows.type == "operator" and (target.type in {"atom_expr", "power"} or follows.value != "=")
    return node.type in {"atom_expr", "power", "yield_expr"}


class LastOnly(Operator):  # type: ignore[misc]
    """Lets a loop, or a comprehension, see the last of its things only."""

    def mutation_positions(self, node: Any) -> Iterator[Place]:
        """Where it says what it goes over."""
        if node.type in {"for_stmt", "sync_comp_for"}:
            yield node.children[3].start_pos, node.children[3].end_pos

    def mutate(self, node: Any, _index: int) -> Any:
        """The same, cut."""
        over = node.children[3]
        node.children[3] = Name(f"[*({over.get_code(include_prefix=False)})][-1:]", over.start_pos, prefix=" ")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Of each kind, one."""
        return (
            Example("for x in y:\n    f()\n", "for x in [*(y)][-1:]:\n    f()\n"),
            Example("a = [x for x in y]", "a = [x for x in [*(y)][-1:]]"),
        )


# By their lines: the parser knows no `match`, and keeps its text without a structure.
_CASE = re.compile(
    r"^(?P<head> *case .+?)(?: if (?P<guard>.+?))?:(?P<rest> *#.*)?$"
    r"|^(?P<except> *except )[^:]+?(?P<name> as \w+)?:(?P<tail> *#.*)?$",
    re.MULTILINE,
)


class CaseMissed(Operator):  # type: ignore[misc]
    """Never takes one case of a `match`, or takes it when its guard says no; catches nothing with an `except`."""

    def mutation_positions(self, node: Any) -> Iterator[Place]:
        """The lines of the cases."""
        if node.type == "file_input":
            code = node.get_code()
            for found in _CASE.finditer(code):
                line = code[: found.start()].count("\n") + 1
                yield (line, 0), (line, 1)

    def mutate(self, node: Any, index: int) -> Any:
        """The module with another guard."""
        code = node.get_code()
        found = list(_CASE.finditer(code))[index]
        if found["except"]:
            line = f"{found['except']}(){found['name'] or ''}:{found['tail'] or ''}"
        else:
            guard = f"not ({found['guard']})" if found["guard"] else "False"
            line = f"{found['head']} if {guard}:{found['rest'] or ''}"
        return parso.parse(code[: found.start()] + line + code[found.end() :])

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Without a guard and with one, and an `except`."""
        return (
            Example("match x:\n    case 1:\n        f()\n", "match x:\n    case 1 if False:\n        f()\n"),
            Example("match x:\n    case 1 if y:\n        f()\n", "match x:\n    case 1 if not (y):\n        f()\n"),
            Example("try:\n    f()\nexcept a.B as e:\n    pass\n", "try:\n    f()\nexcept () as e:\n    pass\n"),
        )


class Operators:
    """Our operators, as cosmic-ray asks a provider for them."""

    _by_name = {each.__name__: each for each in (SqlFault, StatementLeftOut, LastOnly, CaseMissed)}  # noqa: RUF012

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self._by_name)

    def __getitem__(self, name: str) -> Any:
        """One of them."""
        return self._by_name[name]
