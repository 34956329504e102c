"""docs/helm-values.yaml: its form, and that what it sets is there to be set.

The chart's own schema comes with the chart, which is no package of the registries that a test may use: the schema beside
this file says of the keys that are used what the chart's says of them.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import compose

VALUES = compose.REPO / "docs" / "helm-values.yaml"
SCHEMA = Path(__file__).with_name("helm-values.schema.json")


@pytest.fixture(scope="module")
def values():
    return yaml.safe_load(VALUES.read_text())


def check(file):
    program = Path(sys.executable).with_name("check-jsonschema")
    return subprocess.run([program, "--schemafile", SCHEMA, file], capture_output=True, text=True, check=False)


def test_its_form_is_the_chart_s():
    done = check(VALUES)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "spoiled",
    [
        {"executer": "KubernetesExecutor"},
        {"executor": "SequentialExecutor"},
        {"env": [{"name": "IFMS_SHARDS", "value": 4}]},
        {"config": {"core": {"load_examples": False}}},
        {"fernetKey": "c2FtcGxl"},
        {"workers": {"resources": {"limits": {"ram": "2Gi"}}}},
    ],
)
def test_what_the_chart_would_refuse_is_refused(values, tmp_path, spoiled):
    file = tmp_path / "values.json"
    file.write_text(json.dumps(values | spoiled))
    assert check(file).returncode == 1


def test_every_setting_of_airflow_is_one(values):
    from airflow.configuration import conf

    for section, options in values["config"].items():
        assert options.keys() <= conf.configuration_description[section]["options"].keys(), section


def test_it_is_the_same_airflow_as_everywhere(values):
    pinned = (compose.REPO / "requirements.txt").read_text()
    assert f"\napache-airflow=={values['airflowVersion']} " in pinned
    image = compose.services(dict.fromkeys(_variables(), "sample") | {"IFMS_VERSION": ""})["worker"]["image"]
    assert image == f"mukta-ifms-adapter:{values['defaultAirflowTag']}"


def test_secrets_are_named_and_never_said(values):
    backend = json.loads(values["config"]["secrets"]["backend_kwargs"])
    assert backend["auth_type"] == "kubernetes"
    assert not {"token", "password", "secret_id"} & backend.keys()
    assert not {"fernetKey", "apiSecretKey", "jwtSecret", "secret", "extraSecrets"} & values.keys()
    assert values["data"].keys() == {"metadataSecretName"}
    assert values["createUserJob"] == {"enabled": False}, "the chart's first login has a password that all know"


def test_tasks_write_reports_where_the_pages_read_them(values):
    [path] = [each["value"] for each in values["env"] if each["name"] == "IFMS_REPORTS_PATH"]
    mounted = {}
    for part in ("workers", "apiServer"):
        [volume] = values[part]["extraVolumes"]
        [mount] = values[part]["extraVolumeMounts"]
        assert (mount["name"], mount["mountPath"]) == (volume["name"], path)
        mounted[part] = (volume["persistentVolumeClaim"]["claimName"], mount.get("readOnly", False))
    assert mounted == {"workers": ("ifms-airflow-reports", False), "apiServer": ("ifms-airflow-reports", True)}


def _variables():
    import re

    return set(re.findall(r"\$\{([A-Z_]+)", compose.FILE.read_text()))
