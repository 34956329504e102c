"""The init service's one command, on a real PostgreSQL with nothing in it: twice at once, and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support import compose

from ifms.cli import main
from ifms.reports.catalogue import REPORTS
from ifms_deployment.errors import DeploymentError
from ifms_deployment.settings import Settings
from ifms_standalone.postgres import LOOPBACK, Server, throwaway

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("init")]  # an installation takes half a minute to make

KAFKA = {
    "security.protocol": "SASL_SSL",
    "ssl.ca.location": "/sample/ca.pem",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "ifms",
}
PUBLIC_KEY = "sample-public-key"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A cluster of the module's own: roles are the whole cluster's."""
    with throwaway() as made:
        yield made


@pytest.fixture(scope="module")
def environment(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the init service is given, but for where things are on this machine."""
    folder = tmp_path_factory.mktemp("init")
    secrets = compose.secrets(folder, "--simulators") | {"IFMS_TREASURY_PUBLIC_KEY": PUBLIC_KEY}
    given = compose.services(secrets)["init"]["environment"]
    here = {
        # The tests' own server was built without TLS.
        "IFMS_CA_FILE": "",
        "POSTGRES_PASSWORD": server.password,
        "IFMS_POSTGRES_HOST": LOOPBACK,
        "IFMS_POSTGRES_PORT": str(server.port),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(compose.REPO / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(compose.REPO / "plugins"),
    }
    for variable in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"):
        place, _, _ = given[variable].partition("?")
        here[variable] = place.replace("postgres:5432", f"{LOOPBACK}:{server.port}")
    outside = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return outside | {name: str(value) for name, value in given.items()} | here


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    """The command as docker-compose.yaml has it."""
    _, *command = compose.written()["services"]["init"]["entrypoint"]
    return subprocess.Popen(
        [sys.executable, *command], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code and what it said."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def made(environment: dict[str, str]) -> dict[str, str]:
    """An installation that two have made ready at once."""
    for code, out, err in [ended(process) for process in [start(environment) for _ in range(2)]]:
        assert (code, err) == (0, "")
        assert out.splitlines()[-1] == "deployment: ready"
        for name, value in environment.items():
            assert not name.endswith(("PASSWORD", "SECRET", "LOG_KEY", "SIGNING_KEY")) or value not in out
    return environment


def connect(made: dict[str, str], login: str, variable: str, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        make_conninfo(
            host=LOOPBACK, port=made["IFMS_POSTGRES_PORT"], user=login, password=made[variable], dbname=database
        ),
        autocommit=True,
    )


def test_each_login_gets_in_where_it_belongs_and_nowhere_else(made):
    logins = {
        "airflow": ("AIRFLOW_DB_PASSWORD", {"airflow"}),
        "ifms_owner": ("IFMS_OWNER_PASSWORD", {"ifms"}),
        "ifms_airflow": ("IFMS_DB_PASSWORD", {"ifms"}),
        "ifms_reports": ("IFMS_REPORTS_PASSWORD", {"ifms"}),
    }
    for login, (variable, databases) in logins.items():
        for database in ("airflow", "ifms"):
            if database in databases:
                connect(made, login, variable, database).close()
            else:
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    connect(made, login, variable, database)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(made | {"none": "another"}, login, "none", "ifms")


def test_no_login_is_more_than_it_must_be(made, server):
    with psycopg.connect(server.dsn()) as connection:
        roles = connection.execute(
            """SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> 'postgres'
               AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"""
        ).fetchall()
        assert roles == []
        logins = connection.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY 1").fetchall()
    assert [name for (name,) in logins] == ["airflow", "ifms_airflow", "ifms_owner", "ifms_reports", "postgres"]


def test_tasks_work_on_the_ledger_and_do_not_own_it_readers_read_reports(made):
    with connect(made, "ifms_airflow", "IFMS_DB_PASSWORD", "ifms") as tasks:
        tasks.execute("INSERT INTO ifms.sweep_run (service_id) VALUES ('PIS')")
        for statement in ("DELETE FROM ifms.sweep_run", "DROP TABLE ifms.sweep_run", "CREATE TABLE mine (n integer)"):
            with pytest.raises(errors.InsufficientPrivilege):
                tasks.execute(statement)
    with connect(made, "ifms_reports", "IFMS_REPORTS_PASSWORD", "ifms") as reader:
        reader.execute("SELECT count(*) FROM ifms.fund_register")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("SELECT account_sealed FROM ifms.beneficiary")


@pytest.mark.parametrize("report", REPORTS)
def test_the_login_for_reports_makes_every_report(made, tmp_path, capsys, report):
    dsn = make_conninfo(
        host=LOOPBACK,
        port=made["IFMS_POSTGRES_PORT"],
        user="ifms_reports",
        password=made["IFMS_REPORTS_PASSWORD"],
        dbname="ifms",
    )
    assert main(["report", report, "--to-folder", str(tmp_path), "--dsn", dsn]) == 1
    assert f"{report} has nothing" in capsys.readouterr().err


PASSWORD, CLERK = "sample-password-of-the-admin", "sample-password-of-a-clerk"


def command(environment: dict[str, str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """A command of Airflow's own, which asks for a password where there is no terminal on stdin."""
    return subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=environment,
        input=given,
        text=True,
        capture_output=True,
        check=False,
        start_new_session=True,
        timeout=300,
    )


def new_user(environment: dict[str, str], name: str, role: str, password: str) -> subprocess.CompletedProcess[str]:
    """docs/deployment.md's command for the first login, and for all others."""
    named = ["--firstname", "Sample", "--lastname", "Person", "--email", f"{name}@sample.invalid"]
    given = f"{password}\n{password}\n"
    return command(environment, "users", "create", "--username", name, "--role", role, *named, given=given)


@pytest.fixture(scope="module")
def people(made: dict[str, str]) -> dict[str, str]:
    """An administrator, a clerk of one city, and a guest of none."""
    pytest.importorskip("airflow.providers.fab", reason="the FAB provider is not installed here: make install")
    right = "ifms:od.samplea:act"
    said = [
        new_user(made, "admin", "Admin", PASSWORD),
        command(made, "roles", "create", right),
        new_user(made, "clerk", "Viewer", CLERK),
        new_user(made, "guest", "Viewer", CLERK),
        command(made, "users", "add-role", "--username", "clerk", "--role", right),
    ]
    for done in said:
        assert done.returncode == 0, done.stderr
        assert not {PASSWORD, CLERK} & set((done.stdout + done.stderr).split())
    return made


def test_of_a_password_there_is_a_hash_and_nothing_else(people, server):
    again = new_user(people, "admin", "Admin", "another-sample-password")
    assert "admin already exists" in again.stdout
    with psycopg.connect(server.dsn("airflow")) as database:
        kept = dict(database.execute("SELECT username, password FROM ab_user").fetchall())
        assert set(kept) == {"admin", "clerk", "guest"}
        assert all(value.startswith(("scrypt:", "pbkdf2:")) for value in kept.values())
        tables = database.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for schema, table in tables:
            query = f'SELECT count(*) FROM {schema}."{table}" t WHERE t::text LIKE ANY (%s)'
            found = database.execute(query, ([f"%{PASSWORD}%", f"%{CLERK}%"],)).fetchone()  # type: ignore[arg-type]
            assert found == (0,), table


LOGINS = """
    import json, re, sys
    from fastapi.testclient import TestClient
    from airflow.api_fastapi.app import create_app

    def token(client, name, password):
        return client.post("/auth/token", json={"username": name, "password": password})

    said, (admin, clerk) = {}, sys.argv[1:]
    with TestClient(create_app(), base_url="https://localhost") as client:
        for name, password in (("admin", admin), ("clerk", clerk), ("guest", clerk)):
            headers = {"Authorization": "Bearer " + token(client, name, password).json()["access_token"]}
            said[name] = [client.get(path, headers=headers, follow_redirects=False).status_code
                          for path in ("/ifms/overview", "/api/v2/connections")]
        said["anonymous"] = client.get("/api/v2/dags").status_code
        said["right"] = [token(client, "admin", admin).status_code for _ in range(8)]
        said["wrong"] = [token(client, "admin", "wrong").status_code for _ in range(7)]
        said["then right"] = token(client, "admin", admin).status_code
        body = {"username": "admin", "password": admin, "provider": "db"}
        said["FAB's own"] = client.post("/auth/api/v1/security/login", json=body).status_code
        page = client.get("/auth/login/").text
        [csrf] = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        form = {"username": "admin", "password": "wrong", "csrf_token": csrf}
        said["form"] = [client.post("/auth/login/", data=form, headers={"Referer": "https://localhost/auth/login/"},
                                    follow_redirects=False).status_code for _ in range(7)]
    print(json.dumps(said))
"""


def test_logins_have_their_rights_and_who_guesses_waits(people):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOGINS), PASSWORD, CLERK],
        env=people
        | {
            "AIRFLOW__API__SECRET_KEY": "sample" * 6,
            "AIRFLOW__API_AUTH__JWT_SECRET": "sample" * 12,
            "_AIRFLOW_PROCESS_CONTEXT": "server",
        },
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["admin"], said["clerk"], said["guest"]) == ([200, 200], [200, 403], [403, 403])
    assert said["anonymous"] == 401
    assert said["right"] == [201] * 8
    assert said["wrong"] == [401] * 5 + [429] * 2
    assert said["then right"] == 429
    assert said["FAB's own"] == 429
    assert said["form"] == [302] * 5 + [429] * 2


def test_what_people_have_edited_is_left_and_a_new_password_is_taken(made, server):
    pool, connection_ = (
        "SELECT slots FROM slot_pool WHERE pool = 'ifms_treasury'",
        "SELECT host FROM connection WHERE",
    )
    with psycopg.connect(server.dsn("airflow"), autocommit=True) as database:
        assert database.execute(pool).fetchone() == (8,)
        ids = [name for (name,) in database.execute("SELECT conn_id FROM connection ORDER BY 1").fetchall()]
        assert ids == ["ifms_db", "ifms_elasticsearch", "ifms_kafka", "ifms_platform", "ifms_treasury"]
        kept = database.execute("SELECT password, extra FROM connection WHERE conn_id = 'ifms_treasury'").fetchone()
        assert kept is not None
        assert made["IFMS_TREASURY_CLIENT_SECRET"] not in str(kept)
        assert made["IFMS_LOG_KEY"] not in str(kept)
        assert made["IFMS_SIGNING_KEY"] not in str(kept)
        database.execute("UPDATE slot_pool SET slots = 3 WHERE pool = 'ifms_treasury'")
        database.execute("UPDATE connection SET host = 'https://edited.example' WHERE conn_id = 'ifms_treasury'")
        again = made | {"IFMS_DB_PASSWORD": "another-sample-password"}
        code, _, err = ended(start(again))
        assert (code, err) == (0, "")
        assert database.execute(pool).fetchone() == (3,)
        edited = database.execute(f"{connection_} conn_id = 'ifms_treasury'").fetchone()
        assert edited == ("https://edited.example",)
    connect(again, "ifms_airflow", "IFMS_DB_PASSWORD", "ifms").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(made, "ifms_airflow", "IFMS_DB_PASSWORD", "ifms")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"IFMS_OWNER_PASSWORD": "", "IFMS_PLATFORM_URL": ""}, "IFMS_OWNER_PASSWORD is missing; IFMS_PLATFORM_URL is"),
        ({"IFMS_TREASURY_POOL_SLOTS": "many"}, "IFMS_TREASURY_POOL_SLOTS is 'many', which is no number"),
        ({"IFMS_TREASURY_CALLS_PER_SECOND": "few"}, "IFMS_TREASURY_CALLS_PER_SECOND is 'few', which is no number"),
        ({"POSTGRES_PASSWORD": "another"}, "password authentication failed"),
        (
            {"IFMS_TREASURY_PUBLIC_KEY": "", "IFMS_TREASURY_CA_BUNDLE": "", "IFMS_TREASURY_URL": "http://127.0.0.1:1"},
            "the simulated treasury at http://127.0.0.1:1 does not tell its public key (ConnectionError): is it up?",
        ),
        ({"IFMS_TREASURY_PUBLIC_KEY": "", "IFMS_SIMULATED": ""}, "IFMS_TREASURY_PUBLIC_KEY is missing"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(environment, changes, said):
    code, _, err = ended(start(environment | changes))
    assert code == 1
    assert err.startswith("deployment: ")
    assert said in err
    assert len(err.splitlines()) == 1


def test_with_an_authority_every_connection_is_by_tls_and_verified(environment):
    made = Settings.of(environment | {"IFMS_CA_FILE": "/sample/ca.pem"})
    dsn = conninfo_to_dict(made.dsn("sample", "sample-password", "ifms"))
    extra = json.loads(str(made.ledger_connection["extra"]))
    for each in (dsn, extra):
        assert (each["sslmode"], each["sslrootcert"]) == ("verify-full", "/sample/ca.pem")
    search, kafka = (made.connections[name] for name in ("ifms_elasticsearch", "ifms_kafka"))
    assert (search["schema"], json.loads(str(search["extra"]))) == ("https", {"ca_certs": "/sample/ca.pem"})
    told = json.loads(str(kafka["extra"]))
    assert told | KAFKA == told
    assert told["sasl.password"] == environment["KAFKA_PASSWORD"]
    with pytest.raises(DeploymentError, match="KAFKA_PASSWORD is missing"):
        Settings.of(environment | {"IFMS_CA_FILE": "/sample/ca.pem", "KAFKA_PASSWORD": ""})
