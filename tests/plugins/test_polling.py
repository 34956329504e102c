"""The DAG that the polling services share."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_a_polling_dag_is_named_and_scheduled_after_its_service(monkeypatch: pytest.MonkeyPatch):
    from ifms_airflow.polling import polling_dag

    monkeypatch.setenv("IFMS_SCHEDULE_PAG", "none")
    dag = polling_dag("PAG", cron="15 22 * * *", description="Advice", doc_md="# Advice")
    assert (dag.dag_id, dag.description, dag.doc_md) == ("ifms_pag", "Advice", "# Advice")
    assert dag.schedule is None
    assert dag.task_ids == ["poll"]
