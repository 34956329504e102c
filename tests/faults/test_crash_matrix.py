"""F1: a sweep is killed before and after each of its effects; two sweeps later all is as if nothing had happened.

The points are found, not listed: an undisturbed run tells which there are. Around each the process dies by SIGKILL, with
its transaction open, or its call answered and not written down.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support import failed, figures
from support.adapter import Adapter, Treasury
from support.crashes import Scenario, Stage
from support.warm import Warm, warm

from ifms.errors import SweepError
from ifms_standalone.postgres import Server

REFUSED_IFSC = "SMPL0000009"


def funded(adapter: Adapter, bills: int = 2, payees: int = 2) -> None:
    """Allotments, and payments for wage bills."""
    adapter.run("VA")
    for _ in range(bills):
        failed.wage_bill(adapter, payees)
    adapter.run("PA")


def numbers(adapter: Adapter, pi_type: str = "ORIGINAL") -> list[str]:
    """The numbers of the PIs, the oldest first."""
    rows = adapter.rows(
        "SELECT pi_number FROM ifms.payment_instruction WHERE pi_type = %s ORDER BY created_at", pi_type
    )
    return [row["pi_number"] for row in rows]


def allotments(adapter: Adapter, treasury: Treasury) -> None:
    """VA: nothing is known yet; each head of account has sanctions with an additional allotment and a withdrawal."""


def approved_bills(adapter: Adapter, treasury: Treasury) -> None:
    """PA: two bills without a payment."""
    adapter.run("VA")


def open_payments(adapter: Adapter, treasury: Treasury) -> None:
    """PI: one accepted without our knowing, one that never arrived, one new, one to be declined, one without funds."""
    adapter.run("VA")
    for what_happens in ("lost_reply", "refuse"):
        failed.wage_bill(adapter, 2)
        adapter.run("PA")
        treasury.rule("PI", what_happens)
        treasury.rule("PIS", "refuse")
        with contextlib.suppress(SweepError):
            adapter.run("PI")
        treasury.clear()
    assert adapter.statuses() == {"PENDING": 2}
    assert len(treasury.accepted) == 1
    failed.wage_bill(adapter, 2)
    bill = {"type": "wage", "tenantId": failed.TENANT}
    [declined] = adapter.simulators.ask_platform("POST", "bills", bill)
    change = {"tenantId": failed.TENANT, "referenceId": declined["payees"][0], "ifsc": REFUSED_IFSC}
    adapter.simulators.ask_platform("POST", "accounts", change)
    adapter.simulators.ask_platform("POST", "bills", bill | {"amounts": ["900000000"]})
    adapter.run("PA")


def sent_instructions(adapter: Adapter, treasury: Treasury) -> None:
    """PIS: one to be approved, one to be rejected."""
    funded(adapter)
    adapter.run("PI")
    treasury.rule("PIS", "reject", bill_number=numbers(adapter)[1])


def approved_instructions(adapter: Adapter, treasury: Treasury) -> None:
    """PAG: two to get their advice."""
    funded(adapter)
    adapter.run("PI")
    adapter.run("PIS")


def instructions_in_process(adapter: Adapter, treasury: Treasury) -> None:
    """PD: one paid, one paid in part, one of whose beneficiaries one has failed."""
    funded(adapter, bills=3)
    for service in ("PI", "PIS", "PAG"):
        adapter.run(service)
    _, in_part, with_failure = numbers(adapter)
    treasury.rule("PD", "partial_scrolls", bill_number=in_part, beneficiaries=1)
    failed.fail(adapter, 1, with_failure)
    adapter.run("FD")


def returned_payments(adapter: Adapter, treasury: Treasury) -> None:
    """FD: two of one PI's beneficiaries have failed, one of another's."""
    funded(adapter)
    for service in ("PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    one, other = numbers(adapter)
    failed.fail(adapter, "all", one)
    failed.fail(adapter, 1, other)


def failed_payments(adapter: Adapter, treasury: Treasury) -> None:
    """One beneficiary of each of two PIs has failed, and FD has told so."""
    funded(adapter)
    for service in ("PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    for number in numbers(adapter):
        failed.fail(adapter, 1, number)
    adapter.run("FD")


def corrections(adapter: Adapter, treasury: Treasury) -> None:
    """COR: one revision accepted without our knowing, another beneficiary whose account has been corrected."""
    failed_payments(adapter, treasury)
    one, other = failed.failing(adapter)
    failed.mend(adapter, [one])
    treasury.rule("COR", "lost_reply", times=1)
    with contextlib.suppress(SweepError):
        adapter.correct()
    assert adapter.statuses()["PENDING"] == 1
    failed.mend(adapter, [other], account="000099990009")


def late_failures(adapter: Adapter, treasury: Treasury) -> list[str]:
    """COR: what failed too long ago to be corrected is paid anew."""
    failed_payments(adapter, treasury)
    failed.long_ago(adapter)
    return numbers(adapter)


def corrected(adapter: Adapter, treasury: Treasury) -> None:
    """FTPS: two revisions are on their way."""
    failed_payments(adapter, treasury)
    failed.mend(adapter)
    adapter.correct()


def returned_again(adapter: Adapter, treasury: Treasury) -> None:
    """FTFPS: of two paid revisions one has failed again."""
    corrected(adapter, treasury)
    adapter.run("FTPS")
    failed.fail(adapter, 1, numbers(adapter, "REVISED")[0])


def undeliverable(adapter: Adapter, treasury: Treasury) -> None:
    """RELAY: several messages about each of two payments, of whole payments and of single lines."""
    failed_payments(adapter, treasury)


LENIENT = {"repeated_pi": "success", "unknown_bill": "empty"}

SCENARIOS = {
    "VA": Scenario("VA", allotments),
    "PA": Scenario("PA", approved_bills, then=("PI",), bills=2),
    "PI": Scenario("PI", open_payments, treasury={"refused_ifsc": [REFUSED_IFSC]}),
    "PI, other answers": Scenario("PI", open_payments, treasury={"refused_ifsc": [REFUSED_IFSC], **LENIENT}),
    "PIS": Scenario("PIS", sent_instructions),
    "PAG": Scenario("PAG", approved_instructions),
    "PD": Scenario("PD", instructions_in_process),
    "FD": Scenario("FD", returned_payments),
    "COR": Scenario("COR", corrections),
    "COR, other answers": Scenario("COR", corrections, treasury=LENIENT),
    "COR, anew": Scenario("COR", late_failures, then=("PI",)),
    "FTPS": Scenario("FTPS", corrected),
    "FTFPS": Scenario("FTFPS", returned_again),
    "RELAY": Scenario("RELAY", undeliverable),
}


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """The process that sweeps are forked from."""
    with warm(tmp_path_factory.mktemp("warm")) as process:
        yield process


@pytest.mark.timeout(900)  # some fifty crashes; half a minute on a machine with nothing else to do
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_anywhere_it_comes_to_the_same(
    postgres: Server, ledger_template: str, forks: Warm, tmp_path: Path, name: str
):
    stage = Stage(SCENARIOS[name], postgres, ledger_template, tmp_path / "stage", forks)
    with closing(stage):
        wrong = {point: stage.killed_at(point) for point in range(len(stage.points))}
    told = [
        f"killed {stage.points[point]} (point {point} of {len(stage.points)}):\n    " + "\n    ".join(left)
        for point, left in wrong.items()
        if left
    ]
    assert not told, "\n".join(told)
    figures.add("crash points", len(stage.points))
