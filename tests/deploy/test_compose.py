"""docker-compose.yaml, as far as it goes without Docker: its schema, its rules, and each line of it that can be run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis as redis_client
import requests
from support import compose, redis, search_engine
from support.search_engine import SearchEngine

from ifms_standalone.postgres import Server, free_port

AIRFLOW_SERVICES = {"init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "housekeeping"}
SIMULATORS = {"treasury", "platform"}
SERVERS = {"postgres", "redis", "elasticsearch", "kafka", "api-server"}
"""Who has a certificate."""
ENDING = {"init", "certificates"}
SERVICES = AIRFLOW_SERVICES | SIMULATORS | SERVERS | ENDING
CA_FILE = "/etc/ifms/ca.pem"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What .env says for the simulators."""
    return compose.secrets(tmp_path_factory.mktemp("secrets"), "--simulators")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of certificates that deploy/secrets.sh has made."""
    folder = tmp_path_factory.mktemp("certificates")
    compose.secrets(folder)
    return folder / "certificates"


@pytest.fixture(scope="module")
def services(environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    return compose.services(environment)


# The file's form ------------------------------------------------------------------------------------------------------


def test_it_keeps_to_the_compose_specification():
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", compose.FILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_all_services_are_there_and_the_simulators_only_when_asked_for(services):
    assert set(services) == SERVICES
    assert {name for name, service in services.items() if "profiles" in service} == {"treasury", "platform"}


def test_every_image_has_a_version(services):
    for name, service in services.items():
        assert re.fullmatch(r"[a-z0-9./-]+:[0-9]+\.[0-9]+\.[0-9a-z.-]*|postgres:[0-9]+\.[0-9]+", service["image"]), name


def test_every_service_has_its_limits_and_tells_whether_it_is_well(services):
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert ("healthcheck" in service) == (name not in ENDING), name
        assert service["restart"] == ("no" if name in ENDING else "unless-stopped"), name


def test_what_a_service_waits_for_can_be_waited_for(services):
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ENDING else "service_healthy"
            assert how["condition"] == wanted, (name, other)
            optional = "profiles" in services[other]
            assert how.get("required", True) is not optional, f"{name} can't start without {other}"


def test_every_volume_is_named_and_used(services):
    named = set(compose.written()["volumes"])
    used = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert used == named


def test_workers_write_reports_where_the_pages_read_them_and_they_are_kept(services, environment):
    path = "/opt/airflow/reports"
    mounted = {
        name: [each for each in service.get("volumes", ()) if path in each] for name, service in services.items()
    }
    assert {name: found for name, found in mounted.items() if found} == {
        "api-server": [f"reports:{path}:ro"],
        "worker": [f"reports:{path}"],
    }
    for name in ("api-server", "dag-processor", "worker"):  # who parses the DAG, who makes, who shows
        assert services[name]["environment"]["IFMS_REPORTS_PATH"] == path
    elsewhere = compose.services(environment | {"IFMS_REPORTS_PATH": "s3://sample@bucket/reports"})
    assert elsewhere["worker"]["environment"]["IFMS_REPORTS_PATH"] == "s3://sample@bucket/reports"


def test_a_volume_belongs_to_who_runs(services):
    """Docker gives an empty volume the owner of the image's folder that it is laid over: it must be made there."""
    [made] = re.findall(r"RUN mkdir -p ([a-z ]+)\n", (compose.REPO / "Dockerfile").read_text())
    named = {
        volume.split(":")[1]
        for name in (*AIRFLOW_SERVICES, "treasury", "platform")
        for volume in services[name].get("volumes", ())
        if not volume.startswith("tls-")
    }
    assert {f"/opt/airflow/{folder}" for folder in made.split()} == named


def test_only_the_api_server_is_reached_from_outside_and_only_from_this_machine(services):
    assert {name for name, service in services.items() if "ports" in service} == {"api-server"}
    assert services["api-server"]["ports"] == ["127.0.0.1:8080:8080"]


# Secrets --------------------------------------------------------------------------------------------------------------


def test_without_secrets_it_starts_nothing_and_says_what_to_do():
    with pytest.raises(compose.MissingError, match=r"deploy/secrets\.sh"):
        compose.filled({})


def test_without_the_treasury_s_address_it_starts_nothing(tmp_path):
    with pytest.raises(compose.MissingError, match="say in .env where the treasury is"):
        compose.filled(compose.secrets(tmp_path))


def test_no_secret_stands_in_the_file():
    secret = re.compile(r"(PASSWORD|SECRET|KEY|AUTH)$")
    for name, service in compose.written()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable) and variable != "AIRFLOW__API__SSL_KEY":  # where a key is, and none
                assert re.fullmatch(r"\$\{[A-Z_]+(:\?[^}]+|:-)?\}", value), f"{name}: {variable}"
    for variable, value in compose.written()["x-airflow-environment"].items():
        if secret.search(variable):
            assert "${" in value, variable


def test_no_secret_is_on_a_command_line(services, environment):
    """Everybody on the machine may read those; the simulators' secrets are none."""
    secrets = {name: value for name, value in environment.items() if value and re.search("PASSWORD|SECRET|KEY$", name)}
    assert "REDIS_PASSWORD" in secrets
    for name in services.keys() - SIMULATORS:
        service = services[name]
        line = json.dumps([service.get("command"), service.get("entrypoint")])
        assert [variable for variable, value in secrets.items() if value in line] == [], name


def test_no_stored_password_can_be_sent_elsewhere_by_testing_a_connection(services):
    for name, service in services.items():
        assert service.get("environment", {}).get("AIRFLOW__CORE__TEST_CONNECTION", "Disabled") == "Disabled", name


MAY_HAVE = {
    "certificates": set(),
    "postgres": {"POSTGRES_PASSWORD"},
    "redis": {"REDIS_PASSWORD"},
    "elasticsearch": {"ELASTIC_PASSWORD"},
    "kafka": {"KAFKA_PASSWORD"},
    "init": {
        "POSTGRES_PASSWORD",
        "AIRFLOW_DB_PASSWORD",
        "IFMS_OWNER_PASSWORD",
        "IFMS_DB_PASSWORD",
        "IFMS_REPORTS_PASSWORD",
        "IFMS_LOG_KEY",
        "IFMS_SIGNING_KEY",
        "IFMS_TREASURY_CLIENT_SECRET",
        "ELASTIC_PASSWORD",
        "KAFKA_PASSWORD",
        "AIRFLOW_FERNET_KEY",
    },
    "api-server": {"AIRFLOW_DB_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET"},
    "scheduler": {"AIRFLOW_DB_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "REDIS_PASSWORD"},
    "dag-processor": {"AIRFLOW_DB_PASSWORD", "AIRFLOW_FERNET_KEY"},
    "triggerer": {"AIRFLOW_DB_PASSWORD", "AIRFLOW_FERNET_KEY"},
    "worker": {"REDIS_PASSWORD"},
    "housekeeping": {"AIRFLOW_DB_PASSWORD"},
    "treasury": {"IFMS_TREASURY_CLIENT_SECRET"},
    "platform": set(),
}
"""The secrets of .env that each service has a use for, all of them."""


def test_each_service_is_given_only_the_secrets_that_it_needs(environment, services):
    secrets = {name: value for name, value in environment.items() if value and re.search("PASSWORD|SECRET|KEY$", name)}
    assert {
        name: {variable for variable, value in secrets.items() if value in json.dumps(service)}
        for name, service in services.items()
    } == MAY_HAVE
    assert set(secrets) == set().union(*MAY_HAVE.values()), "what nobody needs is not made"


def test_each_server_gets_its_own_key_and_none_the_authority_s(services):
    given = {each for name in SERVERS for each in (f"{name}.key", f"{name}.crt")}
    assert {name for name, service in services.items() if "secrets" in service} == {"certificates"}
    assert set(services["certificates"]["secrets"]) == given == set(compose.written()["secrets"])
    assert services["certificates"]["network_mode"] == "none"
    files = [each["file"] for each in (*compose.written()["secrets"].values(), compose.written()["configs"]["ca"])]
    assert sorted(Path(file).name for file in files) == sorted([*given, "ca.pem"])
    assert not [file for file in files if "authority" in file]
    holders = {
        volume.partition(":")[0]: name
        for name, service in services.items()
        for volume in service.get("volumes", ())
        if volume.startswith("tls-") and name != "certificates"
    }
    assert holders == {f"tls-{name}": name for name in SERVERS}
    for name in SERVERS:
        assert any(re.fullmatch(rf"tls-{name}:.*:ro", each) for each in services[name]["volumes"]), name


def test_whoever_calls_a_server_has_the_authority_and_verifies(services):
    for name in AIRFLOW_SERVICES:
        service, told = services[name], services[name]["environment"]
        assert {"source": "ca", "target": CA_FILE} in service["configs"], name
        assert told["AIRFLOW__API__SSL_CA_FILE"] == CA_FILE
        for variable, value in told.items():
            if "postgres:5432" in str(value):
                assert value.endswith(f"?sslmode=verify-full&sslrootcert={CA_FILE}"), (name, variable)
            assert not re.search(r"\b(redis|http)://(?!platform)", str(value)), (name, variable)


# Airflow --------------------------------------------------------------------------------------------------------------


def test_every_setting_of_airflow_is_one(services):
    from airflow.configuration import conf

    described = conf.configuration_description
    for name in AIRFLOW_SERVICES:
        for variable in services[name]["environment"]:
            if variable.startswith("AIRFLOW__"):
                _, section, key = variable.lower().split("__")
                assert key in described[section]["options"], f"{name}: {variable}"


def test_airflow_knows_every_command(services):
    from airflow.cli.cli_parser import get_parser

    for name in AIRFLOW_SERVICES - {"init", "housekeeping"}:
        get_parser().parse_args(services[name]["command"])
    assert services["init"]["entrypoint"] == ["python", "-m", "ifms_deployment"]
    assert services["housekeeping"]["entrypoint"] == ["python", "-m", "ifms_airflow.housekeeping"]


def test_the_image_is_built_once(services):
    assert [name for name, service in services.items() if "build" in service] == ["init"]
    ours = services["init"]["image"]
    assert {name for name, service in services.items() if service["image"] == ours} == AIRFLOW_SERVICES | SIMULATORS


def test_health_is_asked_seldom_once_a_service_is_up_and_starts_no_airflow(services):
    for name, service in services.items():
        if name not in ENDING:
            check = service["healthcheck"]
            assert check["interval"] == "120s", name
            assert check["start_interval"] in ("5s", "20s"), name
            assert not {"airflow", "celery", "python"} & set(" ".join(check["test"]).split()), name


def test_the_health_servers_are_where_they_are_asked(services):
    from airflow.configuration import conf

    assert (
        f":{conf.get('scheduler', 'scheduler_health_check_server_port')}/"
        in services["scheduler"]["healthcheck"]["test"][-1]
    )
    api = services["api-server"]
    assert api["ports"][0].endswith(":" + str(conf.get("api", "port")))
    assert api["environment"]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "https://api-server:8080/execution/"


def said_of(name, services, answer, tmp_path):
    """What a service's check says of an answer of Airflow's health page."""
    page = tmp_path / "health"
    page.write_text(json.dumps(answer, separators=(",", ":")))
    check = services[name]["healthcheck"]["test"][1]
    url = "https://api-server:8080/api/v2/monitor/health"
    assert url in check
    return subprocess.run(["sh", "-c", check.replace(url, page.as_uri())], check=False).returncode


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize(("name", "part"), [("dag-processor", "dag_processor"), ("triggerer", "triggerer")])
def test_what_has_no_health_server_is_asked_for_at_airflow_s_health_page(services, tmp_path, name, part):
    from airflow.api_fastapi.core_api.datamodels.monitor import HealthInfoResponse

    def page(status):
        parts = ("scheduler", "triggerer", "dag_processor")
        answer = {"metadatabase": {"status": "healthy"}} | {
            each: {"status": status if each == part else "healthy", f"latest_{each}_heartbeat": None} for each in parts
        }
        return HealthInfoResponse.model_validate(answer).model_dump(mode="json")

    assert [said_of(name, services, page(status), tmp_path) for status in ("healthy", "unhealthy", None)] == [0, 1, 1]


def test_a_worker_is_well_while_its_heart_beats(services, tmp_path):
    from types import SimpleNamespace

    from ifms_airflow import celery_worker

    check = services["worker"]["healthcheck"]["test"][1].replace("$HOSTNAME", "sample").replace("/tmp", str(tmp_path))

    def is_well():
        return subprocess.run(["sh", "-c", check], capture_output=True, check=False).returncode == 0

    assert not is_well()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        celery_worker.on_heartbeat(SimpleNamespace(eventer=SimpleNamespace(hostname="celery@sample")))
    assert is_well()
    os.utime(tmp_path / "celery@sample.alive", (0, 0))
    assert not is_well()


def test_housekeeping_is_well_for_a_day_after_it_went_well(services, tmp_path):
    from ifms_airflow.housekeeping import ALIVE

    check = services["housekeeping"]["healthcheck"]["test"][1].replace("/tmp", str(tmp_path))
    assert ALIVE in check
    said = []
    for hours in (0, 24.5, 26):
        (tmp_path / ALIVE).touch()
        then = time.time() - hours * 3600
        os.utime(tmp_path / ALIVE, (then, then))
        said.append(subprocess.run(["sh", "-c", check], check=False).returncode)
    assert said == [0, 0, 1]


# The servers ----------------------------------------------------------------------------------------------------------


def test_postgresql_takes_its_options(services, postgres: Server):
    program, *options = services["postgres"]["command"]
    assert (program, options[::2]) == ("postgres", ["-c"] * (len(options) // 2))
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        for option in options[1::2]:
            name, value = option.split("=")
            if name.startswith("ssl") or name == "hba_file":  # tests' own server was built without TLS
                assert connection.execute("SELECT FROM pg_settings WHERE name = %s", (name,)).fetchone() is not None
                continue
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")  # refused for what is none, or no value of it
            connection.execute(f"ALTER SYSTEM RESET {name}")


def test_redis_takes_its_arguments_keeps_what_is_queued_and_is_well(services, environment, certificates):
    shell, flag, script = services["redis"]["command"]
    assert (shell, flag) == ("sh", "-c")
    password = environment["REDIS_PASSWORD"]
    assert password not in script
    ca = certificates / "ca.pem"
    places = {"/tls/server": str(certificates / "redis"), CA_FILE: str(ca), "port 0\n": "", "tls-port 6379\n": ""}
    for there, here in places.items():
        assert there in script
        script = script.replace(there, here)
    with redis.running(script, password, ca) as server:
        line = Path(f"/proc/{server.pid}/cmdline").read_text()
        assert "redis-server" in line.split("\0")[0]  # the shell is gone: a stop reaches the server
        assert password not in line
        check = services["redis"]["healthcheck"]["test"][1]
        check = check.replace("redis-cli", f"redis-cli -p {server.port}").replace(CA_FILE, str(ca))
        for auth, healthy in ((services["redis"]["environment"]["REDISCLI_AUTH"], True), ("another", False)):
            done = subprocess.run(["sh", "-c", check], env={**os.environ, "REDISCLI_AUTH": auth}, check=False)
            assert (done.returncode == 0) is healthy
        client = redis_client.Redis(port=server.port, password=password, ssl=True, ssl_ca_certs=str(ca))
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        _refused_unless_verified(server.port, password, ca)


def _refused_unless_verified(port: int, password: str, ca: Path) -> None:
    """As Airflow's Celery speaks to Redis: by TLS, under the name that the certificate has, by our authority alone."""
    known = {"port": port, "password": password}
    plain = redis_client.Redis(**known)
    stranger = redis_client.Redis(**known, ssl=True)
    by_another_name = redis_client.Redis(host="127.0.0.1", **known, ssl=True, ssl_ca_certs=str(ca))
    with pytest.raises(redis_client.exceptions.ConnectionError):
        plain.ping()
    for client, said in (
        (stranger, "self-signed|unable to get local issuer"),
        (by_another_name, "IP address mismatch"),
    ):
        with pytest.raises(redis_client.exceptions.ConnectionError, match=said):
            client.ping()


def test_celery_verifies_redis_by_the_authority_for_tasks_and_for_results(services, environment):
    code = """
        import json
        from ifms_airflow.celery_worker import CONFIG
        from celery import Celery
        made = Celery(); made.config_from_object(CONFIG)
        print(json.dumps([str(made.conf.broker_use_ssl), str(made.backend.connparams)]))
    """
    told = {name: str(value) for name, value in services["worker"]["environment"].items()}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=os.environ | told, text=True, capture_output=True, check=True
    )
    for said in json.loads(done.stdout.splitlines()[-1]):
        assert CA_FILE in said
        assert "CERT_REQUIRED" in said


def test_elasticsearch_takes_its_settings(services, elasticsearch: SearchEngine):
    ours = search_engine.settings()
    assert ours == {"cluster.name": "ifms", "discovery.type": "single-node"}
    assert ours.items() <= services["elasticsearch"]["environment"].items()
    told = elasticsearch.client.nodes.info(metric="settings", flat_settings=True)
    assert told["cluster_name"] == "ifms"
    [node] = told["nodes"].values()
    assert ours.items() <= node["settings"].items()


def test_elasticsearch_is_asked_for_its_health(services, elasticsearch: SearchEngine):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    check = services["elasticsearch"]["healthcheck"]["test"][1]
    done = subprocess.run(
        # The tests' own node has no security.
        ["sh", "-c", check.replace("https://localhost:9200", f"http://127.0.0.1:{elasticsearch.node.port}")],
        env={**os.environ, "ELASTIC_PASSWORD": "sample"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] in ("green", "yellow")


@pytest.mark.parametrize("name", ["treasury", "platform"])
def test_the_simulators_start_as_they_are_told_and_are_well(services, environment, tmp_path, name):
    service = services[name]
    port = free_port()
    program, *arguments = [*service["entrypoint"], *service["command"]]
    inside = {"/opt/airflow/simulators/": f"{tmp_path}/", "/opt/airflow/tls/": f"{tmp_path}/", "0.0.0.0": "127.0.0.1"}
    for theirs, ours in inside.items():
        arguments = [argument.replace(theirs, ours) for argument in arguments]
    arguments = [f"--port={port}" if argument.startswith("--port") else argument for argument in arguments]
    health = service["healthcheck"]["test"][-1]
    running = subprocess.Popen([str(BIN / program), *arguments])
    try:
        _wait_for(port, running)
        if name == "platform":
            assert requests.get(health.replace(":8092", f":{port}"), timeout=30).ok
            return
        command = [part.replace("/opt/airflow/tls/", f"{tmp_path}/") for part in service["healthcheck"]["test"][1:-1]]
        if shutil.which("curl"):
            resolve = ["--resolve", f"treasury:{port}:127.0.0.1"]
            subprocess.run([*command, *resolve, health.replace(":8091", f":{port}")], check=True)
        _log_in(port, environment, tmp_path)
    finally:
        running.terminate()
        running.wait(30)


def _wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    from support.processes import until

    def there() -> bool:
        assert running.poll() is None, "it has ended"
        try:
            requests.get(f"http://127.0.0.1:{port}/", timeout=5)
        except requests.exceptions.ConnectionError as error:
            return "aborted" in str(error).lower() or "disconnected" in str(error).lower()  # it speaks TLS
        return True

    until(there)


def _log_in(port: int, environment: dict[str, str], folder: Path) -> None:
    """The adapter itself reaches it under its name, by its certificate."""
    import socket

    from ifms.treasury.client import TreasuryClient
    from ifms.treasury.config import TreasuryConfig

    bundle = folder / "treasury.pem"
    known = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **options: Any) -> Any:
        return known("127.0.0.1" if host == "treasury" else host, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolved)
        key = requests.get(f"https://treasury:{port}/control/public-key", verify=str(bundle), timeout=30).json()
        config = TreasuryConfig(
            f"https://treasury:{port}",
            environment["IFMS_TREASURY_CLIENT_ID"],
            environment["IFMS_TREASURY_CLIENT_SECRET"],
            key["public_key"],
            ca_bundle=str(bundle),
        )
        with TreasuryClient(config, login_pauses_seconds=()) as client:
            client.login()
            assert client.logins == 1
