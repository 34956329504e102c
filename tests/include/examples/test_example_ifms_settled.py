"""The example that waits for settled days: it waits for the DAG's own asset; what it writes, tests/dags/test_ifms_settled."""

import pytest
from support.environment import REPO

pytestmark = pytest.mark.airflow


def test_the_example_waits_for_the_asset_of_the_dag():
    from airflow.dag_processing.dagbag import DagBag

    from ifms_airflow.assets import SETTLED

    dag = DagBag(REPO / "include" / "examples" / "example_ifms_settled.py").dags["example_ifms_settled"]
    waits = dag.timetable.asset_condition.objects
    assert [(each.name, each.uri) for each in waits] == [(SETTLED.asset.name, SETTLED.asset.uri)]
