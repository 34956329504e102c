"""Rows and money are counted on both sides."""

from __future__ import annotations

from support.java import imported


def test_an_allotment_told_twice_counts_once(java_world, here):
    java_world.database.run("UPDATE jit_payment_inst_details SET lastmodifiedby = 'test'")
    java_world.database.run("INSERT INTO jit_allotment_details SELECT * FROM jit_allotment_details LIMIT 1")
    report = imported(java_world, here)
    assert report.misfits == []
    assert any("more than once; it counts once here" in remark for remark in report.remarks)
    [table] = [t for t in report.tables if t.name == "jit_allotment_details"]
    assert (table.left_out, table.agrees) == (1, True)
