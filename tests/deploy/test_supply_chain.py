"""What is shipped is listed, and nothing gets in under a licence that nobody has looked at."""

from __future__ import annotations

import importlib.util
from importlib.metadata import distributions
from types import ModuleType
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from support.compose import REPO


@pytest.fixture(scope="module")
def chain() -> ModuleType:
    """deploy/supply_chain.py, which is no package's."""
    import sys

    spec = importlib.util.spec_from_file_location("supply_chain", REPO / "deploy" / "supply_chain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def component(name: str, *licences: dict[str, Any], version: str = "1") -> dict[str, Any]:
    return {"bom-ref": f"{name}=={version}", "name": name, "version": version, "licenses": list(licences)}


MIT = {"license": {"id": "MIT"}}
OWN = {"license": {"name": "Sample Licence"}}
EITHER = {"expression": "MIT OR Apache-2.0"}


def test_only_what_is_pinned_is_listed(chain: ModuleType) -> None:
    sbom = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [component("Sample_One", MIT), component("pytest", MIT)],
        "dependencies": [
            {"ref": "root", "dependsOn": ["Sample_One==1", "pytest==1"]},
            {"ref": "pytest==1"},
            {"ref": "Sample_One==1"},
        ],
    }
    kept = chain.only_pinned(sbom, chain.pinned("sample-one[extra]==1 \\\n    --hash=sha256:00\n# pytest==9\n"))
    assert [each["name"] for each in kept["components"]] == ["Sample_One"]
    assert kept["dependencies"] == [
        {"ref": "root", "dependsOn": ["Sample_One==1"]},
        {"ref": "Sample_One==1", "dependsOn": []},
    ]


def test_a_licence_that_nobody_decided_about_is_named(chain: ModuleType) -> None:
    policy = chain.Policy(frozenset({"MIT", "MIT OR Apache-2.0"}), {"sample-lib": "used as it is"})
    fine = [component("a", MIT), component("b", EITHER), component("sample_lib", OWN)]
    assert list(chain.unsettled(fine, policy)) == []
    assert list(chain.unsettled([*fine, component("c"), component("d", MIT, OWN, version="2")], policy)) == [
        "c 1 names no licence: look, and explain it in licences.toml",
        "d 2 is under Sample Licence: allow or explain it in licences.toml",
    ]
    assert list(chain.unsettled(fine[:2], policy)) == [
        "licences.toml explains sample-lib, which is not pinned any more"
    ]


def test_advisories_are_named_and_what_could_not_be_looked_up_is_not_called_safe(chain: ModuleType) -> None:
    vulnerable = {"name": "a", "version": "1", "vulns": [{"id": "SAMPLE-1", "fix_versions": ["1.1"]}]}
    skipped = {"name": "b", "skip_reason": "not found"}
    assert chain.advisories({"dependencies": [vulnerable, skipped]}) == (["a 1: SAMPLE-1, mended in 1.1"], 1)
    assert chain.advisories({"dependencies": [skipped]}) == ([], 0)


def test_what_is_explained_is_pinned_and_its_licence_is_not_allowed_anyway(chain: ModuleType) -> None:
    policy = chain.Policy.read()
    names = chain.pinned(chain.PINS.read_text())
    assert set(policy.explained) <= names
    told = {
        canonicalize_name(each.metadata["Name"]): each.metadata.get("License-Expression") for each in distributions()
    }
    assert not [name for name in policy.explained if told.get(name) in policy.allowed]
    unknown = {name: told[name] for name in names & told.keys() if told[name] and name not in policy.explained}
    assert {name for name, licence in unknown.items() if licence not in policy.allowed} == set()


@pytest.mark.tier("prove")
@pytest.mark.timeout(900)
def test_somebody_has_decided_about_the_licence_of_each_pinned_package(chain: ModuleType) -> None:
    sbom = chain.bill_of_materials(chain.pinned(chain.PINS.read_text(encoding="utf-8")))
    assert len(sbom["components"]) > 100
    assert list(chain.unsettled(sbom["components"], chain.Policy.read())) == []
