"""Many seeds on all cores: a few processes on one PostgreSQL, each seed on a database of its own."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from faults.simulation.books import make_template
from faults.simulation.simulation import BEHAVIOURS, PAYMENTS, Verdict, simulate
from rich.console import Console

from ifms_standalone.postgres import Server, throwaway

SHOWN = 3
"""What is told of a seed that went wrong; its replay tells all."""

_server: Server | None = None
_payments = PAYMENTS


def run(seeds: Sequence[int], payments: int = PAYMENTS, processes: int | None = None) -> Iterator[Verdict]:
    """The verdicts, as they come."""
    count = min(processes or os.cpu_count() or 1, len(seeds))
    with throwaway() as server:
        make_template(server)
        # Not forked: a forked process would share what libpq and OpenSSL hold.
        context = multiprocessing.get_context("spawn")
        with context.Pool(count, _begin, (server, payments)) as pool:
            yield from pool.imap_unordered(_one, seeds)


def replay(seed: int, payments: int, tell: Callable[[str], None]) -> Verdict:
    """One seed in this process, told as it happens."""
    with throwaway() as server:
        make_template(server)
        return simulate(server, seed, payments=payments, tell=tell)


def _begin(server: Server, payments: int) -> None:
    global _server, _payments
    _server, _payments = server, payments
    gc.freeze()


def _one(seed: int) -> Verdict:
    assert _server is not None
    try:
        return simulate(_server, seed, payments=_payments)
    except Exception as error:  # a fault of the code is a verdict, too
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Verdict(seed, "", 0, Counter(), [f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"])


def progress(
    console: Console,
    verdicts: Iterator[Verdict],
    seeds: Sequence[int],
    fail_fast: bool = False,
    payments: int = PAYMENTS,
) -> bool:
    """Show how it goes and, at last, what came of it; whether all went well."""
    faults: Counter[str] = Counter()
    failed: list[Verdict] = []
    done, told = 0, time.monotonic()
    for verdict in verdicts:
        done += 1
        faults.update(verdict.faults)
        if verdict.wrong:
            failed.append(verdict)
            for text in verdict.wrong[:SHOWN]:
                console.print(f"seed {verdict.seed}: {text}", markup=False)
            console.print(f"  replay: {replay_command(verdict.seed, payments)}", markup=False)
            if fail_fast:
                break
        if time.monotonic() - told >= 10:
            told = time.monotonic()
            console.print(f"{done} of {len(seeds)} seeds, {sum(faults.values())} faults, {len(failed)} failed")
    for name, number in sorted(faults.items()):
        console.print(f"{number:8} {name}", markup=False)
    console.print(f"{done} seeds, {sum(faults.values())} faults of {len(faults)} kinds, {len(failed)} seeds failed")
    if failed:
        console.print("failed: " + " ".join(str(verdict.seed) for verdict in sorted(failed, key=lambda v: v.seed)))
    return not failed


def replay_command(seed: int, payments: int = PAYMENTS) -> str:
    """What shows a seed's whole course again."""
    repeated, unknown = BEHAVIOURS[seed % len(BEHAVIOURS)]
    size = "" if payments == PAYMENTS else f" PAYMENTS={payments}"
    return f"make simulate SEED={seed}{size}    (a repeated PI is answered by {repeated}, an unknown bill by {unknown})"
