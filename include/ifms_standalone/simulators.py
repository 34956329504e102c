"""The simulated treasury and platform as `make run` uses them: two processes, and what it asks them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

import requests

from ifms_standalone.errors import StandaloneError
from ifms_standalone.postgres import LOOPBACK
from ifms_standalone.processes import Processes
from ifms_standalone.settings import Folder, Ports, Secrets

TREASURY = "treasury"
PLATFORM = "platform"
CLIENT_ID = "sample-client"
CLIENT_SECRET = "sample-secret"  # noqa: S105 - the simulator's own default; it guards nothing
START_SECONDS = 60.0


class Simulator:
    """One of the two, by its control endpoints."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.address = f"http://{LOOPBACK}:{port}"

    def start(self, processes: Processes, folder: Folder, environment: Mapping[str, str]) -> None:
        """Start it on the state of the last run, or on a new one."""
        program = str(Path(sys.executable).parent / "ifms")
        state = str(folder.simulators / f"{self.name}.db")
        command = [program, "simulate", self.name, "--port", str(self.port), "--state", state]
        processes.start(self.name, command, environment)

    def wait(self, check: Callable[[], None]) -> None:
        """Wait until it answers. Raises StandaloneError after a minute; `check` raises when it has died."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            check()
            try:
                if requests.get(f"{self.address}/control/health", timeout=5).ok:
                    return
            except requests.RequestException:
                pass  # not listening yet
            if time.monotonic() > deadline:
                raise StandaloneError(f"The simulated {self.name} was not up within {START_SECONDS:.0f} s.")
            time.sleep(0.1)

    def control(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call a control endpoint and return its JSON. Raises StandaloneError."""
        try:
            reply = requests.request(method, f"{self.address}/control/{path}", json=body, timeout=60)
            reply.raise_for_status()
            answer = reply.json()
        except (requests.RequestException, ValueError) as error:
            raise StandaloneError(f"The simulated {self.name} did not answer /control/{path}: {error}.") from error
        return answer


def add_bills(platform: Simulator) -> str:
    """See to it that there is something to pay: with no approved bill unpaid, each city gets a new one.

    Returns what there is now, in words.
    """
    state = platform.control("GET", "state")
    unpaid = sum(bill["wfStatus"] == "APPROVED" and not bill["paymentStatus"] for bill in state["bills"])
    if unpaid:
        return f"{unpaid} approved bills"
    orders = [
        {"tenantId": city, "type": kind, "payees": 4 if kind == "wage" else 1}
        for city, kind in zip(state["cities"], cycle(("wage", "purchase", "supervision")), strict=False)
    ]
    platform.control("POST", "bills", orders)
    return f"{len(orders)} new bills"


def accepted_bills(treasury: Simulator) -> dict[str, Decimal]:
    """Return the net amounts, in rupees, of the bills that the treasury has accepted and not rejected, by number."""
    bills = treasury.control("GET", "state")["bills"]
    return {bill["number"]: Decimal(bill["params"]["billNetAmount"]) for bill in bills if bill["stage"] != "rejected"}


def payment_statuses(platform: Simulator) -> dict[str, frozenset[str]]:
    """Return which statuses each payment has on the platform, on any of its levels, by payment number.

    What the platform was told arrives a moment later: waited for. Raises StandaloneError when it does not.
    """
    deadline = time.monotonic() + START_SECONDS
    while (state := platform.control("GET", "state"))["waiting"]:
        if time.monotonic() > deadline:
            raise StandaloneError(f"{state['waiting']} writes have not arrived at the simulated {platform.name}.")
        time.sleep(0.1)
    return {payment["paymentNumber"]: frozenset(_statuses(payment)) for payment in state["payments"]}


def _statuses(payment: Mapping[str, Any]) -> Iterator[str]:
    yield payment["status"]
    for bill in payment["bills"]:
        yield bill["status"]
        for detail in bill["billDetails"]:
            yield detail["status"]
            yield from (line["status"] for line in detail["payableLineItems"])


def connections(treasury: Simulator, platform: Simulator, secrets: Secrets) -> dict[str, object]:
    """Describe the connections `ifms_treasury` and `ifms_platform` to them.

    The port has its own field: Airflow's UI can't test a connection that is saved without one.
    """
    host = f"http://{LOOPBACK}"
    return {
        "ifms_treasury": {
            "conn_type": "ifms_treasury",
            "host": host,
            "port": treasury.port,
            "login": CLIENT_ID,
            "password": CLIENT_SECRET,
            "extra": {
                "public_key": treasury.control("GET", "public-key")["public_key"],
                "log_key": secrets.log_key,
                "signing_key": secrets.signing_key,
            },
        },
        "ifms_platform": {"conn_type": "ifms_platform", "host": host, "port": platform.port},
    }


def simulators(ports: Ports) -> tuple[Simulator, Simulator]:
    """Return the treasury and the platform."""
    return Simulator(TREASURY, ports.treasury), Simulator(PLATFORM, ports.platform)
