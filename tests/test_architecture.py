"""The three floors (architecture.md §3): each room touches only what its line of the table allows.

That imports go down and never in a circle, `lint-imports` says (`make lint`).
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]

# Which packages of ours a part may import, and who lives where.
PARTS = {
    "dags": "dags",
    "plugins/ifms_airflow": "ifms_airflow",
    "include/examples": "examples",
    "include/ifms": "ifms",
    "include/ifms_simulator": "ifms_simulator",
    "include/ifms_standalone": "ifms_standalone",
    "include/ifms_deployment": "ifms_deployment",
}
DOWN = {
    "dags": {"ifms_airflow", "ifms"},
    "ifms_airflow": {"ifms"},
    "examples": {"ifms_airflow", "ifms"},  # DAGs to copy, which only lie here
    "ifms": set(),
    "ifms_simulator": set(),
    "ifms_standalone": {"ifms", "ifms_simulator"},
    "ifms_deployment": {"ifms"},
}
WITH_AIRFLOW = {"dags", "ifms_airflow", "examples"}
# The one door to the simulator: `ifms simulate`, which production never runs.
DOORS = {("include/ifms/cli/simulate.py", "ifms_simulator")}
# The simulator speaks the treasury's wire by itself, or a fault of ours would be its own, too; it shares the calendar.
SHARED = {("ifms_simulator", "ifms.clock")}


@dataclass(frozen=True)
class Room:
    """What a room of `ifms` may touch: other rooms (or one module of one), libraries, and whether the network."""

    rooms: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    network: bool = False


def room(rooms: str = "", libraries: str = "", *, network: bool = False) -> Room:
    return Room(frozenset(rooms.split()), frozenset(libraries.split()), network)


GROUND = frozenset({"errors", "clock", "money", "cities", "pasted", "strict_json"})  # words that every room may use
NETWORK = frozenset({"http", "socket", "ssl", "urllib", "smtplib", "ftplib", "asyncio", "xmlrpc"})
ROOMS = {
    "errors": room(),
    "clock": room(),
    "money": room(),
    "cities": room(),
    "pasted": room(),
    "strict_json": room(libraries="jiter"),
    "settings": room(libraries="pydantic"),
    "sealing": room(libraries="cryptography"),
    "signing": room("sealing"),
    "wire": room(libraries="cryptography pydantic pydantic_core"),
    "hosts": room("settings", libraries="pydantic", network=True),  # network: urllib's parser of URLs
    "vault": room("settings", libraries="hvac pydantic requests", network=True),
    "http": room(libraries="certifi urllib3", network=True),
    "treasury": room("wire sealing signing http", network=True),
    "platform": room("wire.bank http", libraries="pydantic tenacity", network=True),
    # What was said to the treasury is kept as it was said: the outcome's shape, without the client.
    "ledger": room(
        "sealing signing treasury.outcome wire.bank wire.envelope wire.phrasebook wire.scroll",
        "alembic psycopg sqlalchemy",
    ),
    "calllog": room("wire ledger sealing", "elastic_transport elasticsearch psycopg"),
    "queries": room("wire.bank ledger sealing", "pandas psycopg pyarrow"),
    "reports": room("queries ledger", "matplotlib pandas psycopg pyarrow pypdf reportlab xlsxwriter"),
    "sweep": room("wire treasury ledger platform.masterdata"),
    "delivery": room("sweep queries calllog ledger platform", "confluent_kafka psycopg"),
    "services": room("sweep wire treasury platform ledger sealing signing"),
    "importing": room("ledger wire.envelope wire.phrasebook", "psycopg"),
}
STANDARD = sys.stdlib_module_names | {"_typeshed", "airflow"}  # airflow: said already, by the floors
# The way in from the command line may open everything.
EVERYTHING = {"cli"}

# These rooms are given what calls out, and never make it: connections, clients, keys.
SERVED = ("services", "sweep", "delivery")
GIVEN = frozenset(
    {
        "TreasuryClient",
        "PlatformClient",
        "Database",
        "Sealer",
        "Signer",
        "Keyring",
        "CallLog",
        "CallStore",
        "KafkaPublisher",
        "Transport",
        "connect",
        "Session",
    }
)


def imports(path: Path, package: str) -> Iterator[tuple[int, str]]:
    """Every module that a file imports anywhere in it (in functions and for types, too), by its whole name."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"import_module", "__import__", "import_string"}:
                yield node.lineno, str(node.args[0].value)


def violations(root: Path) -> list[str]:
    """Each import below `root` that goes up, or out of its room."""
    dags = {path.stem for path in (root / "dags").glob("*.py")}
    found = []
    for folder, part in PARTS.items():
        for path in sorted((root / folder).rglob("*.py")):
            where = path.relative_to(root).as_posix()
            package = ".".join((part, *path.relative_to(root / folder).parent.parts))
            for line, name in imports(path, package):
                reasons = [_upwards(part, where, name, dags)]
                if part == "ifms":
                    reasons.append(_out_of_room(path.relative_to(root / folder), name))
                found += [f"{where}:{line} imports {name}: {reason}" for reason in reasons if reason]
    return found


def _upwards(part: str, where: str, name: str, dags: set[str]) -> str | None:
    top, *rest = name.split(".")
    if (part, ".".join([top, *rest[:1]])) in SHARED:
        return None
    if top == "airflow" and part not in WITH_AIRFLOW:
        return f"{part} knows no Airflow"
    if top in dags or top in {"tests", "support", "bench"}:
        return f"{part} knows nobody who uses it"
    if top in DOWN and top != part and top not in DOWN[part] and (where, top) not in DOORS:
        return f"{part} may import {', '.join(sorted(DOWN[part])) or 'none of the other parts'}"
    return None


def _out_of_room(inside: Path, name: str) -> str | None:
    here = inside.parts[0].removesuffix(".py")
    if here in EVERYTHING or here == "__init__":
        return None
    if here not in ROOMS:
        return f"the room {here} has no line in ROOMS"
    mine = ROOMS[here]
    top, *rest = name.split(".")
    if top == "ifms":
        target = ".".join(rest)
        allowed = {here, *GROUND, *mine.rooms}
        if rest and not any(target == each or target.startswith(f"{each}.") for each in allowed):
            return f"{here} may touch {', '.join(sorted(allowed - {here}))}"
    elif top in NETWORK and not mine.network:
        return f"{here} has no way to the network"
    elif top not in mine.libraries | DOWN.keys() | STANDARD:
        return f"{here} may use {', '.join(sorted(mine.libraries)) or 'no library'}"
    return None


def made_instead_of_given(root: Path) -> list[str]:
    """Each place where a service, a sweep or a delivery makes what it should be given."""
    found = []
    for path in sorted(path for each in SERVED for path in (root / "include/ifms" / each).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in GIVEN:
                    found.append(f"{path.relative_to(root).as_posix()}:{node.lineno} makes a {name}")
    return found


def test_imports_go_down_only_and_stay_in_their_rooms():
    assert violations(REPO) == []


def test_services_are_given_what_they_need():
    assert made_instead_of_given(REPO) == []


def test_every_part_and_every_room_is_looked_at():
    for folder in PARTS:
        assert list((REPO / folder).rglob("*.py")), folder
    packages = {path.name for path in (REPO / "include").iterdir() if any(path.glob("*.py"))}
    assert packages == {folder.split("/")[1] for folder in PARTS if folder.startswith("include/")}
    inside = {
        path.name.removesuffix(".py") for path in (REPO / "include/ifms").iterdir() if not path.name.startswith("_")
    }
    assert inside == ROOMS.keys() | EVERYTHING


def test_a_wheel_has_no_package_of_a_name_that_others_may_have():
    build = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = build["targets"]["wheel"]["packages"]
    assert {*packages} == PARTS.keys() - {"dags", "include/examples"}
    assert all(Path(package).name.startswith("ifms") for package in packages)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("include/ifms/wire/va.py", "from airflow.sdk import DAG"),
        ("include/ifms/services/va.py", "def f():\n    import airflow"),
        (
            "include/ifms/services/va.py",
            "def f():\n    import importlib\n    importlib.import_module('airflow.models')",
        ),
        ("include/ifms/services/va.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ifms_airflow"),
        ("include/ifms_simulator/app.py", "from ifms.wire.crypto import aes_encrypt"),
        ("include/ifms_simulator/app.py", "import airflow"),
        ("include/ifms_standalone/airflow.py", "from airflow.api_fastapi.main import app"),
        ("include/ifms/ledger/migrations/env.py", "from ifms.services import pi"),
        ("include/ifms/ledger/funds.py", "from ifms_simulator import serve"),
        ("include/ifms/ledger/funds.py", "import ifms_standalone.postgres"),
        ("include/ifms/cli/main.py", "from ifms_simulator import serve"),
        ("include/ifms/cli.py", "import ifms_standalone"),
        ("plugins/ifms_airflow/operators/poll.py", "import ifms_va"),
        ("plugins/ifms_airflow/operators/poll.py", "from ifms_simulator.serve import running"),
        ("dags/ifms_va.py", "from ifms_simulator.serve import running"),
        ("dags/ifms_va.py", "from support.dags import RunDag"),
        ("include/ifms/wire/va.py", "from ifms.ledger import funds"),
        ("include/ifms/wire/va.py", "from ..treasury import client"),
        ("include/ifms/wire/va.py", "from .. import treasury"),
        ("include/ifms/wire/va.py", "from ifms import ledger"),
        ("include/ifms/wire/va.py", "import requests"),
        ("include/ifms/wire/va.py", "import socket"),
        ("include/ifms/treasury/client.py", "import psycopg"),
        ("include/ifms/treasury/client.py", "from ifms.services import pi"),
        ("include/ifms/platform/client.py", "from ifms.treasury.transport import Transport"),
        ("include/ifms/ledger/funds.py", "from http import client"),
        ("include/ifms/ledger/funds.py", "import requests"),
        ("include/ifms/ledger/funds.py", "from ifms.treasury.client import TreasuryClient"),
        ("include/ifms/services/va.py", "import psycopg"),
        ("include/ifms/services/va.py", "import requests"),
        ("include/ifms/delivery/call_log_export.py", "from elasticsearch import Elasticsearch"),
        ("include/ifms/ledger/call_store.py", "from ifms.calllog import elastic"),
        ("include/ifms/calllog/elastic.py", "import requests"),
        ("include/ifms/cellar/x.py", "import json"),
    ],
)
def test_the_check_sees_a_planted_violation(tmp_path: Path, file: str, line: str):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/ifms_va.py").touch()
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"from ifms.errors import IfmsError\n{line}\n" if "include/ifms/" in file else f"{line}\n")
    seen = violations(tmp_path)
    assert seen
    assert all(each.startswith(f"{file}:") for each in seen)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("include/ifms/wire/va.py", "from .envelope import Row\nfrom .. import errors\nimport pydantic, json"),
        ("include/ifms/ledger/status_log.py", "from ifms.treasury.outcome import Exchange\nimport psycopg"),
        (
            "include/ifms/services/pi.py",
            "from ifms.ledger import funds\nfrom ifms.treasury.client import TreasuryClient",
        ),
        ("include/ifms/cli/simulate.py", "def f():\n    from ifms_simulator import serve"),
        ("include/ifms_standalone/cycle.py", "from ifms_standalone.airflow import Client\nimport ifms_simulator.serve"),
        (
            "plugins/ifms_airflow/operators/poll.py",
            "from airflow.sdk import BaseOperator\nfrom ifms.services import pi",
        ),
        ("dags/ifms_va.py", "from airflow.sdk import DAG\nfrom ifms_airflow.operators import PollOperator"),
    ],
)
def test_the_check_lets_pass_what_is_allowed(tmp_path: Path, file: str, line: str):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert violations(tmp_path) == []


def test_the_check_sees_a_service_that_makes_its_own_client(tmp_path: Path):
    path = tmp_path / "include/ifms/services/va.py"
    path.parent.mkdir(parents=True)
    path.write_text("def f(config):\n    return TreasuryClient(config)\n\ndef g():\n    return psycopg.connect('')\n")
    assert made_instead_of_given(tmp_path) == [
        "include/ifms/services/va.py:2 makes a TreasuryClient",
        "include/ifms/services/va.py:5 makes a connect",
    ]


# Every module has its test ------------------------------------------------------------------------------------------

# Declarations without behaviour of their own; what uses them tests them.
WITHOUT_TEST = {
    "include/ifms/errors.py",
    "include/ifms/ledger/models.py",
}
MIRRORED = {
    "dags": "tests/dags",
    "plugins/ifms_airflow": "tests/plugins",
    "include/ifms": "tests/include/ifms",
    "include/examples": "tests/include/examples",
}


def untested(root: Path) -> set[str]:
    """The modules of the mirrored floors that have no test module of their own."""
    return {
        path.relative_to(root).as_posix()
        for folder, tests in MIRRORED.items()
        for path in (root / folder).rglob("*.py")
        if path.name != "__init__.py"
        and "migrations" not in path.parts  # test_migrate.py, test_schema.py, test_upgrades.py
        and not (root / tests / path.relative_to(root / folder).parent / f"test_{path.name}").exists()
    }


def test_every_module_has_its_test_module():
    assert sorted(untested(REPO) - WITHOUT_TEST) == []


def test_no_exception_outlives_its_reason():
    assert sorted(WITHOUT_TEST - untested(REPO)) == []


def test_a_module_without_test_is_seen(tmp_path: Path):
    for name in ("dags/ifms_va.py", "include/ifms/wire/va.py", "include/ifms/wire/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "tests/dags").mkdir(parents=True)
    (tmp_path / "tests/dags/test_ifms_va.py").touch()
    assert untested(tmp_path) == {"include/ifms/wire/va.py"}
