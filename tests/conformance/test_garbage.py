"""Replies that nobody can understand change no row, whichever service they are for; the next good one is taken."""

from __future__ import annotations

from random import Random

import psycopg
import pytest
from conformance.scenario import UNKNOWN_BILL
from conformance.table import TABLE
from support import figures
from support.adapter import assert_money_is_right
from support.mutations import ACCOUNT, EXAMPLES, mutated

from ifms.errors import SweepError, WireError
from ifms.ledger import instructions
from ifms.ledger.database import Database
from ifms.services.cor import Revision
from ifms.services.ftfps import RevisedFailure
from ifms.services.ftps import RevisedSuccess
from ifms.services.pag import PaymentAdvice
from ifms.services.pd import PaymentDetails
from ifms.services.pi import Instruction
from ifms.services.pis import InstructionStatus
from ifms.wire.envelope import parse_reply
from ifms.wire.phrasebook import shipped

# What says where a payment stands; a sweep's own book-keeping (attempts, claims, messages, logs) is left out.
STANDS = {
    "sanction": "id, allotted_amount, reserved_amount, spent_amount",
    "fund_movement": "id",
    "payment": "id, paid_by, hold_code",
    "payment_instruction": "id, status, is_active, pi_approved_id, pa_bill_ref_number, pa_token_number, success_code",
    "beneficiary": "id, status, utr_number, voucher_number, failed_on",
    "outbox": "id",
}
READ = {
    "PI": lambda _: Instruction().receipt,
    "COR": lambda _: Revision().receipt,
    "PIS": lambda _: InstructionStatus().read,
    "PAG": lambda _: PaymentAdvice().read,
    "PD": lambda _: PaymentDetails().read,
    "FTPS": lambda _: RevisedSuccess().read,
    "FTFPS": lambda sealer: RevisedFailure(sealer).read,
}
TRIES = max(3, EXAMPLES // 10)


def stands(play):
    return {
        table: play.adapter.rows(f"SELECT {columns} FROM ifms.{table} ORDER BY 1") for table, columns in STANDS.items()
    }


def sweep(play, service):
    """One sweep; whether it was green. Anything but a typed error would be raised."""
    try:
        if service == "COR":
            play.adapter.correct()
        else:
            play.adapter.run(service)
    except SweepError:
        return False
    return True


def newest(play):
    number = play.adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at DESC LIMIT 1")
    with Database(lambda: psycopg.connect(play.adapter.dsn)) as db:
        return db.transact(lambda c: instructions.lock(c, number[0]["pi_number"]))


def whole_reply(play, service, pi):
    """A reply that would be taken, as the treasury gives it; PI's and COR's without sending one for good."""
    match service:
        case "PI":
            row = {"jitBillNo": pi.pi_number, "successCode": "0", "sucessDescrp": f"account {ACCOUNT} is credited"}
        case "COR":
            row = {"jitCorBillNo": pi.pi_number, "successCode": "0", "sucessDescrp": f"account {ACCOUNT} is credited"}
        case _:
            from ifms.treasury.client import TreasuryClient

            sealer = play.adapter.sweep(service).calls.sealer
            asked = READ[service](sealer).__self__
            with TreasuryClient(play.treasury.simulators.treasury_config()) as client:
                (row,) = client.call(asked.request(pi, client.config)).reply.data
    return {"serviceId": service, "errorMsg": None, "data": [row]}


def read(reader, pi, reply):
    """A receipt's reader asks no phrasebook."""
    return reader(pi, reply) if reader.__name__ == "receipt" else reader(pi, reply, shipped())


def understood(play, service, pi, text):
    """Whether anything in the text may move the PI."""
    sealer = play.adapter.sweep(service).calls.sealer
    try:
        reply = parse_reply(text)
        return bool(reply.errors) or read(READ[service](sealer), pi, reply) is not None
    except WireError:
        return False


@pytest.mark.parametrize("service", READ)
def test_garbage_changes_no_row(scenarios, tmp_path, service):
    seed = Random().randrange(2**32)
    random = Random(seed)
    with scenarios[service].play(tmp_path) as play:
        if service in ("PI", "COR"):  # so that its number is known: written, and its outcome not heard
            play.treasury.rule(service, "refuse")
            assert not sweep(play, service)
            asked, unknown_bill = UNKNOWN_BILL[service]
            play.treasury.clear()
        pi = newest(play)
        whole = whole_reply(play, service, pi)
        before = stands(play)
        tried = 0
        while tried < TRIES:
            text = mutated(random, whole)
            if "\\ud800" in text or understood(play, service, pi, text):
                continue
            tried += 1
            if service in ("PI", "COR"):
                play.treasury.rule(asked, "error", errorMsg=unknown_bill)
            play.treasury.rule(service, "plain_reply", text=text)
            sweep(play, service)
            play.treasury.clear()
            assert stands(play) == before, f"seed {seed}: {text[:2000]}"
        figures.add("garbage replies that changed no row", tried)
        shown = play.adapter.rows(
            "SELECT message AS text FROM ifms.status_log UNION ALL SELECT error_message FROM ifms.treasury_call "
            "UNION ALL SELECT problems::text FROM ifms.sweep_run UNION ALL SELECT message FROM ifms.sweep_run "
            "UNION ALL SELECT error_message FROM ifms.payment_instruction"
        )
        assert not [row for row in shown if ACCOUNT in (row["text"] or "")], f"seed {seed}"
        if service in ("PI", "COR"):
            play.treasury.rule(asked, "error", errorMsg=unknown_bill, times=1)
        assert sweep(play, service), f"seed {seed}: the next good reply is taken"
        assert newest(play).status == TABLE[service, "ok"].pi, f"seed {seed}"
        assert_money_is_right(play.adapter, play.treasury)
