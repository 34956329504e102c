"""`python -m ifms_airflow.bootstrap`: bring Airflow's schema to its version, and make pools and connections.

Reads from stdin, as JSON: `pools` (by name: slots, description) and `theirs` (connections by id), made when they
are missing and then left to whoever edits them; `ours` (connections by id), made anew each time. All by
Airflow's own command line, but in one process: each start of it takes seconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Named = Mapping[str, Mapping[str, Any]]


def prepare(pools: Named, ours: Named, theirs: Named) -> None:
    """Do it. Raises what Airflow's commands raise: SystemExit with a sentence, mostly."""
    _airflow("db", "migrate")
    for name, pool in pools.items():
        try:
            _airflow("pools", "get", name)
        except SystemExit:
            _airflow("pools", "set", name, str(pool["slots"]), pool["description"])
    with tempfile.TemporaryDirectory(prefix="ifms-") as folder:
        for name, connections, more in (("ours", ours, ["--overwrite"]), ("theirs", theirs, [])):
            file = Path(folder, f"{name}.json")
            file.write_text(json.dumps(connections))
            _airflow("connections", "import", str(file), *more)


def _airflow(*arguments: str) -> None:
    """Run a command of `airflow`."""
    from airflow.cli.cli_parser import get_parser

    parsed = get_parser().parse_args(arguments)
    parsed.func(parsed)


if __name__ == "__main__":
    prepare(**json.load(sys.stdin))
