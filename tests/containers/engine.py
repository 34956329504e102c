"""A Docker engine and a Compose of the check's own: nothing on the machine's own engine is touched."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

COMPOSE_VERSION = "v2.40.3"
OF_THE_MACHINE = Path("/var/run/docker.sock")
STARTED_WITHIN_SECONDS = 60
STOPPED_WITHIN_SECONDS = 120
_PACKAGES = {"docker": "docker.io", "dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}


class CheckError(Exception):
    """The check can't go on, or has found something; the text is what to tell."""


def check_machine() -> None:
    """Raise CheckError unless containers can be run here, with what is missing and how to get it."""
    if os.geteuid() != 0:
        raise CheckError("containers need root: sudo make containers")
    missing = sorted({package for program, package in _PACKAGES.items() if shutil.which(program) is None})
    if missing:
        raise CheckError(f"missing here: apt-get install --no-install-recommends {' '.join(missing)}")
    if OF_THE_MACHINE.exists() and not _ended(["docker", "--host", f"unix://{OF_THE_MACHINE}", "version"]):
        raise CheckError(
            "a Docker engine runs on this machine already, and two of them share bridges and rules: use another machine"
        )


@contextmanager
def running(kept: Path) -> Iterator[Engine]:
    """Run an engine on the images and volumes in `kept` until the block ends. Raises CheckError."""
    socket, log = Path("/run/ifms-containers.sock"), kept / "dockerd.log"
    command = ["dockerd", f"--host=unix://{socket}", f"--data-root={kept / 'data'}", f"--exec-root={kept / 'run'}"]
    command += [f"--pidfile={kept / 'pid'}", f"--mtu={_mtu()}"]
    # Beside all other processes: in a group of the engine's own, all containers together get the time of one of them.
    command += ["--exec-opt=native.cgroupdriver=cgroupfs", "--cgroup-parent=/"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        end = time.monotonic() + STARTED_WITHIN_SECONDS
        while _ended(["docker", "--host", f"unix://{socket}", "version"]):
            if process.poll() is not None or time.monotonic() > end:
                last = (log.read_text(errors="replace").strip().splitlines() or ["it says nothing"])[-1]
                raise CheckError(f"no Docker engine can run here (all of it in {log}): {last}")
            time.sleep(0.2)
        yield Engine(f"unix://{socket}", kept)
    finally:
        process.terminate()
        process.wait(STOPPED_WITHIN_SECONDS)


class Engine:
    """The engine at `address`; images and volumes stay in the folder `kept`."""

    def __init__(self, address: str, kept: Path) -> None:
        # The classic builder: it is in every engine, needs no plugin, and takes local images as bases.
        self.environment = {**os.environ, "DOCKER_HOST": address, "DOCKER_BUILDKIT": "0"}
        self.kept = kept
        self._compose: list[str] = []

    def docker(self, *arguments: str, given: bytes | None = None, quiet: bool = False) -> str:
        """Run a docker command; what it says. Raises CheckError."""
        return self._run(["docker", *arguments], given, quiet=quiet)

    def compose(self, *arguments: str, given: bytes | None = None, quiet: bool = False) -> str:
        """Run a compose command on the project of `use`; what it says. Raises CheckError."""
        return self._run([*self._compose, *arguments], given, quiet=quiet)

    def use(self, *files: Path, folder: Path, environment: Path) -> None:
        """Which compose files the commands are about."""
        options = [f"--file={file}" for file in files]
        self._compose = [*_compose(self), *options, f"--project-directory={folder}", f"--env-file={environment}"]

    def has(self, image: str) -> bool:
        """Whether there is such an image."""
        return not _ended(["docker", "image", "inspect", image], self.environment)

    def build(self, image: str, files: Mapping[str, Path], **arguments: str) -> None:
        """Build an image from files and folders, by their names in the context; unchanged, it is there at once."""
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name, path in files.items():
                tar.add(path, name)
        options = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
        self.docker("build", "--quiet", "--tag", image, *options, "-", given=context.getvalue(), quiet=True)

    def _run(self, command: Sequence[str], given: bytes | None, *, quiet: bool) -> str:
        done = subprocess.run(
            command,
            input=given if given is not None else b"",
            env=self.environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if quiet else None,
        )
        said = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise CheckError(f"{' '.join(command[:1])} … {command[-1]} ended with {done.returncode}: {said[-3000:]}")
        return said


def _compose(engine: Engine) -> list[str]:
    """Compose: the machine's plugin, else one that is built once from the Go module proxy. Raises CheckError."""
    if not _ended(["docker", "compose", "version"]):
        return ["docker", "compose"]
    made = engine.kept / f"docker-compose-{COMPOSE_VERSION}"
    if not made.exists():
        if shutil.which("go") is None:
            raise CheckError("there is no Compose here, and no Go to build it with: install one of them (Go: 1.24)")
        module = engine.kept / "compose"
        shutil.rmtree(module, ignore_errors=True)
        module.mkdir()
        # Not `go install`: it refuses a module that excludes versions of others. Go checks what comes by its database.
        package = "github.com/docker/compose/v2"
        version = f"-ldflags=-X {package}/internal.Version={COMPOSE_VERSION}"
        for command in (
            ["go", "mod", "init", "compose"],
            ["go", "get", f"{package}/cmd@{COMPOSE_VERSION}"],
            ["go", "build", version, "-o", str(made), f"{package}/cmd"],
        ):
            done = subprocess.run(command, cwd=module, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise CheckError(f"Compose can't be built ({' '.join(command[:2])}): {done.stderr[-2000:]}")
    return [str(made)]


def _mtu() -> str:
    """The largest packet that the way out takes; containers must not send larger ones."""
    route = subprocess.run(
        ["ip", "route", "show", "default"], capture_output=True, text=True, check=False
    ).stdout.split()
    device = route[route.index("dev") + 1] if "dev" in route else ""
    file = Path("/sys/class/net", device, "mtu")
    return file.read_text().strip() if device and file.exists() else "1500"


def _ended(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    ).returncode
