"""`make bench`: what sweeps cost beyond the treasury's own latency, how long a page takes, and what reports take.

The limit of a sweep is calls × latency ÷ concurrency: its calls, perfectly side by side, and nothing else. The exit
code is 0 whenever all could be measured: a busy machine is no failed test. What is over its limit is named at the end.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from statistics import median_low

from rich.console import Console
from rich.table import Table

from bench import auditing, doorbell, frames, growth, importing, plans, reading, reporting, startup, sweeps, verdicts
from bench.figures import Growth, Logging, Workers, cpu_table, sweeps_table, table, workers_table
from bench.harness import Harness, harness
from bench.shipping import measure_shipping
from bench.workers import measure_workers
from ifms_simulator import sample
from ifms_standalone import postgres, signals
from ifms_standalone.errors import StandaloneError

CREATION, STATUS = "od.samplea", "od.sampleb"
"""One city for the measurements of PI, one for those of PIS: a PI sweep reads all open payments of its cities."""
LOOP = 5_000_000


@dataclass(frozen=True)
class Plan:
    """How much is measured; numbers of PIs, of workers (none: Airflow is not started), and how often."""

    creation: int = 500
    beneficiaries: int = 10
    sweep: int = 1000  # for memory, and for workers
    wide: int = 3200
    """100 full rounds of 32: of 1,000 calls, the login and the part-filled last round alone would make 1.056."""
    many: int = 5000
    shipped: int = 100_000
    crews: tuple[int, ...] = (1, 2, 4)
    times: int = 3
    grown: int = 300
    turns: int = 5


QUICK_PIS = 2000
QUICK = Plan(
    creation=20, beneficiaries=2, sweep=16, wide=16, many=32, shipped=600, crews=(), times=1, grown=16, turns=2
)
QUICK_WORKERS = replace(QUICK, sweep=200, crews=(1, 2))


@dataclass
class Run:
    """What is measured, how much of it, and what has come of it so far.

    A part has a PostgreSQL and simulators of its own, but for those that look at the same filled ledger.
    """

    console: Console
    quick: bool
    pis: int
    imported: int
    whole: bool
    """Whether all parts are measured: then those whose limits are per row have fewer rows."""
    plan: Plan
    missed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    filling: float | None = None

    def show(self, *tables: Table) -> None:
        """Print what was measured, and keep in mind what is over its limit."""
        for each in tables:
            self.console.print(each)
            self.missed += verdicts.missed(each)

    def skip(self, what: str, why: str) -> None:
        """Say that something can't be measured here."""
        self.console.print(f"{what} not measured: {why}.", style="dim", highlight=False)

    def filled(self, made: Harness) -> str:
        """The database of the ledger of so many closed PIs, filled when it is first asked for."""
        if self.filling is None:
            made.new_ledger(FILLED)
            self.filling = reading.fill(made.server.dsn(FILLED), self.pis, self.console)
            self.console.print(
                f"{self.pis:,} PIs were generated in {self.filling:.0f} s.", style="dim", highlight=False
            )
        return made.server.dsn(FILLED)


FILLED = "filled"


@dataclass(frozen=True)
class Part:
    """One name of the command line: what it measures, and how; `filled` if on the ledger that others look at, too."""

    what: str
    measure: Callable[[Run, Harness], None]
    filled: bool = False


def _sweeps(run: Run, made: Harness) -> None:
    made.new_ledger("ledger")
    made.sweep("VA", "ledger", CREATION, STATUS)
    sample.bulk(made.platform.address, run.plan.creation, run.plan.beneficiaries, CREATION)
    figures, cpu = sweeps.measure(made, run.plan.creation, run.plan.times, CREATION, run.console)
    run.show(sweeps_table(figures), cpu_table(cpu))


def _many(run: Run, made: Harness) -> None:
    plan, console = run.plan, run.console
    made.new_ledger("ledger")
    made.sweep("VA", "ledger", STATUS)
    _seed(made, plan.sweep, console)
    few = _peak(made, console, plan.times)
    _seed(made, plan.wide - plan.sweep, console)
    wide = sweeps.measure_figure(made, console, "PIS sweep", "PIS", plan.wide, STATUS, 200, 32, 1.05, plan.times)[0]
    logging = _logging(made, console, plan.wide, plan.times)
    _seed(made, plan.many - plan.wide, console)
    memory = Growth(plan.sweep, plan.many, few, _peak(made, console, 1), 1.2)
    made.sweep("PIS", "ledger", STATUS)  # for a call to multiply
    with console.status(f"shipping {plan.shipped:,} calls"):
        shipping = measure_shipping(made.server.dsn("ledger"), plan.shipped)
    run.show(table([wide], [], memory, logging, None if isinstance(shipping, str) else shipping))
    if isinstance(shipping, str):
        run.skip("Shipping is", shipping)


def _workers(run: Run, made: Harness) -> None:
    if run.quick and run.whole:
        run.skip("Workers are", "--workers measures them alone")
        return
    workers = measure_only_workers(made, QUICK_WORKERS if run.quick else run.plan, run.console)
    if isinstance(workers, str):
        run.skip("Workers are", workers)
    else:
        run.show(workers_table(workers))


def _doorbell(run: Run, made: Harness) -> None:
    if run.quick and run.whole:
        run.skip("The doorbell is", "--doorbell measures it alone")
        return
    ways = doorbell.measure(made, doorbell.QUICK_PAYMENTS if run.quick else doorbell.PAYMENTS, run.console)
    if isinstance(ways, str):
        run.skip("The doorbell is", ways)
    else:
        run.show(doorbell.table(ways))


def _startup(run: Run, made: Harness) -> None:
    run.show(startup.table(startup.measure(made, run.console)))


def _import(run: Run, made: Harness) -> None:
    run.show(importing.table(importing.measure(made, run.imported, run.console)))


def _audit(run: Run, made: Harness) -> None:
    made.new_ledger("audit")
    records = run.pis // 5 if run.whole else run.pis
    run.show(auditing.table(auditing.measure(made.server.dsn("audit"), records, run.console)))


def _growth(run: Run, made: Harness) -> None:
    run.filled(made)
    made.new_ledger("empty")
    made.new_ledger("tenth")
    reading.fill(made.server.dsn("tenth"), run.pis // 10, run.console)
    ledgers = {0: "empty", run.pis // 10: "tenth", run.pis: FILLED}
    run.show(growth.table(*growth.measure(made, ledgers, run.plan.grown, run.plan.turns, run.console)))


def _plans(run: Run, made: Harness) -> None:
    made.new_ledger("plans")
    rows = run.pis // 5 if run.whole else run.pis
    with run.console.status(f"{rows:,} rows to look up"):
        plans.fill(made.server.dsn("plans"), rows)
    run.show(plans.table(plans.measure(made.server.dsn("plans")), rows))


def _reading(run: Run, made: Harness) -> None:
    dsn = run.filled(made)
    run.show(reading.table(reading.measure(dsn, run.pis, run.console), run.pis))
    run.show(frames.table(frames.measure(dsn, run.console), run.pis * reading.PER_PI))


def _reports(run: Run, made: Harness) -> None:
    run.show(reporting.table(reporting.measure(run.filled(made), run.console), run.pis))


PARTS = {
    "sweeps": Part("PI, PIS, PAG and PD: their time and CPU", _sweeps),
    "many": Part("PIS over many PIs: 32 at a time, its memory, its log, and shipping that", _many),
    "workers": Part("the Celery workers", _workers),
    "doorbell": Part("the way from a bill's approval to acceptance", _doorbell),
    "startup": Part("the start-up of tasks", _startup),
    "import": Part("the taking over from the Java adapter; so many PIs", _import),
    "audit": Part("the verifying of records", _audit),
    "plans": Part("the indexes by which sweeps find their rows", _plans),
    "growth": Part("the same work beside 0, a tenth of --pis and --pis closed PIs", _growth, filled=True),
    "reading": Part("pages, searches and frames", _reading, filled=True),
    "reports": Part("the reports", _reports, filled=True),
}
"""In the order in which they are measured: `growth` before what adds to the filled ledger."""
AMONG_PIS = ("audit", "plans", "growth", "reading", "reports")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when it could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="The figures, as ratios to their limits: all parts, or those that are named.",
    )
    parser.add_argument("--quick", action="store_true", help="small numbers: shows that it works, measures little")
    parser.add_argument("--pis", type=int, default=1_000_000, help="how many PIs to measure among; 0: no such part")
    for name, part in PARTS.items():
        if name == "import":
            parser.add_argument("--import", type=int, nargs="?", const=importing.PIS, metavar="PIS", help=part.what)
        else:
            parser.add_argument(f"--{name}", action="store_true", help=part.what)
    given = parser.parse_args(arguments)
    quick: bool = given.quick
    named = [name for name in PARTS if getattr(given, name)]
    run = Run(
        Console() if sys.stdout.isatty() else Console(width=140),
        quick,
        min(given.pis, QUICK_PIS) if quick else given.pis,
        getattr(given, "import") or (QUICK.many if quick else importing.PIS),
        not named,
        QUICK if quick else Plan(),
    )
    asked = [name for name in named or PARTS if run.pis or name not in AMONG_PIS]
    run.console.print(_machine(quick=quick), style="dim", highlight=False)
    try:
        with signals.raised_as_stopped():
            for name in (name for name in asked if not PARTS[name].filled):
                with _counted(run, name), harness() as made:
                    PARTS[name].measure(run, made)
            _on_the_filled(run, [name for name in asked if PARTS[name].filled])
    except StandaloneError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
        return 1
    except signals.Stopped as stopped:
        return 128 + stopped.signum
    taken = ", ".join(f"{name} {seconds:.0f}" for name, seconds in run.seconds.items())
    run.console.print(
        f"Seconds: {taken}; {sum(run.seconds.values()):.0f} in all. Load average {os.getloadavg()[0]:.1f} at the end.",
        style="dim",
        highlight=False,
    )
    verdicts.print_missed(run.console, run.missed)
    return 0


def _on_the_filled(run: Run, names: Sequence[str]) -> None:
    if not names:
        return
    with harness() as made:
        for name in names:
            with _counted(run, name):
                PARTS[name].measure(run, made)


@contextmanager
def _counted(run: Run, name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    run.seconds[name] = time.perf_counter() - began


def _machine(*, quick: bool) -> str:
    """What it is measured on, how busy that is already, and how fast: one machine's CPU is not the same every day."""
    program = str(postgres.programs() / "postgres")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, PostgreSQL {said.stdout.split()[-1]}, "
        f"Airflow {version('apache-airflow')}; "
        "PostgreSQL with fsync and both simulators on the same machine; "
        f"load average {os.getloadavg()[0]:.1f} at the start; {LOOP:,} squares in {_seconds_of_a_loop():.2f} s"
        f"{'; --quick: too few calls to judge by' if quick else ''}"
    )


def _seconds_of_a_loop() -> float:
    """The CPU that the same loop of Python takes everywhere: two runs compare by it."""
    began = time.process_time()
    for number in range(LOOP):
        number * number
    return time.process_time() - began


def measure_only_workers(made: Harness, plan: Plan, console: Console) -> list[Workers] | str:
    """Seed through the real services, and measure how workers share a sweep. Raises StandaloneError."""
    made.new_ledger("ledger")
    made.sweep("VA", "ledger", STATUS)
    _seed(made, plan.sweep, console)
    return measure_workers(made, "ledger", plan.crews, console)


def _logging(made: Harness, console: Console, calls: int, times: int) -> Logging:
    """The same PIS sweep with and without its log, in turns, so that both meet the same machine."""
    sweeps.set_latency(made, 0)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(times):
        for logged, taken in seconds.items():
            with console.status(f"PIS sweep {'with' if logged else 'without'} its log: {number + 1} of {times}"):
                taken.append(made.sweep_on_copy("PIS", "ledger", STATUS, logged=logged).seconds)
    return Logging(calls, tuple(seconds[True]), tuple(seconds[False]), 1.3)


def _seed(made: Harness, number: int, console: Console) -> None:
    """Let so many more PIs become INITIATED, through the services."""
    if not number:
        return
    with console.status(f"seeding {number:,} PIs"):
        sweeps.set_latency(made, 0)
        sample.bulk(made.platform.address, number, 1, STATUS)
        accepted = made.sweep("PI", "ledger", STATUS).counts.get("accepted", 0)
    if accepted != number:
        raise StandaloneError(f"Of {number} PIs to measure with, {accepted} could be made.")


def _peak(made: Harness, console: Console, times: int) -> int:
    """The memory of a PIS sweep; of a short one it depends a little on how many replies happen to wait at a time."""
    sweeps.set_latency(made, 0)
    with console.status("memory of a PIS sweep"):
        return median_low(made.sweep_on_copy("PIS", "ledger", STATUS, traced=True).peak_bytes for _ in range(times))


if __name__ == "__main__":
    sys.exit(main())
