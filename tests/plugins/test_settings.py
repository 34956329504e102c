"""The DAGs' settings: all faults of the environment in one error."""

import pytest

from ifms.errors import ConfigurationError


def test_every_fault_is_named_at_once(monkeypatch):
    from ifms_airflow.settings import ParseSettings

    wrong = {
        "IFMS_START_DATE": "01/11/2026",
        "IFMS_FD_DAYS": "367",
        "IFMS_CALL_LOG_DAYS": "long",
        "IFMS_SHARDS": "two",
        "IFMS_ALERT_MINUTES": "soon",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as told:
        ParseSettings.read()
    assert [name for name, value in wrong.items() if f"{name} is {value!r}: " not in str(told.value)] == []


def test_a_mail_is_sent_though_a_dag_s_setting_is_wrong(monkeypatch):
    from ifms_airflow.settings import AlertSettings

    monkeypatch.setenv("IFMS_FD_DAYS", "many")
    monkeypatch.setenv("IFMS_ALERT_TO", "a@sample.invalid")
    assert AlertSettings.read().alert_to == "a@sample.invalid"


def test_a_day_in_digits_is_that_day(monkeypatch):
    from ifms_airflow.settings import ParseSettings

    monkeypatch.setenv("IFMS_START_DATE", "20270401")
    assert ParseSettings.read().start_date.isoformat() == "2027-04-01"
