"""What a payment instruction has come through and what is next: the line at the top of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ifms.queries.instruction import Whole

_PATHS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ORIGINAL": (
        ("created", "PENDING"),
        ("received", "INITIATED"),
        ("approved", "APPROVED"),
        ("advice", "IN PROCESS"),
        ("paid", "SUCCESSFUL"),
    ),
    "REVISED": (("created", "PENDING"), ("received", "INITIATED"), ("paid", "SUCCESSFUL")),
}
"""Step and the status that it is reached with; a revised PI has no approval and no advice of its own (PIS, PAG)."""

_ENDS = {"FAILED": "ended", "PARTIAL": "failed", "COMPLETED": "revised"}


@dataclass(frozen=True)
class Step:
    """A step of the line."""

    name: str
    state: Literal["done", "now", "later", "bad"]
    at: datetime | None = None
    """When it was reached; None before that, and where nobody has noted it (as of imported PIs)."""


def steps(whole: Whole) -> list[Step]:
    """The steps of a PI in their order: those behind it, the one that it waits for, those that follow."""
    pi = whole.pi
    reached: dict[str, datetime] = {"PENDING": pi["created_at"]}
    latest: dict[str, datetime] = {}
    for row in reversed(whole.log):
        if row["to_status"] is not None:
            reached.setdefault(row["to_status"], row["created_at"])
            latest[row["to_status"]] = row["created_at"]
    if pi["paid_at"] is not None:
        reached.setdefault("SUCCESSFUL", pi["paid_at"])
    path = _PATHS[pi["pi_type"]]
    status = pi["status"]
    end = _ENDS.get(status)
    last = max(place for place, (_, of) in enumerate(path) if of in reached or of == status)
    if status in ("PARTIAL", "COMPLETED"):  # it was with the bank, and not everybody need have been paid
        last = max(last, len(path) - 2)
    line = [Step(name, "done", reached.get(of)) for name, of in path[: last + 1]]
    if end is not None:
        return [*line, Step(end, "done" if end == "revised" else "bad", latest.get(status))]
    ahead = path[last + 1 :]
    return line + [Step(name, "later" if place else "now") for place, (name, _) in enumerate(ahead)]
