"""Sweeps in processes of their own that can be killed, forked from one that has imported everything already.

`python -m support.warm` reads one order a line, forks, and answers how the fork ended. It has one thread only, so that a
fork of it holds nobody's lock.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from support.simulators import Simulators

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class SweepOrder:
    """One sweep, one call at a time; killed at the point of this number (from 0), or left alone.

    `repay`: the numbers of original PIs that ifms_cor shall pay anew.
    """

    service: str
    dsn: str
    treasury: str
    platform: str
    public_key: str
    report: str
    kill_at: int | None = None
    repay: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How the sweep's process ended: by which signal, or else the points that it passed and the error it ended with."""

    signal: int | None
    points: list[str]
    error: str | None


class Warm:
    """The process to fork from."""

    def __init__(self, process: subprocess.Popen[str], reports: Path) -> None:
        self._process = process
        self._report = reports / "report.json"

    def sweep(self, service: str, dsn: str, simulators: Simulators, **more: Any) -> Ended:
        """Run one sweep in a process of its own."""
        order = SweepOrder(service, dsn, **asdict(simulators), report=str(self._report), **more)
        self._report.write_text("{}")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process to fork from has ended with {self._process.wait()}"
        code = json.loads(answer)
        if code < 0:
            return Ended(-code, [], None)
        assert code == 0, f"the sweep's process ended with {code}; what it said is above"
        return Ended(None, **json.loads(self._report.read_text()))


@contextmanager
def warm(reports: Path) -> Iterator[Warm]:
    """Start the process to fork from; it ends with the block."""
    path = (str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    with subprocess.Popen(
        [sys.executable, "-m", "support.warm"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Warm(process, reports)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # the end of its orders
            process.wait(timeout=30)


def serve() -> None:
    """Fork for each order, until there are no more."""
    from support import adapter, effects  # noqa: F401  (imported once, here, for all forks)

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a sweep prints is not an answer
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                _sweep(SweepOrder(**json.loads(line)))
                code = 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _sweep(order: SweepOrder) -> None:
    import traceback

    from support.adapter import EVERYTHING, Adapter
    from support.effects import watch
    from support.failed import TENANT

    from ifms.errors import IfmsError
    from ifms.services.correction_order import Order
    from ifms.sweep import pipeline

    points: list[str] = []
    error = None
    pipeline.AHEAD = 1  # one call at a time: the effects come in the same order in every process

    def visit(point: str) -> None:
        if len(points) == order.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        points.append(point)

    watch(visit)
    simulators = Simulators(order.treasury, order.platform, order.public_key)
    adapter = Adapter(order.dsn, simulators, {"max_concurrency": 1})
    try:
        sweep = adapter.sweep(order.service)
        with sweep:
            orders = tuple(Order(TENANT, number, new_original=True) for number in order.repay)
            adapter.work(sweep, EVERYTHING, orders)
    except IfmsError as ours:
        error = type(ours).__name__
    except BaseException:
        traceback.print_exc()
        raise
    Path(order.report).write_text(json.dumps({"points": points, "error": error}))


if __name__ == "__main__":
    serve()
