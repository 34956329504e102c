"""What must hold of the ledger's rows, whoever wrote them (invariants.sql): a rule finds the rows that break it.

The database refuses most of this by itself (ledger/migrations); here it is looked at afterwards, on all rows, by other
means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from psycopg.types.json import Jsonb

from ifms.ledger.database import Connection
from ifms.ledger.failures import returnable_dates
from ifms.ledger.limits import WAITS, Limits
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus

SHOWN = 10  # rows that are named of each rule; the count tells of all


@dataclass(frozen=True)
class Invariant:
    """A rule: its name, what it says, what to do when it is broken, and a query for one text per row that breaks it."""

    name: str
    meaning: str
    remedy: str
    query: str


@dataclass(frozen=True)
class Finding:
    """A broken rule: how many rows break it, and what is wrong with the first of them."""

    invariant: Invariant
    count: int
    rows: Sequence[str]


def find_violations(connection: Connection, limits: Limits | None = None, *, shown: int = SHOWN) -> list[Finding]:
    """What is broken, rule by rule; in one state of all rows when run by `Database.read_snapshot`."""
    return broken(connection, INVARIANTS, parameters(limits or Limits()), shown=shown)


def broken(
    connection: Connection, rules: Iterable[Invariant], values: Mapping[str, object], *, shown: int = SHOWN
) -> list[Finding]:
    """Which of the rules are broken; `values` are their queries' parameters."""
    values = {**values, "shown": shown}
    findings = []
    for invariant in rules:
        row = connection.execute(
            f"""
            WITH found (violation) AS MATERIALIZED ({invariant.query})
            SELECT (SELECT count(*) FROM found), ARRAY(SELECT violation FROM found ORDER BY violation LIMIT %(shown)s)
            """,
            values,
        ).fetchone()
        assert row is not None
        if row[0]:
            findings.append(Finding(invariant, row[0], row[1]))
    return findings


def parameters(limits: Limits) -> dict[str, object]:
    """What the rules' queries are given: the limits, how long a PI may stand in which status, what goes together."""
    waits = [
        {"pi_type": pi_type, "status": status, "long": f"{getattr(limits, limit).total_seconds()} s", "what": what}
        for (pi_type, status), (limit, what) in WAITS.items()
        if status is not PiStatus.PENDING
    ]
    return asdict(limits) | {"waits": Jsonb(waits), "together": Jsonb(_TOGETHER_ROWS)}


# Which statuses of beneficiaries go with which status of their PI. FD may tell of a failure before the PI is approved.
_B = BeneficiaryStatus
_DONE = {_B.SUCCESSFUL, _B.FAILED}
_TOGETHER: dict[str, dict[PiStatus, set[BeneficiaryStatus]]] = {
    "ORIGINAL": {
        PiStatus.PENDING: {_B.PENDING},
        PiStatus.INITIATED: {_B.INITIATED, _B.FAILED},
        PiStatus.APPROVED: {_B.INITIATED, _B.FAILED},
        PiStatus.IN_PROCESS: {_B.IN_PROCESS, *_DONE},
        PiStatus.SUCCESSFUL: {_B.SUCCESSFUL},
        PiStatus.PARTIAL: _DONE,
        PiStatus.COMPLETED: _DONE,
        # Declined or rejected: its beneficiaries stay as they were, and are paid under new numbers.
        PiStatus.FAILED: {_B.PENDING, _B.INITIATED, _B.FAILED},
    },
    "REVISED": {
        PiStatus.PENDING: {_B.PENDING},
        PiStatus.INITIATED: {_B.IN_PROCESS, *_DONE},
        PiStatus.SUCCESSFUL: {_B.SUCCESSFUL},
        PiStatus.PARTIAL: _DONE,
        PiStatus.COMPLETED: _DONE,
        PiStatus.FAILED: {_B.FAILED},
    },
}
# A repayment goes the way of an original; declined or rejected, its beneficiaries are as failed as they were before.
_TOGETHER["REPAYMENT"] = _TOGETHER["ORIGINAL"] | {PiStatus.FAILED: {_B.FAILED}}
_TOGETHER_ROWS = [
    {"kind": kind, "pi_status": status, "of": of}
    for kind, statuses in _TOGETHER.items()
    for status, allowed in statuses.items()
    for of in sorted(allowed)
]

# What a movement does to its sanction's balances.
_SIGNED = """
    SELECT m.*, CASE kind WHEN 'ALLOTMENT' THEN amount WHEN 'WITHDRAWAL' THEN -amount ELSE 0 END AS allotted,
           CASE WHEN kind = 'RESERVE' THEN amount WHEN kind IN ('RELEASE', 'DEBIT') THEN -amount ELSE 0 END AS reserved,
           CASE kind WHEN 'DEBIT' THEN amount WHEN 'REVERSAL' THEN -amount ELSE 0 END AS spent
    FROM ifms.fund_movement m
"""

_DAY = "((now() - {}) AT TIME ZONE 'Asia/Kolkata')::date"
_RETURNABLE = returnable_dates(
    _DAY.format("%(returnable)s::interval"), _DAY.format("%(unasked)s::interval"), "now() - %(unasked)s::interval"
)


def read_rules(path: Path) -> Iterator[Invariant]:
    """The rules of a file like invariants.sql, in its order."""
    for block in path.read_text(encoding="utf-8").split("\n-- invariant: ")[1:]:
        name, holds, remedy, query = block.split("\n", 3)
        yield Invariant(
            name,
            holds.removeprefix("-- holds: "),
            remedy.removeprefix("-- remedy: "),
            query.replace("{signed}", _SIGNED).replace("{returnable}", _RETURNABLE),
        )


INVARIANTS = tuple(read_rules(Path(__file__).with_suffix(".sql")))
