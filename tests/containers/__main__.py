"""`make containers`: docker-compose.yaml, unchanged, in a real Docker engine; on stand-ins for the images it names.

A whole cycle of payments with the simulators, Kafka's doorbell, four workers of which one is killed, all of them
stopped at work, everything taken down and up again; after that the books must be right.
"""

from __future__ import annotations

import json
import os
import re
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from support import compose
from support.jars import free_port

from containers import engine, standins
from containers.engine import CheckError, Engine

KEPT = Path(os.environ.get("IFMS_CONTAINERS", "/var/lib/ifms-containers"))
"""Where the engine's images are between two runs, and Compose; some 5 GB."""
INSIDE = Path(__file__).with_name("inside.py").read_bytes()
PASSWORD = secrets.token_hex(12)
"""Of the login that is made here."""
TOPIC = "expense-payment-create"
ENDING = ("certificates", "init")
"""Services that do something and end."""
WORKERS = 4
UP_SECONDS = 900.0
KILLED_MS, STOPPED_MS = 4_000, 20_000
"""How long the treasury takes to reply while a worker is killed, and while all are stopped: work must be under way."""
_TASK_LOGS = """grep -rE '"level": ?"(error|critical|warning)"' /opt/airflow/logs/dag_id=* || true"""
console = Console(highlight=False, markup=False, soft_wrap=True)


def main() -> int:
    """Run it; 0, or 1 with what was found."""
    try:
        engine.check_machine()
        KEPT.mkdir(mode=0o700, parents=True, exist_ok=True)
        with engine.running(KEPT) as running, tempfile.TemporaryDirectory(prefix="ifms-containers-") as folder:
            check(running, Path(folder))
    except CheckError as error:
        console.print(f"containers: {error}", style="red")
        return 1
    console.print("containers: all of it held")
    return 0


def check(running: Engine, folder: Path) -> None:
    """All steps, one after the other. Raises CheckError with all that did not hold."""
    found: list[str] = []
    with step("stand-in images"):
        standins.build(running)
    with step("compose"):
        environment = made_secrets(folder)
        overrides = [*lowered_limits(folder), *older_engine(running, folder)]
        running.use(compose.FILE, *overrides, folder=compose.REPO, environment=environment)
        running.compose("down", "--volumes", "--remove-orphans", quiet=True)  # what a run that was ended has left
    part = partial(step, found=found, running=running)
    try:
        with step("build and first start", running=running):
            running.compose("up", "--detach", "--build", quiet=True)
            up(running)
        with part("the first login"):
            first_login(running)
        with part("a cycle"):
            walked(inside(running, "cycle"))
        with part("Kafka's doorbell starts ifms_pi"):
            doorbell(running)
        with part(f"{WORKERS} workers, one is killed at work"):
            killed(running)
        with part("all workers are stopped at work"):
            stopped(running)
        with part("down and up"):
            running.compose("down", quiet=True)
            running.compose("up", "--detach", quiet=True)
            up(running)
        with part("a second cycle, which ends what is open"):
            walked(inside(running, "cycle"))
        with part("TLS between all parts"):
            told = inside(running, "tls")
            expect(not told["wrong"], "; ".join(told["wrong"]))
        with part("pages"):
            answered = inside(running, "pages")
            expect(set(answered.values()) == {200}, f"pages answer {answered}")
        with part("logins"):
            told = inside(running, "logins")
            expect(not told["wrong"], "; ".join(told["wrong"]))
        with part("books"):
            told = inside(running, "books")
            console.print(f"    {told}")
            expect(not told["wrong"], "; ".join(told["wrong"]))
        with part("health checks"):
            healthy(running)
        expect(not found, "; ".join(found))
    finally:
        running.compose("down", "--volumes", "--remove-orphans", quiet=True)


def made_secrets(folder: Path) -> Path:
    """The installation's .env, with a port that nobody has."""
    made = compose.secrets(folder, "--simulators")
    made |= {"IFMS_PORT": str(free_port()), "IFMS_CERTIFICATES": str(folder / "certificates")}
    file = folder / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
    return file


def lowered_limits(folder: Path) -> list[Path]:
    """An override where this machine may not open as many files as Elasticsearch is to: nobody can give what he lacks."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = compose.written()["services"]["elasticsearch"]["ulimits"]["nofile"]["hard"]
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return []
    console.print(f"    this machine allows {hard} open files: Elasticsearch gets them in place of {wanted}")
    file = folder / "limits.yaml"
    limit = {"nofile": {"soft": hard, "hard": hard}}
    file.write_text(json.dumps({"services": {"elasticsearch": {"ulimits": limit}}}))
    return [file]


def older_engine(running: Engine, folder: Path) -> list[Path]:
    """An override where the engine is older than what the file asks for: it knows one interval of health checks alone."""
    version = running.docker("version", "--format", "{{.Server.Version}}").strip()
    if int(version.partition(".")[0]) >= 25:
        return []
    console.print(f"    Docker {version} checks health every 20 seconds: what a start asks oftener for takes Docker 25")
    checked = [name for name, each in compose.written()["services"].items() if "healthcheck" in each]
    often = "healthcheck: {interval: 20s, start_interval: !reset null}"
    file = folder / "engine.yaml"
    file.write_text("services:\n" + "".join(f"  {name}:\n    {often}\n" for name in checked))
    return [file]


def first_login(running: Engine) -> None:
    """Nobody has one before it is made, by Airflow's own command, which asks for the password."""
    expect(inside(running, "token")["status"] == 401, "somebody can log in before anybody has made a login")
    named = "--username admin --role Admin --firstname Sample --lastname Admin --email admin@sample.invalid"
    given = f"{PASSWORD}\n{PASSWORD}\n".encode()
    said = running.compose("exec", "-T", "api-server", "airflow", "users", "create", *named.split(), given=given)
    expect(PASSWORD not in said, "the command tells the password")
    expect(inside(running, "token")["status"] == 201, "the first login does not get in")


def walked(found: dict[str, Any]) -> None:
    """A cycle has ended as it should."""
    wrong = found["complaints"]
    expect(not wrong, f"{len(wrong)} complaints, the first: {'; '.join(wrong[:5])}")
    console.print(f"    {found['instructions']} payment instructions")


def doorbell(running: Engine) -> None:
    """A message on the topic starts a run."""
    before = inside(running, "doorbell")["runs"]
    producer = ["/opt/kafka/bin/kafka-console-producer.sh", "--bootstrap-server", "localhost:9094", "--topic", TOPIC]
    end = time.monotonic() + 300
    running.compose("exec", "-T", "-e", "KAFKA_HEAP_OPTS=-Xmx96m", "kafka", *producer, given=b"{}\n", quiet=True)
    while inside(running, "doorbell")["runs"] == before:
        expect(time.monotonic() < end, "no run of ifms_pi came of a message")
        time.sleep(2)


def killed(running: Engine) -> None:
    """Of four workers the busiest is killed; what it held is taken over by the others."""
    running.compose("up", "--detach", "--no-recreate", "--scale", f"worker={WORKERS}", quiet=True)
    up(running)
    at_work = inside(running, "crowd", str(KILLED_MS))
    expect(len(at_work["workers"]) > 1, f"the shards are all on one worker: {at_work}")
    busiest = max(at_work["workers"], key=at_work["workers"].get)
    running.docker("kill", busiest.partition(".")[0])
    settled = inside(running, "settle")
    console.print(f"    {at_work}; killed {busiest}, left {settled['held']}, taken over in {settled['seconds']} s")


def stopped(running: Engine) -> None:
    """Workers that are told to stop end by themselves, and nothing stays claimed."""
    running.compose("up", "--detach", "--scale", f"worker={WORKERS}", quiet=True)
    up(running)
    at_work = inside(running, "crowd", str(STOPPED_MS))
    began = time.monotonic()
    running.compose("stop", "worker", quiet=True)
    took = time.monotonic() - began
    workers = running.compose("ps", "--all", "--quiet", "worker", quiet=True).split()
    codes = [running.docker("inspect", "--format", "{{.State.ExitCode}}", worker).strip() for worker in workers]
    found = inside(running, "left")
    console.print(f"    {at_work}; stopped in {took:.0f} s, exit codes {', '.join(codes)}, left {found}")
    expect(set(codes) == {"0"}, f"workers that were told to stop ended with {', '.join(codes)}")
    expect(found["claimed"] == 0, f"stopped workers have left {found['claimed']} rows claimed")


def up(running: Engine) -> None:
    """Wait until every service runs, and `init` has ended well. Whether Airflow is ready, its own API is asked then."""
    end = time.monotonic() + UP_SECONDS
    while bad := [each for each in _states(running) if not _runs(each)]:
        said = ", ".join(f"{each['Name']} is {each['State']}" for each in bad)
        expect(time.monotonic() < end and not any(each["State"] == "exited" for each in bad), f"not up: {said}")
        time.sleep(2)


def healthy(running: Engine) -> None:
    """Wait until every service is well by its own health check, which a busy machine may take long to answer."""
    end = time.monotonic() + UP_SECONDS
    while bad := [each for each in _states(running) if each["Service"] not in ENDING and each["Health"] != "healthy"]:
        said = ", ".join(f"{each['Name']} is {each['Health']}" for each in bad)
        expect(time.monotonic() < end, f"not well by the compose file's health checks: {said}")
        time.sleep(2)


def _states(running: Engine) -> list[dict[str, Any]]:
    said = running.compose("ps", "--all", "--format", "json")
    return [json.loads(line) for line in said.splitlines()]


def _runs(container: dict[str, Any]) -> bool:
    if container["Service"] in ENDING:
        return bool(container["State"] == "exited" and container["ExitCode"] == 0)
    return bool(container["State"] == "running")


def inside(running: Engine, *command: str) -> dict[str, Any]:
    """What inside.py answers from a container in the project's network."""
    given = ["--env", f"IFMS_ADMIN_PASSWORD={PASSWORD}"]
    options = ["run", "--rm", "--no-TTY", "--no-deps", *given, "--entrypoint", "python", "init", "-", *command]
    said = running.compose(*options, given=INSIDE).strip().splitlines()
    for line in said[:-1]:
        console.print(f"    {line}")
    found: dict[str, Any] = json.loads(said[-1])
    return found


def expect(holds: bool, otherwise: str) -> None:
    """Raise CheckError unless it holds."""
    if not holds:
        raise CheckError(otherwise)


@contextmanager
def step(what: str, found: list[str] | None = None, running: Engine | None = None) -> Iterator[None]:
    """Say what begins, and how long it took; what does not hold is put into `found`, and the next step goes on."""
    console.print(f"{what} …")
    began = time.monotonic()
    try:
        yield
    except CheckError as error:
        if running is not None:
            keep_logs(running, what)
        if found is None:
            raise
        console.print(f"  {error}", style="red")
        found.append(f"{what}: {error}")
    console.print(f"  {time.monotonic() - began:.0f} s")


def keep_logs(running: Engine, what: str) -> None:
    """What services and tasks have said until now, before a later step takes their containers away."""
    file = KEPT / f"failure-{re.sub('[^a-z0-9]+', '-', what.lower()).strip('-')}.log"
    parts = [["ps", "--all"], ["logs", "--no-color"], ["exec", "--no-TTY", "scheduler", "bash", "-c", _TASK_LOGS]]
    with file.open("w") as kept:
        for part in parts:
            try:
                kept.write(running.compose(*part, quiet=True))
            except CheckError as error:
                kept.write(f"{error}\n")
    console.print(f"  what was said until then is in {file}")


if __name__ == "__main__":
    sys.exit(main())
