"""What the package is built from: its bill of materials, its licences, its known vulnerabilities (`make supply-chain`).

Writes dist/sbom.cdx.json (CycloneDX, JSON) of all that requirements.txt pins, from the metadata of the environment that
`make install` made. Ends with 1 when a licence is neither allowed nor explained in licences.toml, when an explanation
is about nothing, or when an advisory is known of a pinned version; where no source of advisories can be reached, it
says so and goes on.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parents[1]
PINS = REPO / "requirements.txt"
POLICY = Path(__file__).with_name("licences.toml")
SBOM = REPO / "dist" / "sbom.cdx.json"
# Tools of their own, in an environment of their own: what they need is no part of what is shipped.
CYCLONEDX = "cyclonedx-bom==7.5.0"
PIP_AUDIT = "pip-audit==2.10.1"


@dataclass(frozen=True)
class Policy:
    """Which licences may be used, and why some packages may be used in spite of theirs."""

    allowed: frozenset[str]
    explained: Mapping[str, str]

    @classmethod
    def read(cls, path: Path = POLICY) -> Policy:
        """The policy in licences.toml."""
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(frozenset(content["allowed"]), content["explained"])


def pinned(requirements: str) -> set[str]:
    """The names that a requirements file pins, as packaging compares them."""
    return {
        canonicalize_name(name)
        for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", requirements, re.MULTILINE)
    }


def only_pinned(sbom: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """The bill of materials without what only tests and linters need."""
    components = [each for each in sbom["components"] if canonicalize_name(each["name"]) in names]
    kept = {each["bom-ref"] for each in components} | {sbom["metadata"]["component"]["bom-ref"]}
    dependencies = [
        each | {"dependsOn": [ref for ref in each.get("dependsOn", ()) if ref in kept]}
        for each in sbom["dependencies"]
        if each["ref"] in kept
    ]
    return {**sbom, "components": components, "dependencies": dependencies}


def licences(component: Mapping[str, Any]) -> list[str]:
    """What a component says it may be used under: SPDX ids, names or expressions."""
    told = component.get("licenses", ())
    return [each.get("expression") or each["license"].get("id") or each["license"]["name"] for each in told]


def unsettled(components: Sequence[Mapping[str, Any]], policy: Policy) -> Iterator[str]:
    """What a person must decide about licences: one sentence each."""
    names = {canonicalize_name(each["name"]) for each in components}
    for component in components:
        found = licences(component)
        if canonicalize_name(component["name"]) in policy.explained:
            continue
        if not found:
            yield f"{component['name']} {component['version']} names no licence: look, and explain it in {POLICY.name}"
        elif not policy.allowed.issuperset(found):
            text = ", ".join(sorted(set(found) - policy.allowed))
            yield f"{component['name']} {component['version']} is under {text}: allow or explain it in {POLICY.name}"
    for name in sorted(set(policy.explained) - names):
        yield f"{POLICY.name} explains {name}, which is not pinned any more"


def advisories(report: Mapping[str, Any]) -> tuple[list[str], int]:
    """The advisories in pip-audit's report, one sentence each, and how many packages it could look up."""
    asked = [each for each in report["dependencies"] if "skip_reason" not in each]
    found = [
        f"{each['name']} {each['version']}: {vulnerability['id']}"
        + (f", mended in {', '.join(vulnerability['fix_versions'])}" if vulnerability["fix_versions"] else "")
        for each in asked
        for vulnerability in each["vulns"]
    ]
    return found, len(asked)


def _run(package: str, *command: str) -> str:
    """What a tool writes, run in an environment that uv makes for it; it may end with 1, which says that it found."""
    uv = Path(sys.executable).with_name("uv")
    called = [str(uv), "run", "--quiet", "--isolated", "--no-project", "--with", package, *command]
    done = subprocess.run(called, cwd=REPO, capture_output=True, text=True, check=False)  # noqa: S603  (our own tools)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"supply chain: {command[0]} could not be run: {done.stderr.strip()[-600:]}")
    return done.stdout


def say(sentence: str) -> None:
    """Write a line to the terminal."""
    sys.stdout.write(sentence + "\n")


def bill_of_materials(names: set[str]) -> dict[str, Any]:
    """What of these names is installed here, in CycloneDX's JSON."""
    made = _run(
        CYCLONEDX, "cyclonedx-py", "environment", sys.executable, "--pyproject", "pyproject.toml", "--of", "JSON"
    )
    return only_pinned(json.loads(made), names)


def main() -> int:
    """Write the bill of materials and say what is wrong; 1 when something is."""
    names = pinned(PINS.read_text(encoding="utf-8"))
    sbom = bill_of_materials(names)
    SBOM.parent.mkdir(exist_ok=True)
    SBOM.write_text(json.dumps(sbom, indent=2) + "\n", encoding="utf-8")
    say(f"{SBOM.relative_to(REPO)}: {len(sbom['components'])} of {len(names)} pinned packages are installed here")
    wrong = list(unsettled(sbom["components"], Policy.read()))
    audit = _run(PIP_AUDIT, "pip-audit", "-r", str(PINS), "--disable-pip", "--no-deps", "--format", "json")
    found, asked = advisories(json.loads(audit))
    if asked:
        say(f"advisories: {asked} packages looked up, {len(found)} advisories")
    else:
        say("advisories: no source of them knows any package here, so nothing was audited; run it where there is one")
    for sentence in wrong + found:
        sys.stderr.write(f"supply chain: {sentence}\n")
    return 1 if wrong or found else 0


if __name__ == "__main__":
    sys.exit(main())
