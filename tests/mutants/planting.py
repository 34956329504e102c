"""Which faults are planted in a module, each under a key that outlives a change elsewhere in it."""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, TypeGuard

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.work_item import MutationSpec, WorkItem

from mutants.sql import faults as sql_faults
from mutants.statements import Operators

plugins.OPERATOR_PROVIDERS["ifms"] = Operators()

# cosmic-ray's operators that say something of their own: of eleven signs that may stand for a +, one is enough.
_WANTED = re.compile(
    r"ifms/.*|core/(?:AddNot|NumberReplacer|Replace(?:True|False|And|Or|Break|Continue)With\w+|"
    r"ReplaceUnaryOperator_(?:Delete_Not|USub_UAdd)|ReplaceBinaryOperator_(?:Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul)|"
    r"ReplaceComparisonOperator_(?:Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Is_IsNot|IsNot_Is|In_NotIn|NotIn_In))"
)
# The last instead of the first, where there is one only; what a class, a signature or a zip says to the type checker;
# and a setting, which tests read from its name.
_SAME = re.compile(r"\[\s*-1\s*\](?!:)|^\+@dataclass|strict=False|^\+.*[(,] /[,)]|^\+[A-Z_]+ = [\s\d_.]+(?:#|$)")


@dataclass(frozen=True)
class Fault:
    """A module with one thing wrong in it."""

    key: str
    path: str
    line: int
    code: str
    diff: str
    item: WorkItem


def plant(root: Path, path: str) -> list[Fault]:
    """Every fault that is planted in the module, or the file of SQL, at `path`, in the order of its lines."""
    source = (root / path).read_text(encoding="utf-8")
    if path.endswith(".sql"):
        wrong = ((spec, code, code) for spec, code in _in_sql(path, source))
    else:
        wrong = ((spec, code, _meaning(code)) for spec, code in _in_python(path, source))
    found: dict[str, Fault] = {}
    told: Counter[str] = Counter()
    same = source if path.endswith(".sql") else _meaning(source)
    for spec, code, means in sorted(wrong, key=lambda each: each[0].start_pos):
        if means is None or means in found or means == same:
            continue
        diff = "\n".join(difflib.unified_diff(source.splitlines(), code.splitlines(), lineterm="", n=0))
        changes = [line for line in diff.splitlines()[2:] if not line.startswith("@@")]
        if any(_SAME.search(line) for line in changes if line[0] == "+"):
            continue
        text = "\n".join([path, *(f"{line[0]} {line[1:].strip()}" for line in changes)])
        told[text] += 1  # the same line may stand in a module twice
        key = hashlib.sha256(f"{text}\n{told[text]}".encode()).hexdigest()[:10]
        found[means] = Fault(key, path, spec.start_pos[0], code, "\n".join(changes), WorkItem.single(key, spec))
    return list(found.values())


def _in_python(path: str, source: str) -> Iterator[tuple[MutationSpec, str]]:
    for spec in _places(path, source):
        code = mutate_code(source, plugins.get_operator(spec.operator_name)(), spec.occurrence)
        if code is not None:
            yield spec, code


def _in_sql(path: str, source: str) -> Iterator[tuple[MutationSpec, str]]:
    # What a comment after an empty line begins is another statement: no condition goes on there.
    starts = [0, *(found.start() for found in re.finditer(r"\n\n(?=--)", source)), len(source)]
    found = [(at + a, at + b, put) for at, to in pairwise(starts) for a, b, put in sql_faults(source[at:to])]
    for occurrence, (start, end, put) in enumerate(found):
        line = source[:start].count("\n") + 1
        yield MutationSpec(path, "ifms/SqlFault", occurrence, (line, 0), (line, 1)), source[:start] + put + source[end:]


def _places(path: str, source: str) -> Iterator[MutationSpec]:
    nodes = list(ast_nodes(get_ast(source)))
    for name in plugins.operator_names():
        if _WANTED.fullmatch(name):
            operator = plugins.get_operator(name)()
            places = (place for node in nodes for place in operator.mutation_positions(node))
            for occurrence, (start, end) in enumerate(places):
                yield MutationSpec(path, name, occurrence, start, end)


def _meaning(code: str) -> str | None:
    """The same text for all ways to write the same condition; None for what is no Python."""
    try:
        compile(code, "planted", "exec", dont_inherit=True)
    except SyntaxError:
        return None
    return ast.dump(_Negations().visit(ast.parse(code)))


class _Negations(ast.NodeTransformer):
    """Writes `not a == b` as `a != b`, `not not a` as `a`, and so on."""

    _opposite: ClassVar = {ast.Eq: ast.NotEq, ast.Is: ast.IsNot, ast.In: ast.NotIn, ast.Lt: ast.GtE, ast.LtE: ast.Gt}
    _opposite |= {b: a for a, b in _opposite.items()}

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), inner)):
                return inner
            case ast.UnaryOp(ast.Not(), ast.Constant(bool() as value)):
                return ast.Constant(not value)
            case ast.UnaryOp(ast.Not(), ast.Compare(left, [operator], right)) if type(operator) in self._opposite:
                return ast.Compare(left, [self._opposite[type(operator)]()], right)
        return node


def lines_for(source: str, line: int) -> set[int]:
    """The lines that a test runs if it can notice a fault at `line`: of the innermost statement that has it.

    Of a statement that has others in it, its head. Of a constant of the module, the statements that use it, too; and of
    a function that is kept (`@cache`), which only the first test may run, those that call it.
    """
    module = ast.parse(source)
    found = _innermost(module, line)
    if found is None:
        return {line}
    lines = set(_own_lines(found))
    if isinstance(found, ast.Assign | ast.AnnAssign) and found in module.body:
        targets = found.targets if isinstance(found, ast.Assign) else [found.target]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        lines = _lines_that_use(module, names, lines) or lines
    kept = {each.name for each in module.body if _is_cached(each) and found in ast.walk(each)}
    return lines | _lines_that_use(module, kept, lines)


def _is_cached(statement: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(statement, ast.FunctionDef) and any(
        "cache" in ast.unparse(decorator) for decorator in statement.decorator_list
    )


def _lines_that_use(module: ast.Module, names: set[str], besides: set[int]) -> set[int]:
    uses = [n for n in ast.walk(module) if isinstance(n, ast.Name) and n.id in names and n.lineno not in besides]
    within = [s for use in uses if (s := _innermost(module, use.lineno)) is not None and s not in module.body]
    return {each for statement in within for each in _own_lines(statement)}


def _innermost(module: ast.Module, line: int) -> ast.stmt | None:
    with_it = [n for n in ast.walk(module) if isinstance(n, ast.stmt) and line in _own_lines(n)]
    return min(with_it, key=lambda statement: len(_own_lines(statement)), default=None)


def _own_lines(statement: ast.stmt) -> range:
    first = statement.lineno
    inner = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if inner:
        head = getattr(inner[0], "lineno", None) or inner[0].pattern.lineno
        return range(first, max(head, first + 1))
    return range(first, (statement.end_lineno or first) + 1)
