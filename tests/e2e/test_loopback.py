"""What `make run` starts listens on this machine's own addresses alone: every part of Airflow, servers of logs too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest
from support.real_airflow import AIRFLOW, kill_all_of, until

from ifms_standalone import airflow, postgres
from ifms_standalone.processes import Processes
from ifms_standalone.settings import Folder, Ports, Secrets

pytestmark = [pytest.mark.tier("prove"), pytest.mark.timeout(600)]


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[tuple[int, airflow.Client]]:
    """`airflow standalone` as `make run` starts it, without DAGs; its session, and a client."""
    folder = Folder(tmp_path)
    folder.make()
    with postgres.throwaway() as server:
        secrets = replace(Secrets.kept_in(folder.secrets), postgres_password=server.password)
        ports = Ports(airflow=postgres.free_port(), postgres=server.port)
        log_ports = (postgres.free_port(), postgres.free_port())
        environment = airflow.environment(folder, ports, secrets, log_ports, {}, date(2026, 11, 23))
        environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(tmp_path / "none")
        server.create_database("airflow")
        airflow.write_password(folder, secrets)
        airflow.write_command(folder)
        processes = Processes(folder.processes, folder.logs)
        processes.start("airflow", [AIRFLOW, "standalone"], environment)
        try:
            [(record, _)] = processes._running
            yield record.pid, airflow.Client(ports.airflow, secrets.admin_password)
        finally:
            kill_all_of(processes, folder.processes)


def listening(session: int) -> dict[tuple[str, int], str]:
    """Where the session's processes listen, and which of them."""
    found = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                for each in process.net_connections("inet"):
                    if each.status == psutil.CONN_LISTEN:
                        found[each.laddr.ip, each.laddr.port] = " ".join(process.cmdline())
        except (OSError, psutil.Error):
            continue
    return found


def test_nothing_listens_but_on_loopback(standalone):
    session, client = standalone
    until(lambda: not client.unhealthy_parts(), "Airflow is not up")
    found = listening(session)
    assert found, "the API server listens"
    assert {place: name for place, name in found.items() if not ip_address(place[0]).is_loopback} == {}
