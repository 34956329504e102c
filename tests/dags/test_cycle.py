import pytest, time
CYCLE = ("ifms_va", "ifms_pa", "ifms_pi", "ifms_pis", "ifms_pag", "ifms_pd")

@pytest.mark.simulators(platform={"cities": 27, "bills_per_city": 1})
def test_cycle(run_dag, airflow_connections, adapter):
    for d in CYCLE:
        t=time.time(); r=run_dag(d); print(d, r.state, time.time()-t)
    print(adapter.statuses())
