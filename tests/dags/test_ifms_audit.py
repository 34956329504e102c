"""ifms_audit alone: an anchor each day, and red for a record that was changed."""

from __future__ import annotations

import json

import pytest
from support.databases import rewrite

pytestmark = [pytest.mark.airflow, pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})]


@pytest.fixture
def anchors(run_dag, airflow_connections, monkeypatch, tmp_path):
    """Where the DAG's anchors go."""
    from support import dags

    monkeypatch.setattr(dags._dag("ifms_audit").get_task("audit"), "path", str(tmp_path / "made"))
    return tmp_path / "made" / "anchors"


def test_green_with_an_anchor_and_red_without(run_dag, adapter, anchors):
    adapter.cycle()
    for files in (1, 2):
        assert run_dag("ifms_audit").state == "success"
        assert len(list(anchors.iterdir())) == files
    newest = json.loads(max(anchors.iterdir()).read_text())
    assert set(newest["chains"]) == {"", "od.samplea"}
    rewrite(adapter.dsn, "UPDATE ifms.status_log SET message = 'x' WHERE id = (SELECT min(id) FROM ifms.status_log)")
    run = run_dag("ifms_audit")
    assert run.state == "failed"
    assert len(list(anchors.iterdir())) == 2
    [row] = adapter.rows("SELECT * FROM ifms.sweep_run WHERE run_id = %s", run.run_id)
    first = "SweepNeedsAttentionError: 1 problem(s), the first: records_are_as_linked: status_log "
    assert row["message"].startswith(first)


def test_a_place_that_can_not_be_written_to_is_named(run_dag, adapter, anchors):
    anchors.parent.write_text("")
    assert run_dag("ifms_audit").state == "failed"
    assert adapter.rows("SELECT * FROM ifms.sweep_run WHERE service_id = 'AUDIT'") == []
