"""The Java adapter's tables are read as they are, or it is said what is missing."""

from __future__ import annotations

import pytest
from support.java import imported, statuses, take_over

from ifms.errors import ConfigurationError
from ifms.importing.source import Masters


def test_a_sanction_without_masters_is_named(java_world, here):
    report = take_over(here.dsn, java_world.database, Masters(frozenset(), java_world.masters.schemes))
    assert {"sanction", "payment", "row"} == {misfit.scope for misfit in report.misfits}
    assert statuses(here) == {("ORIGINAL", "FAILED"): 1}  # the one that moved no money
    assert any("no spending unit" in misfit.why for misfit in report.misfits)


def test_a_schema_without_the_tables_is_named(java_world, here):
    with pytest.raises(ConfigurationError, match="no table elsewhere.jit_sanction_details"):
        imported(java_world, here, schema="elsewhere")
