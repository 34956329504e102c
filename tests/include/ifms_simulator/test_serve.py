import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from ifms_simulator import serve


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(which, state, port):
    code = (
        "import pathlib, sys; from ifms_simulator import serve;"
        f"serve.{which}(pathlib.Path(sys.argv[1]), '127.0.0.1', int(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(state), str(port)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            requests.get(f"http://127.0.0.1:{port}/control/health", timeout=5)
            return process
        except requests.ConnectionError:
            assert process.poll() is None, "the simulator ended at its start"
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the simulator did not come up")


def test_a_bill_accepted_survives_sigkill(tmp_path, treasury_client_class):
    port = free_port()
    process = started("treasury", tmp_path / "state.sqlite3", port)
    try:
        client = treasury_client_class(f"http://127.0.0.1:{port}")
        key = client.control("public-key")
        pi = client.instruction()
        client.data("PI", pi)
        client.rule(service="PIS", effect="latency", ms=1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = started("treasury", tmp_path / "state.sqlite3", port)
        assert client.control("public-key") == key
        assert [bill["number"] for bill in client.control("state")["bills"]] == [pi["jitBillNo"]]
        assert [rule["effect"] for rule in client.control("rules")] == ["latency"]
        client.http.close()
        assert client.call("PI", pi)["errorMsg"] == "Duplicate Payment Information Id"  # in the same session, too
    finally:
        process.kill()
        process.wait()


def test_the_platform_stops_on_sigterm_and_goes_on_with_its_data(tmp_path):
    port = free_port()
    for _ in range(2):
        process = started("platform", tmp_path / "state.sqlite3", port)
        state = requests.get(f"http://127.0.0.1:{port}/control/state", timeout=30).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
        assert len(state["cities"]) == 27
        assert len(state["bills"]) == 27 * 4


def test_a_port_in_use_is_an_os_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            serve.treasury(tmp_path / "state.sqlite3", "127.0.0.1", taken.getsockname()[1])
