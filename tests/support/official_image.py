"""`make extras`: our pins beside the extras of Airflow's official image, in one environment; what breaks there is said.

Resolved with our pins as constraints, installed into `.venv-extras`, checked as `pip check` does; then the tests run in it
that meet another library there: the workbooks (openpyxl changes its writer where lxml is) and FAB's auth manager.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHERE = ROOT / ".venv-extras"
EXTRAS = (
    "aiobotocore",
    "amazon",
    "async",
    "celery",
    "cncf-kubernetes",
    "common-io",
    "common-messaging",
    "docker",
    "elasticsearch",
    "fab",
    "ftp",
    "git",
    "google",
    "google-auth",
    "graphviz",
    "grpc",
    "hashicorp",
    "http",
    "ldap",
    "microsoft-azure",
    "mysql",
    "odbc",
    "openlineage",
    "pandas",
    "postgres",
    "redis",
    "sendgrid",
    "sftp",
    "slack",
    "snowflake",
    "ssh",
    "statsd",
    "uv",
)
"""Of the image's own Dockerfile (AIRFLOW_EXTRAS)."""
BUILT_WITH = {
    "mysqlclient": "default-libmysqlclient-dev",
    "ldap": "libldap2-dev",
    "libsasl2": "libsasl2-dev",
}
"""What extras are compiled against that have no wheel: as pkg-config calls it, and its Debian package."""
TESTS = ("tests/include/ifms/reports/files", "tests/plugins/api/test_identity.py", "tests/plugins/test_rights.py")


_PIN = re.compile(r"^[a-z0-9-]+(?:\[[a-z0-9,-]+\])?==.*?(?= ?\\?$)", re.MULTILINE)


def pins(text: str) -> list[str]:
    """The pins of a requirements file without their hashes: uv takes constraints as such lines."""
    return _PIN.findall(text)


def not_here() -> list[str]:
    """The Debian packages that extras are compiled with and that this machine lacks."""
    tools = {"pkg-config": "pkg-config", "gcc": "build-essential"}
    lacking = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if "pkg-config" in lacking:
        return [*lacking, *BUILT_WITH.values()]
    return lacking + [
        package
        for library, package in BUILT_WITH.items()
        if subprocess.run(["pkg-config", "--exists", library], check=False).returncode
    ]


def main() -> int:
    """0, or what the first step that failed ended with; 2 when this machine lacks what some extras are compiled with."""
    if lacking := not_here():
        sys.stderr.write(f"extras: some are compiled here, and need {' '.join(lacking)} (Debian's names)\n")
        return 2
    ours = pins((ROOT / "requirements.txt").read_text())
    airflow = next(line.partition("==")[2] for line in ours if line.startswith("apache-airflow=="))
    WHERE.mkdir(exist_ok=True)
    (WHERE / "constraints.txt").write_text("\n".join(ours))
    (WHERE / "extras.in").write_text(f"apache-airflow[{','.join(EXTRAS)}]=={airflow}\n")
    python = WHERE / "env/bin/python"
    uv = [str(Path(sys.executable).with_name("uv")), "pip"]
    install = [*uv, "install", "--quiet", "--python", str(python), "--constraint", str(WHERE / "constraints.txt")]
    steps = (
        [uv[0], "venv", "--quiet", "--clear", "--python", sys.executable, str(WHERE / "env")],
        [
            *install,
            "--requirement",
            str(WHERE / "extras.in"),
            "--requirement",
            str(ROOT / "requirements.in"),
            "--requirement",
            str(ROOT / "requirements-dev.txt"),
        ],
        [
            *uv,
            "install",
            "--quiet",
            "--python",
            str(python),
            "--no-deps",
            "--no-build-isolation",
            "--editable",
            str(ROOT),
        ],
        [*uv, "check", "--python", str(python)],
        [str(python), "-m", "pytest", "-n0", "-q", *TESTS],
    )
    for step in steps:
        done = subprocess.run(
            step, cwd=ROOT, env=os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}, check=False
        )
        if done.returncode:
            sys.stderr.write(f"extras: {' '.join(step[:4])} … ended with {done.returncode}\n")
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
