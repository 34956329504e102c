"""What `make containers` does from within the project's network: given on standard input to a container of `init`.

It has that service's environment, and finds Airflow, the ledger and the simulators by their names. Its last line is
the answer, as JSON.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import requests
from psycopg.conninfo import make_conninfo
from rich.console import Console

from ifms_standalone.airflow import Client
from ifms_standalone.cycle import DAG_IDS, Cycle
from ifms_standalone.injected_failures import LATE_DAYS, InjectedFailures
from ifms_standalone.outcome import Books, Outcome, Scope
from ifms_standalone.progress import Progress
from ifms_standalone.simulators import Simulator, accepted_bills, add_bills, payment_statuses

BILLS = 160
PATIENCE_SECONDS = 900.0


def simulator(name: str, address: str) -> Simulator:
    made = Simulator(name, 0)
    made.address = address
    return made


# requests must know the treasury's certificate as the adapter does, and our servers'.
CA_FILE = os.environ["IFMS_CA_FILE"]
_known = Path(tempfile.mkdtemp()) / "known.pem"
_known.write_text("".join(Path(each).read_text() for each in (os.environ["IFMS_TREASURY_CA_BUNDLE"], CA_FILE)))
os.environ["REQUESTS_CA_BUNDLE"] = str(_known)
TREASURY = simulator("treasury", os.environ["IFMS_TREASURY_URL"])
PLATFORM = simulator("platform", os.environ["IFMS_PLATFORM_URL"])
API = "https://api-server:8080"
SESSION = requests.Session()
"""Logged in to Airflow, once it is ready."""
LEDGER, AIRFLOW = (
    make_conninfo(
        host="postgres",
        user="postgres",
        password=os.environ["POSTGRES_PASSWORD"],
        dbname=name,
        sslmode="verify-full",
        sslrootcert=CA_FILE,
    )
    for name in ("ifms", "airflow")
)


def ready() -> Client:
    """Airflow's API once all of its parts are well and every DAG is there."""
    client = Client(0, os.environ["IFMS_ADMIN_PASSWORD"])
    client.address = API
    client._session.verify = str(_known)  # it does not look at the environment
    until("Airflow is up", lambda: not client.unhealthy_parts())
    client.log_in()
    token = asked_for_token(os.environ["IFMS_ADMIN_PASSWORD"]).json()["access_token"]
    SESSION.headers["Authorization"] = f"Bearer {token}"
    until("the DAGs are there", lambda: not client.missing_dags(DAG_IDS))
    return client


def asked_for_token(password: str) -> requests.Response:
    return SESSION.post(f"{API}/auth/token", json={"username": "admin", "password": password}, timeout=60)


def until(what: str, there: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for it, and return it."""
    end = time.monotonic() + seconds
    while not (found := there()):
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds:.0f} s: {what}")
        time.sleep(1)
    return found


def rows(dsn: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, parameters or None).fetchall()


def cycle() -> dict[str, Any]:
    """One whole cycle, with a rejection and a return, as `make run` walks it; what was wrong with it."""
    client, console = ready(), Console(width=140)
    TREASURY.control("POST", "settings", {"latency_ms": 0})
    add_bills(PLATFORM)
    scope = Scope.from_now(LEDGER)
    with psycopg.connect(LEDGER, autocommit=True) as ledger, Progress(console) as progress:
        injected = InjectedFailures(TREASURY, PLATFORM, ledger, scope)
        complaints = Cycle(client, ledger, scope.since, lambda: None, injected).walk(progress)
    books = Books(accepted_bills(TREASURY), payment_statuses(PLATFORM))
    outcome = Outcome.of(LEDGER, scope, injected.planted, books)
    return {"complaints": [*complaints, *outcome.complaints()], "instructions": len(outcome.instructions)}


def tls() -> dict[str, Any]:
    """What takes a client that speaks plainly, or would be taken for another server; a client without the authority."""
    wrong = []
    ours, others = ssl.create_default_context(cafile=CA_FILE), ssl.create_default_context()
    for name, port in (("redis", 6379), ("elasticsearch", 9200), ("kafka", 9092), ("api-server", 8080)):
        for context, called, good in ((ours, name, True), (others, name, False), (ours, "another", False)):
            try:
                with socket.create_connection((name, port), 30) as plain:
                    context.wrap_socket(plain, server_hostname=called).close()
                refused = False
            except ssl.SSLCertVerificationError:
                refused = True
            if refused is good:
                wrong.append(f"{name}, called {called}, was {'refused' if refused else 'believed'}")
        with socket.create_connection((name, port), 30) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            plain.settimeout(30)
            try:
                answer = plain.recv(100)
            except OSError:
                answer = b""
            if b"HTTP" in answer or (answer[:1] in b"+-" and answer):
                wrong.append(f"{name} answers who speaks plainly: {answer!r}")
    public = make_conninfo(LEDGER, sslrootcert="/etc/ssl/certs/ca-certificates.crt")
    for dsn, said in (
        (make_conninfo(LEDGER, sslmode="disable"), "no encryption"),
        (public, "certificate verify failed"),
    ):
        try:
            psycopg.connect(dsn).close()
            wrong.append(f"postgres is reached in spite of: {said}")
        except psycopg.OperationalError as error:
            if said not in str(error):
                wrong.append(f"postgres does not say {said!r}: {error}")
    return {"wrong": wrong}


def token() -> dict[str, Any]:
    """What Airflow answers to the password of the first login."""

    def answered() -> bool:
        try:
            return requests.get(f"{API}/api/v2/version", timeout=30).ok
        except requests.RequestException:
            return False

    until("Airflow's API answers", answered)
    return {"status": asked_for_token(os.environ["IFMS_ADMIN_PASSWORD"]).status_code}


def logins() -> dict[str, Any]:
    """What of passwords is in the clear, and who guesses them without being made to wait."""
    wrong = []
    [(kept,)] = rows(AIRFLOW, "SELECT password FROM ab_user WHERE username = 'admin'")
    if not kept.startswith(("scrypt:", "pbkdf2:")):
        wrong.append("the password is kept as something else than a hash")
    answers = [asked_for_token("wrong").status_code for _ in range(7)]
    # The one before there was a login may count still: it came from this address, too.
    if answers not in ([401] * 5 + [429] * 2, [401] * 4 + [429] * 3):
        wrong.append(f"wrong passwords for tokens are answered {answers}")
    form = requests.Session()
    page = form.get(f"{API}/auth/login/", timeout=60).text
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    body = {"username": "admin", "password": "wrong", "csrf_token": "" if found is None else found[1]}
    # Where it leads on to is this machine's name for it, and no container's.
    asked = {"data": body, "headers": {"Referer": f"{API}/auth/login/"}, "allow_redirects": False, "timeout": 60}
    answers = [form.post(f"{API}/auth/login/", **asked).status_code for _ in range(7)]
    if answers != [302] * 5 + [429] * 2:
        wrong.append(f"wrong passwords in the form are answered {answers}")
    return {"wrong": wrong}


def doorbell() -> dict[str, Any]:
    """How many runs of ifms_pi assets have started."""
    counted = rows(AIRFLOW, "SELECT count(*) FROM dag_run WHERE dag_id = 'ifms_pi' AND run_type = 'asset_triggered'")
    return {"runs": counted[0][0]}


def crowd(latency_ms: str) -> dict[str, Any]:
    """New bills for a slow treasury; returns as soon as each shard of ifms_pi calls it: the workers that they are on."""
    client = ready()
    city = PLATFORM.control("GET", "state")["cities"][0]
    until("ifms_pi rests", lambda: not client.active_runs("ifms_pi"))
    PLATFORM.control("POST", "bills", {"type": "wage", "tenantId": city, "payees": 1, "count": BILLS})
    # As early as the next cycle lets the treasury's calendar begin: what is accepted later than that is not paid in it.
    TREASURY.control("POST", "settings", {"latency_ms": int(latency_ms), "clock_offset_seconds": -LATE_DAYS * 86400})
    for dag_id in ("ifms_pi", "ifms_pa"):
        client.unpause(dag_id)
    client.trigger("ifms_pa", f"crowd__{time.time():.0f}")
    shards = int(os.environ.get("IFMS_SHARDS") or 4)
    since = rows(LEDGER, "SELECT now()")[0][0]

    def calling() -> bool:
        query = """
            SELECT count(DISTINCT r.shard) FROM ifms.sweep_run r JOIN ifms.treasury_call c ON c.sweep_run_id = r.id
            WHERE r.dag_id = 'ifms_pi' AND r.state = 'running' AND r.started_at > %s AND c.service_id = 'PI'
        """
        return bool(rows(LEDGER, query, since)[0][0] >= shards)

    until("all shards are at work", calling)
    query = """
        SELECT hostname, count(*) FROM task_instance WHERE dag_id = 'ifms_pi' AND state = 'running' GROUP BY hostname
    """
    return {"workers": dict(rows(AIRFLOW, query)), "accepted": len(accepted_bills(TREASURY))}


LEFT = """
    SELECT (SELECT count(*) FROM ifms.payment WHERE paid_by IS NULL AND hold_code IS NULL),
           (SELECT count(*) FROM ifms.payment_instruction WHERE status = 'PENDING'),
           (SELECT count(*) FROM ifms.payment WHERE claim_token IS NOT NULL)
         + (SELECT count(*) FROM ifms.payment_instruction WHERE claim_token IS NOT NULL)
"""


def left() -> dict[str, Any]:
    """Payments without an instruction, instructions of unknown fate, and what somebody has claimed."""
    unpaid, pending, claimed = rows(LEDGER, LEFT)[0]
    return {"unpaid": unpaid, "pending": pending, "claimed": claimed}


def settle() -> dict[str, Any]:
    """What a dead worker held is taken over, as an operator does it who does not wait.

    By itself it takes ten minutes: the leases', and Airflow's until it believes a task dead and tries it again. So the
    leases are let run out, the dead run is marked as failed, and a new one is started.
    """
    client = ready()
    TREASURY.control("POST", "settings", {"latency_ms": 100})
    seen: list[int] = []

    def rests() -> bool:
        seen.append(len(accepted_bills(TREASURY)))
        return len(seen) > 8 and len(set(seen[-8:])) == 1

    until("the workers that live come to an end", rests)
    held = left()
    with psycopg.connect(LEDGER) as connection:
        for table in ("payment", "payment_instruction"):
            connection.execute(f"UPDATE ifms.{table} SET claimed_until = now() WHERE claim_token IS NOT NULL")
    started = time.monotonic()
    for run_id in client.active_runs("ifms_pi"):
        marked = SESSION.patch(
            f"{client.address}/api/v2/dags/ifms_pi/dagRuns/{run_id}", json={"state": "failed"}, timeout=60
        )
        marked.raise_for_status()
    client.trigger("ifms_pi", f"after_the_kill__{time.time():.0f}")
    until("all of it is taken over", lambda: not any(rows(LEDGER, LEFT)[0][:2]))
    return {"held": held, "seconds": round(time.monotonic() - started)}


def books() -> dict[str, Any]:
    """Whether anything is lost or there twice, by the ledger, the treasury and `ifms reconcile`."""
    wrong = []
    twice = """
        SELECT payment_number FROM ifms.payment_instruction
        WHERE pi_type = 'ORIGINAL' AND status <> 'FAILED' GROUP BY 1 HAVING count(*) > 1
    """
    wrong += [f"payment {number} has two instructions" for (number,) in rows(LEDGER, twice)]
    ours = dict(
        rows(
            LEDGER,
            "SELECT pi_number, net_amount FROM ifms.payment_instruction WHERE pi_type = 'ORIGINAL'"
            " AND status NOT IN ('PENDING', 'FAILED')",
        )
    )
    theirs = accepted_bills(TREASURY)
    wrong += [
        f"{number} is not the same in the ledger and at the treasury"
        for number in ours.keys() | theirs.keys()
        if ours.get(number) != theirs.get(number)
    ]
    wrong += [f"{count} {what}" for what, count in left().items() if count]
    wrong += [
        f"payment {n} is held: {code}"
        for n, code in rows(
            LEDGER, "SELECT payment_number, hold_code FROM ifms.payment WHERE paid_by IS NULL AND hold_code IS NOT NULL"
        )
    ]
    dsn = {
        "PGHOST": "postgres",
        "PGUSER": "postgres",
        "PGPASSWORD": os.environ["POSTGRES_PASSWORD"],
        "PGDATABASE": "ifms",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": CA_FILE,
    }
    done = subprocess.run(["ifms", "reconcile"], env=os.environ | dsn, capture_output=True, text=True, check=False)
    if done.returncode:
        wrong.append(f"ifms reconcile: {done.stdout}{done.stderr}")
    shipped = requests.get("https://elasticsearch:9200/ifms-*-logs*/_count", timeout=30).json()["count"]
    calls = rows(LEDGER, "SELECT count(*) FROM ifms.treasury_call")[0][0]
    return {"wrong": wrong, "bills": len(theirs), "calls": calls, "shipped": shipped}


def pages() -> dict[str, Any]:
    """What pages and files of ours answer, to somebody who has logged in and calls the host by its own name."""
    address = ready().address
    said = {}
    for path in ("/ifms/", "/ifms/register", "/ifms/register.xlsx", "/ifms/instructions.xlsx", "/ifms/runs"):
        said[path] = SESSION.get(address + path, headers={"Host": "localhost"}, timeout=60).status_code
    return said


if __name__ == "__main__":
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        each.__name__: each for each in (cycle, doorbell, crowd, left, settle, tls, token, logins, books, pages)
    }
    sys.stdout.write(json.dumps(commands[sys.argv[1]](*sys.argv[2:])) + "\n")
