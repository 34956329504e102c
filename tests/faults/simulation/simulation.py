"""One seed from its first bill to its last rupee: a storm of faults, then calm until nothing is due any more."""

from __future__ import annotations

import gc
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import psycopg
import support.adapter
from faults.simulation.books import Books, books
from faults.simulation.checker import Checker
from faults.simulation.java import JavaAdapter
from faults.simulation.people import PERSON, People
from faults.simulation.platform import PlatformLine, Town
from faults.simulation.process import Connection, Process
from faults.simulation.threads import Done, Workers
from faults.simulation.treasury import MONEY, Office, TreasuryLine
from faults.simulation.world import Killed, World
from support.adapter import Adapter
from support.simulators import Simulators

import ifms.clock
import ifms.ledger.claims
import ifms.ledger.database
import ifms.platform.client
import ifms.platform.portions
import ifms.services.instruction_draft
import ifms.services.pi
import ifms.sweep.pipeline
import ifms.treasury.client
import ifms_simulator.platform.state
import ifms_simulator.treasury.state
from ifms.errors import IfmsError, LedgerError
from ifms.ledger import restores
from ifms.ledger.database import Database, refusal
from ifms.platform.client import PlatformClient
from ifms.sweep.scope import Scope
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms_standalone.postgres import Server

CYCLE = ("VA", "PA", "PI", "PIS", "PAG", "PD", "FD", "COR", "FTPS", "FTFPS", "RELAY")
PAYMENTS = 200
CITIES = 4
FEW = 48
"""With fewer payments two cities do: VA asks for each one's every head of account."""
STORM_ROUNDS = 4
CALM_ROUNDS = 14
"""Within so many rounds without faults everything is paid; each step of a bill may take one."""
WORKERS = 4

BEHAVIOURS = [(repeated, unknown) for repeated in ("duplicate", "success") for unknown in ("error", "empty")]
"""What nobody outside the treasury knows: its answers to a repeated PI, and to PIS about an unknown bill."""


@dataclass
class Verdict:
    """What became of one seed; it is right when nothing is in `wrong`."""

    seed: int
    trace: str
    events: int
    faults: Counter[str]
    wrong: list[str] = field(default_factory=list)


class _Adapter(Adapter):
    """The adapter of the tests, with the seams of a process instead of its own connections."""

    def sweep(self, service: str, stop: Any = None) -> TreasurySweep:
        assert Process.current is not None
        process = Process.current
        sweep = super().sweep(service, process.stop)
        sweep.db = Database(partial(process.connect, self.dsn))
        return sweep


@dataclass
class Simulation:
    """One seed's run."""

    world: World
    books: Books
    office: Office
    town: Town
    people: People
    checker: Checker
    adapter: Adapter
    java: JavaAdapter
    pool: list[Connection] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    """What was wrong after a sweep."""

    def run(self, payments: int = PAYMENTS, rounds: int = STORM_ROUNDS) -> list[str]:
        """Storm and calm; what is wrong at the first time that something is."""
        world = self.world
        self.books.time_is(world.clock.instant)
        self.people.approve_bills(payments)
        imports = world.chance(0.25)
        steps = [world.random.randrange(rounds * len(CYCLE)) for _ in range(2)] if world.chance(0.25) else [-1]
        backup, restore = min(steps), max(steps)
        for number in range(1, rounds + 1):
            for place, service in enumerate(CYCLE):
                step = (number - 1) * len(CYCLE) + place
                if step == backup:
                    self._back_up()
                if step == restore > backup:
                    self._restore()
                if imports and number == 1 and service == "PI":
                    self.java.hand_over(self.people.accounts)
                    self.people.unaccounted |= self._imported()
                if world.chance(0.9):
                    self._sweep(service, f"{service}/{number}")
                    self._time_passes(world.choose((2, 11, 45, 180, 600)))
                    self.found += self.checker.lines()
            self.people.go_about()
            wrong = self._refused() or self.found or self.checker.at_any_time()
            if wrong:
                return [f"after round {number}: {each}" for each in wrong]
        return self._calm_down()

    def _calm_down(self) -> list[str]:
        world = self.world
        world.calm = True
        self.people.allot_enough()
        unfinished: list[str] = []
        for number in range(1, CALM_ROUNDS + 1):
            world.event(f"calm round {number}")
            self.people.allot_enough()  # again: no VA may have come through before the calm
            self.people.go_about()
            for service in CYCLE:
                self._sweep(service, f"{service}/calm {number}")
                self._time_passes(180)
                self.found += self.checker.lines()
            wrong = self._refused() or self.found or self.checker.at_any_time()
            if wrong:
                return [f"after calm round {number}: {each}" for each in wrong]
            unfinished = self.checker.unfinished()
            if not unfinished:
                return self.checker.at_the_end()
        return [f"after {CALM_ROUNDS} calm rounds: {each}" for each in unfinished]

    def _refused(self) -> list[str]:
        return [f"a guard of the database had to refuse: {text}" for text in self.world.refused]

    def _imported(self) -> set[str]:
        rows = self.books.rows("SELECT pi_number FROM ifms.payment_instruction WHERE imported_at IS NOT NULL")
        return {row["pi_number"] for row in rows}

    def _back_up(self) -> None:
        self._disconnect()
        self.books.back_up()
        self.world.event("the ledger is backed up")

    def _restore(self) -> None:
        """Set the ledger back to its backup, and say so, as a person does."""
        lost = self.checker.before_restore()
        self._disconnect()
        self.books.restore()
        self.people.unaccounted |= self.checker.after_restore(lost)
        with self.books.person() as connection:
            known = restores.begin(connection, PERSON)
        self.world.event(f"the ledger is restored; {known.held_back} PIs are held back")
        self.world.fault("restore")

    def _disconnect(self) -> None:
        while self.pool:
            self.pool.pop().cut()

    def _time_passes(self, minutes: int) -> None:
        """What is on its way arrives, then time passes for everybody: also for the ledger's server."""
        self.office.deliver_late()
        clock = self.world.clock
        clock.instant += timedelta(minutes=minutes)
        self.books.time_is(clock.instant)

    def _sweep(self, service: str, name: str) -> None:
        """One sweep in a process of its own, and what may happen to it."""
        world = self.world
        process = Process(world, name, pool=self.pool, keep_time=self.books.keep_time)
        if not world.calm:
            # Above all where money moves.
            process.level = world.weighted(
                {0.0: 2, 0.06: 4, 0.3: 4, 1.0: 1} if service in MONEY else {0.0: 4, 0.06: 5, 0.25: 2, 1.0: 1}
            )
            process.platform_level = world.weighted({0.0: 10, 0.04: 5, 0.3: 1, 1.0: 1})
            if world.chance(0.25):
                process.kill_at = 1 + int(world.random.expovariate(1 / 70))
            if world.chance(0.08):
                process.stop_at = 1 + int(world.random.expovariate(1 / 40))
            if world.chance(0.12):
                process.sleep_at = 1 + int(world.random.expovariate(1 / 40))
                process.asleep = partial(self._asleep, service)
            for _ in range(3):
                if world.chance(0.1):
                    kind = world.choose(("deadlock", "cut before COMMIT", "cut at COMMIT"))
                    process.break_at[1 + int(world.random.expovariate(1 / 30))] = kind
        self._run(process, service)

    def _asleep(self, service: str, _: Process) -> None:
        """While a copy is asleep, its claims run out, and another copy does the work."""
        self._time_passes(15)
        self._run(Process(self.world, f"{service}/other copy", pool=self.pool, keep_time=self.books.keep_time), service)

    def _run(self, process: Process, service: str) -> None:
        outer, Process.current = Process.current, process
        self.world.event(f"{process.name} begins")
        try:
            if service == "COR" or (service == "RELAY" and not self.world.chance(0.5)):
                sweep = self.adapter.correct() if service == "COR" else self.adapter.relay(again=[])
            else:
                since = self.world.clock.beginning if self.world.calm and service == "FD" else None
                sweep = self.adapter.run(service, Scope(since=since))
            counts = sweep.counts
        except Killed:
            counts, ending = Counter(), "killed"
        except (IfmsError, psycopg.OperationalError) as error:
            counts, ending = Counter(), f"{type(error).__name__}: {error}"
        else:
            ending = "well"
            if self.world.calm and service in MONEY:
                self.found += self.checker.green(service)
        finally:
            Process.current = outer
            process.close()
        said = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()) if number)
        self.world.event(f"{process.name} ends: {ending}. {said}")


@contextmanager
def seams(world: World, office: Office, town: Town) -> Iterator[None]:
    """Put chance and the world's clock in the place of threads, networks and time."""
    clock = world.clock
    time = SimpleNamespace(time=clock.time, sleep=clock.sleep, monotonic=clock.time)
    replaced: list[tuple[Any, str, Any]] = [
        (ifms.clock, "now", clock.now),
        (ifms.treasury.client, "now", clock.now),
        (ifms.treasury.client, "Transport", TreasuryLine),
        (ifms.platform.client, "Transport", PlatformLine),
        (ifms.sweep.pipeline, "ThreadPoolExecutor", Workers),
        (ifms.sweep.pipeline, "SimpleQueue", Done),
        (ifms.services.pi, "ThreadPoolExecutor", Workers),
        (ifms.ledger.database, "time", time),
        (ifms.ledger.database, "refusal", partial(_refusal, world)),
        (ifms.ledger.claims, "time", time),
        (ifms.services.instruction_draft, "time", time),
        (ifms.platform.portions, "random", world.random),
        (ifms_simulator.treasury.state, "time", time),
        (ifms_simulator.platform.state, "time", time),
        (support.adapter, "PlatformClient", partial(PlatformClient, sleep=clock.sleep)),
        (TreasuryLine, "office", office),
        (PlatformLine, "town", town),
        (Workers, "world", world),
        (Done, "world", world),
    ]
    with ExitStack() as stack:
        for owner, name, stand_in in replaced:
            stack.enter_context(
                patch.object(owner, name, stand_in, create=owner in (TreasuryLine, PlatformLine, Workers, Done))
            )
        stack.enter_context(patch.object(sys, "unraisablehook", _of_the_living))
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        yield


def _refusal(world: World, error: Exception) -> LedgerError:
    """What the database's guards had to refuse is wrong already, even where nothing came of it.

    Only a correction after a restore is left to the guard.
    """
    told = refusal(error)
    if type(told) is LedgerError and not str(told).startswith("the ledger was restored"):
        world.refused.append(str(told))
    return told


def _of_the_living(unraisable: Any) -> None:
    """A killed process's generators are closed by nobody: what they say then is not said."""
    if not isinstance(unraisable.exc_value, Killed):
        sys.__unraisablehook__(unraisable)


def simulate(
    server: Server, seed: int, *, payments: int = PAYMENTS, tell: Callable[[str], None] | None = None
) -> Verdict:
    """Run one seed on a server that has the template; the same seed always takes the same course."""
    world = World(seed, tell)
    repeated, unknown = BEHAVIOURS[seed % len(BEHAVIOURS)]
    world.event(f"seed {seed}: a repeated PI is answered by {repeated}, an unknown bill by {unknown}")
    with books(server) as ledger:
        office = Office.open(
            world,
            repeated_pi=repeated,
            unknown_bill=unknown,
            pace_seconds=world.choose((0, 5 * 3600, 20 * 3600)),
            fd_reading=world.choose(("on", "since")),
            allotment_initial=world.choose((("200000.00", "300000.00"), ("15000.00", "9000.00"))),
            allotment_additional="3000.00",
            allotment_withdrawal="1000.00",
        )
        town = Town.open(world, CITIES if payments >= FEW else 2)
        with seams(world, office, town):
            people = People(world, ledger, office, town)
            simulators = Simulators(
                "https://treasury.sample", "https://platform.sample", office.treasury.sessions.public_key
            )
            adapter = _Adapter(ledger.dsn, simulators, {"max_concurrency": WORKERS, "use_earlier_years": True})
            simulation = Simulation(
                world,
                ledger,
                office,
                town,
                people,
                Checker(ledger, office, town, people),
                adapter,
                JavaAdapter(world, ledger, office, town),
            )
            gc.disable()  # a seed is over sooner than its garbage matters
            try:
                wrong = simulation.run(payments)
            finally:
                gc.enable()
                for connection in simulation.pool:
                    connection.cut()
    return Verdict(seed, world.trace, world.events, world.faults, wrong)
