"""What `make mutants` has found in each module, kept in the project: counts, and of which version of the module they are."""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

WORDS = ("killed", "survived", "timeout", "equivalent")
"""What may come of a fault: a test fails, none does, the tests don't end, or nobody could notice it."""
_HEAD = "# Written by `make mutants`: what came of the faults in each module as it was then (the beginning of its SHA-256).\n\n"


@dataclass(frozen=True)
class Tried:
    """A version of a module, and how many of its faults had which end."""

    version: str
    counted: Mapping[str, int]


def version_of(source: str) -> str:
    """What tells two versions of a module apart."""
    return hashlib.sha256(source.encode()).hexdigest()[:8]


def read(file: Path) -> dict[str, Tried]:
    """What was found, by module; nothing where there is no such file."""
    if not file.exists():
        return {}
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    return {path: Tried(of.pop("version"), of) for path, of in found.items()}


def note(file: Path, path: str, tried: Tried) -> None:
    """Write what was found in one module, over what was found in it before."""
    known = read(file) | {path: tried}
    lines = [f'"{each}" = {{ {_fields(known[each])} }}\n' for each in sorted(known)]
    file.write_text(_HEAD + "".join(lines), encoding="utf-8")


def changed(file: Path, root: Path, paths: Iterable[str]) -> list[str]:
    """Those of the modules that are not what they were when they were tried, or never were."""
    known = read(file)
    return [
        path
        for path in paths
        if path not in known or known[path].version != version_of((root / path).read_text(encoding="utf-8"))
    ]


def total(file: Path, paths: Iterable[str]) -> Counter[str]:
    """What was found in these modules together."""
    known = read(file)
    return sum((Counter(known[path].counted) for path in paths if path in known), Counter())


def _fields(tried: Tried) -> str:
    counts = [f"{word} = {tried.counted[word]}" for word in WORDS if tried.counted.get(word)]
    return ", ".join([f'version = "{tried.version}"', *counts])
