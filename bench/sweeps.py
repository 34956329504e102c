"""What sweeps that ask the treasury about each PI take: time beyond its latency, and CPU, here and in PostgreSQL."""

from __future__ import annotations

from statistics import median

import psycopg
from rich.console import Console

from bench.figures import Cpu, Figure
from bench.harness import Harness
from bench.sweep import Measured
from ifms_standalone.errors import StandaloneError

# Latency (ms), concurrency, and what is allowed: the ratio to the limit, and CPU per PI (ms), here and in PostgreSQL.
SWEEPS = (
    ("PI creation", "PI", 200, 32, 1.3, None),
    ("PI creation", "PI", 50, 16, 2.5, (4.5, 3.5)),
    ("PIS sweep", "PIS", 50, 16, 1.15, (1.8, 1.2)),
    ("PAG sweep", "PAG", 50, 16, 1.15, (1.8, 1.2)),
    ("PD sweep", "PD", 50, 16, 1.3, (2.5, 2.0)),
    ("FTPS sweep", "FTPS", 50, 16, 1.3, (2.5, 2.0)),
)


def measure(made: Harness, pis: int, times: int, tenant: str, console: Console) -> tuple[list[Figure], list[Cpu]]:
    """Make so many PIs of a city, and follow them until they are paid, and paid again: each step several times."""
    figures: list[Figure] = []
    cpu: list[Cpu] = []
    for what, service, latency_ms, concurrency, allowed, cpu_allowed in SWEEPS:
        if service == "FTPS":
            _correct_all(made, tenant, console)
        figure, taken = measure_figure(
            made, console, what, service, pis, tenant, latency_ms, concurrency, allowed, times
        )
        figures.append(figure)
        if cpu_allowed is not None:
            cpu.append(Cpu(what, pis, taken, cpu_allowed))
            set_latency(made, 0)
            made.sweep(service, "ledger", tenant)  # which the next one goes on from
    return figures, cpu


def measure_figure(
    made: Harness,
    console: Console,
    what: str,
    service: str,
    calls: int,
    tenant: str,
    latency_ms: int,
    concurrency: int,
    allowed: float,
    times: int,
) -> tuple[Figure, tuple[float, float]]:
    """The sweep's time against its limit, and its CPU per call in milliseconds, here and in PostgreSQL: medians."""
    set_latency(made, latency_ms)
    taken: list[Measured] = []
    for number in range(times):
        with console.status(f"{what}, {latency_ms} ms, {concurrency} at a time: {number + 1} of {times}"):
            measured = made.sweep_on_copy(service, "ledger", tenant, concurrency=concurrency)
        if measured.counts.get("answered") != calls:
            raise StandaloneError(f"{what}: of {calls} calls, {measured.counts.get('answered', 0)} were answered.")
        taken.append(measured)
    cpu = median(each.cpu_seconds for each in taken), median(each.database_cpu_seconds for each in taken)
    figure = Figure(what, calls, latency_ms, concurrency, tuple(each.seconds for each in taken), allowed)
    return figure, (cpu[0] / calls * 1000, cpu[1] / calls * 1000)


def _correct_all(made: Harness, tenant: str, console: Console) -> None:
    """All that was paid comes back, each payee has another account, and all are in revisions. Nobody measures this."""
    with console.status("all payments fail, and are corrected"), psycopg.connect(made.server.dsn("ledger")) as ledger:
        payees = ledger.execute("SELECT DISTINCT beneficiary_id FROM ifms.beneficiary ORDER BY 1").fetchall()
        bills = ledger.execute("SELECT pi_number FROM ifms.payment_instruction").fetchall()
        made.treasury.control("POST", "failures", [{"bill_number": number} for (number,) in bills])
        changes = [
            {"tenantId": tenant, "referenceId": payee, "accountNumber": f"9{place:011d}"}
            for place, (payee,) in enumerate(payees)
        ]
        made.platform.control("POST", "accounts", changes)
        for service in ("FD", "COR"):
            made.sweep(service, "ledger", tenant)


def set_latency(made: Harness, milliseconds: int) -> None:
    """Let the treasury answer each call after so many milliseconds."""
    made.treasury.control("POST", "settings", {"latency_ms": milliseconds})
