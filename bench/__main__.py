"""`make bench`: what sweeps cost beyond the treasury's own latency, what pages and reports take, how soon a PI is sent.

The limit of a sweep is calls × latency ÷ concurrency: its calls, perfectly side by side, and nothing else. The exit
code is 0 whenever all could be measured: a busy machine is no failed test.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from rich.console import Console

from bench import auditing, doorbell, frames, importing, plans, reading, reporting, startup, sweeps
from bench.figures import Cpu, Figure, Growth, Logging, Shipping, Workers, cpu_table, sweeps_table, table, workers_table
from bench.harness import Harness, harness
from bench.shipping import measure_shipping
from bench.workers import measure_workers
from ifms_simulator import sample
from ifms_standalone import signals
from ifms_standalone.errors import StandaloneError

CREATION, STATUS = "od.samplea", "od.sampleb"
"""One city for the measurements of PI, one for those of PIS: a PI sweep reads all open payments of its cities."""


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


QUICK_PIS = 2000
QUICK = Plan(creation=20, beneficiaries=2, sweep=16, wide=16, many=32, shipped=600, crews=(), times=1)
QUICK_WORKERS = replace(QUICK, sweep=200, crews=(1, 2))


Measurements = tuple[list[Figure], list[Cpu], list[Workers] | str, Growth, Logging, Shipping | str]
"""All that is measured; for workers and shipping a sentence where there can be no Redis or no Elasticsearch."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="The figures, as ratios to their limits.")
    parser.add_argument("--quick", action="store_true", help="small numbers: shows that it works, measures little")
    parser.add_argument("--pis", type=int, default=1_000_000, help="how many PIs to read among; 0: measure no reading")
    parser.add_argument("--sweeps", action="store_true", help="measure PI, PIS, PAG and PD alone")
    parser.add_argument("--reading", action="store_true", help="measure the reading alone")
    parser.add_argument("--reports", action="store_true", help="measure the reports alone")
    parser.add_argument("--workers", action="store_true", help="measure the Celery workers alone")
    parser.add_argument("--doorbell", action="store_true", help="measure the way from approval to acceptance alone")
    parser.add_argument("--audit", action="store_true", help="measure the verifying of records alone")
    parser.add_argument("--startup", action="store_true", help="measure the start-up of tasks alone")
    parser.add_argument("--import", dest="importing", type=int, metavar="PIS", help="take so many PIs over, alone")
    given = parser.parse_args(arguments)
    one = (
        given.sweeps
        or given.reading
        or given.reports
        or given.workers
        or given.doorbell
        or given.audit
        or given.startup
        or given.importing
    )
    everything = not one
    quick: bool = given.quick
    pis = min(given.pis, QUICK_PIS) if quick else given.pis
    console = Console() if sys.stdout.isatty() else Console(width=140)
    try:
        with signals.raised_as_stopped(), harness() as made:
            if everything:
                _print(console, measure(made, QUICK if quick else Plan(), console))
            if given.sweeps:
                _print_sweeps(console, made, QUICK if quick else Plan())
            if given.workers:
                _print_workers(console, measure_only_workers(made, QUICK_WORKERS if quick else Plan(), console))
            if given.doorbell or (everything and not quick):
                _print_doorbell(console, doorbell.QUICK_PAYMENTS if quick else doorbell.PAYMENTS)
            if everything or given.startup:
                console.print(startup.table(startup.measure(made, console)))
            if everything or given.importing:
                some = given.importing or (QUICK.many if quick else importing.PIS)
                console.print(importing.table(importing.measure(made, some, console)))
            if pis and (everything or given.audit):
                made.new_ledger("audit")
                console.print(auditing.table(auditing.measure(made.server.dsn("audit"), pis, console)))
            if pis and (everything or given.reading or given.reports):
                made.new_ledger("reading")
                timings, filling = reading.measure(made.server.dsn("reading"), pis, console)
                if everything or given.reading:
                    console.print(reading.table(timings, pis, filling))
                    months = frames.measure(made.server.dsn("reading"), console)
                    console.print(frames.table(months, pis * reading.PER_PI))
                    made.new_ledger("plans")
                    plans.fill(made.server.dsn("plans"), pis)
                    console.print(plans.table(plans.measure(made.server.dsn("plans")), pis))
                if everything or given.reports:
                    console.print(reporting.table(reporting.measure(made.server.dsn("reading"), console), pis))
    except StandaloneError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
        return 1
    except signals.Stopped as stopped:
        return 128 + stopped.signum
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; PostgreSQL with fsync and both simulators on the same machine"
        f" (load average {os.getloadavg()[0]:.1f} at the end){'; --quick: too few calls to judge by' if quick else ''}",
        style="dim",
        highlight=False,
    )
    return 0


def _print(console: Console, measured: Measurements) -> None:
    figures, cpu, workers, growth, logging, shipping = measured
    shipped, crews = None if isinstance(shipping, str) else shipping, [] if isinstance(workers, str) else workers
    console.print(table(figures, crews, growth, logging, shipped))
    console.print(cpu_table(cpu))
    if isinstance(workers, str):
        _print_workers(console, workers)
    if isinstance(shipping, str):
        console.print(f"Shipping is not measured: {shipping}.", style="dim", highlight=False)


def _print_sweeps(console: Console, made: Harness, plan: Plan) -> None:
    _begin(made, plan)
    figures, cpu = sweeps.measure(made, plan.creation, plan.times, CREATION, console)
    console.print(sweeps_table(figures))
    console.print(cpu_table(cpu))


def _begin(made: Harness, plan: Plan) -> None:
    made.new_ledger("ledger")
    made.sweep("VA", "ledger", CREATION, STATUS)
    sample.bulk(made.platform.address, plan.creation, plan.beneficiaries, CREATION)


def _print_workers(console: Console, workers: list[Workers] | str) -> None:
    if isinstance(workers, str):
        console.print(f"Workers are not measured: {workers}.", style="dim", highlight=False)
    else:
        console.print(workers_table(workers))


def _print_doorbell(console: Console, payments: int) -> None:
    with harness() as made:  # of the other measurements' payments none may wait for its PI
        ways = doorbell.measure(made, payments, console)
    if isinstance(ways, str):
        console.print(f"The doorbell is not measured: {ways}.", style="dim", highlight=False)
    else:
        console.print(doorbell.table(ways))


def measure_only_workers(made: Harness, plan: Plan, console: Console) -> list[Workers] | str:
    """Seed through the real services, and measure how workers share a sweep. Raises StandaloneError."""
    made.new_ledger("ledger")
    made.sweep("VA", "ledger", STATUS)
    _seed(made, plan.sweep, console)
    return measure_workers(made, "ledger", plan.crews, console)


def measure(made: Harness, plan: Plan, console: Console) -> Measurements:
    """Seed through the real services, and measure. Raises StandaloneError."""
    _begin(made, plan)
    figures, cpu = sweeps.measure(made, plan.creation, plan.times, CREATION, console)
    _seed(made, plan.sweep, console)
    few = _peak(made, console, plan.times)
    workers = measure_workers(made, "ledger", plan.crews, console) if plan.crews else "--workers measures them alone"
    _seed(made, plan.wide - plan.sweep, console)
    figures.append(
        sweeps.measure_figure(made, console, "PIS sweep", "PIS", plan.wide, STATUS, 200, 32, 1.05, plan.times)[0]
    )
    logging = _logging(made, console, plan.wide, plan.times)
    _seed(made, plan.many - plan.wide, console)
    growth = Growth(plan.sweep, plan.many, few, _peak(made, console, 1), 1.2)
    made.sweep("PIS", "ledger", STATUS)  # for a call to multiply
    with console.status(f"shipping {plan.shipped:,} calls"):
        return figures, cpu, workers, growth, logging, measure_shipping(made.server.dsn("ledger"), plan.shipped)


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
