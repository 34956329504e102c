"""Run seeds: `python -m faults.simulation --seeds 1-10`; exit code 1 when one of them goes wrong.

`make simulate SEEDS=20000` runs so many on all cores, `make simulate SEED=123` runs one and tells all that happens;
`PAYMENTS=12` makes them small, which is another course for the same seed.
"""

from __future__ import annotations

import argparse
import sys

from faults.simulation.many import progress, replay, run
from faults.simulation.simulation import PAYMENTS
from rich.console import Console


def seeds(text: str) -> range:
    """`10` is the seeds 1 to 10, `5-8` the seeds 5 to 8."""
    first, dash, last = text.partition("-")
    found = range(int(first), int(last) + 1) if dash else range(1, int(first) + 1)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} names no seed")
    return found


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="simulate", description="Whole cycles under faults that a seed decides.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seeds", type=seeds, help="how many seeds (10), or which (5-8)")
    which.add_argument("--seed", type=int, help="one seed, with everything that happens in it")
    parser.add_argument("--payments", type=int, default=PAYMENTS, help="payments of each seed (default: %(default)s)")
    parser.add_argument("--processes", type=int, help="how many at a time (default: one per core)")
    parser.add_argument("--fail-fast", action="store_true", help="end with the first seed that goes wrong")
    args = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    if args.seed is not None:
        verdict = replay(args.seed, args.payments, console.out)
        for each in verdict.wrong:
            console.print(f"WRONG {each}", markup=False)
        console.out(f"trace {verdict.trace}")
        return 1 if verdict.wrong else 0
    verdicts = run(args.seeds, args.payments, args.processes)
    return 0 if progress(console, verdicts, args.seeds, args.fail_fast, args.payments) else 1


if __name__ == "__main__":
    sys.exit(main())
