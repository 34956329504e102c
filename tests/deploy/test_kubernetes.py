"""deploy/kubernetes: what the manifests promise, and that what they set is there to be set.

Kubernetes' own schemas are asked by `make manifests`; there is no cluster where the tests run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import compose

from ifms_deployment.settings import Settings

HERE = compose.REPO / "deploy" / "kubernetes"
FOLDERS = (HERE, HERE / "init")
TASK = HERE / "task-pod.yaml"


def kustomization(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return read


def resources() -> Iterator[dict[str, Any]]:
    """All of them, as they are written, and the pod of tasks."""
    for folder in FOLDERS:
        for name in kustomization(folder)["resources"]:
            yield from yaml.safe_load_all((folder / name).read_text())
    yield yaml.safe_load(TASK.read_text())


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in resources() if each["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    """The pods, each with `metadata` and `spec`, by the name that their labels say."""
    made = [each for each in resources() if each["kind"] == "Pod"]
    made += [each["spec"]["template"] for each in resources() if each["kind"] in ("Deployment", "Job")]
    made += [each["spec"]["jobTemplate"]["spec"]["template"] for each in of_kind("CronJob").values()]
    return {pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod for pod in made}


def variables(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if line and not line.startswith("#"))


PODS = pods()
ENVIRONMENT = variables(HERE / "airflow.env")


def test_every_file_is_used():
    for folder in FOLDERS:
        told = kustomization(folder)
        used = {*told["resources"], "kustomization.yaml"}
        for made in told["configMapGenerator"]:
            used |= {*made.get("envs", ()), *made.get("files", ())}
        assert used == {path.name for path in folder.iterdir() if path.is_file()}


def test_all_of_airflow_s_parts_are_there():
    assert set(PODS) == {"api-server", "scheduler", "dag-processor", "triggerer", "housekeeping", "task", "init"}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_keeps_to_the_restricted_standard(name: str):
    spec = PODS[name]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert all(volume.keys() <= {"name", "persistentVolumeClaim", "configMap"} for volume in spec["volumes"])
    for container in spec["containers"]:
        told = container["securityContext"]
        assert told == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert set(container["resources"]) == {"requests", "limits"}


def test_the_namespace_enforces_that_standard():
    labels = of_kind("Namespace")["ifms"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", PODS)
def test_what_a_pod_mounts_and_names_is_there(name: str):
    spec = PODS[name]["spec"]
    generated = {made["name"] for folder in FOLDERS for made in kustomization(folder)["configMapGenerator"]}
    secrets = {each["spec"]["target"]["name"] for each in of_kind("ExternalSecret").values()}
    assert spec["serviceAccountName"] in of_kind("ServiceAccount")
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]} == set(volumes)
    for volume in volumes.values():
        if "configMap" in volume:
            assert volume["configMap"]["name"] in generated
        else:
            assert volume["persistentVolumeClaim"]["claimName"] in of_kind("PersistentVolumeClaim")
    for container in spec["containers"]:
        for source in container["envFrom"]:
            [(kind, which)] = source.items()
            assert which["name"] in (generated if kind == "configMapRef" else secrets)


def test_the_task_pods_can_name_what_kustomize_has_made():
    assert kustomization(HERE)["generatorOptions"]["disableNameSuffixHash"] is True


def test_tasks_hold_no_secret_and_no_token_of_the_cluster():
    spec = PODS["task"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert all("secretRef" not in source for source in spec["containers"][0]["envFrom"])


def test_only_the_job_knows_the_superuser():
    known = {
        name
        for name, pod in PODS.items()
        for source in pod["spec"]["containers"][0]["envFrom"]
        if source.get("secretRef") == {"name": "ifms-init"}
    }
    assert known == {"init"}


def test_each_part_has_a_budget_that_leaves_one_and_lets_one_go():
    budgets, deployments = of_kind("PodDisruptionBudget"), of_kind("Deployment")
    assert set(budgets) == set(deployments)
    for name, budget in budgets.items():
        labels = PODS[name]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert 0 < budget["spec"]["minAvailable"] < deployments[name]["spec"]["replicas"]


def test_nothing_gets_in_or_out_but_what_is_said():
    policies = of_kind("NetworkPolicy")
    assert policies["nothing-else"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    reached = {
        policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name")
        for policy in policies.values()
        if "ingress" in policy["spec"]
    }
    assert reached == {"api-server", "triggerer"}


def test_a_task_is_given_the_time_that_a_sweep_takes_to_settle():
    ours = PODS["task"]["spec"]["terminationGracePeriodSeconds"]
    assert f"{ours}s" == compose.written()["services"]["worker"]["stop_grace_period"]


def test_the_api_server_goes_out_of_the_service_before_it_ends():
    spec = PODS["api-server"]["spec"]
    waits = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < waits < spec["terminationGracePeriodSeconds"]


def test_every_setting_of_airflow_is_one_and_means_what_it_means_in_the_compose_file():
    from airflow.configuration import conf

    elsewhere = compose.written()["x-airflow-environment"]
    names = set(ENVIRONMENT) | set(of_kind("ExternalSecret")["ifms-airflow"]["spec"]["target"]["template"]["data"])
    for variable in names:
        if not variable.startswith("AIRFLOW__"):
            continue
        _, section, key = variable.lower().split("__")
        # The executor's provider is in the image, and not in this environment.
        if section != "kubernetes_executor":
            assert key in conf.configuration_description[section]["options"], variable
    own = {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW__API__BASE_URL"}
    # By plain http within the namespace, whose network policies name who reaches the API server.
    own |= {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL"}
    for variable in set(ENVIRONMENT) & set(elsewhere) - own:
        if variable.startswith("AIRFLOW__"):
            assert ENVIRONMENT[variable] == elsewhere[variable], variable


def test_housekeeping_is_done_once_a_night_and_by_one_at_a_time():
    job = of_kind("CronJob")["housekeeping"]["spec"]
    assert (job["concurrencyPolicy"], job["timeZone"]) == ("Forbid", "Asia/Kolkata")
    [container] = PODS["housekeeping"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "ifms_airflow.housekeeping", "--once"]


def test_airflow_knows_every_command():
    from airflow.cli.cli_parser import get_parser

    for name in of_kind("Deployment"):
        [container] = PODS[name]["spec"]["containers"]
        get_parser().parse_args(container["args"])
        probe = container["livenessProbe"].get("exec")
        if probe:
            program, *arguments = probe["command"][2].split()
            assert program == "airflow"
            get_parser().parse_args(arguments)


def test_the_executor_finds_the_pod_and_the_image_of_tasks():
    mounts = {mount["name"]: mount["mountPath"] for mount in PODS["scheduler"]["spec"]["containers"][0]["volumeMounts"]}
    assert ENVIRONMENT["AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE"] == f"{mounts['task-pod']}/{TASK.name}"
    [image] = kustomization(HERE)["images"]
    assert ENVIRONMENT["AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_REPOSITORY"] == image["newName"]
    assert ENVIRONMENT["AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_TAG"] == image["newTag"]
    assert kustomization(HERE / "init")["images"] == [image]
    assert [container["name"] for container in PODS["task"]["spec"]["containers"]] == ["base"]


def test_the_image_is_the_compose_file_s():
    [image] = kustomization(HERE)["images"]
    written = compose.written()["x-airflow"]["image"]
    assert re.fullmatch(rf"{image['name']}:\$\{{IFMS_VERSION:-{re.escape(image['newTag'])}\}}", written)
    assert {container["image"] for pod in PODS.values() for container in pod["spec"]["containers"]} == {image["name"]}


def test_the_job_is_told_all_that_it_needs():
    secret = of_kind("ExternalSecret")["ifms-init"]["spec"]["data"]
    assert all(each["secretKey"] == each["remoteRef"]["property"] for each in secret)
    told = variables(HERE / "init" / "init.env") | {each["secretKey"]: "sample" for each in secret}
    made = Settings.of(ENVIRONMENT | told)
    assert set(made.connections) == {"ifms_treasury", "ifms_platform", "ifms_elasticsearch", "ifms_kafka"}
    for each in secret:
        without = {name: value for name, value in told.items() if name != each["secretKey"]}
        with pytest.raises(Exception, match=each["secretKey"]):
            Settings.of(ENVIRONMENT | without)


def test_no_secret_stands_in_a_file():
    secret = re.compile(r"(PASSWORD|SECRET|_KEY|TOKEN)$")
    public = {"IFMS_TREASURY_PUBLIC_KEY"}
    for file in (HERE / "airflow.env", HERE / "init" / "init.env"):
        assert not {name for name in variables(file) if secret.search(name)} - public
    assert not of_kind("Secret")


@pytest.mark.parametrize("folder", FOLDERS, ids=["airflow", "init"])
def test_kustomize_puts_it_together(folder: Path):
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl here, whose kustomize puts the manifests together")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [image] = kustomization(folder)["images"]
    for made in yaml.safe_load_all(done.stdout):
        assert made["kind"] == "Namespace" or made["metadata"]["namespace"] == "ifms"
        for container in made.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
            assert container["image"] == f"{image['newName']}:{image['newTag']}"
