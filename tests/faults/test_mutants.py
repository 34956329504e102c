"""The suite is tested, too: faults that were found here or in the adapter before, put back one by one, turn it red."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import figures
from support.environment import REPO

FUNDS = "include/ifms/ledger/funds.py"
INSTRUCTIONS = "include/ifms/ledger/instructions.py"
BASELINE = "include/ifms/ledger/migrations/versions/0001_baseline"
SENDING = "include/ifms/sweep/submission.py"
MONEY = f"{BASELINE}/08_money.sql"


@dataclass(frozen=True)
class Mutant:
    """Texts to be exchanged, by file, and the tests that must not let it pass."""

    changes: tuple[tuple[str, str, str], ...]
    caught_by: tuple[str, ...]


MUTANTS = {
    "sent before it is saved": Mutant(
        (
            (
                "include/ifms/services/pi.py",
                "        announced = self.sender.announce(writes, bills)\n        writes.flush()\n",
                "        announced = self.sender.announce(writes, bills)\n"
                "        [self.treasury.call(request) for _, request in bills]\n        writes.flush()\n",
            ),
        ),
        ("tests/include/ifms/services/test_pi.py::test_a_number_that_was_given_before_is_nobody_else_s",),
    ),
    "unknown is failed": Mutant(
        (
            (
                "include/ifms/sweep/submission.py",
                '                columns = {"refusal": None, "refused_first": False, "absent_since": None}\n'
                "                label = self._unsettled(writes, item, LogStatus.NO_RESPONSE, reason, service, (), **columns)\n"
                "                return _Concluded(label, None if understood else reason)\n",
                "                return _Concluded(self.kind.declined(writes, item.pi, item.claim, (ReplyError(None, reason),)).label)\n",
            ),
        ),
        ("tests/include/ifms/services/test_pi.py", "tests/include/ifms/sweep/test_submission.py"),
    ),
    "balances are looked up and written back": Mutant(
        (
            (FUNDS, "    FOR UPDATE OF s\n", ""),
            (MONEY, "    UPDATE ifms.sanction s SET\n", "    SELECT * INTO held FROM ifms.sanction WHERE id = NEW.sanction_id;\n    UPDATE ifms.sanction s SET\n"),
            (MONEY, "        reserved_amount = reserved_amount + CASE", "        reserved_amount = held.reserved_amount + CASE"),
            (MONEY, "        spent_amount = spent_amount + CASE", "        spent_amount = held.spent_amount + CASE"),
            (MONEY, "DECLARE\n    needs text :=", "DECLARE\n    held ifms.sanction%ROWTYPE;\n    needs text :="),
        ),
        ("tests/faults/test_concurrency.py::test_64_connections_reserve_on_one_sanction_at_once",),
    ),
    "failures of a single date": Mutant(
        (
            (
                "include/ifms/services/fd.py",
                "        yield from dates\n",
                "        yield from dates[:1]\n",
            ),
        ),
        ("tests/include/ifms/services/test_fd.py",),
    ),
    "a look-up in place of a unique key": Mutant(
        (
            (f"{BASELINE}/06_instructions.sql", "CREATE UNIQUE INDEX one_original_per_payment", "CREATE INDEX one_original_per_payment"),
            (
                INSTRUCTIONS,
                "    made = _write(target, [_row_of(each) for each in originals], keyring)\n",
                "    for new in contents:\n"
                "        if connection_of(target).execute(\n"
                '            "SELECT FROM ifms.payment_instruction WHERE tenant_id = %s AND payment_number = %s"\n'
                "            \" AND status <> 'FAILED'\",\n"
                "            (new.payment.tenant_id, new.payment.payment_number),\n"
                "        ).fetchone():\n"
                '            raise ConflictError("the payment has a live PI")\n'
                "    made = _write(target, [_row_of(each) for each in originals], keyring)\n",
            ),
        ),
        ("tests/include/ifms/ledger/test_guards.py::test_a_second_live_original_for_a_payment_is_refused",),
    ),
    "a PI is sent whatever its signature says": Mutant(
        (
            (
                "include/ifms/ledger/binding.py",
                "        keyring.signer.check(content_of(pi, rows, accounts, bill_ids), pi.signature)\n",
                "        content_of(pi, rows, accounts, bill_ids)\n",
            ),
        ),
        ("tests/include/ifms/services/test_still_owed.py::test_a_row_that_was_rewritten_is_not_sent",),
    ),
    "an account number opens in any row": Mutant(
        (
            (
                "include/ifms/ledger/binding.py",
                '    return context("beneficiary.account_sealed", tenant_id, pi_number, *parts)\n',
                '    return context("beneficiary.account_sealed")\n',
            ),
        ),
        ("tests/include/ifms/ledger/test_binding.py::test_an_account_does_not_open_in_another_pi_and_one_that_is_missing_is_named",),
    ),
    "refused after an unknown outcome is never sent": Mutant(
        (
            (SENDING, "never_sent = status is LogStatus.NOT_SENT and not item.ask_first", "never_sent = status in (LogStatus.NOT_SENT, LogStatus.ERROR)"),
            (SENDING, 'maybe_there = item.pi.may_have_arrived', 'maybe_there = item.pi.last_attempt != "never_sent"'),
        ),
        ("tests/include/ifms/services/test_uncertain_submissions.py",),
    ),
    "the refusal of a second submission declines": Mutant(
        ((SENDING, "if meaning is Meaning.CONTENT_ERROR and not item.was_sent_before(bill):", "if meaning is Meaning.CONTENT_ERROR:"),),
        ("tests/include/ifms/services/test_uncertain_submissions.py::test_a_second_submission_that_is_refused_declines_nothing",),
    ),
    "empty data counts as absence": Mutant(
        (
            (
                SENDING,
                '                what = "shows no amount or count of it" if news is not None else "has no news of it"\n',
                '                if news is None:\n                    return self._absent(writes, item, "has no news of it")\n'
                '                what = "shows no amount or count of it" if news is not None else "has no news of it"\n',
            ),
        ),
        ("tests/include/ifms/services/test_uncertain_submissions.py::test_empty_data_never_means_that_the_treasury_lacks_it",),
    ),
    "a duplicate on a first submission is accepted": Mutant(
        ((SENDING, "if meaning is Meaning.DUPLICATE and item.was_sent_before(bill):", "if meaning is Meaning.DUPLICATE:"),),
        ("tests/include/ifms/services/test_uncertain_submissions.py",),
    ),
    "the relay tells the last word only": Mutant(
        (("include/ifms/delivery/payment_status.py", "    for payload in history:\n", "    for payload in history[-1:]:\n"),),
        ("tests/include/ifms/delivery/test_payment_status.py",),
    ),
    "a declined repayment leaves its beneficiaries live": Mutant(
        (
            (
                "include/ifms/services/pi.py",
                "            beneficiaries.set_beneficiaries(writes, pi, BeneficiaryStatus.PENDING, BeneficiaryStatus.FAILED)\n        return change\n",
                "            pass\n        return change\n",
            ),
        ),
        ("tests/include/ifms/services/test_cor.py::test_a_declined_repayment_leaves_its_beneficiaries_failed_and_another_may_follow",),
    ),
    "withheld money is chosen as funding": Mutant(
        (
            (FUNDS, " AND s.available_amount - ifms.withheld(s) >= %(amount)s\"\"\"\n", "\"\"\"\n"),
        ),
        ("tests/include/ifms/ledger/test_funds.py::test_money_that_an_import_withholds_is_not_chosen",),
    ),
    "PD says SUCCESSFUL despite a failure": Mutant(
        (("include/ifms/services/pd.py", "    if not recorded.own.failed:\n", "    if True:\n"),),
        ("tests/include/ifms/services/test_line_statuses.py", "tests/include/ifms/services/test_cor.py::test_a_failure_before_the_scroll_completes_the_pi_as_partial"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project once more, with nothing wrong in it yet."""
    folder = tmp_path_factory.mktemp("mutant") / "project"
    for part in ("include", "plugins", "dags", "tests"):
        shutil.copytree(REPO / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize("name", MUTANTS)
def test_what_a_fault_changes_is_there_once(name: str):
    for path, old, _ in MUTANTS[name].changes:
        there = (REPO / path).read_text().count(old)
        assert there == 1, f"{path} has {there} times what this mutant changes: {old!r}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_put_back_turns_the_suite_red(copy: Path, name: str):
    mutant = MUTANTS[name]
    originals = {path: (copy / path).read_text() for path, _, _ in mutant.changes}
    try:
        for path, old, new in mutant.changes:
            (copy / path).write_text((copy / path).read_text().replace(old, new))
        code, said = suite(copy, mutant.caught_by)
    finally:
        for path, text in originals.items():
            (copy / path).write_text(text)
    assert code == 1, f"{name}: not noticed (pytest ended with {code})\n{said[-4000:]}"
    assert " failed" in said, said[-4000:]
    figures.add("mutants caught")


@pytest.mark.tier("prove")
def test_the_copy_itself_passes(copy: Path):
    """A copy that fails by itself would prove nothing about the mutants."""
    code, said = suite(
        copy, ("tests/include/ifms/services/test_fd.py", "tests/faults/test_concurrency.py::test_64_connections_reserve_on_one_sanction_at_once")
    )  # fmt: skip
    assert code == 0, said[-4000:]


def suite(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Run `tests` in `folder` until the first failure; pytest's exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "AIRFLOW", "IFMS_"))},
            "PYTHONPATH": os.pathsep.join(str(folder / part) for part in ("include", "plugins")),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
