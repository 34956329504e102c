"""Each operator does what its examples say, on code that still compiles."""

import pytest
from cosmic_ray.mutating import mutate_code

from mutants.statements import LastOnly, Operators, StatementLeftOut

CASES = [
    (operator, example) for operator in map(Operators().__getitem__, Operators()) for example in operator.examples()
]


@pytest.mark.parametrize(("operator", "example"), CASES)
def test_an_operator_does_what_its_example_says(operator, example):
    assert mutate_code(example.pre_mutation_code, operator(), example.occurrence) == example.post_mutation_code
    compile(example.post_mutation_code, "example", "exec")


@pytest.mark.parametrize("code", ["a = 1\n", "a: int = 1\n", '"""f(1)"""\n', "return f(1)\n", "import a\n", "pass\n"])
def test_what_has_no_effect_beyond_its_function_is_not_left_out(code):
    assert mutate_code(code, StatementLeftOut(), 0) is None


def test_a_statement_is_left_out_at_its_place():
    assert mutate_code("if a:\n    # why\n    f(\n        1,\n    )  # so\n", StatementLeftOut(), 0) == (
        "if a:\n    # why\n    pass  # so\n"
    )


def test_a_generator_within_a_call_is_cut():
    assert mutate_code("f(x for x in g(1) if x)\n", LastOnly(), 0) == "f(x for x in [*(g(1))][-1:] if x)\n"
