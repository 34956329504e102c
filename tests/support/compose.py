"""docker-compose.yaml as Compose reads it: merged and with its variables filled in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
FILE = REPO / "docker-compose.yaml"
SECRETS = REPO / "deploy" / "secrets.sh"

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Z_]+)(?:(?P<how>:[-?])(?P<more>[^}]*))?\})")


class MissingError(Exception):
    """A variable that must be set is not; the text is the file's own message."""


@cache
def written() -> dict[str, Any]:
    """The file as it stands."""
    read: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return read


def filled(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in. Raises MissingError."""
    made: dict[str, Any] = _filled(written(), environment)
    return made


def services(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services, filled in."""
    made: dict[str, dict[str, Any]] = filled(environment)["services"]
    return made


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, environment) for each in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match[str]) -> str:
        name, how, more = found["name"], found["how"], found["more"] or ""
        if name is None:
            return "$"
        given = environment.get(name, "")
        if not given and how == ":?":
            raise MissingError(f"{name}: {more}")
        return given or more

    return _VARIABLE.sub(fill, value)


def secrets(folder: Path, *arguments: str) -> dict[str, str]:
    """What deploy/secrets.sh writes."""
    file = folder / "made.env"
    subprocess.run(["sh", str(SECRETS), *arguments, str(file)], check=True, capture_output=True)
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
