"""Whatever a form's field holds: taken as what it means, or refused by a typed error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mutations import fuzzed

from ifms.errors import BadInputError

pytestmark = pytest.mark.airflow

TEXTS = (
    "false",
    "true",
    "None",
    "",
    " ",
    "od.samplea",
    " od.samplea ",
    "PI-SA/2024-25/000001",
    "BN-SA/000001",
    "'; DROP TABLE ifms.payment; --",
    "{{ conn.ifms_treasury.password }}",
    "../../x",
    "x" * 257,
    "a\nb",
    "\0",
    "ନମୁନା",
)
texts_of_forms = st.sampled_from(TEXTS) | st.text(max_size=20)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts_of_forms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts_of_forms, inner, max_size=3),
    max_leaves=6,
)


@fuzzed
@given(value=anything)
def test_lists(value):
    from ifms_airflow.operators.sweep import tenant_ids, texts

    for read in (tenant_ids, lambda given: texts("payments", given)):
        try:
            found = read(value)
        except BadInputError:
            continue
        assert found is None or all(isinstance(each, str) and each and each == each.strip() for each in found)


@fuzzed
@given(pi=anything, tenant=anything, beneficiaries=anything, same=anything, new=anything)
def test_a_correction(pi, tenant, beneficiaries, same, new):
    from ifms_airflow.operators import CorrectOperator

    task = CorrectOperator(
        task_id="correct",
        pi_number=pi,
        tenant=tenant,
        beneficiaries=beneficiaries,
        same_account=same,
        new_original=new,
    )
    try:
        asked = task.asked_for()
    except BadInputError:
        return
    if asked is None:
        assert pi is None
        assert [each for each in (tenant, beneficiaries, same, new) if each] == []
        return
    assert asked[3] is new
    assert asked[:2] == (pi.strip(), tenant.strip())
    assert asked[2] is None or list(asked[2]) == [each.strip() for each in beneficiaries]
    assert list(asked[4]) == [each.strip() for each in same or ()]
    assert all(len(set(each)) == len(each) for each in (asked[2] or (), asked[4]))


@fuzzed
@given(value=anything)
def test_messages_to_send_again(value):
    from ifms_airflow.operators import RelayOperator

    try:
        ids = RelayOperator(task_id="relay", again=value)._ids()
    except BadInputError:
        return
    assert all(type(each) is int for each in ids)
