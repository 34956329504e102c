"""The connections that `make run` gives to Airflow."""

from __future__ import annotations

from pathlib import Path

import requests_mock

from ifms_standalone.settings import Ports, Secrets
from ifms_standalone.simulators import connections, simulators


def test_connections_have_the_port_in_its_own_field(tmp_path: Path, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get("http://127.0.0.1:9001/control/public-key", json={"public_key": "sample-key"})
    secrets = Secrets.kept_in(tmp_path / "secrets.json")
    made = connections(*simulators(Ports(treasury=9001, platform=9002)), secrets)
    assert made == {
        "ifms_treasury": {
            "conn_type": "ifms_treasury",
            "host": "http://127.0.0.1",
            "port": 9001,
            "login": "sample-client",
            "password": "sample-secret",
            "extra": {"public_key": "sample-key", "log_key": secrets.log_key, "signing_key": secrets.signing_key},
        },
        "ifms_platform": {"conn_type": "ifms_platform", "host": "http://127.0.0.1", "port": 9002},
    }
