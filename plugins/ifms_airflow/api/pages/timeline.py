"""The way of a PI through the treasury, step by step, and what came of an action that somebody started on its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ifms.ledger.database import Connection
from ifms.queries.instruction import Around, Row, Whole, by_number, corrected_as
from ifms_airflow.api.dag_runs import Started
from ifms_airflow.api.pages.messages import t

# Each step, and the status with which it is done. The treasury neither approves a revision nor advises it.
_STEPS = {
    "ORIGINAL": (("received", "INITIATED"), ("approved", "APPROVED"), ("advice", "IN PROCESS")),
    "REVISED": (("received", "INITIATED"),),
}
_PAID = {"SUCCESSFUL", "PARTIAL", "COMPLETED"}


@dataclass(frozen=True)
class Step:
    """One step: done, next, failed, or later; `at` when it was done, None where no time is known."""

    name: str
    state: str
    at: datetime | None = None


def steps(whole: Whole) -> list[Step]:
    """The steps of a PI in their order; what has ended without being paid fails at the step it was waiting for."""
    pi, reached = whole.pi, _reached(whole)
    way = _STEPS[pi["pi_type"]]
    order = [status for _, status in way]
    if pi["status"] in _PAID:
        done = len(way) + 1
    elif pi["status"] in order:
        done = order.index(pi["status"]) + 1
    else:  # PENDING, or FAILED: as far as it is known to have come
        done = max((order.index(status) + 1 for status in order if status in reached), default=0)
    ended = pi["status"] == "FAILED"
    made = [Step("created", "done", pi["created_at"])]
    for place, (name, status) in enumerate(way):
        made.append(_step(name, place, done, reached.get(status), pi if ended else None))
    failed = sum(row["status"] == "Payment Failed" for row in whole.beneficiaries)
    if done > len(way) and failed:  # nobody reads a green "Paid" over money that has come back
        name = "paid_partly" if failed < len(whole.beneficiaries) else "unpaid"
        return [*made, Step(name, "failed", pi["status_since"])]
    paid = min((reached[status] for status in _PAID if status in reached), default=None)
    made.append(_step("paid", len(way), done, paid or pi["paid_at"], pi if ended else None))
    return made


def _step(name: str, place: int, done: int, at: datetime | None, ended: Row | None) -> Step:
    if place < done:
        return Step(name, "done", at)
    if place == done and ended is not None:
        return Step(name, "failed", ended["status_since"])
    return Step(name, "next" if place == done and ended is None else "later")


def _reached(whole: Whole) -> dict[str, datetime]:
    """When it first came to each status."""
    return {row["to_status"]: row["created_at"] for row in whole.log if row["to_status"]}  # the newest is first


# After an action ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of an action, in the story's words (texts.md §2), and the new PI that came of it."""

    tone: str
    text: str
    number: str | None = None


def outcome(connection: Connection, started: Started, whole: Whole, about: Around) -> Outcome | None:
    """What a run that was started on this PI's page has brought; None while it runs, and for one that only asks.

    Only what happened within the run counts: a page that is looked at again later says the same.
    """
    action = started.run_id.partition("__")[0]
    if not started.over or action not in {"resubmit", "revise", "repay"}:
        return None
    pi = whole.pi
    if action == "resubmit":
        made = [r for r in about.later if started.covers(r["created_at"]) and _succeeds(r, pi)]
        number = made[-1]["pi_number"] if made else None
        found = whole if number is None else by_number(connection, number)
        submitted, why = _submitted(found, started)
        if submitted:
            return Outcome("good", t("out.submitted"), number)
        return Outcome("bad", t("out.failed", message=why or t("out.no_answer")), number)
    root = corrected_as(pi)
    field = "parent_pi_number" if action == "revise" else "repayment_of"
    made = [row for row in about.later if started.covers(row["created_at"]) and row[field] == root]
    if not made:
        return Outcome("bad", t("out.nothing"))
    number = made[-1]["pi_number"]
    submitted, why = _submitted(by_number(connection, number), started)
    kind = t("out.revised" if action == "revise" else "out.anew")
    if submitted:
        return Outcome("good", t("out.generated", kind=kind, number=number), number)
    text = t("out.generated.failed", kind=kind, number=number)
    return Outcome("bad", f"{text} {why}" if why else text, number)


def _succeeds(row: Row, pi: Row) -> bool:
    return row["pi_type"] == pi["pi_type"] and row["parent_pi_number"] is None and row["repayment_of"] is None


def _submitted(whole: Whole | None, started: Started) -> tuple[bool, str | None]:
    """Whether the treasury has taken it within the run; else what was last said about it then."""
    rows = [row for row in whole.log if started.covers(row["created_at"])] if whole else []
    if any(row["to_status"] == "INITIATED" for row in rows):
        return True, None
    return False, next((row["message"] for row in rows if row["message"]), None)
